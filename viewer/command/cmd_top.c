/*
 * grosr top: finds the session, samples it (model.h) and shows it: on the screen, as one frame of text, or as
 * JSON.
 */
#include "../show/json.h"
#include "../model/model.h"
#include "../cli/options.h"
#include "../cli/output.h"
#include "../screen/terminal.h"
#include "../cli/text.h"
#include "../../tracer/clock/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ONCE_SECONDS  0.2 /* between the two samples of --once, at most */
#define FIRST_SECONDS 0.2 /* until the live view has its first rates */

/* Finding the session. */

static bool is_live(const struct grosr_session *session)
{
    return grosr_session_alive(session) &&
           sys_load_relaxed(&grosr_session_live(session)->state) == GROSR_SESSION_OPEN;
}

/* The process's first session that runs, else its first that can be opened. */
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
    if (!found && grosr_session_open(&found, pid, 0)) /* says what is wrong */
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
    return grosr_say(GROSR_EXIT_USAGE, "several sessions run; say which by its pid: %s", names);
}

static int open_session(struct grosr_session **out, const struct grosr_arguments *arguments)
{
    struct grosr_session_id *ids;
    uint64_t pid = 0;
    int code, count;

    *out = NULL;
    if (arguments->operands &&
        (!text_whole_number(arguments->operand[0], &pid) || pid < 1 || pid > INT32_MAX))
        return grosr_say(GROSR_EXIT_USAGE, "`grosr top` takes a process id, not '%s'", arguments->operand[0]);
    count = grosr_session_list(&ids);
    if (count < 0)
        return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    code = pid ? open_of_process(out, (uint32_t)pid, ids, count) : open_only_one(out, ids, count);
    free(ids);
    return code;
}

/* JSON. */

static void write_queues(struct json *j, const struct model *m)
{
    json_array(j, "queues");
    for (uint32_t i = 0; i < m->queues; i++) {
        const struct model_queue *q = &m->queue[i];
        json_object(j, NULL);
        json_string(j, "name", q->name);
        json_uint(j, "capacity", q->capacity);
        json_uint(j, "depth", q->depth);
        json_uint(j, "max_depth", q->max_depth);
        json_uint(j, "enqueued", q->enqueued);
        json_uint(j, "dequeued", q->dequeued);
        json_uint(j, "oldest_wait_ns", q->oldest_wait_ns);
        json_close(j);
    }
    json_close(j);
}

/* A hundredth of a per cent is finer than what is measured. */
static double rounded(double x)
{
    return round(x * 100) / 100;
}

static void write_sms(struct json *j, const struct model *m)
{
    json_array(j, "sms");
    for (uint32_t i = 0; i < m->sms; i++) {
        const struct model_sm *sm = &m->sm[i];
        json_object(j, NULL);
        json_uint(j, "id", sm->id);
        json_uint(j, "workers", sm->workers);
        json_number(j, "busy_pct", rounded(sm->busy_pct));
        json_number(j, "occupancy_pct", rounded(sm->occupancy_pct));
        json_close(j);
    }
    json_close(j);
}

static void write_workers(struct json *j, const struct model *m)
{
    static const char *const names[MODEL_WORKER_STATES] = {"not_started", "running", "waiting", "idle",
                                                           "stopped"};

    if (m->session.level == GROSR_LEVEL_OFF) {
        json_null(j, "workers"); /* they do not report */
        return;
    }
    json_object(j, "workers");
    for (int i = 0; i < MODEL_WORKER_STATES; i++)
        json_uint(j, names[i], m->workers[i]);
    json_close(j);
}

static void write_json(const struct model *m)
{
    const struct model_session *s = &m->session;
    struct json j;

    json_begin(&j, stdout);
    json_object(&j, NULL);
    json_object(&j, "session");
    json_uint(&j, "pid", s->pid);
    json_string(&j, "program", s->program);
    json_string(&j, "device", s->device);
    json_string(&j, "device_name", s->device_name);
    json_uint(&j, "uptime_ns", s->uptime_ns);
    json_string(&j, "level", text_level(s->level));
    json_uint(&j, "workers", s->workers);
    json_uint(&j, "interval_ns", m->interval_ns);
    json_close(&j);
    json_object(&j, "tasks");
    json_uint(&j, "enqueued", m->tasks.enqueued);
    json_uint(&j, "completed", m->tasks.completed);
    json_uint(&j, "run", m->tasks.run);
    json_uint(&j, "spawned", m->tasks.spawned);
    json_uint(&j, "shared", m->tasks.shared);
    json_uint(&j, "done", m->tasks.done);
    json_number(&j, "done_per_s", rounded(m->tasks.per_s));
    json_number(&j, "completed_per_s", rounded(m->tasks.completed_per_s));
    json_close(&j);
    write_queues(&j, m);
    write_workers(&j, m);
    write_sms(&j, m);
    json_null(&j, "allocator");
    json_null(&j, "syscalls");
    json_object(&j, "trace");
    json_uint(&j, "written", m->trace.written);
    json_uint(&j, "read", m->trace.read);
    json_uint(&j, "dropped", m->trace.dropped);
    json_uint(&j, "overwritten", m->trace.overwritten);
    json_string(&j, "overflow", text_overflow(s->overflow));
    json_uint(&j, "collector_pid", s->collector_pid);
    json_close(&j);
    json_null(&j, "stalls"); /* nobody looks for them yet */
    json_close(&j);
    json_end(&j);
}

/* The views. */

static uint64_t after(double seconds)
{
    return grosr_host_clock_ns() + (uint64_t)(seconds * 1e9);
}

static bool has_ended(const struct model *m)
{
    return !m->session.alive || m->session.finished;
}

static int say_ended(const struct model *m)
{
    return grosr_say(GROSR_EXIT_OK, "process %u has %s", m->session.pid,
                     m->session.alive ? "closed its session" : "ended");
}

static bool wants_color(const struct grosr_arguments *arguments)
{
    return arguments->color == GROSR_COLOR_ALWAYS ||
           (arguments->color == GROSR_COLOR_AUTO && isatty(STDOUT_FILENO) == 1);
}

static int show_once(struct model_source *source, const struct grosr_arguments *arguments)
{
    struct frame_view view = {.ascii = screen_is_ascii(), .interval_s = arguments->interval};
    struct frame frame;
    int width, height;

    output_begin();
    model_sample(source);
    screen_sleep(after(fmin(arguments->interval, ONCE_SECONDS)));
    const struct model *model = model_sample(source);
    if (arguments->json) {
        write_json(model);
        return output_end(GROSR_EXIT_OK);
    }
    screen_size(&width, &height);
    if (frame_make(&frame, width, height))
        return grosr_say(GROSR_EXIT_FAILURE, "out of memory");
    frame_draw(&frame, model, &view);
    screen_print(&frame, stdout, wants_color(arguments));
    frame_free(&frame);
    return output_end(GROSR_EXIT_OK);
}

static int stream_json(struct model_source *source, const struct grosr_arguments *arguments)
{
    const struct model *model;

    output_begin();
    screen_catch_signals();
    model_sample(source);
    do {
        enum screen_event event = screen_sleep(after(arguments->interval));
        model = model_sample(source);
        write_json(model);
        if (event == SCREEN_QUIT)
            return output_end(GROSR_EXIT_OK);
    } while (!output_failed() && !has_ended(model));
    int code = output_end(GROSR_EXIT_OK);
    return code ? code : say_ended(model);
}

/* Off, counters, spans, full, and around. It takes effect in the running kernel at once. */
static void next_level(const struct grosr_session *session)
{
    sys32 *level = &grosr_session_live(session)->level;
    uint32_t now = sys_load_relaxed(level);

    sys_store_relaxed(level, now >= GROSR_LEVEL_FULL ? (uint32_t)GROSR_LEVEL_OFF : now + 1);
}

/* The next longer or shorter of 0.1, 0.2, 0.5, 1, ... 60 seconds. */
static double other_interval(double seconds, bool longer)
{
    static const double steps[] = {0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60};
    int count = (int)(sizeof(steps) / sizeof(*steps));

    for (int i = 0; longer && i < count; i++)
        if (steps[i] > seconds)
            return steps[i];
    for (int i = count - 1; !longer && i >= 0; i--)
        if (steps[i] < seconds)
            return steps[i];
    return seconds;
}

static int draw(const struct model *model, const struct frame_view *view)
{
    struct frame frame;
    int width, height;

    screen_size(&width, &height);
    if (frame_make(&frame, width, height))
        return -1;
    frame_draw(&frame, model, view);
    screen_show(&frame);
    frame_free(&frame);
    return 0;
}

/* One event of the person at the keyboard, or of the clock. */
static void handle(enum screen_event event, struct frame_view *view, const struct grosr_session *session)
{
    bool was_help = view->help;

    if (event != SCREEN_TIMEOUT && event != SCREEN_RESIZED)
        view->help = false;
    if (event == SCREEN_HELP)
        view->help = !was_help;
    else if (event == SCREEN_PAUSE)
        view->paused = !view->paused;
    else if (event == SCREEN_LEVEL)
        next_level(session);
    else if (event == SCREEN_SLOWER || event == SCREEN_FASTER)
        view->interval_s = other_interval(view->interval_s, event == SCREEN_SLOWER);
}

static int watch(struct model_source *source, const struct grosr_session *session,
                 const struct grosr_arguments *arguments)
{
    struct frame_view view = {
        .ascii = screen_is_ascii(), .interactive = true, .interval_s = arguments->interval};
    const struct model *model = model_sample(source);
    uint64_t last_ns = grosr_host_clock_ns(), due_ns = after(fmin(FIRST_SECONDS, view.interval_s));
    enum screen_event event;
    int err = screen_open(wants_color(arguments));

    if (err)
        return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    do {
        if (draw(model, &view)) {
            screen_close();
            return grosr_say(GROSR_EXIT_FAILURE, "out of memory");
        }
        event = screen_wait(due_ns);
        handle(event, &view, session);
        if (event == SCREEN_SLOWER || event == SCREEN_FASTER)
            due_ns = last_ns + (uint64_t)(view.interval_s * 1e9);
        if (event == SCREEN_TIMEOUT) {
            if (!view.paused || !grosr_session_alive(session))
                model = model_sample(source);
            last_ns = grosr_host_clock_ns();
            due_ns = after(view.interval_s);
        }
    } while (event != SCREEN_QUIT && !has_ended(model));
    screen_close();
    return event == SCREEN_QUIT ? GROSR_EXIT_OK : say_ended(model);
}

int cmd_top(int argc, char **argv)
{
    struct grosr_arguments arguments;
    struct grosr_session *session;
    struct model_source *source;
    int code = grosr_parse(argc, argv, &arguments);

    if (code >= 0)
        return code;
    code = open_session(&session, &arguments);
    if (code)
        return code;
    if (model_open(&source, session)) {
        grosr_session_close(session);
        return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    }
    if (arguments.once || (!arguments.json && isatty(STDOUT_FILENO) != 1))
        code = show_once(source, &arguments);
    else if (arguments.json)
        code = stream_json(source, &arguments);
    else
        code = watch(source, session, &arguments);
    model_close(source);
    grosr_session_close(session);
    return code;
}
