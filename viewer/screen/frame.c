/*
 * The layout, from top to bottom. Each part is a function that draws from a row on and returns the next free
 * row:
 *
 *     title     program, device, level, uptime
 *     totals    tasks, workers, trace: a line each
 *     queues    a meter each
 *     SMs       the most telling of three grids that fits: bars, numbers, one glyph an SM
 *     rate      what is left over: tasks/s over time
 *     keys
 *
 * When rows are short, blank lines go first, then headings, then the rate.
 */
#include "frame.h"

#include "../cli/text.h"

#include <math.h>
#include <stdio.h>

#define LABEL_COLUMNS 9  /* of the totals */
#define NARROWEST_BAR 26 /* an SM's bar with its number and per cent */
#define RATE_ROWS     12 /* at most */

static enum frame_color load_color(double pct)
{
    if (!(pct > 0))
        return FRAME_LOAD_NONE;
    return pct < 25   ? FRAME_LOAD_LOW
           : pct < 60 ? FRAME_LOAD_MIDDLE
           : pct < 90 ? FRAME_LOAD_HIGH
                      : FRAME_LOAD_FULL;
}

/* Whole per cent, where only what is all busy is 100. */
static int whole_pct(double pct)
{
    return pct >= 99.95 ? 100 : pct > 99 ? 99 : (int)lround(pct);
}

/* The parts. */

static int draw_title(struct frame *f, int row, const struct model *m, const struct frame_view *v)
{
    const struct model_session *s = &m->session;
    const char *state = !s->alive ? "DIED" : s->finished ? "FINISHED" : v->paused ? "PAUSED" : "";
    char uptime[16], right[96];

    cells_fill_row(f, row, FRAME_TITLE);
    text_duration(uptime, sizeof(uptime), (double)s->uptime_ns);
    snprintf(right, sizeof(right), "%s%slevel %s  up %s ", state, *state ? "  " : "", text_level(s->level),
             uptime);
    if (text_columns(right) > f->width - 12)
        snprintf(right, sizeof(right), "%s", f->width > 20 ? uptime : "");
    int end = f->width - text_columns(right);
    struct cells_line l = {f, row, 1, end - 1, false};
    cells_add(&l, FRAME_TITLE, "%s", *s->program ? s->program : "grosr");
    cells_add(&l, FRAME_TITLE, "pid %u", s->pid);
    cells_add(&l, FRAME_TITLE, "%s", s->device);
    cells_add(&l, FRAME_TITLE, "%s", s->device_name);
    cells_text(f, row, end, FRAME_TITLE, right);
    return row + 1;
}

static struct cells_line start_line(struct frame *f, int row, const char *label)
{
    cells_text(f, row, 1, FRAME_LABEL, label);
    return (struct cells_line){f, row, 1 + LABEL_COLUMNS, f->width, false};
}

static int draw_tasks(struct frame *f, int row, const struct model *m)
{
    const struct model_tasks *t = &m->tasks;
    struct cells_line l = start_line(f, row, "tasks");
    char n[16];

    cells_add(&l, FRAME_STRONG, "%s done", text_count(n, sizeof(n), (double)t->done));
    if (isfinite(t->per_s))
        cells_add(&l, FRAME_STRONG, "%s/s", text_count(n, sizeof(n), t->per_s));
    cells_add(&l, FRAME_PLAIN, "%s submitted", text_count(n, sizeof(n), (double)t->enqueued));
    if (t->enqueued > t->completed)
        cells_add(&l, FRAME_PLAIN, "%s in flight",
                  text_count(n, sizeof(n), (double)(t->enqueued - t->completed)));
    if (t->spawned)
        cells_add(&l, FRAME_PLAIN, "%s spawned", text_count(n, sizeof(n), (double)t->spawned));
    return row + 1;
}

static int draw_workers(struct frame *f, int row, const struct model *m)
{
    static const struct {
        const char *name;
        enum frame_color color;
    } state[MODEL_WORKER_STATES] = {
        [MODEL_NOT_STARTED] = {"not started", FRAME_DIM}, [MODEL_RUNNING] = {"running", FRAME_GOOD},
        [MODEL_WAITING] = {"waiting", FRAME_WARN},        [MODEL_IDLE] = {"idle", FRAME_PLAIN},
        [MODEL_STOPPED] = {"stopped", FRAME_DIM},
    };
    static const enum model_worker_state order[] = {MODEL_RUNNING, MODEL_WAITING, MODEL_IDLE, MODEL_STOPPED,
                                                    MODEL_NOT_STARTED};
    struct cells_line l = start_line(f, row, "workers");

    cells_add(&l, FRAME_STRONG, "%u", m->session.workers);
    if (m->session.level == GROSR_LEVEL_OFF) {
        cells_add(&l, FRAME_WARN, "not reporting: level off");
        return row + 1;
    }
    for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
        uint32_t n = m->workers[order[i]];
        bool always = order[i] == MODEL_RUNNING || order[i] == MODEL_WAITING || order[i] == MODEL_IDLE;
        if (n || always)
            cells_add(&l, n ? state[order[i]].color : FRAME_DIM, "%u %s", n, state[order[i]].name);
    }
    return row + 1;
}

static int draw_trace(struct frame *f, int row, const struct model *m)
{
    const struct model_trace *t = &m->trace;
    uint64_t lost = t->dropped + t->overwritten;
    struct cells_line l = start_line(f, row, "trace");
    char n[16];

    cells_add(&l, FRAME_PLAIN, "%s written", text_count(n, sizeof(n), (double)t->written));
    cells_add(&l, t->dropped ? FRAME_BAD : FRAME_DIM, "%s dropped",
              text_count(n, sizeof(n), (double)t->dropped));
    if (t->overwritten)
        cells_add(&l, FRAME_BAD, "%s overwritten", text_count(n, sizeof(n), (double)t->overwritten));
    cells_add(&l, FRAME_PLAIN, "%s read", text_count(n, sizeof(n), (double)t->read));
    if (m->session.collector_pid)
        cells_add(&l, lost ? FRAME_WARN : FRAME_GOOD, "recorded by %u", m->session.collector_pid);
    else
        cells_add(&l, FRAME_DIM, "not recorded");
    return row + 1;
}

static int draw_queues(struct frame *f, int row, int rows, bool heading, const struct model *m)
{
    int name_width = 8, longest = f->width >= 60 ? 20 : 10;
    bool with_max = f->width >= 60;
    char n[16], of[16], depth[40];

    for (uint32_t i = 0; i < m->queues; i++) {
        int columns = text_columns(m->queue[i].name);
        if (columns > name_width)
            name_width = columns < longest ? columns : longest;
    }
    int bar = 1 + name_width + 1, oldest_end = f->width - 1, max_end = oldest_end - 9;
    int depth_end = with_max ? max_end - 7 : max_end + 1, bar_width = depth_end - 12 - bar;

    if (heading) {
        cells_text(f, row, 1, FRAME_LABEL, "queue");
        cells_right(f, row, depth_end, FRAME_LABEL, "depth");
        if (with_max)
            cells_right(f, row, max_end, FRAME_LABEL, "max");
        cells_right(f, row, oldest_end, FRAME_LABEL, with_max ? "oldest" : "old");
        row++;
        rows--;
    }
    for (uint32_t i = 0; i < m->queues && rows > 0; i++, rows--, row++) {
        const struct model_queue *q = &m->queue[i];
        if (rows == 1 && i > 0 && i + 1 < m->queues) {
            cells_format(f, row, 1, FRAME_DIM, "and %u more queues", m->queues - i);
            return row + 1;
        }
        double share = q->capacity ? (double)q->depth / (double)q->capacity : 0;
        enum frame_color color = share < 0.7 ? FRAME_GOOD : share < 0.95 ? FRAME_WARN : FRAME_BAD;
        cells_text(f, row, 1, FRAME_PLAIN, q->name);
        for (int c = 1 + name_width; c < f->width; c++)
            cells_put(f, row, c, " ", 1, FRAME_PLAIN);
        cells_bar(f, row, bar, bar_width, share < 1 ? share : 1, color);
        text_count(n, sizeof(n), (double)q->depth);
        text_count(of, sizeof(of), (double)q->capacity);
        snprintf(depth, sizeof(depth), "%s/%s", n, of);
        cells_right(f, row, depth_end, FRAME_STRONG, depth);
        if (with_max)
            cells_right(f, row, max_end, FRAME_PLAIN, text_count(n, sizeof(n), (double)q->max_depth));
        cells_right(f, row, oldest_end, FRAME_PLAIN, text_duration(n, sizeof(n), (double)q->oldest_wait_ns));
    }
    return row;
}

/* The three grids of SMs. */

static int rows_for(uint32_t sms, int per_row)
{
    return (int)((sms + (uint32_t)per_row - 1) / (uint32_t)per_row);
}

/* The widest bars that leave half of the rows free; 0 when even the narrowest do not fit. */
static int bars_per_row(const struct frame *f, uint32_t sms, int rows)
{
    int most = (f->width - 1) / NARROWEST_BAR, half = rows / 2 > 2 ? rows / 2 : 2;

    for (int n = 1; n <= most; n++)
        if (rows_for(sms, n) <= half)
            return n;
    return most > 0 && rows_for(sms, most) <= rows ? most : 0;
}

static int numbers_per_row(const struct frame *f)
{
    int n = (f->width - 6) / 4;
    return n >= 16 ? n / 8 * 8 : n >= 4 ? n / 4 * 4 : n < 1 ? 1 : n;
}

static int glyphs_per_row(const struct frame *f)
{
    int n = f->width - 6;
    return n >= 32 ? n / 16 * 16 : n < 1 ? 1 : n;
}

static void draw_sm_bar(struct frame *f, int row, int column, int width, const struct model_sm *sm)
{
    char text[48];

    cells_format(f, row, column, FRAME_LABEL, "%4u", sm->id);
    if (!sm->workers)
        snprintf(text, sizeof(text), "    -");
    else if (!isfinite(sm->busy_pct))
        snprintf(text, sizeof(text), "    ?");
    else
        snprintf(text, sizeof(text), "%4d%%", whole_pct(sm->busy_pct));
    cells_bar(f, row, column + 5, width - 11, sm->busy_pct / 100, load_color(sm->busy_pct));
    cells_text(f, row, column + width - 6, sm->workers ? FRAME_STRONG : FRAME_DIM, text);
}

static void draw_sm_number(struct frame *f, int row, int column, const struct model_sm *sm)
{
    enum frame_color color = load_color(sm->busy_pct);

    if (!sm->workers)
        cells_text(f, row, column, FRAME_DIM, f->ascii ? "   -" : "   ·");
    else if (!isfinite(sm->busy_pct))
        cells_text(f, row, column, FRAME_DIM, "   ?");
    else
        cells_format(f, row, column, color, "%3d%s", whole_pct(sm->busy_pct),
                     cells_level(f, (int)ceil(sm->busy_pct * 8 / 100)));
}

static void draw_sm_glyph(struct frame *f, int row, int column, const struct model_sm *sm)
{
    if (!sm->workers)
        cells_text(f, row, column, FRAME_DIM, f->ascii ? "-" : "·");
    else if (!isfinite(sm->busy_pct))
        cells_text(f, row, column, FRAME_DIM, "?");
    else if (sm->busy_pct <= 0)
        cells_text(f, row, column, FRAME_LOAD_NONE, "_");
    else
        cells_text(f, row, column, load_color(sm->busy_pct),
                   cells_level(f, (int)ceil(sm->busy_pct * 8 / 100)));
}

static int draw_sm_heading(struct frame *f, int row, const struct model *m)
{
    uint32_t most = 0, resident = 0;
    struct cells_line l = {f, row, 1, f->width, false};

    for (uint32_t i = 0; i < m->sms; i++) {
        most = m->sm[i].workers > most ? m->sm[i].workers : most;
        resident += m->sm[i].workers;
    }
    cells_add(&l, FRAME_LABEL, "SMs");
    cells_add(&l, FRAME_STRONG, "%u", m->sms);
    if (isfinite(m->busy_pct))
        cells_add(&l, FRAME_STRONG, "%d%% busy", whole_pct(m->busy_pct));
    if (m->session.max_warps_per_sm && m->sms)
        cells_add(&l, FRAME_PLAIN, "%.0f%% occupied",
                  fmin(100, 100.0 * resident / ((double)m->session.max_warps_per_sm * m->sms)));
    cells_add(&l, FRAME_DIM, "up to %u worker%s on each", most, most == 1 ? "" : "s");
    return row + 1;
}

static int draw_sms(struct frame *f, int row, int rows, const struct model *m)
{
    enum { BARS, NUMBERS, GLYPHS } grid = GLYPHS;
    int per_row = glyphs_per_row(f), column_width = 1, first = 6;

    row = draw_sm_heading(f, row, m);
    rows--;
    if (bars_per_row(f, m->sms, rows)) {
        grid = BARS;
        per_row = bars_per_row(f, m->sms, rows);
        column_width = (f->width - 1) / per_row;
        first = 0;
    } else if (rows_for(m->sms, numbers_per_row(f)) <= rows) {
        grid = NUMBERS;
        per_row = numbers_per_row(f);
        column_width = 4;
    }
    for (uint32_t i = 0; i < m->sms; i++) {
        int at_row = row + (int)(i / (uint32_t)per_row), in_row = (int)(i % (uint32_t)per_row);
        int column = first + in_row * column_width;
        if (at_row >= row + rows)
            break;
        if (in_row == 0 && at_row == row + rows - 1 && m->sms - i > (uint32_t)per_row) {
            cells_format(f, at_row, 1, FRAME_DIM, "and %u more SMs", m->sms - i);
            break;
        }
        if (in_row == 0 && grid != BARS)
            cells_format(f, at_row, 0, FRAME_LABEL, "%4u ", i);
        if (grid == BARS)
            draw_sm_bar(f, at_row, column, column_width, &m->sm[i]);
        else if (grid == NUMBERS)
            draw_sm_number(f, at_row, column, &m->sm[i]);
        else
            draw_sm_glyph(f, at_row, column, &m->sm[i]);
    }
    int used = rows_for(m->sms, per_row);
    return row + (used < rows ? used : rows);
}

/* Tasks per second, newest at the right. */
static void draw_rate(struct frame *f, int row, int rows, const struct model *m)
{
    int columns = f->width - 2, plot = rows - 1;
    uint64_t samples = m->samples < MODEL_HISTORY ? m->samples : MODEL_HISTORY;
    double most = 0;
    char n[16];

    if (samples > (uint64_t)columns)
        samples = (uint64_t)columns;
    for (uint64_t i = 0; i < samples; i++)
        most = fmax(most, m->history[(m->samples - 1 - i) % MODEL_HISTORY]);
    struct cells_line l = {f, row, 1, f->width, false};
    cells_add(&l, FRAME_LABEL, "tasks/s");
    cells_add(&l, FRAME_PLAIN, "top of the scale %s", text_count(n, sizeof(n), most));
    for (uint64_t i = 0; i < samples && most > 0; i++) {
        double rate = m->history[(m->samples - 1 - i) % MODEL_HISTORY];
        int eighths = (int)ceil(rate / most * 8 * plot);
        for (int level = 0; level < plot && eighths > 8 * level; level++)
            cells_text(f, row + plot - level, columns - (int)i, FRAME_LOAD_HIGH,
                       cells_level(f, eighths - 8 * level));
    }
}

static void draw_keys(struct frame *f, const struct model *m, const struct frame_view *v)
{
    int row = f->height - 1;
    struct cells_line l = {f, row, 1, f->width, false};

    cells_fill_row(f, row, FRAME_TITLE);
    cells_add(&l, FRAME_TITLE, "q quit");
    cells_add(&l, FRAME_TITLE, v->paused ? "p go on" : "p pause");
    cells_add(&l, FRAME_TITLE, "l level");
    cells_add(&l, FRAME_TITLE, "? help");
    cells_add(&l, FRAME_TITLE, "+/- every %gs", v->interval_s);
    if (m->interval_ns)
        cells_add(&l, FRAME_TITLE, "SMs: %% of time in tasks");
}

static void draw_help(struct frame *f)
{
    static const char *const text[] = {
        " q      quit",
        " p      pause, and go on",
        " + -    sample less, more often",
        " l      next trace level: off,",
        "        counters, spans, full",
        " ? h    this help; any key closes",
    };
    int lines = (int)(sizeof(text) / sizeof(*text)), width = 36;
    int top = (f->height - lines - 2) / 2, left = (f->width - width) / 2;

    if (left < 0)
        left = 0;
    if (top < 0)
        top = 0;
    for (int i = -1; i <= lines; i++) {
        for (int c = 0; c < width; c++)
            cells_put(f, top + 1 + i, left + c, " ", 1, FRAME_TITLE);
        if (i >= 0 && i < lines)
            cells_text(f, top + 1 + i, left + 1, FRAME_TITLE, text[i]);
    }
}

void frame_draw(struct frame *f, const struct model *m, const struct frame_view *v)
{
    f->ascii = v->ascii;
    int bottom = f->height - (v->interactive && f->height > 3);
    bool roomy = f->height >= 20;
    int row = 0;

    row = draw_title(f, row, m, v);
    row += roomy;
    row = draw_tasks(f, row, m);
    row = draw_workers(f, row, m);
    row = draw_trace(f, row, m);
    row += roomy;
    if (m->queues) {
        bool heading = f->height >= 14;
        int rows = (bottom - row) / 3; /* SMs get the larger part */
        row = draw_queues(f, row, rows > 1 + heading ? rows : 1 + heading, heading, m);
        row += roomy;
    }
    if (bottom - row >= 2)
        row = draw_sms(f, row, bottom - row, m);
    row += roomy;
    int rows = bottom - row - roomy;
    if (rows >= 3 && m->samples > 1)
        draw_rate(f, row, rows < RATE_ROWS ? rows : RATE_ROWS, m);
    if (v->interactive && f->height > 3)
        draw_keys(f, m, v);
    if (v->help)
        draw_help(f);
}
