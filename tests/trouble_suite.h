/*
 * Trees of tasks in trouble: stopped and cancelled in the middle, without end, short of frames, overtaken by
 * urgent tasks. What the host device's and the GPU's tests have in common.
 */
#ifndef GROSR_TROUBLE_SUITE_H
#define GROSR_TROUBLE_SUITE_H

#include "disturbance_suite.h"
#include "spawn_suite.h"

#define TROUBLE_TIMEOUT_NS UINT64_C(60000000000)

/*
 * Two children for each task, for longer than there is time: when frames run out, those that find none fail,
 * and the others continue. That takes fewer frames than a deque holds entries: otherwise children end up in
 * the overflow ring, from which no worker takes while its deque has any, their ancestors keep all frames, and
 * everything fails.
 */
#define TROUBLE_ENDLESS suite_task(GROSR_FN_TREE, UINT32_MAX, 2)

static inline uint32_t trouble_lanes(const char *device)
{
    struct grosr_device_info info[16];
    uint32_t n = grosr_devices(info, 16);

    for (uint32_t i = 0; i < n && i < 16; i++)
        if (!strcmp(info[i].device, device))
            return info[i].lanes;
    return 1;
}

static inline uint32_t trouble_frames(const char *device, uint32_t workers)
{
    return workers * (trouble_lanes(device) > 1 ? suite_amount(device, 1024, 512)
                                                : 256); /* a warp's lanes take one each, level by level */
}

struct trouble_trees {
    uint32_t count, levels;
    struct grosr_task *task;
    struct grosr_result *result;
    uint64_t right, cancelled, refused, wrong;
};

static inline struct trouble_trees trouble_plant(uint32_t count, uint32_t levels, uint64_t *seed)
{
    struct trouble_trees t = {.count = count, .levels = levels};

    t.task = (struct grosr_task *)calloc(count, sizeof(*t.task));
    t.result = (struct grosr_result *)calloc(count, sizeof(*t.result));
    for (uint32_t i = 0; i < count; i++) {
        t.task[i] = suite_task(GROSR_FN_RANDOM, levels, tap_random(seed));
        t.result[i].status = 12345;
    }
    return t;
}

/* A tree has its checksum, or a status that says why not. */
static inline void trouble_judge(struct trouble_trees *t)
{
    uint64_t runs = 0;

    for (uint32_t i = 0; i < t->count; i++) {
        if (t->result[i].status == -ECANCELED)
            t->cancelled++;
        else if (t->result[i].status == -ENOBUFS)
            t->refused++;
        else if (t->result[i].status == 0 &&
                 t->result[i].value == grosr_random_tree(t->levels, t->task[i].b, 0, &runs))
            t->right++;
        else
            t->wrong++;
    }
    free(t->task);
    free(t->result);
}

/* Whether one task is done, whatever became of others, before patience ends. */
static inline bool trouble_becomes_done(grosr *rt, uint64_t task, struct grosr_result *result)
{
    uint64_t start = grosr_host_clock_ns();
    int state;

    while ((state = grosr_test(rt, task, result)) == 0 && grosr_host_clock_ns() - start < TROUBLE_TIMEOUT_NS)
        usleep(200);
    return state > 0;
}

/* Stopped at a random moment, some of them in the middle. */
static inline void trouble_stop(const char *device, uint32_t workers, uint32_t trees, uint32_t capacity,
                                uint64_t seed)
{
    struct grosr_options o = suite_options(device);
    struct trouble_trees t = trouble_plant(trees, 9, &seed);

    o.workers = workers;
    o.queue_capacity = capacity;
    o.ring_events = 64;
    grosr *rt = suite_open(&o);
    struct suite_blocked b = {rt, t.task, t.result, trees, 1};
    pthread_t thread;
    pthread_create(&thread, NULL, suite_submit_blocked, &b);
    uint64_t enqueued;
    do
        grosr_session_queue_counts(grosr_runtime_session(rt), 0, &enqueued, NULL);
    while (!enqueued); /* a batch that comes after the stop is refused as a whole */
    usleep((useconds_t)(tap_random(&seed) % 5000));
    grosr_stop(rt);
    pthread_join(thread, NULL);
    is(grosr_finish(rt), 0, "%u workers, a queue of %u: stopped", workers, capacity);
    grosr_close(rt);
    trouble_judge(&t);
    ok(t.wrong == 0 && t.right + t.cancelled + t.refused == trees,
       "every tree is right, was cancelled or found no room: %" PRIu64 ", %" PRIu64 ", %" PRIu64, t.right,
       t.cancelled, t.refused);
}

/* Trees that have started are cancelled at random, and trees without end among them. */
static inline void trouble_cancel(const char *device, uint32_t workers, uint32_t rounds, uint32_t trees,
                                  uint64_t seed)
{
    struct grosr_options o = suite_options(device);
    uint32_t levels = suite_amount(device, 9, 7);
    uint64_t right = 0, cancelled = 0, refused = 0, wrong = 0, errors = 0, endless_wrong = 0, longest = 0;

    o.workers = workers;
    o.queue_capacity = 4096;
    o.ring_events = 64;
    o.frames = trouble_frames(device, workers);
    grosr *rt = suite_open(&o);
    for (uint32_t round = 0; round < rounds; round++) {
        struct trouble_trees t = trouble_plant(trees, levels, &seed);
        struct grosr_task endless = TROUBLE_ENDLESS;
        struct grosr_result result = {0, 12345};
        uint64_t first, root;
        errors += grosr_submit(rt, t.task, trees, t.result, &first) != 0;
        errors += round % 2 && grosr_submit(rt, &endless, 1, &result, &root) != 0;
        for (uint32_t i = 0; i < trees / 4; i++) {
            usleep((useconds_t)(tap_random(&seed) % 200));
            errors +=
                grosr_cancel(rt, first + tap_random(&seed) % trees, 1 + tap_random(&seed) % 3, NULL) != 0;
        }
        uint64_t start = grosr_host_clock_ns();
        errors += round % 2 && grosr_cancel(rt, root, 1, NULL) != 0;
        errors += grosr_drain(rt, TROUBLE_TIMEOUT_NS) != 0;
        if (grosr_host_clock_ns() - start > longest)
            longest = grosr_host_clock_ns() - start;
        /* What failed first counts: perhaps for want of frames. */
        endless_wrong += round % 2 && result.status != -ECANCELED && result.status != -ENOBUFS;
        trouble_judge(&t);
        right += t.right;
        refused += t.refused;
        cancelled += t.cancelled;
        wrong += t.wrong;
    }
    is(errors, 0, "%u rounds of trees, cancelled at random, all end", rounds);
    is(wrong, 0, "right: %" PRIu64 ", cancelled: %" PRIu64 ", without room: %" PRIu64 ", nothing else", right,
       cancelled, refused);
    is(endless_wrong, 0, "those without end too");
    printf("# the longest drain took %.3f s\n", (double)longest * 1e-9);
    /* Of fewer tasks than there are frames: it ends however they are scheduled, unless frames were lost. */
    gives(rt, FIB, 10, 0, 55, "the runtime is as usable as before");
    is(grosr_close(rt), 0, "closed");
}

/* Trees without end keep every worker busy; urgent tasks still end, and a stop ends it all. */
static inline void trouble_endless(const char *device, uint32_t workers)
{
    enum { URGENT = 500 };
    struct grosr_options o = suite_options(device);
    struct grosr_task endless[8], task[URGENT];
    struct grosr_result result;
    uint64_t first, wrong = 0;

    o.workers = workers;
    o.ring_events = 64;
    o.frames = trouble_frames(device, workers);
    grosr *rt = suite_open(&o);
    for (int i = 0; i < 8; i++)
        endless[i] = TROUBLE_ENDLESS;
    is(grosr_submit(rt, endless, 8, NULL, NULL), 0, "tasks that spawn without end");
    usleep(100000); /* until they have spread */
    for (uint32_t i = 0; i < URGENT; i++) {
        task[i] = suite_task(GROSR_FN_ADD, i, 1000);
        task[i].flags = GROSR_TASK_HIGH;
    }
    for (uint32_t i = 0; i < URGENT; i += 100) {
        is(grosr_submit(rt, task + i, 100, NULL, &first), 0, "urgent tasks meanwhile");
        for (uint32_t k = 0; k < 100; k++)
            wrong += !trouble_becomes_done(rt, first + k, &result) || result.status != 0 ||
                     result.value != i + k + 1000;
    }
    is(wrong, 0, "end, right");
    is(grosr_test(rt, 0, NULL), 0, "the others continue");
    grosr_stop(rt);
    is(grosr_finish(rt), 0, "until they are stopped");
    grosr_close(rt);
}

/* As few frames as there may be, or hardly more: tasks get ENOBUFS, nothing hangs, no frame is lost. */
static inline void trouble_few_frames(const char *device, uint32_t workers, uint32_t rounds)
{
    struct grosr_options o = suite_options(device);
    uint32_t lanes = trouble_lanes(device), wrong = 0, refused = 0, right = 0;
    uint64_t seed = 7, runs = 0, wide = suite_amount(device, 5000, 1000);
    bool large = suite_amount(device, true, false);

    o.workers = workers;
    grosr *rt;
    if (workers * lanes > 1) { /* 0 is the default */
        o.frames = workers * lanes - 1;
        is(grosr_open(&rt, &o), -EINVAL, "too few frames: %s", grosr_error());
    }
    o.frames = UINT32_MAX;
    is(grosr_open(&rt, &o), -EINVAL, "too many: %s", grosr_error());
    o.frames = workers * lanes;
    rt = suite_open(&o);
    for (uint32_t i = 0; i < rounds; i++) {
        uint64_t b = tap_random(&seed);
        struct grosr_result r[] = {
            suite_run_one(rt, GROSR_FN_FIB, large ? 16 : 12, 0), suite_run_one(rt, GROSR_FN_RANDOM, 9, b),
            suite_run_one(rt, GROSR_FN_FAN, 1, wide), suite_run_one(rt, GROSR_FN_TREE, 1000, 1)};
        uint64_t want[] = {large ? 987 : 144, grosr_random_tree(9, b, 0, &runs), (wide - 1) * (wide / 2), 1};
        for (int k = 0; k < 4; k++) {
            refused += r[k].status == -ENOBUFS;
            right += r[k].status == 0 && r[k].value == want[k];
            wrong += r[k].status != -ENOBUFS && (r[k].status != 0 || r[k].value != want[k]);
        }
        struct grosr_result add = suite_run_one(rt, GROSR_FN_ADD, 2, 3);
        wrong += add.status != 0 || add.value != 5;
    }
    is(wrong, 0, "%u workers with a frame a lane: %u trees right, %u refused because there are none", workers,
       right, refused);
    ok(refused > 0, "some were refused");
    is(grosr_close(rt), 0, "closed");
}

/* One worker: a chain takes all the frames there are, again and again, whatever failed in between. */
static inline void trouble_no_frame_lost(const char *device, uint32_t rounds)
{
    struct grosr_options o = suite_options(device);
    uint32_t lanes = trouble_lanes(device), wrong = 0;
    uint64_t seed = 11;

    o.workers = 1;
    o.frames = lanes + suite_amount(device, 300, 100);
    grosr *rt = suite_open(&o);
    for (uint32_t i = 0; i < rounds; i++) {
        /* Each lane but the one that runs the chain may hold one for its next task. */
        struct grosr_result chain = suite_run_one(rt, GROSR_FN_TREE, o.frames - (lanes - 1), 1);
        struct grosr_result longer = suite_run_one(rt, GROSR_FN_TREE, o.frames + 1, 1);
        wrong += chain.status != 0 || chain.value != 1 || longer.status != -ENOBUFS;
        suite_run_one(rt, GROSR_FN_RANDOM, 9, tap_random(&seed));
        suite_run_one(rt, GROSR_FN_TREE, suite_amount(device, 8, 5), 4);
        suite_run_one(rt, GROSR_FN_FAN, 1, suite_amount(device, 5000, 1000));
    }
    is(wrong, 0, "%u chains through all %u frames, and as many that are one task too long", rounds, o.frames);
    is(grosr_close(rt), 0, "closed");
}

/* A task of high priority, submitted behind many others, starts before them, as soon as the device has heard
 * of it. */
static inline void trouble_urgent(const char *device)
{
    enum { N = 400, HIGH = N };
    struct grosr_options o = suite_options(device);
    struct grosr_task task[N + 1];
    struct grosr_result result[N + 1];
    uint32_t later = 0, wrong = 0;
    /* A second in all: a GPU's lanes spin at once, the host's one after the other. */
    uint64_t spin_ns = UINT64_C(5000000) * (strcmp(device, "host") ? trouble_lanes(device) : 1);
    static uint64_t times[N + 1];
    void *memory;

    o.workers = 1;
    o.device_bytes = sizeof(times);
    grosr *rt = suite_open(&o);
    is(grosr_device_memory(rt, &memory), 0, "memory of the device");
    uint64_t at = (uint64_t)(uintptr_t)memory;
    for (uint32_t i = 0; i <= N; i++) /* every other one notes the time */
        task[i] = i % 2 && i < N ? suite_task(GROSR_FN_SPIN, 0, spin_ns)
                                 : suite_task(GROSR_FN_HOP, 0, at + i * sizeof(sys64));
    task[HIGH].flags = GROSR_TASK_HIGH;
    is(grosr_submit(rt, task, N + 1, result, NULL), 0, "%d tasks, then an urgent one", N);
    is(grosr_drain(rt, TROUBLE_TIMEOUT_NS), 0, "all end");
    for (uint32_t i = 0; i <= N; i++)
        wrong += result[i].status != 0;
    is(grosr_device_read(rt, times, 0, sizeof(times)), 0, "the times are read");
    for (uint32_t i = 0; i < N; i += 2)
        later += times[i] > times[HIGH];
    is(wrong, 0, "right");
    ok(later > 0, "%u of %d ended after it", later, N / 2);
    is(grosr_close(rt), 0, "closed");
}

/* What a task wrote is there when its result is. */
static inline void trouble_poke(const char *device, uint32_t rounds)
{
    enum { N = 1000 };
    struct grosr_options o = suite_options(device);
    static struct grosr_task task[N];
    static struct grosr_result result[N];
    uint64_t first, wrong = 0;
    void *host, *memory;
    grosr *rt;

    rt = suite_open(&o);
    is(grosr_shared(rt, &host, &memory), -ENOENT, "no memory is shared unasked: %s", grosr_error());
    grosr_close(rt);
    o.shared_bytes = N * sizeof(sys64);
    rt = suite_open(&o);
    is(grosr_shared(rt, &host, &memory), 0, "shared memory");
    for (uint32_t round = 0; round < rounds; round++) {
        for (uint32_t i = 0; i < N; i++)
            task[i] = suite_task(GROSR_FN_POKE, i + round, (uint64_t)(uintptr_t)memory + i * sizeof(sys64));
        grosr_submit(rt, task, N, result, &first);
        for (uint32_t i = 0; i < N; i++) {
            if (grosr_wait(rt, first + i + 1, TROUBLE_TIMEOUT_NS))
                break;
            wrong += result[i].status != 0 || sys_load_relaxed((sys64 *)host + i) != i + round;
        }
    }
    is(wrong, 0, "each write is seen with its result");
    is(grosr_device_memory(rt, &memory), -ENOENT, "no memory of the device unasked: %s", grosr_error());
    is(grosr_device_read(rt, task, 0, 8), -ENOENT, "nor is it read: %s", grosr_error());
    is(grosr_close(rt), 0, "closed");
}

/* Memory of the device: what the host writes tasks find, and what tasks write the host reads, while others
 * run. */
static inline void trouble_memory(const char *device)
{
    enum { N = 4096 };
    struct grosr_options o = suite_options(device);
    static struct grosr_task task[N];
    static struct grosr_result result[N];
    static uint64_t word[N];
    uint64_t first, wrong = 0;
    void *memory = NULL;

    o.device_bytes = sizeof(word);
    grosr *rt = suite_open(&o);
    is(grosr_device_memory(rt, &memory), 0, "memory of the device");
    is((uintptr_t)memory % 256, 0, "aligned");
    is(grosr_device_read(rt, word, 0, sizeof(word)), 0, "read");
    for (uint32_t i = 0; i < N; i++)
        wrong += word[i] != 0;
    is(wrong, 0, "zero at first");
    for (uint32_t i = 0; i < N; i++)
        word[i] = ~(uint64_t)i;
    is(grosr_device_write(rt, 0, word, sizeof(word)), 0, "written");
    for (uint32_t i = 0; i < N; i++) /* every other word */
        task[i] = suite_task(GROSR_FN_POKE, i, (uint64_t)(uintptr_t)memory + (i & ~1u) * sizeof(uint64_t));
    is(grosr_submit(rt, task, N, result, &first), 0, "tasks that write to it");
    is(grosr_wait(rt, first + N, TROUBLE_TIMEOUT_NS), 0, "run");
    memset(word, 0, sizeof(word));
    is(grosr_device_read(rt, word + 1, sizeof(uint64_t), sizeof(word) - sizeof(uint64_t)), 0,
       "all but the first word");
    for (uint32_t i = 1; i < N; i++)
        wrong += i % 2 ? word[i] != ~(uint64_t)i : word[i] != i && word[i] != i + 1;
    is(wrong, 0, "has what the host wrote and what the tasks did");
    is(grosr_device_read(rt, word, sizeof(word) - 7, 8), -EINVAL, "%s", grosr_error());
    is(grosr_device_write(rt, sizeof(word) + 1, word, 0), -EINVAL, "%s", grosr_error());
    is(grosr_device_write(rt, sizeof(word), word, 0), 0, "nothing, at the end");
    is(grosr_close(rt), 0, "closed");
    is(grosr_device_read(rt, word, 0, 8), -ESHUTDOWN, "%s", grosr_error());
}

#endif
