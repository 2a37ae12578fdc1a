/*
 * The overview. Each part is a function that draws from a row on and returns the next free row:
 *
 *     totals    tasks, workers, trace: a line each; the verdict, if something holds the session up
 *     warps     where those of a program's kernels are, if that is sampled (samples.h)
 *     queues    a bar each (queues.h)
 *     memory    the GPU memory allocator, if there is one (memory.h)
 *     SMs       a grid (sms.h)
 *     rate      tasks/s over time, in the rows that are left
 *
 * When rows are short, blank lines go first, then headings, then the rate.
 */
#include "overview.h"

#include "memory.h"
#include "queues.h"
#include "samples.h"
#include "sms.h"
#include "../cli/text.h"
#include "../model/model_syscalls.h"

#include <math.h>

#define LABEL_COLUMNS 9  /* of the totals */
#define RATE_ROWS     12 /* at most */
#define STALL_ROWS    2  /* at most */

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

/* A line, where the runtime has system calls. */
static int draw_syscalls(struct frame *f, int row, const struct model *m)
{
    const struct model_syscalls *s = &m->syscalls;
    struct cells_line l;
    char n[32];

    if (!s->slots)
        return row;
    l = start_line(f, row, "syscalls");
    cells_add(&l, FRAME_STRONG, "%s done", text_count(n, sizeof(n), (double)s->completed));
    if (isfinite(s->completed_per_s))
        cells_add(&l, FRAME_STRONG, "%s/s", text_count(n, sizeof(n), s->completed_per_s));
    if (isfinite(s->bytes_per_s) && s->bytes_per_s > 0)
        cells_add(&l, FRAME_PLAIN, "%sB/s", text_count(n, sizeof(n), s->bytes_per_s));
    if (s->failed)
        cells_add(&l, s->refused ? FRAME_BAD : FRAME_PLAIN, "%s failed",
                  text_count(n, sizeof(n), (double)s->failed));
    if (isfinite(s->p50_ns)) {
        cells_add(&l, FRAME_PLAIN, "p50 %s", text_duration(n, sizeof(n), s->p50_ns));
        cells_add(&l, FRAME_PLAIN, "p99 %s", text_duration(n, sizeof(n), s->p99_ns));
    }
    cells_add(&l, s->pending ? FRAME_WARN : FRAME_DIM, "%u pending", s->pending);
    if (s->pending)
        cells_add(&l, FRAME_WARN, "%s of handle %d for %s", model_syscall_name(s->oldest.call),
                  s->oldest.handle, text_duration(n, sizeof(n), (double)s->oldest.age_ns));
    return row + 1;
}

/* The verdict and the worst finding, and a line for the next one; nothing while all is well. */
static int draw_stalls(struct frame *f, int row, const struct model *m)
{
    char age[16];

    for (uint32_t i = 0; i < m->stalls && i < STALL_ROWS; i++) {
        const struct model_stall *s = &m->stall[i];
        enum frame_color color = s->verdict >= GROSR_VERDICT_STALLED ? FRAME_BAD : FRAME_WARN;
        struct cells_line l = start_line(f, row++, i ? "" : "verdict");
        cells_add(&l, color, "%s", grosr_verdict_name(s->verdict));
        if (s->age_ns)
            cells_add(&l, color, "%s", text_duration(age, sizeof(age), (double)s->age_ns));
        cells_text(f, row - 1, l.column, FRAME_PLAIN, s->text);
    }
    return row;
}

/* Tasks per second, newest at the right. */
static void draw_rate(struct frame *f, int row, int rows, const struct model *m)
{
    int columns = f->width - 2, plot = rows - 1;
    uint64_t samples = m->samples < MODEL_HISTORY ? m->samples : MODEL_HISTORY;
    double max = 0;
    char n[16];

    if (samples > (uint64_t)columns)
        samples = (uint64_t)columns;
    for (uint64_t i = 0; i < samples; i++)
        max = fmax(max, m->history[(m->samples - 1 - i) % MODEL_HISTORY]);
    struct cells_line l = {f, row, 1, f->width, false};
    cells_add(&l, FRAME_LABEL, "tasks/s");
    cells_add(&l, FRAME_PLAIN, "top of the scale %s", text_count(n, sizeof(n), max));
    for (uint64_t i = 0; i < samples && max > 0; i++) {
        double rate = m->history[(m->samples - 1 - i) % MODEL_HISTORY];
        int eighths = (int)ceil(rate / max * 8 * plot);
        for (int level = 0; level < plot && eighths > 8 * level; level++)
            cells_text(f, row + plot - level, columns - (int)i, FRAME_LOAD_HIGH,
                       cells_level(f, eighths - 8 * level));
    }
}

void overview_draw(struct frame *f, int row, int bottom, const struct model *m)
{
    bool roomy = f->height >= 20;

    row = draw_tasks(f, row, m);
    row = draw_workers(f, row, m);
    row = draw_trace(f, row, m);
    row = draw_syscalls(f, row, m);
    row = draw_stalls(f, row, m);
    if (m->pcs && bottom - row >= 1)
        row = samples_draw(f, row, (bottom - row + 1) / 2, m);
    row += roomy;
    if (m->queues) {
        bool heading = f->height >= 14;
        int rows = (bottom - row) / 3; /* SMs get the larger part */
        row = queues_draw(f, row, rows > 1 + heading ? rows : 1 + heading, heading, m);
        row += roomy;
    }
    if (m->heap.known && bottom - row >= 1) {
        int rows = (bottom - row) / 3;
        row = memory_draw(f, row, rows > 1 ? rows : 1, m);
        row += roomy;
    }
    if (bottom - row >= 2)
        row = sms_draw(f, row, bottom - row, m);
    row += roomy;
    int rows = bottom - row - roomy;
    if (rows >= 3 && m->samples > 1)
        draw_rate(f, row, rows < RATE_ROWS ? rows : RATE_ROWS, m);
}
