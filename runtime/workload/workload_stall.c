/*
 * The collection of stalls: `grosr run stall:NAME`. Each is a fault as programs have them, or honest work
 * that looks like one, and says which verdict `grosr diagnose` must reach. The device's side is in
 * functions_stall.h; here is what the host does beside it.
 *
 * A stall has no end of its own. It ends in order on SIGINT and SIGTERM, with the exit code of any run that
 * was interrupted (1), and when options->seconds have passed, with 0; then nothing is checked. One that ends
 * by itself is an error.
 *
 * Cured (options->cured, functions_cured.h), a fault is a workload that comes to its end, once, or again
 * until options->seconds have passed; that its tasks have ended well is checked.
 */
#include "workload.h"

#include "../builtin/built_in.h"
#include "../builtin/functions_cured.h"

#include "../../tracer/base/host_clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WORKERS    4u
#define LOOK_NS    20000000u /* between looks whether it is to end */
#define HEAP_BYTES (4u << 20)
#define PIECES     64u      /* submitted together */
#define PIECE_NS   2000000u /* each takes */
#define BYTE_NS    200000000u
#define NEEDED     4u /* workers */

/* One run. */
struct scene {
    grosr *rt;
    const struct stall *stall;
    const struct grosr_workload_options *options;
    struct grosr_workload_result *result;
    struct grosr_stall_shared *shared;
    uint32_t workers;
    int fifo;    /* -1: none */
    bool linked; /* it has a path */
    uint64_t next_ns;
    uint64_t continued; /* tasks, cured */
};

struct stall {
    const char *name;
    uint16_t function; /* what each worker runs, if `runs` */
    uint32_t workers;  /* at most so many of them; 0: all */
    bool runs, fifo, memory, no_proxy;
    uint32_t before[2];               /* tasks of the same function run before, a quarter for as many ms as
                                         the second says, the others for as many as the first; 0: none do */
    int (*host)(struct scene *scene); /* what the host does, now and then; NULL: nothing */
    uint16_t cured; /* what each worker runs instead when the fault is cured; 0: there is no fault */
    int (*cured_host)(struct scene *scene);
};

/* ---- what the host does ---- */

static struct grosr_result results[PIECES + 1];

/* Takes some results, and then no more. Cured: takes all. */
static int take_results(struct scene *s)
{
    uint64_t taken = sys_load_relaxed(&s->shared->taken), there = sys_load_relaxed(&s->shared->results);

    if (taken < 1000 || s->options->cured)
        sys_store_relaxed(&s->shared->taken, there);
    return 0;
}

/* A byte now and then, as from a slow disk. */
static int write_byte(struct scene *s)
{
    uint64_t now = grosr_host_clock_ns();

    if (now < s->next_ns)
        return 0;
    s->next_ns = now + BYTE_NS;
    return write(s->fifo, "x", 1) < 0 ? grosr_fail(errno, "cannot write to the FIFO: %s", strerror(errno))
                                      : 0;
}

/* Cured: whoever was to write does so, and closes its end. */
static int write_all(struct scene *s)
{
    static const char text[64] = "written";
    ssize_t n;

    if (s->linked || s->fifo < 0) /* nobody reads yet, or all has been written */
        return 0;
    n = write(s->fifo, text, sizeof(text));
    int err = n < 0 ? grosr_fail(errno, "cannot write to the FIFO: %s", strerror(errno)) : 0;
    close(s->fifo);
    s->fifo = -1;
    return err;
}

static int submit_pieces(struct scene *s, struct grosr_task piece)
{
    struct grosr_task task[PIECES];
    uint64_t first;

    for (uint32_t i = 0; i < PIECES; i++)
        task[i] = piece;
    int err = grosr_submit(s->rt, task, PIECES, results + 1, &first);
    if (!err)
        s->result->tasks += PIECES;
    return err;
}

/* As many tasks as there can be. */
static int submit_burst(struct scene *s)
{
    int err = grosr_wait(s->rt, s->result->tasks > PIECES ? s->result->tasks - PIECES : 0, LOOK_NS);

    if (err)
        return err == -ETIMEDOUT ? 0 : err;
    s->result->completed = s->result->tasks > PIECES ? s->result->tasks - PIECES : 0;
    return submit_pieces(s, (struct grosr_task){.function = GROSR_FN_STALL_PIECE, .b = PIECE_NS});
}

/* ---- the collection ---- */

#define RUNS(NAME)          .function = GROSR_FN_STALL_##NAME, .runs = true
#define CURED(NAME)         .cured = GROSR_FN_CURED_##NAME
#define CURED_BY_HOST(NAME) .cured = GROSR_FN_STALL_##NAME /* the tasks are the same */

static const struct stall stalls[] = {
    {.name = "ring", RUNS(RING), CURED(RING)},
    {.name = "child", RUNS(CHILD), CURED(CHILD)},
    {.name = "locks2", RUNS(LOCKS), CURED(LOCKS), .workers = 2},
    {.name = "locks3", RUNS(LOCKS), CURED(LOCKS), .workers = 3},
    {.name = "ports", RUNS(PORTS), CURED_BY_HOST(PORTS)},
    {.name = "memory", RUNS(MEMORY), CURED(MEMORY), .memory = true},
    {.name = "proxy", RUNS(CALL), CURED_BY_HOST(CALL), .no_proxy = true},
    {.name = "pipe", RUNS(READ), CURED_BY_HOST(READ), .fifo = true, .cured_host = write_all},
    {.name = "wakeup", RUNS(WAKEUP), CURED(WAKEUP)},
    {.name = "dependency", RUNS(NEVER), CURED(SIGNAL)},
    {.name = "endless", RUNS(ENDLESS), CURED(ENDLESS), .before = {5, 5}},
    {.name = "abandoned", RUNS(ABANDONED), CURED(ABANDONED)},
    {.name = "barrier", RUNS(BARRIER), CURED(BARRIER)},
    {.name = "producer", RUNS(ITEMS), CURED(ITEMS)},
    {.name = "consumer",
     RUNS(RESULTS),
     CURED_BY_HOST(RESULTS),
     .host = take_results,
     .cured_host = take_results},
    {.name = "unfair", RUNS(UNFAIR), CURED(UNFAIR)},
    {.name = "hotlock", RUNS(HOT), CURED(HOT)},
    {.name = "inversion", RUNS(INVERSION), CURED(INVERSION)},
    {.name = "idle"},
    {.name = "long", RUNS(LONG)},
    {.name = "uneven", RUNS(ENDLESS), .before = {5, 100}},
    {.name = "burst", .host = submit_burst},
    {.name = "nearfull", RUNS(BUSY)},
    {.name = "disk", RUNS(READ), .fifo = true, .host = write_byte},
};

static const struct stall *stall_of(const char *workload)
{
    for (size_t i = 0; i < sizeof(stalls) / sizeof(stalls[0]); i++)
        if (!strcmp(stalls[i].name, workload + strlen("stall:")))
            return &stalls[i];
    return NULL;
}

/* ---- a run ---- */

static const volatile sig_atomic_t *held; /* the proxy's threads do nothing until it is set */
static dev32 released;

/* In the place of a proxy that hangs: our own answers, or is replaced. */
static void hold_proxy(const char *point)
{
    const struct timespec pause = {0, 1000000};

    while (!strcmp(point, "proxy.serve") && !dev_load_relaxed(&released) && !*held)
        nanosleep(&pause, NULL);
}

static int make_fifo(struct scene *s)
{
    char root[256], path[512];
    int n;

    grosr_read_root(NULL, root, sizeof(root));
    snprintf(s->shared->path, sizeof(s->shared->path), "grosr-stall-%d", (int)getpid());
    n = snprintf(path, sizeof(path), "%s/%s", root, s->shared->path);
    if (n < 0 || mkfifo(path, 0600))
        return grosr_fail(errno, "cannot make a FIFO in '%s': %s", root, strerror(errno));
    s->linked = true;
    s->fifo = open(path, O_RDWR | O_CLOEXEC);
    return s->fifo < 0 ? grosr_fail(errno, "cannot open '%s': %s", path, strerror(errno)) : 0;
}

/* Both ends are open, or will not be: nothing of it is left behind, however the process ends. */
static void unlink_fifo(struct scene *s)
{
    char root[256], path[512];

    s->linked = false;
    snprintf(path, sizeof(path), "%s/%s", grosr_read_root(NULL, root, sizeof(root)), s->shared->path);
    unlink(path);
}

/* Tasks of the stall's function that are short, and have ended when this returns. */
static int run_before(struct scene *s, uint64_t table)
{
    struct grosr_task task[PIECES];
    uint64_t first;

    for (uint32_t i = 0; i < PIECES; i++)
        task[i] = (struct grosr_task){
            .function = s->stall->function, .a = s->stall->before[i % 4 == 0], .b = table};
    int err = grosr_submit(s->rt, task, PIECES, results + 1, &first);
    if (err)
        return err;
    s->result->tasks += PIECES;
    return grosr_wait(s->rt, s->result->tasks, GROSR_FOREVER);
}

/* How many of them run its function. */
static uint32_t workers_of(const struct scene *s)
{
    return s->stall->workers && s->stall->workers < s->workers ? s->stall->workers : s->workers;
}

/* Fills what tasks find in device memory, and starts them. */
static int start(struct scene *s, uint64_t table, uint64_t shared)
{
    struct grosr_stall t = {.shared = shared};
    uint32_t workers = workers_of(s), function = s->options->cured ? s->stall->cured : s->stall->function;
    struct grosr_task task = {.function = GROSR_FN_STALL_START, .a = function << 16 | workers, .b = table};
    uint64_t first;
    int err = s->stall->fifo ? make_fifo(s) : 0;

    for (uint32_t i = 0; i < GROSR_STALL_WORKERS; i++) {
        t.lock[i].name = GROSR_STALL_LOCK;
        t.lock[i].which = i;
    }
    sys_store_relaxed(&s->shared->results, UINT64_C(0));
    sys_store_relaxed(&s->shared->taken, UINT64_C(0));
    sys_store_relaxed(&s->shared->opened, UINT64_C(0));
    if (!err)
        err = grosr_device_write(s->rt, 0, &t, sizeof(t));
    for (uint32_t i = 0; !err && s->stall->before[0] && i < 2; i++)
        err = run_before(s, table);
    if (!err)
        err = grosr_submit(s->rt, &task, 1, results, &first);
    if (!err)
        s->result->tasks++;
    return err;
}

/* Until it is to end. -ECANCELED; or an error. */
static int stay(struct scene *s)
{
    const struct grosr_workload_options *o = s->options;
    uint64_t end_ns = grosr_host_clock_ns() + (uint64_t)(o->seconds * 1e9);
    const struct timespec pause = {0, LOOK_NS};
    int err = 0;

    while (!err && !*o->stop && (o->seconds == 0 || grosr_host_clock_ns() < end_ns)) {
        if (s->linked && sys_load_relaxed(&s->shared->opened))
            unlink_fifo(s);
        if (s->stall->host)
            err = s->stall->host(s);
        if (err)
            break;
        if (!s->stall->runs)
            nanosleep(&pause, NULL);
        else if ((err = grosr_wait(s->rt, s->result->tasks, LOOK_NS)) == -ETIMEDOUT)
            err = 0;
        else if (!err)
            err = grosr_fail(EIO, "stall:%s ended by itself, with status %d", s->stall->name,
                             results[0].status);
    }
    return err ? err : -ECANCELED;
}

/* A cured fault has come to its end. */
static int count_round(struct scene *s)
{
    struct grosr_workload_result *r = s->result;
    struct grosr_stall t;
    int err = grosr_device_read(s->rt, &t, 0, sizeof(t));

    if (err)
        return err;
    r->spawned += workers_of(s) + dev_load_relaxed(&t.spawned);
    s->continued += dev_load_relaxed(&t.continued);
    if (results[0].status)
        grosr_workload_error(r, "%s, cured: status %d", s->options->name, results[0].status);
    else
        r->completed = r->tasks + r->spawned + s->continued;
    return 0;
}

/* Once, or until the time is over. */
static int run_cured(struct scene *s, uint64_t table, uint64_t shared)
{
    const struct grosr_workload_options *o = s->options;
    uint64_t end_ns = grosr_host_clock_ns() + (uint64_t)(o->seconds * 1e9);
    int err;

    do {
        err = start(s, table, shared);
        while (!err && (err = grosr_wait(s->rt, s->result->tasks, LOOK_NS)) == -ETIMEDOUT) {
            if (s->linked && sys_load_relaxed(&s->shared->opened))
                unlink_fifo(s);
            err = s->stall->cured_host ? s->stall->cured_host(s) : 0;
        }
        if (!err)
            err = count_round(s);
    } while (!err && !*o->stop && grosr_host_clock_ns() < end_ns);
    s->result->tasks += s->result->spawned + s->continued;
    return err;
}

int grosr_run_stall(grosr *rt, const struct grosr_workload_options *o, struct grosr_workload_result *r)
{
    uint64_t begin = grosr_host_clock_ns();
    struct scene s = {.rt = rt, .stall = stall_of(o->name), .options = o, .result = r, .fifo = -1};
    void *host, *shared, *table;
    int err;

    memset(r, 0, sizeof(*r));
    s.workers = grosr_runtime_session(rt)->header.workers;
    s.workers = s.workers < GROSR_STALL_WORKERS ? s.workers : GROSR_STALL_WORKERS;
    if (s.workers < NEEDED)
        err = grosr_fail(EINVAL, "the workloads stall:NAME need %u workers at least", NEEDED);
    else if (!(err = grosr_shared(rt, &host, &shared)) && !(err = grosr_device_memory(rt, &table))) {
        s.shared = (struct grosr_stall_shared *)host;
        if (o->cured)
            err = run_cured(&s, (uint64_t)(uintptr_t)table, (uint64_t)(uintptr_t)shared);
        else if (s.stall->runs)
            err = start(&s, (uint64_t)(uintptr_t)table, (uint64_t)(uintptr_t)shared);
        if (!err && !o->cured)
            err = stay(&s);
    }
    if (err)
        grosr_stop(rt);
    dev_store_relaxed(&released, 1u); /* later: what it answers then is no part of the run */
    grosr_finish(rt); /* which may still write to `results`, and reads from the FIFO until then */
    if (s.linked)
        unlink_fifo(&s);
    if (s.fifo >= 0)
        close(s.fifo);
    r->elapsed_ns = grosr_host_clock_ns() - begin;
    return err;
}

void grosr_prepare_stall(const char *workload, const volatile sig_atomic_t *stop, struct grosr_options *o,
                         struct grosr_syscalls *syscalls)
{
#define GROSR_STALL_NAME(NAME, text) [GROSR_STALL_##NAME] = (text),
    static const char *const names[] = {GROSR_STALL_NAMES(GROSR_STALL_NAME)};
#undef GROSR_STALL_NAME
    const struct stall *stall = stall_of(workload);

    o->names = names;
    o->name_count = sizeof(names) / sizeof(names[0]);
    o->workers = o->workers ? o->workers : WORKERS;
    o->heap_bytes = stall->memory ? HEAP_BYTES : GROSR_HEAP_NONE;
    /* One is not for calls that keep their port. */
    syscalls->ports = (o->workers < GROSR_STALL_WORKERS ? o->workers : GROSR_STALL_WORKERS) + 1;
    if (stall->no_proxy) {
        held = stop;
        dev_point_hook_fn = hold_proxy;
    }
}

bool grosr_stall_is_fault(const char *workload)
{
    const struct stall *stall = strncmp(workload, "stall:", strlen("stall:")) ? NULL : stall_of(workload);

    return stall && stall->cured;
}

void grosr_cure_stall(struct grosr_options *o, struct grosr_syscalls *syscalls)
{
    syscalls->ports = 2 * (o->workers < GROSR_STALL_WORKERS ? o->workers : GROSR_STALL_WORKERS) + 1;
    dev_point_hook_fn = NULL; /* the proxy answers */
}
