/*
 * The host's side of instrumented kernels (grosr_trace.h): the session, its names, its counters at the end.
 *
 * The session's housekeeper calibrates the GPU's clock, by whoever answers. It has the pinger to itself;
 * names are given under `lock`, and so is the level, so that closing waits for these calls. What is closed is
 * freed, all but the handle: a late call is refused by it.
 */
#include "grosr_trace.h"

#include "../clock/clock.h"
#include "../base/process.h"
#include "../session/fork.h"
#include "../session/housekeeper.h"
#include "../session/level.h"
#include "trace_cuda.h"
#include "../base/time_limits.h"

#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM_BYTES  64u        /* of the program's name, as in the session's header */
#define SNAPSHOT_NS    100000000u /* between clock snapshots */
#define SNAPSHOT_TRIPS 32u

struct grosr_tracing {
    /* Valid when it is closed, too: a late call reads these alone. */
    struct grosr_tracing *next; /* in the list of closed ones */
    uint32_t process;           /* grosr_fork_number() of the process that opened it */
    dev32 closed;               /* written under `lock`; read by anybody */

    struct grosr_session *session;
    struct grosr_trace_handle handle;
    struct grosr_trace_cuda *cuda;            /* NULL: the host device */
    void *view;                               /* the segment as the device sees it */
    struct grosr_trace_control *control_host; /* on the host device, what handle.control is */
    struct grosr_clock_pinger pinger;
    pid_t recorder; /* started here; 0: none */
    struct grosr_housekeeper housekeeper;

    pthread_mutex_t lock;
    uint32_t names; /* given so far */
};

extern char **environ;

static size_t control_bytes(const struct grosr_tracing *t)
{
    return sizeof(struct grosr_trace_control) + t->handle.rings * sizeof(struct grosr_trace_slot);
}

/* ---- the clock ---- */

/* Has a kernel of ours answer. -EAGAIN: the one before is waiting for room still; -ETIMEDOUT: this one is. */
static int snapshot_by_kernel(struct grosr_tracing *t)
{
    int err = grosr_trace_cuda_clock(t->cuda, t->handle.trace.header, t->pinger.sequence);
    return err ? err
               : grosr_clock_snapshot(t->session, &t->pinger, SNAPSHOT_TRIPS, GROSR_CLOCK_LAUNCH_TIMEOUT_NS);
}

/* At the beginning and the end, when there should be room: tries for so long. */
static int snapshot_with_retry(struct grosr_tracing *t, uint64_t timeout_ns)
{
    uint64_t start = grosr_host_clock_ns();
    int err;

    if (!t->cuda)
        return 0;
    while ((err = snapshot_by_kernel(t)) == -EAGAIN || err == -ETIMEDOUT) {
        struct timespec pause = {0, 1000000};
        if (grosr_host_clock_ns() - start > timeout_ns)
            return grosr_fail(EIO, "the device does not tell its time: other kernels have it");
        nanosleep(&pause, NULL);
    }
    return err;
}

/* In between: asks the warps that poll, and if none does a kernel of ours. No answer: the next time perhaps.
 */
static void snapshot_periodic(void *owner)
{
    struct grosr_tracing *t = (struct grosr_tracing *)owner;

    if (t->cuda &&
        grosr_clock_snapshot(t->session, &t->pinger, SNAPSHOT_TRIPS, GROSR_CLOCK_POLLED_TIMEOUT_NS))
        snapshot_by_kernel(t);
}

/* ---- the recorder ---- */

/* In a process group of its own: what the terminal sends to the program is not for it. */
static int start_recorder(struct grosr_tracing *t, const struct grosr_trace_options *o)
{
    const char *command = o->recorder ? o->recorder : "grosr";
    char session[32]; /* this one: the recording of a process would last as long as the process */
    const char *argv[] = {command, "record", "--attach", session, "--level", grosr_level_name(o->level),
                          "-o",    o->file,  NULL};
    posix_spawnattr_t attributes;
    int err;

    snprintf(session, sizeof(session), "%u.%u", t->session->header.pid, t->session->header.index);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    err = posix_spawnp(&t->recorder, command, NULL, &attributes, (char *const *)(uintptr_t)argv, environ);
    posix_spawnattr_destroy(&attributes);
    if (err) {
        t->recorder = 0;
        return grosr_fail(err, "cannot start the recorder %s: %s", command, strerror(err));
    }
    return 0;
}

/* 0, or -EIO if it failed, which it has reported itself. */
static int wait_for_recorder(struct grosr_tracing *t)
{
    int status = 0;
    pid_t pid = t->recorder, got;

    if (!pid)
        return 0;
    while ((got = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
        ;
    t->recorder = 0;
    if (got < 0 ||
        (WIFEXITED(status) && WEXITSTATUS(status) == 0)) /* < 0: the program takes its children itself */
        return 0;
    return grosr_fail(EIO, "the recorder (process %d) failed", (int)pid);
}

/* Until a collector is attached, or the process that should does not run any more, or for so long. */
static bool attached(struct grosr_tracing *t, uint32_t pid, uint64_t timeout_ns)
{
    struct grosr_session_header *h = grosr_session_live(t->session);
    uint64_t start = grosr_host_clock_ns();

    /* Pairs with the release in grosr_session_set_collector(). */
    while (!sys_load_acquire(&h->collector_pid)) {
        struct timespec pause = {0, 1000000};
        siginfo_t end = {0};
        if (grosr_process_start_time(pid, NULL) || grosr_host_clock_ns() - start > timeout_ns ||
            (t->recorder && waitid(P_PID, pid, &end, WEXITED | WNOHANG | WNOWAIT) == 0 && end.si_pid))
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

static int await_collector(struct grosr_tracing *t, const struct grosr_trace_options *o)
{
    const char *outside = getenv("GROSR_COLLECTOR");
    int err;

    if (outside) { /* it may have come for another process's session */
        grosr_session_wait_collector(t->session, (uint32_t)strtoul(outside, NULL, 10),
                                     GROSR_COLLECTOR_FIND_TIMEOUT_NS);
        return 0;
    }
    if (!o->file)
        return 0;
    err = start_recorder(t, o);
    if (!err && !attached(t, (uint32_t)t->recorder, GROSR_COLLECTOR_START_TIMEOUT_NS))
        err = grosr_fail(ECHILD, "the recorder (process %d) did not attach", (int)t->recorder);
    return err;
}

/* ---- opening ---- */

static int check_names(const struct grosr_trace_options *o)
{
    if (o->name && strnlen(o->name, PROGRAM_BYTES) == PROGRAM_BYTES)
        return grosr_fail(EINVAL, "the program's name is longer than %u bytes", PROGRAM_BYTES - 1);
    if (o->name_count > GROSR_NAMES_MAX - GROSR_TRACE_NAMES)
        return grosr_fail(EINVAL, "%u names are more than %u", o->name_count,
                          GROSR_NAMES_MAX - GROSR_TRACE_NAMES);
    if (o->name_count && !o->names)
        return grosr_fail(EINVAL, "%u names, but their array is NULL", o->name_count);
    for (uint32_t i = 0; i < o->name_count; i++)
        if (!o->names[i] || strnlen(o->names[i], GROSR_NAME_BYTES) == GROSR_NAME_BYTES)
            return grosr_fail(EINVAL, "name %u is %s", i, o->names[i] ? "longer than 47 bytes" : "NULL");
    return 0;
}

static int check(const struct grosr_trace_options *o, const char *device, uint32_t abi)
{
    if (abi != GROSR_SESSION_ABI)
        return grosr_fail(EINVAL,
                          "the program was compiled with the headers of another GROSR than the library's");
    if (!device || (strcmp(device, "cuda") && strcmp(device, "host")))
        return grosr_fail(EINVAL, "there is no kind of device called '%s': cuda or host",
                          device ? device : "");
    if (o->warps == 0)
        return grosr_fail(EINVAL, "a traced kernel has 1 to %u warps, not 0", GROSR_MAX_WORKERS);
    if ((uint32_t)o->level > GROSR_LEVEL_FULL)
        return grosr_fail(EINVAL, "there is no trace level %d", (int)o->level);
    if ((uint32_t)o->overflow > GROSR_OVERFLOW_BLOCK)
        return grosr_fail(EINVAL, "there is no overflow policy %d", (int)o->overflow);
    if ((uint32_t)o->wait_action > GROSR_WAIT_TRAP)
        return grosr_fail(EINVAL, "there is no action %d for a wait that lasts too long",
                          (int)o->wait_action);
    return check_names(o);
}

static int create_session(struct grosr_tracing *t, const struct grosr_trace_options *o,
                          const struct grosr_trace_facts *facts)
{
    struct grosr_session_options s = {
        .device = t->cuda ? "cuda" : "host",
        .device_name = facts->device_name,
        .gpu = t->cuda ? &facts->gpu : NULL,
        .program = o->name ? o->name : program_invocation_short_name,
        .sms = facts->sms,
        .max_warps_per_sm = facts->max_warps_per_sm,
        .lanes = facts->lanes,
        .device_clock_is_host = !t->cuda,
        .workers = o->warps,
        .ring_events = o->ring_events,
        .host_ring_events = GROSR_RING_MIN,
        .overflow = o->overflow,
        .level = o->level,
        .names = o->name_count + GROSR_TRACE_NAMES,
    };
    int err = grosr_session_create(&t->session, &s);

    if (!err) {
        struct grosr_session_header *h = grosr_session_live(t->session);
        sys_store_relaxed(&h->wait_report_ns, o->wait_report_ns);
        sys_store_relaxed(&h->wait_timeout,
                          grosr_wait_timeout_word(o->wait_timeout_ns, (uint32_t)o->wait_action));
    }
    for (; !err && t->names < o->name_count; t->names++)
        err = grosr_session_add_name(t->session, GROSR_NAME_USER, t->names, o->names[t->names], NULL);
    return err;
}

/* Memory that the device shares, and the handle. */
static int prepare(struct grosr_tracing *t, uint32_t rings)
{
    struct grosr_session_header *h = grosr_session_live(t->session);
    struct grosr_trace_control first, *control = NULL;
    int err = 0;

    memset(&first, 0, sizeof(first));
    dev_store_relaxed(&first.word, (uint64_t)sys_load_relaxed(&h->level));
    dev_store_relaxed(&first.wait_report_ns, sys_load_relaxed(&h->wait_report_ns));
    dev_store_relaxed(&first.wait_timeout, sys_load_relaxed(&h->wait_timeout));
    t->handle.rings = rings;
    if (t->cuda) {
        err = grosr_trace_cuda_control(t->cuda, &first, control_bytes(t), &control);
    } else {
        control = (struct grosr_trace_control *)aligned_alloc(alignof(struct grosr_trace_control),
                                                              control_bytes(t));
        if (!control)
            return grosr_fail(ENOMEM, "out of memory");
        memset(control, 0, control_bytes(t));
        *control = first;
        t->control_host = control;
    }
    t->handle.control = control;
    return err;
}

/* Frees all but the handle. */
static void destroy(struct grosr_tracing *t)
{
    grosr_trace_cuda_close(t->cuda);
    grosr_session_close(t->session);
    free(t->control_host);
}

/* Handles that have been closed: they stay reachable, so that no tool reports them as leaked. No lock, which
 * a child might inherit locked. */
static void keep_closed(struct grosr_tracing *t)
{
    static dev64 list; /* the address of the latest */
    uint64_t latest = dev_load_relaxed(&list), seen;

    for (;; latest = seen) {
        t->next = (struct grosr_tracing *)(uintptr_t)latest;
        seen = dev_cas_relaxed(&list, latest, (uint64_t)(uintptr_t)t);
        if (seen == latest)
            return;
    }
}

int grosr_trace_open_as(struct grosr_tracing **out, const struct grosr_trace_options *o, const char *device,
                        uint32_t abi)
{
    struct grosr_tracing *t;
    int err;

    if (out)
        *out = NULL;
    if (!out || !o)
        return grosr_fail(EINVAL, "%s NULL", out ? "the options are" : "the place for the session is");
    struct grosr_trace_facts facts = {.sms = 1, .lanes = GROSR_LANES, .max_warps_per_sm = o->warps};
    device = o->device ? o->device : device;
    if ((err = check(o, device, abi)))
        return err;
    t = (struct grosr_tracing *)calloc(1, sizeof(*t));
    if (!t)
        return grosr_fail(ENOMEM, "out of memory");
    t->process = grosr_fork_number();
    pthread_mutex_init(&t->lock, NULL);
    snprintf(facts.device_name, sizeof(facts.device_name), "host threads (%ld CPUs)",
             sysconf(_SC_NPROCESSORS_ONLN));
    if ((!strcmp(device, "cuda") && (err = grosr_trace_cuda_open(&t->cuda, &facts))) ||
        (err = create_session(t, o, &facts)))
        goto fail;
    t->view = t->session->base;
    if (t->cuda && (err = grosr_trace_cuda_share(t->cuda, t->session->base, t->session->bytes, &t->view)))
        goto fail;
    t->handle.trace = grosr_session_trace(t->session, t->view);
    if ((err = await_collector(t, o)) || (err = prepare(t, o->warps)) ||
        (err = snapshot_with_retry(t, GROSR_CLOCK_FIRST_TIMEOUT_NS)))
        goto fail;
    err = grosr_housekeeper_start(&t->housekeeper, t->session, SNAPSHOT_NS, snapshot_periodic, t);
    if (err)
        goto fail;
    *out = t;
    return 0;
fail:
    if (t->session) /* whoever records it shall know; pairs with can_end() */
        sys_store_release(&grosr_session_live(t->session)->state, (uint32_t)GROSR_SESSION_CLOSED);
    if (t->recorder) {
        char text[512]; /* of what went wrong first */
        snprintf(text, sizeof(text), "%s", grosr_error());
        wait_for_recorder(t);
        grosr_fail(-err, "%s", text);
    }
    destroy(t);
    free(t);
    return err;
}

/* ---- while it is open ---- */

/* Whether a call can be this session's. */
static int usable(const struct grosr_tracing *t)
{
    if (!t)
        return grosr_fail(EINVAL, "the session of instrumented kernels is NULL");
    if (t->process != grosr_fork_number())
        return grosr_fail(EPERM, "the session belongs to the process that this one was forked from");
    if (dev_load_relaxed(&t->closed))
        return grosr_fail(ESHUTDOWN, "the session has been closed");
    return 0;
}

/* Has the session to itself, open, until unlock(). */
static int lock(struct grosr_tracing *t)
{
    int err = usable(t);

    if (err)
        return err;
    pthread_mutex_lock(&t->lock);
    if ((err = usable(t))) /* closed meanwhile */
        pthread_mutex_unlock(&t->lock);
    return err;
}

static int find_name(const struct grosr_tracing *t, const char *text)
{
    const struct grosr_name *name;

    for (uint32_t i = 0; (name = grosr_session_name_entry(t->session, i)); i++)
        if (!strcmp(name->text, text))
            return (int)name->id;
    return -1;
}

int grosr_trace_name(struct grosr_tracing *t, const char *text, const char *unit)
{
    int id, err = lock(t);

    if (err)
        return err;
    if (!text || strnlen(text, GROSR_NAME_BYTES) == GROSR_NAME_BYTES ||
        (unit && strnlen(unit, GROSR_UNIT_BYTES) == GROSR_UNIT_BYTES)) {
        pthread_mutex_unlock(&t->lock);
        return text ? grosr_fail(EINVAL, "a name has at most %u bytes and a unit %u: '%s', '%s'",
                                 GROSR_NAME_BYTES - 1, GROSR_UNIT_BYTES - 1, text, unit ? unit : "")
                    : grosr_fail(EINVAL, "the name is NULL");
    }
    id = find_name(t, text);
    if (id < 0) {
        id = (int)t->names;
        err = grosr_session_add_name(t->session, GROSR_NAME_USER, t->names, text, unit);
        t->names += !err;
    }
    pthread_mutex_unlock(&t->lock);
    return err ? err : id;
}

struct grosr_trace_handle grosr_trace_handle(const struct grosr_tracing *t)
{
    static const struct grosr_trace_handle none = {{NULL, NULL, NULL, NULL, NULL}, NULL, 0};
    return usable(t) ? none : t->handle;
}

int grosr_trace_set_level(struct grosr_tracing *t, enum grosr_level level)
{
    int err = lock(t);

    if (err)
        return err;
    if ((uint32_t)level > GROSR_LEVEL_FULL)
        err = grosr_fail(EINVAL, "there is no trace level %d", (int)level);
    else
        sys_store_relaxed(&grosr_session_live(t->session)->level, (uint32_t)level);
    pthread_mutex_unlock(&t->lock);
    return err;
}

int grosr_trace_set_wait_report(struct grosr_tracing *t, uint64_t report_ns)
{
    int err = lock(t);

    if (err)
        return err;
    sys_store_relaxed(&grosr_session_live(t->session)->wait_report_ns, report_ns);
    pthread_mutex_unlock(&t->lock);
    return 0;
}

int grosr_trace_set_wait_timeout(struct grosr_tracing *t, uint64_t timeout_ns, enum grosr_wait_action action)
{
    int err = lock(t);

    if (err)
        return err;
    if ((uint32_t)action > GROSR_WAIT_TRAP)
        err = grosr_fail(EINVAL, "there is no action %d for a wait that lasts too long", (int)action);
    else
        sys_store_relaxed(&grosr_session_live(t->session)->wait_timeout,
                          grosr_wait_timeout_word(timeout_ns, (uint32_t)action));
    pthread_mutex_unlock(&t->lock);
    return err;
}

int grosr_trace_stop_waits(struct grosr_tracing *t, bool stop)
{
    int err = lock(t);

    if (err)
        return err;
    sys_store_relaxed(&grosr_session_live(t->session)->stop, (uint32_t)stop);
    pthread_mutex_unlock(&t->lock);
    return 0;
}

const struct grosr_session *grosr_trace_session(const struct grosr_tracing *t)
{
    return usable(t) ? NULL : t->session;
}

/* ---- closing ---- */

/* Stores where each ring ended. 0, or the first reason why one did not, or was not enough. */
static int close_rings(struct grosr_tracing *t, bool *in_use)
{
    struct grosr_trace_control *control = t->control_host;
    uint32_t still = 0;
    int err = 0;

    if (t->cuda) {
        control = (struct grosr_trace_control *)aligned_alloc(alignof(struct grosr_trace_control),
                                                              control_bytes(t));
        err = control ? grosr_trace_cuda_read(t->cuda, control, control_bytes(t))
                      : grosr_fail(ENOMEM, "out of memory");
        if (err) { /* what is left of the device says nothing of its kernels */
            free(control);
            return err;
        }
    }
    for (uint32_t i = 0; i < t->handle.rings; i++) {
        const struct grosr_trace_slot *slot = grosr_trace_slots(control) + i;
        struct grosr_ring *ring = grosr_session_ring(t->session, i);
        /* Pairs with the release in grosr_trace_end(), where both are threads. */
        if (dev_load_acquire(&slot->taken)) {
            still++;
            continue;
        }
        /* Pairs with the load in grosr_ring_at_end(): all records are there. */
        sys_store_release(&ring->closed_at,
                          dev_load_relaxed(&slot->lap_start) + dev_load_relaxed(&slot->at) + 1);
    }
    uint64_t refused = dev_load_relaxed(&control->refused);
    if (t->cuda)
        free(control);
    *in_use = still != 0;
    if (still)
        return grosr_fail(EBUSY,
                          "%u of %u recorders have not ended: the kernel runs, or it returned without "
                          "grosr_trace_end()",
                          still, t->handle.rings);
    if (refused)
        return grosr_fail(EUSERS, "%llu times a warp found no free ring, and was not recorded; there are %u",
                          (unsigned long long)refused, t->handle.rings);
    return 0;
}

int grosr_trace_close(struct grosr_tracing *t)
{
    uint64_t begin_ns = grosr_host_clock_ns();
    char text[512] = "";
    bool in_use = false;
    int err, ended;

    if (!t)
        return 0;
    if ((err = lock(t)))
        return err == -ESHUTDOWN ? grosr_fail(EALREADY, "the session has been closed") : err;
    dev_store_relaxed(&t->closed, 1u);
    pthread_mutex_unlock(&t->lock);
    grosr_housekeeper_stop(&t->housekeeper);
    snapshot_with_retry(
        t, GROSR_CLOCK_LAST_TIMEOUT_NS); /* without it the clock map is extended: no reason to fail */
    err = close_rings(t, &in_use);
    if (err)
        snprintf(text, sizeof(text), "%s", grosr_error());
    /* The host's. Pairs with grosr_ring_at_end(). */
    sys_store_release(&grosr_session_ring(t->session, t->handle.rings)->closed_at, UINT64_C(1));
    if (in_use) /* its kernel may be stuck: it is judged as of now */
        sys_store_relaxed(&grosr_session_live(t->session)->stopped_ns, begin_ns);
    /* Pairs with the load in can_end(): all rings have been closed before. */
    sys_store_release(&grosr_session_live(t->session)->state, (uint32_t)GROSR_SESSION_CLOSED);
    ended = wait_for_recorder(t);
    if (in_use) /* a kernel may still write to what it was given: all of it stays, but for the name */
        grosr_session_unlink(t->session);
    else
        destroy(t);
    keep_closed(t);
    return err ? grosr_fail(-err, "%s", text) : ended;
}
