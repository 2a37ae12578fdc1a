/*
 * grosr top: samples a live session (model.h) and shows it: on the screen, as one frame of text, or as JSON.
 */
#include "commands.h"
#include "../cli/output.h"
#include "../model/model.h"
#include "../model/model_json.h"
#include "../model/target.h"
#include "../screen/terminal.h"
#include "../../tracer/base/error.h"
#include "../../tracer/clock/clock.h"

#include <math.h>
#include <unistd.h>

#define ONCE_SECONDS  0.2 /* between the two samples of --once, at most */
#define FIRST_SECONDS 0.2 /* until the live view has its first rates */

static uint64_t after(double seconds)
{
    return grosr_host_clock_ns() + (uint64_t)(seconds * 1e9);
}

static bool has_ended(const struct model *m, const struct grosr_session *session)
{
    return !m->session.alive || m->session.finished || grosr_session_truncated(session);
}

/* Why nothing more can be shown: of a truncated segment, zeros were read. */
static int say_ended(const struct model *m, const struct grosr_session *session)
{
    if (grosr_session_truncated(session))
        return grosr_say(GROSR_EXIT_FAILURE,
                         "process %u has truncated its session segment; nothing more can be shown of it",
                         m->session.pid);
    return grosr_say(GROSR_EXIT_OK, "process %u has %s", m->session.pid,
                     m->session.alive ? "closed its session" : "ended");
}

static bool wants_color(const struct grosr_arguments *arguments)
{
    return arguments->color == GROSR_COLOR_ALWAYS ||
           (arguments->color == GROSR_COLOR_AUTO && isatty(STDOUT_FILENO) == 1);
}

static int show_once(struct model_source *source, const struct grosr_session *session,
                     const struct grosr_arguments *arguments)
{
    struct frame_view view = {.ascii = screen_is_ascii(), .interval_s = arguments->interval};
    struct frame frame;
    int width, height;

    output_begin();
    model_sample(source);
    screen_sleep(after(fmin(arguments->interval, ONCE_SECONDS)));
    const struct model *model = model_sample(source);
    if (grosr_session_truncated(session))
        return say_ended(model, session);
    if (arguments->json) {
        model_write_json(model, stdout);
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

static int stream_json(struct model_source *source, const struct grosr_session *session,
                       const struct grosr_arguments *arguments)
{
    const struct model *model;

    output_begin();
    screen_catch_signals();
    model_sample(source);
    do {
        enum screen_event event = screen_sleep(after(arguments->interval));
        model = model_sample(source);
        if (grosr_session_truncated(session))
            break;
        model_write_json(model, stdout);
        if (event == SCREEN_QUIT)
            return output_end(GROSR_EXIT_OK);
    } while (!output_failed() && !has_ended(model, session));
    int code = output_end(GROSR_EXIT_OK);
    return code ? code : say_ended(model, session);
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

    if (event != SCREEN_TIMEOUT && event != SCREEN_REDRAW)
        view->help = false;
    if (event == SCREEN_HELP)
        view->help = !was_help;
    else if (event == SCREEN_PAUSE)
        view->paused = !view->paused;
    else if (event == SCREEN_LEVEL)
        next_level(session);
    else if (event >= SCREEN_SELECT)
        view->screen = (int)event - SCREEN_SELECT;
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
    } while (event != SCREEN_QUIT && !has_ended(model, session));
    screen_close();
    return event == SCREEN_QUIT ? GROSR_EXIT_OK : say_ended(model, session);
}

int cmd_top(const struct grosr_arguments *arguments)
{
    struct grosr_session *session;
    struct model_source *source;
    int code;

    screen_catch_crashes();
    grosr_session_guard();
    code = target_open(&session, arguments->operands ? arguments->operand[0] : NULL);
    if (code)
        return code;
    if (model_open(&source, session)) {
        grosr_session_close(session);
        return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    }
    if (arguments->once || (!arguments->json && isatty(STDOUT_FILENO) != 1))
        code = show_once(source, session, arguments);
    else if (arguments->json)
        code = stream_json(source, session, arguments);
    else
        code = watch(source, session, arguments);
    model_close(source);
    grosr_session_close(session);
    return code;
}
