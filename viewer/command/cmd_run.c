/*
 * grosr run WORKLOAD: runs a workload on the runtime; with -o, a collector process records it.
 */
#include "commands.h"
#include "../cli/output.h"
#include "../cli/signals.h"
#include "../record/collect.h"
#include "../record/inject.h"
#include "../show/json.h"
#include "../cli/text.h"

#include "../../runtime/workload/workload.h"
#include "../../tracer/base/host_clock.h"
#include "../../tracer/session/ring.h"
#include "../../tracer/collect/sampler.h"
#include "../../tracer/store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_TASKS 100000

static volatile sig_atomic_t stop;
static volatile sig_atomic_t waiting; /* for the collector, with nothing else left to do */
static grosr *volatile running;       /* for the signal handler */

/* Ends the run in order; one that comes while it ends changes nothing. */
static void on_signal(int signal_number)
{
    static const char text[] = "\ngrosr: the trace is being closed; grosr ends when it is complete\n";
    int before = errno;
    grosr *rt = running;

    (void)signal_number;
    stop = 1;
    if (waiting && write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        waiting = 0; /* nothing to be done about it */
    if (rt)
        grosr_stop(rt);
    errno = before;
}

static int list_workloads(bool as_json)
{
    struct json j;

    if (!as_json) {
        for (const struct grosr_workload *w = grosr_workloads; w->name; w++)
            printf("%-16s %s\n", w->name, w->description);
        return output_end(GROSR_EXIT_OK);
    }
    json_begin(&j, stdout);
    json_array(&j, NULL);
    for (const struct grosr_workload *w = grosr_workloads; w->name; w++) {
        json_object(&j, NULL);
        json_string(&j, "name", w->name);
        json_string(&j, "description", w->description);
        json_close(&j);
    }
    json_close(&j);
    json_end(&j);
    return output_end(GROSR_EXIT_OK);
}

static const struct grosr_workload *find_workload(const char *name)
{
    for (const struct grosr_workload *w = grosr_workloads; w->name; w++)
        if (!strcmp(w->name, name))
            return w;
    return NULL;
}

/*
 * What a recording that failed has in its file; nothing if that cannot be read. What was read and is not
 * there is what is left of `written`.
 */
static void sum_file(const char *path, struct grosr_ring_counts *sum)
{
    sqlite3 *db;
    sqlite3_stmt *q = NULL;

    memset(sum, 0, sizeof(*sum));
    if (grosr_store_open_read(&db, path))
        return;
    if (sqlite3_prepare_v2(db,
                           "SELECT sum(written), sum(read), sum(dropped), sum(overwritten) FROM GROSR_RING",
                           -1, &q, NULL) == SQLITE_OK &&
        sqlite3_step(q) == SQLITE_ROW) {
        sum->written = (uint64_t)sqlite3_column_int64(q, 0);
        sum->read = (uint64_t)sqlite3_column_int64(q, 1);
        sum->dropped = (uint64_t)sqlite3_column_int64(q, 2);
        sum->overwritten = (uint64_t)sqlite3_column_int64(q, 3);
    }
    sqlite3_finalize(q);
    sqlite3_close(db);
}

static void sum_rings(const struct grosr_session *session, struct grosr_ring_counts *sum)
{
    memset(sum, 0, sizeof(*sum));
    for (uint32_t i = 0; i < session->header.rings; i++) {
        struct grosr_ring_counts n;
        grosr_ring_count(session, i, &n);
        sum->written += n.written;
        sum->read += n.read;
        sum->dropped += n.dropped;
        sum->overwritten += n.overwritten;
    }
}

static double tasks_per_s(const struct grosr_workload_result *r)
{
    return r->elapsed_ns ? (double)r->completed * 1e9 / (double)r->elapsed_ns : 0;
}

static void print_json(const struct grosr_workload *w, const struct grosr_arguments *a,
                       const struct grosr_session_header *h, const struct grosr_workload_result *r,
                       const struct grosr_ring_counts *trace)
{
    struct json j;

    json_begin(&j, stdout);
    json_object(&j, NULL);
    json_string(&j, "workload", w->name);
    if (a->cured)
        json_bool(&j, "cured", true);
    json_string(&j, "device", h->device);
    json_string(&j, "device_name", h->device_name);
    json_uint(&j, "workers", h->workers);
    json_uint(&j, "tasks", r->tasks);
    json_uint(&j, "spawned", r->spawned);
    json_uint(&j, "completed", r->completed);
    json_uint(&j, "errors", r->errors);
    json_uint(&j, "elapsed_ns", r->elapsed_ns);
    json_number(&j, "tasks_per_s", tasks_per_s(r));
    json_object(&j, "trace");
    json_string(&j, "file", a->output);
    json_uint(&j, "written", trace->written);
    json_uint(&j, "read", trace->read);
    json_uint(&j, "dropped", trace->dropped);
    json_uint(&j, "overwritten", trace->overwritten);
    json_uint(&j, "unstored", trace->written - trace->read - trace->dropped - trace->overwritten);
    json_close(&j);
    json_close(&j);
    json_end(&j);
}

static void print_text(const struct grosr_workload *w, const struct grosr_arguments *a,
                       const struct grosr_session_header *h, const struct grosr_workload_result *r,
                       const struct grosr_ring_counts *trace)
{
    uint64_t missing = trace->written - trace->read - trace->dropped - trace->overwritten;
    char unstored[64] = "";

    if (missing)
        snprintf(unstored, sizeof(unstored), ", %" PRIu64 " not stored", missing);
    if (w->calls) {
        printf("%s on %s (%s): %.3f ms\n", w->name, h->device_name, h->device, (double)r->elapsed_ns * 1e-6);
        if (a->output)
            printf("trace: %s\n", a->output);
        return;
    }
    printf("%s on %s (%s, %u workers): %" PRIu64 " of %" PRIu64 " tasks completed, %" PRIu64 " errors\n",
           w->name, h->device_name, h->device, h->workers, r->completed, r->tasks, r->errors);
    printf("%.3f ms, %.3f M tasks/s", (double)r->elapsed_ns * 1e-6, tasks_per_s(r) * 1e-6);
    if (r->spawned)
        printf(", %" PRIu64 " of them spawned by tasks", r->spawned);
    putchar('\n');
    if (a->output)
        printf("trace: %s, %" PRIu64 " events read, %" PRIu64 " dropped, %" PRIu64 " overwritten%s\n",
               a->output, trace->read, trace->dropped, trace->overwritten, unstored);
}

/* Runs the workload on an open runtime, closes it and reports. */
static int run_open(const struct grosr_workload *w, const struct grosr_arguments *a, grosr *rt,
                    pid_t collector)
{
    struct grosr_workload_options options = {.tasks = a->tasks ? a->tasks : DEFAULT_TASKS,
                                             .seconds = a->seconds,
                                             .stop = &stop,
                                             .file = a->file,
                                             .rate = a->rate,
                                             .name = w->name,
                                             .cured = a->cured};
    struct grosr_workload_result result;
    struct grosr_ring_counts trace;
    const struct grosr_session *session = grosr_runtime_session(rt);
    int code = GROSR_EXIT_OK, err;
    bool interrupted, ran;

    err = w->run(rt, &options, &result);
    if (err && err != -ECANCELED)
        code = grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    ran = !err;
    uint32_t level = sys_load_relaxed(&grosr_session_live(session)->level);
    err = grosr_finish(rt);
    if (err && code == GROSR_EXIT_OK)
        code = grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    if (ran && !err)
        grosr_workload_audit(session, level, &result);
    interrupted = stop != 0; /* from here on only the wait for the collector can be interrupted */
    running = NULL;
    waiting = collector > 0;
    bool failed = collector > 0 && collect_wait(collector);
    if (failed)
        code = GROSR_EXIT_FAILURE;
    waiting = 0;
    if (failed)
        sum_file(a->output, &trace);
    else
        sum_rings(session, &trace);
    if (a->json)
        print_json(w, a, &session->header, &result, &trace);
    else
        print_text(w, a, &session->header, &result, &trace);
    code = output_end(code);
    if (interrupted)
        code = grosr_say(GROSR_EXIT_FAILURE, "interrupted after %" PRIu64 " tasks", result.completed);
    if (result.errors)
        code = grosr_say(GROSR_EXIT_FAILURE, "%" PRIu64 " wrong results; the first: %s", result.errors,
                         result.first_error);
    grosr_close(rt);
    return code;
}

/* What the collector samples: as for PM sampling, the GPU that the run is on. */
static struct grosr_sampling sampling_of(const struct grosr_arguments *a)
{
    struct grosr_sampling s = {a->counters, 0};
    uint64_t gpu;

    if (!strncmp(a->device, "cuda:", strlen("cuda:")) && text_whole_number(a->device + strlen("cuda:"), &gpu))
        s.gpu = (uint32_t)gpu;
    return s;
}

/* Until it is to end, or has ended by itself. 0 or negative errno. */
static int stay(double seconds)
{
    uint64_t end_ns = grosr_host_clock_ns() + (uint64_t)(seconds * 1e9);
    const struct timespec pause = {0, 20000000};
    int err = 0;

    while (!err && !stop && (seconds == 0 || grosr_host_clock_ns() < end_ns)) {
        nanosleep(&pause, NULL);
        err = grosr_calls_check();
    }
    return err;
}

/* The library of `grosr record` is loaded into this process, whose collector, if it has one, is its child. */
static void inject_self(pid_t collector)
{
    char pid[16];

    snprintf(pid, sizeof(pid), "%d", (int)(collector ? collector : getpid()));
    setenv("GROSR_COLLECTOR", pid, 1);
    inject_environment(GROSR_TRACE_CUDA, NULL, false);
}

/* A stall that is a CUDA program without the runtime. */
static int run_calls(const struct grosr_workload *w, const struct grosr_arguments *a)
{
    struct grosr_session_header header = {.device = "cuda"};
    struct grosr_workload_result result = {0};
    struct grosr_ring_counts trace = {0};
    struct grosr_device_info device;
    int code = GROSR_EXIT_OK;
    pid_t collector = 0;

    if (!strcmp(a->device, "host"))
        return grosr_say(GROSR_EXIT_NO_DEVICE, "%s needs a GPU: there are no CUDA calls on the host device",
                         w->name);
    signals_catch(on_signal);
    if (a->output) {
        if (grosr_store_probe(a->output))
            return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
        collector = collect_start(a->output, sampling_of(a));
        if (collector < 0)
            return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    }
    inject_self(collector);
    uint64_t begin = grosr_host_clock_ns();
    int err = grosr_calls_start(w->name, strcmp(a->device, "auto") ? a->device : "cuda", &device);
    if (err) {
        if (collector > 0)
            collect_give_up(collector);
        return grosr_say(grosr_exit_code(err), "%s", grosr_error());
    }
    snprintf(header.device_name, sizeof(header.device_name), "%s", device.name);
    err = stay(a->seconds);
    result.elapsed_ns = grosr_host_clock_ns() - begin;
    if (err)
        code = grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    if (collector > 0) { /* while it stalls */
        collect_finish(collector);
        code = collect_wait(collector) ? GROSR_EXIT_FAILURE : code;
        sum_file(a->output, &trace);
    }
    grosr_calls_end();
    if (a->json)
        print_json(w, a, &header, &result, &trace);
    else
        print_text(w, a, &header, &result, &trace);
    code = output_end(code);
    return stop ? grosr_say(GROSR_EXIT_FAILURE, "interrupted") : code;
}

int cmd_run(const struct grosr_arguments *a)
{
    struct grosr_options options = GROSR_OPTIONS_DEFAULT;
    struct grosr_syscalls syscalls = {0};
    const struct grosr_workload *w;
    char root[4096], name[64];
    pid_t collector = 0;
    grosr *rt;
    int code, err;

    if (a->list)
        return list_workloads(a->json);
    if (!a->output && !(a->counters & GROSR_COUNTERS_DEFAULT))
        return grosr_say(GROSR_EXIT_USAGE, "--counters is for a recorded run (-o)");
    if (a->operands != 1)
        return grosr_say(GROSR_EXIT_USAGE, "run takes one workload; `grosr run --list` lists them");
    w = find_workload(a->operand[0]);
    if (!w)
        return grosr_say(GROSR_EXIT_USAGE, "no workload '%s'; `grosr run --list` lists them", a->operand[0]);
    if (a->file && strcmp(w->name, "read"))
        return grosr_say(GROSR_EXIT_USAGE, "--file is for the workload `read`");
    if (a->sandbox && !w->syscalls)
        return grosr_say(GROSR_EXIT_USAGE, "--sandbox is for the workload `read`");
    if (a->cured && (w->calls || !grosr_stall_is_fault(w->name)))
        return grosr_say(GROSR_EXIT_USAGE, "--cured is for a fault of the collection of stalls; %s is %s",
                         w->name, w->calls ? "a CUDA program that the runtime has no part in" : "none");
    if (w->calls)
        return run_calls(w, a);
    options.device = a->device;
    options.name = w->name;
    options.workers = a->workers;
    options.sms = a->sms;
    options.level = a->level;
    options.overflow = a->overflow;
    options.ring_events = a->ring;
    options.shared_bytes = w->shared_bytes;
    options.device_bytes = w->device_bytes;
    options.program = w->program ? w->program() : NULL;
    options.heap_bytes = (size_t)a->heap << 20;
    options.heap_flags = a->heap_debug ? GROSR_HEAP_DEBUG : 0;
    if (w->worker_bytes) {
        struct grosr_device_info device;
        if ((err = grosr_find_device(a->device, &device)))
            return grosr_say(grosr_exit_code(err), "%s", grosr_error());
        options.device_bytes += device.max_workers * w->worker_bytes;
    }
    syscalls.root = grosr_read_root(a->file, root, sizeof(root));
    syscalls.sandbox = a->sandbox;
    if (w->syscalls)
        options.syscalls = &syscalls;
    if (w->prepare)
        w->prepare(w->name, &stop, &options, &syscalls);
    if (a->cured) {
        snprintf(name, sizeof(name), "%s, cured", w->name);
        options.name = name;
        grosr_cure_stall(&options, &syscalls);
    }
    signals_catch(on_signal);
    if (a->output) { /* before anything of CUDA's is in this process */
        if (grosr_store_probe(a->output))
            return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
        collector = collect_start(a->output, sampling_of(a));
        if (collector < 0)
            return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
        options.collector_pid = (uint32_t)collector;
    }
    err = grosr_open(&rt, &options);
    if (err) {
        /* The collector has reported why it did not attach. */
        code = err == -ECHILD ? GROSR_EXIT_FAILURE : grosr_say(grosr_exit_code(err), "%s", grosr_error());
        if (collector > 0)
            collect_give_up(collector);
        return code;
    }
    running = rt;
    if (stop)
        grosr_stop(rt);
    return run_open(w, a, rt, collector);
}
