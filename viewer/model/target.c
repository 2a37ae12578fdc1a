/* Which sessions a command means (target.h). */
#include "target.h"

#include "../cli/say.h"
#include "../cli/text.h"
#include "../../tracer/base/error.h"
#include "../../tracer/base/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_live(const struct grosr_session *session)
{
    return grosr_session_alive(session) &&
           sys_load_relaxed(&grosr_session_live(session)->state) == GROSR_SESSION_OPEN;
}

static bool is_replaced(const struct grosr_session *s)
{
    return grosr_process_replaced(s->header.pid, s->header.pid_start);
}

const char *target_state(const struct grosr_session *session)
{
    if (grosr_session_alive(session))
        return is_live(session) ? "running" : "finished";
    return is_replaced(session) ? "left behind: its process has died, and another has its number now"
                                : "left behind: its process has died";
}

char *target_gone(char *text, size_t size, const struct grosr_session *s)
{
    if (is_replaced(s))
        snprintf(text, size, "the process of session %u.%u has died, and another has its number now",
                 s->header.pid, s->header.index);
    else
        snprintf(text, size, "process %u has died", s->header.pid);
    return text;
}

/* ---- lists ---- */

static int compare_starts(const void *a, const void *b)
{
    const struct grosr_session *x = *(struct grosr_session *const *)a;
    const struct grosr_session *y = *(struct grosr_session *const *)b;
    return x->header.start_mono_ns < y->header.start_mono_ns   ? -1
           : x->header.start_mono_ns > y->header.start_mono_ns ? 1
                                                               : 0;
}

void target_close(struct target_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        grosr_session_close(list->session[i]);
    free(list->session);
    *list = (struct target_list){NULL, 0};
}

/* Opens those that `wanted` wants, of one process or (0) of all; what cannot be opened is left out. */
static int open_list(struct target_list *list, uint32_t pid, uint32_t index,
                     bool (*wanted)(const struct grosr_session *session))
{
    struct grosr_session_id *ids;
    int count = grosr_session_list(&ids);

    *list = (struct target_list){NULL, 0};
    if (count < 0)
        return count;
    list->session = (struct grosr_session **)calloc((size_t)count + 1, sizeof(struct grosr_session *));
    for (int i = 0; list->session && i < count; i++) {
        struct grosr_session *session;
        if ((pid && ids[i].pid != pid) || (index != TARGET_ANY && ids[i].index != index) ||
            grosr_session_open(&session, ids[i].pid, ids[i].index))
            continue;
        if (wanted(session))
            list->session[list->count++] = session;
        else
            grosr_session_close(session);
    }
    free(ids);
    if (!list->session)
        return grosr_fail(ENOMEM, "out of memory");
    qsort(list->session, list->count, sizeof(struct grosr_session *), compare_starts);
    return 0;
}

static bool is_left(const struct grosr_session *session)
{
    return !grosr_session_alive(session);
}

int target_list(struct target_list *list, uint32_t pid, uint32_t index, bool left)
{
    return open_list(list, pid, index, left ? is_left : grosr_session_alive);
}

void target_say(const struct target_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct grosr_session *s = list->session[i];
        grosr_say(0, "%u.%u: %s, %s, %s", s->header.pid, s->header.index, s->header.program, s->header.device,
                  target_state(s));
    }
}

/* ---- choosing one ---- */

/* Takes a session out of a list, and closes the others. */
static void take(struct grosr_session **out, struct target_list *list, uint32_t chosen)
{
    *out = list->session[chosen];
    list->session[chosen] = list->session[--list->count];
    target_close(list);
}

/* The newest that is running and has workers; else the newest that is running; else the newest. */
static uint32_t newest(const struct target_list *list)
{
    uint32_t best = 0;
    int best_rank = -1;

    for (uint32_t i = 0; i < list->count; i++) {
        const struct grosr_session *s = list->session[i];
        int rank = !is_live(s) ? 0 : s->header.workers == 0 ? 1 : 2;
        if (rank >= best_rank) {
            best = i;
            best_rank = rank;
        }
    }
    return best;
}

/* Of sessions of one process. */
static void choose(struct grosr_session **out, struct target_list *list)
{
    uint32_t chosen = newest(list);
    const struct grosr_session_header *h = &list->session[chosen]->header;

    if (list->count > 1) {
        grosr_say(
            0, "process %u has %u sessions, of which this is %u.%u, the newest; name another by PID.INDEX:",
            h->pid, list->count, h->pid, h->index);
        target_say(list);
    }
    take(out, list, chosen);
}

/* Why a process has no session that can be shown. */
static int say_none(uint32_t pid, uint32_t index)
{
    struct target_list left;
    struct grosr_session *session;
    char text[128];

    if (!target_list(&left, pid, index, true) && left.count) {
        grosr_say(0, "%s; `grosr info` lists the sessions", target_gone(text, sizeof(text), left.session[0]));
        target_close(&left);
        return GROSR_EXIT_FAILURE;
    }
    target_close(&left);
    if (!grosr_session_open(&session, pid, index == TARGET_ANY ? 0 : index)) { /* for the text of its error */
        grosr_session_close(session);
        return grosr_say(GROSR_EXIT_FAILURE, "process %u has closed its session", pid);
    }
    return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
}

static int open_of_process(struct grosr_session **out, uint32_t pid, uint32_t index)
{
    struct target_list list;

    if (target_list(&list, pid, index, false))
        return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    if (!list.count) {
        target_close(&list);
        return say_none(pid, index);
    }
    choose(out, &list);
    return 0;
}

static bool are_of_one_process(const struct target_list *list)
{
    for (uint32_t i = 1; i < list->count; i++)
        if (list->session[i]->header.pid != list->session[0]->header.pid)
            return false;
    return true;
}

static int open_only_one(struct grosr_session **out)
{
    struct target_list list;
    char names[1024] = "";
    size_t length = 0;

    if (open_list(&list, 0, TARGET_ANY, is_live))
        return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    if (!list.count) {
        target_close(&list);
        return grosr_say(GROSR_EXIT_FAILURE, "no live GROSR session; start one with `grosr run ...`");
    }
    if (are_of_one_process(&list)) {
        choose(out, &list);
        return 0;
    }
    for (uint32_t i = 0; i < list.count && length < sizeof(names); i++) {
        const struct grosr_session_header *h = &list.session[i]->header;
        length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%u.%u (%s)", length ? ", " : "",
                                   h->pid, h->index, h->program);
    }
    target_close(&list);
    return grosr_say(GROSR_EXIT_USAGE, "several sessions are running; choose one by its PID or PID.INDEX: %s",
                     names);
}

int target_open(struct grosr_session **out, const char *name)
{
    uint32_t pid, index;

    *out = NULL;
    if (name && !text_session(name, &pid, &index))
        return grosr_say(GROSR_EXIT_USAGE, "'%s' is not a process id, nor PID.INDEX", name);
    return name ? open_of_process(out, pid, index) : open_only_one(out);
}
