#include "target.h"

#include "../cli/say.h"
#include "../cli/text.h"
#include "../../tracer/base/error.h"

#include <stdio.h>
#include <stdlib.h>

static bool is_live(const struct grosr_session *session)
{
    return grosr_session_alive(session) &&
           sys_load_relaxed(&grosr_session_live(session)->state) == GROSR_SESSION_OPEN;
}

/* The process's first running session; without one, the first that can be opened. */
static int open_of_process(struct grosr_session **out, uint32_t pid, const struct grosr_session_id *ids,
                           int count)
{
    struct grosr_session *found = NULL, *session;

    for (int i = 0; i < count; i++) {
        if (ids[i].pid != pid || grosr_session_open(&session, pid, ids[i].index))
            continue;
        if (is_live(session)) {
            grosr_session_close(found);
            *out = session;
            return 0;
        }
        if (found)
            grosr_session_close(session);
        else
            found = session;
    }
    if (!found && grosr_session_open(&found, pid, 0)) /* for the text of its error */
        return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    if (!grosr_session_alive(found)) {
        grosr_session_close(found);
        return grosr_say(GROSR_EXIT_FAILURE, "process %u has died; `grosr info` lists the sessions", pid);
    }
    *out = found;
    return 0;
}

static int open_only_one(struct grosr_session **out, const struct grosr_session_id *ids, int count)
{
    struct grosr_session *found = NULL, *session;
    char names[1024] = "";
    size_t length = 0;
    int live = 0;

    for (int i = 0; i < count; i++) {
        if (grosr_session_open(&session, ids[i].pid, ids[i].index))
            continue;
        bool running = is_live(session), first = running && live == 0;
        live += running;
        if (running && length < sizeof(names))
            length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%u (%s)",
                                       length ? ", " : "", ids[i].pid, session->header.program);
        if (first)
            found = session;
        else
            grosr_session_close(session);
    }
    if (live == 1) {
        *out = found;
        return 0;
    }
    grosr_session_close(found);
    if (live == 0)
        return grosr_say(GROSR_EXIT_FAILURE, "no live GROSR session; start one with `grosr run ...`");
    return grosr_say(GROSR_EXIT_USAGE, "several sessions are running; choose one by its PID: %s", names);
}

int target_open(struct grosr_session **out, const char *name)
{
    struct grosr_session_id *ids;
    uint64_t pid = 0;
    int code, count;

    *out = NULL;
    if (name && (!text_whole_number(name, &pid) || pid < 1 || pid > INT32_MAX))
        return grosr_say(GROSR_EXIT_USAGE, "'%s' is not a process id", name);
    count = grosr_session_list(&ids);
    if (count < 0)
        return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    code = pid ? open_of_process(out, (uint32_t)pid, ids, count) : open_only_one(out, ids, count);
    free(ids);
    return code;
}
