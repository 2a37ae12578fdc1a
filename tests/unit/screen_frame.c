/* The live view's drawing: whatever the model says and whatever the size, every cell holds one whole
 * character. */
#include "../tap.h"

#include "../../viewer/screen/frame.h"
#include "../../viewer/screen/screens.h"
#include "../../viewer/cli/text.h"

#include <math.h>

static uint64_t seed = 1;

static uint64_t any(uint64_t below)
{
    return tap_random(&seed) % below;
}

static double any_share(void)
{
    return any(7) ? (double)any(10001) / 100 : NAN;
}

/* A model as a hostile or damaged session could make it. */
static void make_model(struct model *m, unsigned round)
{
    memset(m, 0, sizeof(*m));
    m->sms = round % 3 == 0 ? 132 : round % 3 == 1 ? (uint32_t)any(5) : MODEL_MAX_SMS;
    m->queues = (uint32_t)any(12);
    m->sm = (struct model_sm *)calloc(m->sms + 1, sizeof(*m->sm));
    m->queue = (struct model_queue *)calloc(m->queues + 1, sizeof(*m->queue));
    for (uint32_t i = 0; i < m->sms; i++)
        m->sm[i] = (struct model_sm){i, (uint32_t)any(3), any_share(), any_share()};
    for (uint32_t i = 0; i < m->queues; i++) {
        struct model_queue *q = &m->queue[i];
        snprintf(q->name, sizeof(q->name), i % 2 ? "q%u" : "\xc3\xa4 \x1b[31m long\xff %u \xe6\x97\xa5", i);
        q->capacity = any(UINT64_C(1) << 40) * any(3);
        q->depth = any(2) ? UINT64_MAX : 5;
        q->max_depth = q->oldest_wait_ns = UINT64_MAX;
    }
    snprintf(m->session.program, sizeof(m->session.program), "%s", round % 2 ? "arith" : "");
    snprintf(m->session.device_name, sizeof(m->session.device_name), "NVIDIA \x80\x81");
    snprintf(m->session.device, sizeof(m->session.device), "cuda");
    m->session.level = round % 6;
    m->session.uptime_ns = round % 2 ? UINT64_MAX : 123;
    m->session.alive = round % 5 != 0;
    m->session.workers = UINT32_MAX;
    m->session.max_warps_per_sm = round % 2 ? 64 : 0;
    m->busy_pct = any_share();
    m->tasks.per_s = round % 2 ? 1e30 : NAN;
    m->tasks.done = UINT64_MAX;
    m->tasks.spawned = any(2) ? UINT64_MAX : 0;
    uint64_t *word = (uint64_t *)&m->heap.count; /* all is within the ranges of grosr_heap_read() */
    for (size_t i = 0; i < GROSR_HEAP_WORDS; i++)
        word[i] = any(2) ? any(UINT64_C(1) << 50) : any(10);
    m->heap.count.classes = any(GROSR_HEAP_CLASSES_MAX + 1);
    m->heap.known = any(3);
    m->heap.age_ns = any(2) ? UINT64_MAX : 0;
    m->heap.mallocs_per_s = any(2) ? 1e30 : NAN;
    for (uint32_t i = 0; i < GROSR_HEAP_CLASSES_MAX; i++)
        m->heap.order[i] = (uint8_t)i;
    m->samples = round * 50;
    m->pcs = (uint32_t)any(MODEL_PCS + 1);
    for (uint32_t i = 0; i < m->pcs; i++) {
        struct model_pc *p = &m->pc[i];
        snprintf(p->function, sizeof(p->function), "poll\x80\xff");
        snprintf(p->file, sizeof(p->file), "%s", any(2) ? "/src/steps.cu" : "");
        p->high = p->since_ns = UINT64_MAX;
        p->first_line = (uint32_t)any(2);
        p->last_line = UINT32_MAX;
        p->loop = any(2);
        p->endless = any(2);
        p->pct = p->stall_pct = any(101);
    }
    m->syscalls.slots = (uint32_t)any(3);
    m->syscalls.pending = (uint32_t)any(2) * UINT32_MAX;
    m->syscalls.completed = m->syscalls.failed = m->syscalls.refused = any(2) ? UINT64_MAX : 0;
    m->syscalls.p50_ns = m->syscalls.p99_ns = any(2) ? 1e30 : NAN;
    m->syscalls.completed_per_s = m->syscalls.bytes_per_s = any(2) ? 1e30 : NAN;
    m->syscalls.oldest.call = (uint32_t)any(300);
    m->syscalls.oldest.handle = any(2) ? INT32_MIN : INT32_MAX;
    m->syscalls.oldest.age_ns = any(2) ? UINT64_MAX : 0;
    for (uint32_t i = 0; i < MODEL_HISTORY; i++)
        m->history[i] = any(2) ? 0 : (double)any(1000000);
}

static bool whole(const struct frame *f, const struct frame_cell *c, bool ascii)
{
    uint32_t code_point;
    size_t n = strlen(c->utf8);

    (void)f;
    return n && text_decode(c->utf8, n, &code_point) == n && !text_is_control(code_point) &&
           text_columns_of(code_point) == 1 && !(ascii && n > 1) && c->color < FRAME_COLORS;
}

static void any_model_any_size(void)
{
    uint64_t bad = 0, frames = 0;

    for (unsigned round = 0; round < 24; round++) {
        struct model m;
        make_model(&m, round);
        for (int w = -1; w < 210; w += 7)
            for (int h = -1; h < 60; h += 3) {
                struct frame_view v = {.screen = (int)(round % SCREENS),
                                       .ascii = round % 2,
                                       .interactive = round % 3,
                                       .paused = round % 4 == 1,
                                       .help = round % 5 == 2,
                                       .interval_s = 1};
                struct frame f;
                if (frame_make(&f, w, h))
                    abort();
                f.ascii = v.ascii;
                frame_draw(&f, &m, &v);
                for (int i = 0; i < f.width * f.height; i++)
                    bad += !whole(&f, &f.cell[i], v.ascii);
                frames++;
                frame_free(&f);
            }
        free(m.sm);
        free(m.queue);
    }
    is(bad, 0, "%" PRIu64 " frames of hostile models, 1 x 1 to 209 x 59: every cell one whole character",
       frames);
}

static bool shows(const struct frame *f, const char *what)
{
    char row[2048];

    for (int y = 0; y < f->height; y++) {
        row[0] = 0;
        for (int x = 0; x < f->width; x++)
            strncat(row, f->cell[y * f->width + x].utf8, sizeof(row) - strlen(row) - 1);
        if (strstr(row, what))
            return true;
    }
    return false;
}

static void says(int width, int height, unsigned sms)
{
    struct model_queue queue = {
        .name = "submit", .capacity = 65536, .depth = 100, .enqueued = 300, .dequeued = 200};
    struct model_sm sm[132];
    struct model m = {.queue = &queue, .queues = 1, .sm = sm, .sms = sms, .interval_ns = 1, .busy_pct = 40};
    struct frame_view v = {.interactive = true, .interval_s = 1};
    struct frame f;
    char last[8];

    for (uint32_t i = 0; i < sms; i++)
        sm[i] = (struct model_sm){i, 4, 40, 6};
    snprintf(m.session.program, sizeof(m.session.program), "arith");
    m.session.pid = 4242;
    m.session.alive = true;
    m.tasks = (struct model_tasks){.done = 1234, .run = 1234, .spawned = 1000, .per_s = 1e6};
    frame_make(&f, width, height);
    frame_draw(&f, &m, &v);
    ok(shows(&f, "arith") && shows(&f, "4242"), "%d x %d: what runs, and its pid", width, height);
    ok(shows(&f, "submit"), "%d x %d: the queue", width, height);
    if (width >= 80)
        ok(shows(&f, "1.23k done") && shows(&f, "1.00k spawned"), "%d x %d: tasks, those spawned too", width,
           height);
    if (width >= 80) {
        snprintf(last, sizeof(last), " %u ", sms <= 16 ? sms - 1 : sms / 16 * 16);
        ok(shows(&f, last), "%d x %d: all of %u SMs", width, height, sms);
        ok(shows(&f, "q quit"), "%d x %d: how to leave", width, height);
    }
    frame_free(&f);
}

static void keys(void)
{
    static const char taken[] = "qQp +-lh?"; /* by all screens (terminal.c) */
    int wrong = 0;

    for (int i = 0; i < SCREENS; i++)
        wrong += screen_of_key(screens[i].key) != i || strchr(taken, screens[i].key) || !*screens[i].name;
    is(wrong, 0, "every screen has a name, and a key of its own");
    is(screen_of_key('q'), -1, "q is none of a screen's");
}

static void units(void)
{
    static const struct {
        double n;
        const char *text;
    } counts[] = {{0, "0"},         {999, "999"},      {1000, "1.00k"}, {99949, "99.9k"},
                  {999499, "999k"}, {999500, "1.00M"}, {1e18, "1000P"}},
      durations[] = {{0, "0"}, {640, "640ns"}, {1230000, "1.23ms"}, {59.94e9, "59.9s"}, {727e9, "12m 07s"}};
    char text[32];

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        text_count(text, sizeof(text), counts[i].n);
        ok(strlen(text) <= 5, "%.0f fits in 5 columns: %s", counts[i].n, text);
        if (counts[i].n < 1e18)
            ok(!strcmp(text, counts[i].text), "and is %s", counts[i].text);
    }
    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++)
        ok(!strcmp(text_duration(text, sizeof(text), durations[i].n), durations[i].text), "%.0f ns is %s",
           durations[i].n, durations[i].text);
}

int main(void)
{
    any_model_any_size();
    says(80, 24, 132);
    says(200, 50, 132);
    says(40, 10, 132);
    says(80, 24, 8);
    keys();
    units();
    return tap_done();
}
