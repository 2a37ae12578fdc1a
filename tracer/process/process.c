/*
 * Processes that have no session (process.h).
 */
#include "process.h"

#include "../base/demangle.h"
#include "../base/error.h"
#include "../nvidia/nvml.h"
#include "host_stack.h"
#include "process_facts.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_THREADS  256u
#define MAX_FRAMES   64u
#define MAX_GPUS     16u
#define NVML_SECONDS 2 /* that NVML may take: beside a driver that hangs it may never return */

/* ---- stacks ---- */

static bool starts_with(const char *text, const char *start)
{
    return !strncmp(text, start, strlen(start));
}

/* Of CUDA's libraries, or a function of the runtime's that is linked into the program. */
static bool is_cuda(const struct grosr_host_frame *f)
{
    const char *name = f->function;

    return starts_with(f->module, "libcuda.so") || starts_with(f->module, "libcudart.so") ||
           (starts_with(name, "cuda") && name[4] >= 'A' && name[4] <= 'Z') ||
           (starts_with(name, "cu") && name[2] >= 'A' && name[2] <= 'Z');
}

/* What a thread begins in. */
static bool is_libc(const struct grosr_host_frame *f)
{
    return starts_with(f->module, "libc.so") || starts_with(f->module, "libpthread");
}

static void name_frame(const struct grosr_host_frame *f, char *text, size_t size)
{
    char *full = grosr_demangle(f->function);
    const char *at = "?";
    size_t bytes = 1;

    if (*f->function)
        grosr_demangled_brief(full ? full : f->function, &at, &bytes);
    snprintf(text, size, "%.*s%s%s%s", (int)bytes, at, *f->file || *f->module ? " (" : "",
             *f->file ? f->file : f->module, *f->file || *f->module ? ")" : "");
    free(full);
}

/* A thread of which nobody outside CUDA's libraries is on the stack is one of theirs. */
static bool starts_in_cuda(const struct grosr_host_frame *frame, uint32_t frames, uint32_t caller)
{
    for (uint32_t i = caller; i < frames; i++)
        if (!is_libc(&frame[i]) && *frame[i].module)
            return false;
    return true;
}

/* The call of CUDA's that a thread is in, and who called it. False: it is in none. */
static bool add_call(struct grosr_findings *findings, const struct grosr_thread_fact *thread,
                     const struct grosr_host_frame *frame, uint32_t frames)
{
    char call[256], by[256], summary[640];
    uint32_t last = frames;

    for (uint32_t i = 0; i < frames; i++)
        if (is_cuda(&frame[i]))
            last = i;
    if (last == frames || starts_in_cuda(frame, frames, last + 1))
        return false;
    name_frame(&frame[last], call, sizeof(call));
    name_frame(&frame[last + 1], by, sizeof(by));
    snprintf(summary, sizeof(summary), "thread %" PRIu32 " (%s) is in %s, called by %s", thread->tid,
             thread->name, call, by);
    struct grosr_finding *f =
        grosr_findings_add(findings, GROSR_VERDICT_HEALTHY, "cuda_call", 0, summary, "");
    snprintf(summary, sizeof(summary), "thread %" PRIu32, thread->tid);
    grosr_finding_worker(findings, f, summary);
    for (uint32_t i = last; i < frames && i < last + 8 && !is_libc(&frame[i]); i++) {
        name_frame(&frame[i], call, sizeof(call));
        grosr_finding_evidence(findings, f, "%s", call);
    }
    return true;
}

static void add_threads(struct grosr_findings *findings, uint32_t pid, const struct grosr_thread_fact *thread,
                        uint32_t threads)
{
    static const char what[] = "what its threads do";
    struct grosr_host_frame *frame = (struct grosr_host_frame *)calloc(MAX_FRAMES, sizeof(*frame));
    struct grosr_host_stacks *stacks = NULL;
    struct grosr_finding *others = NULL;
    char why[256] = "";
    bool *told = (bool *)calloc(threads + 1, sizeof(*told));

    if (grosr_host_stacks_open(&stacks, pid))
        snprintf(why, sizeof(why), "%s", grosr_error());
    for (uint32_t i = 0; stacks && frame && told && i < threads; i++) {
        if (strchr("DZXt", thread[i].state ? thread[i].state : 'X'))
            continue; /* it would not stop, or is another tracer's */
        uint32_t frames = grosr_host_stack(stacks, thread[i].tid, frame, MAX_FRAMES);
        told[i] = add_call(findings, &thread[i], frame, frames);
    }
    grosr_host_stacks_close(stacks);
    for (uint32_t i = 0; told && i < threads; i++) {
        if (told[i])
            continue;
        if (!others)
            others = grosr_findings_add(findings, GROSR_VERDICT_HEALTHY, "threads", 0, what, "");
        grosr_finding_evidence(findings, others, "thread %" PRIu32 " (%s): state %c%s%s", thread[i].tid,
                               thread[i].name, thread[i].state ? thread[i].state : '?',
                               *thread[i].wchan ? ", in " : "", thread[i].wchan);
    }
    if (*why) {
        if (!others)
            others = grosr_findings_add(findings, GROSR_VERDICT_HEALTHY, "threads", 0, what, "");
        grosr_finding_evidence(findings, others, "%s", why);
    }
    free(frame);
    free(told);
}

/* ---- NVML ---- */

/* Shared with the thread that asks, and freed by whoever is last. */
struct gpu_question {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool done, abandoned;
    int gpus;
    struct grosr_nvml_reading reading[MAX_GPUS];
};

static void *ask_nvml(void *arg)
{
    struct gpu_question *q = (struct gpu_question *)arg;
    struct grosr_nvml_reading reading[MAX_GPUS];
    int gpus = grosr_nvml_count();

    for (int i = 0; i < gpus && i < (int)MAX_GPUS; i++)
        reading[i] = grosr_nvml_read(grosr_nvml_at((uint32_t)i));
    pthread_mutex_lock(&q->lock);
    bool abandoned = q->abandoned;
    q->done = true;
    q->gpus = gpus;
    for (int i = 0; i < gpus && i < (int)MAX_GPUS; i++)
        q->reading[i] = reading[i];
    pthread_cond_signal(&q->answered);
    pthread_mutex_unlock(&q->lock);
    if (abandoned)
        free(q);
    return NULL;
}

static void add_gpus(struct grosr_findings *findings)
{
    struct gpu_question *q = (struct gpu_question *)calloc(1, sizeof(*q));
    struct grosr_finding *f = NULL;
    struct timespec end;
    pthread_t thread;

    if (!q || pthread_mutex_init(&q->lock, NULL) || pthread_cond_init(&q->answered, NULL) ||
        pthread_create(&thread, NULL, ask_nvml, q)) {
        free(q);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += NVML_SECONDS;
    pthread_mutex_lock(&q->lock);
    while (!q->done && pthread_cond_timedwait(&q->answered, &q->lock, &end) == 0)
        continue;
    bool done = q->done;
    q->abandoned = !done;
    int gpus = done ? q->gpus : 0;
    pthread_mutex_unlock(&q->lock);
    if (done) /* else it is left as it is: pthread_detach() reads what glibc frees if it ends meanwhile */
        pthread_join(thread, NULL);
    if (!done || gpus > 0)
        f = grosr_findings_add(findings, GROSR_VERDICT_HEALTHY, "gpu", 0,
                               "what the driver tells of this machine's GPUs", "");
    if (!done)
        grosr_finding_evidence(findings, f, "NVML has not answered within %d s: the driver may hang",
                               NVML_SECONDS);
    for (int i = 0; i < gpus && i < (int)MAX_GPUS; i++) {
        const struct grosr_nvml_reading *r = &q->reading[i];
        grosr_finding_evidence(findings, f, "GPU %d: SM clock %.0f of %.0f MHz, %.0f W, %.0f C", i, r->sm_mhz,
                               r->sm_mhz_max, r->power_w, r->temperature_c);
    }
    if (done)
        free(q);
}

int grosr_diagnose_process(uint32_t pid, struct grosr_findings *findings)
{
    struct grosr_thread_fact *thread = (struct grosr_thread_fact *)calloc(MAX_THREADS, sizeof(*thread));

    if (!thread)
        return grosr_fail(ENOMEM, "out of memory");
    uint32_t threads = grosr_process_threads(pid, thread, MAX_THREADS);
    if (threads) {
        bool cuda = grosr_process_maps(pid, "libcuda.so");
        free(findings->source);
        free(findings->state);
        if (asprintf(&findings->source, "process %" PRIu32 " (%s), which has no GROSR session", pid,
                     thread[0].name) < 0)
            findings->source = NULL;
        findings->state = strdup(cuda ? "It uses CUDA; what its kernels do cannot be seen"
                                      : "It has not loaded CUDA's driver");
        add_threads(findings, pid, thread, threads);
        if (cuda)
            add_gpus(findings);
    }
    free(thread);
    if (!threads)
        return grosr_fail(ESRCH, "there is no process %" PRIu32, pid);
    return findings->source && findings->state ? 0 : grosr_fail(ENOMEM, "out of memory");
}
