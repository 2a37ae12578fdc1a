/*
 * grosr recover: makes a trace of the sessions that a dead process left behind; with the overflow policy
 * `overwrite` a flight recorder.
 */
#include "commands.h"
#include "../record/collect.h"
#include "../cli/signals.h"
#include "../cli/text.h"
#include "../model/target.h"

#include "../../tracer/base/error.h"
#include "../../tracer/store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t stop;

static void on_stop(int signal_number)
{
    (void)signal_number;
    stop = 1;
}

/* What is recovered: copies of segments, and their files. */
struct segments {
    struct grosr_session **session;
    char (*path)[4096];
    uint32_t count;
};

static void close_segments(struct segments *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        grosr_session_close(s->session[i]);
    free(s->session);
    free(s->path);
}

static int open_segment(struct segments *s, const char *path)
{
    if (grosr_session_open_copy(&s->session[s->count], path))
        return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    snprintf(s->path[s->count++], sizeof(*s->path), "%s", path);
    return 0;
}

static int allocate(struct segments *s, uint32_t count)
{
    s->session = (struct grosr_session **)calloc(count, sizeof(struct grosr_session *));
    s->path = (char(*)[4096])calloc(count, sizeof(*s->path));
    return s->session && s->path ? 0 : grosr_say(GROSR_EXIT_FAILURE, "out of memory");
}

/* The sessions that a process left behind: all, or the one with the index. */
static int open_left(struct segments *s, uint32_t pid, uint32_t index)
{
    struct target_list list;
    char path[64];
    int code = 0;

    if (target_list(&list, pid, index, true))
        return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    if (list.count > 1) {
        grosr_say(0, "process %" PRIu32 " left %" PRIu32 " sessions, which go into one trace:", pid,
                  list.count);
        target_say(&list);
    }
    if (list.count)
        code = allocate(s, list.count);
    for (uint32_t i = 0; !code && i < list.count; i++) {
        snprintf(path, sizeof(path), "/dev/shm/grosr.%" PRIu32 ".%" PRIu32, pid,
                 list.session[i]->header.index);
        code = open_segment(s, path);
    }
    target_close(&list);
    if (code || s->count)
        return code;
    if (target_list(&list, pid, index, false) == 0 && list.count) {
        target_close(&list);
        return grosr_say(GROSR_EXIT_FAILURE,
                         "process %" PRIu32 " is running; `grosr record --attach %" PRIu32 "` records it",
                         pid, pid);
    }
    target_close(&list);
    snprintf(path, sizeof(path), "/dev/shm/grosr.%" PRIu32 ".%" PRIu32, pid, index == TARGET_ANY ? 0 : index);
    code = allocate(s, 1);
    return code ? code : open_segment(s, path); /* for the text of its error */
}

/* A segment is named by its session, PID or PID.INDEX, by its file's name, or by a path. */
static int open_named(struct segments *s, const char *name)
{
    static const char folder[] = "/dev/shm/", prefix[] = "grosr.";
    const char *number = strncmp(name, folder, strlen(folder)) ? name : name + strlen(folder);
    uint32_t pid, index;

    if (!strncmp(number, prefix, strlen(prefix)))
        number += strlen(prefix);
    else if (number != name)
        number = "";
    /* A copy elsewhere may be recovered whether or not its process runs. */
    if (text_session(number, &pid, &index))
        return open_left(s, pid, index);
    int code = allocate(s, 1);
    return code ? code : open_segment(s, name);
}

static int recover(const struct segments *s, const char *path)
{
    struct grosr_collect_options options = {.level = -1, .stop = &stop, .path = path};
    struct grosr_collect_result result;

    if (grosr_store_probe(path))
        return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    signals_catch(on_stop);
    options.session = s->session[0];
    options.others = s->session + 1;
    options.other_count = s->count - 1;
    int err = collect_session(options, &result, &stop);
    return err || stop || result.truncated ? GROSR_EXIT_FAILURE : GROSR_EXIT_OK;
}

int cmd_recover(const struct grosr_arguments *a)
{
    struct segments s = {NULL, NULL, 0};
    int code;

    grosr_session_guard();
    code = open_named(&s, a->operand[0]);
    if (!code)
        code = recover(&s, a->output ? a->output : GROSR_DEFAULT_TRACE);
    for (uint32_t i = 0; !code && a->remove && i < s.count; i++)
        if (unlink(s.path[i]))
            code = grosr_say(GROSR_EXIT_FAILURE, "cannot remove %s: %s", s.path[i], strerror(errno));
    close_segments(&s);
    return code;
}
