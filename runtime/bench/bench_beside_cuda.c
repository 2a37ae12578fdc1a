/*
 * Kernels that run beside an idle runtime (experiment `idle`). Both take milliseconds, long against what
 * starting and watching them takes; the copied words are more than any L2 holds.
 */
#include "bench_cuda.h"

#include "../../tracer/clock/clock.h"

#include <errno.h>
#include <stdlib.h>

#define BESIDE_BLOCKS  4u /* on each SM, of BESIDE_THREADS */
#define BESIDE_THREADS 256u
#define BESIDE_ROUNDS  (1u << 18)
#define BESIDE_WORDS   (UINT64_C(1) << 24)
#define BESIDE_COPIES  32u

struct grosr_bench_beside {
    struct grosr_bench_cuda bench; /* its `result` is where both kernels write */
    CUfunction compute, fill, copy;
    CUdeviceptr from;
    unsigned blocks;
    bool pending; /* a kernel did not end in time */
};

static int prepare_beside(struct grosr_bench_beside *s, struct grosr_bench_report *report)
{
    struct grosr_bench_cuda *b = &s->bench;
    uint64_t words = BESIDE_WORDS;
    int err = grosr_bench_cuda_open(b, report, words);
    void *arguments[] = {&s->from, &words};

    if (err)
        return err;
    s->blocks = report->device.sms * BESIDE_BLOCKS;
    TRY(module_function(&s->compute, b->module, "bench_compute"));
    TRY(module_function(&s->fill, b->module, "bench_fill"));
    TRY(module_function(&s->copy, b->module, "bench_copy"));
    TRY(memory_alloc(&s->from, words * sizeof(uint64_t)));
    TRY(launch(s->fill, s->blocks, 1, 1, BESIDE_THREADS, 1, 1, 0, b->stream, arguments, NULL));
    return grosr_bench_cuda_wait(b, GROSR_BENCH_CUDA_TIMEOUT_NS);
}

int grosr_bench_beside_open(struct grosr_bench_beside **out, struct grosr_bench_report *report)
{
    struct grosr_bench_beside *s = (struct grosr_bench_beside *)calloc(1, sizeof(*s));
    int err = s ? prepare_beside(s, report) : grosr_fail(ENOMEM, "out of memory");

    if (err)
        grosr_bench_beside_close(s);
    else
        *out = s;
    return err;
}

static int launch_compute(struct grosr_bench_beside *s)
{
    uint32_t rounds = BESIDE_ROUNDS;
    void *arguments[] = {&s->bench.result, &rounds};

    TRY(launch(s->compute, s->blocks, 1, 1, BESIDE_THREADS, 1, 1, 0, s->bench.stream, arguments, NULL));
    return 0;
}

static int launch_copies(struct grosr_bench_beside *s)
{
    uint64_t pairs = BESIDE_WORDS / 2;
    void *arguments[] = {&s->bench.result, &s->from, &pairs};

    for (uint32_t i = 0; i < BESIDE_COPIES; i++)
        TRY(launch(s->copy, s->blocks, 1, 1, BESIDE_THREADS, 1, 1, 0, s->bench.stream, arguments, NULL));
    return 0;
}

static void check_mixes(const struct grosr_bench_beside *s, struct grosr_bench_report *report)
{
    const uint32_t *got = (const uint32_t *)s->bench.copy;
    uint32_t want[GROSR_BENCH_SEEDS];

    for (uint32_t i = 0; i < GROSR_BENCH_SEEDS; i++)
        want[i] = grosr_bench_mix(i, BESIDE_ROUNDS);
    for (uint32_t i = 0; i < s->blocks * BESIDE_THREADS; i++)
        grosr_bench_check(report, "thread", i, want[i % GROSR_BENCH_SEEDS], got[i]);
}

int grosr_bench_beside_run(struct grosr_bench_beside *s, enum grosr_bench_kernel kernel, double *ns,
                           struct grosr_bench_report *report)
{
    struct grosr_bench_cuda *b = &s->bench;
    size_t bytes = kernel == GROSR_BENCH_COMPUTE ? s->blocks * BESIDE_THREADS * sizeof(uint32_t)
                                                 : BESIDE_WORDS * sizeof(uint64_t);
    int err;

    TRY(context_set(b->context));
    TRY(memory_set(b->result, 0xff, bytes, b->stream));
    if ((err = grosr_bench_cuda_wait(b, GROSR_BENCH_CUDA_TIMEOUT_NS)))
        return err;
    uint64_t start = grosr_host_clock_ns();
    err = kernel == GROSR_BENCH_COMPUTE ? launch_compute(s) : launch_copies(s);
    if (!err)
        err = grosr_bench_cuda_wait(b, GROSR_BENCH_CUDA_TIMEOUT_NS);
    *ns = (double)(grosr_host_clock_ns() - start);
    if (err) {
        s->pending = err == -ETIMEDOUT;
        return err == -ETIMEDOUT ? grosr_fail(ETIMEDOUT, "it found no room on the SMs within %u s",
                                              (unsigned)(GROSR_BENCH_CUDA_TIMEOUT_NS / 1000000000u))
                                 : err;
    }
    TRY(copy_to_host(b->copy, b->result, bytes, b->stream));
    if ((err = grosr_bench_cuda_wait(b, GROSR_BENCH_CUDA_TIMEOUT_NS)))
        return err;
    if (kernel == GROSR_BENCH_COMPUTE)
        check_mixes(s, report);
    for (uint64_t i = 0; kernel == GROSR_BENCH_COPY && i < BESIDE_WORDS; i++)
        grosr_bench_check(report, "word", i, grosr_bench_result(i), b->copy[i]);
    return 0;
}

int grosr_bench_beside_end(struct grosr_bench_beside *s)
{
    if (!s->pending)
        return 0;
    TRY(context_set(s->bench.context));
    s->pending = false;
    return grosr_bench_cuda_wait(&s->bench, GROSR_BENCH_CUDA_TIMEOUT_NS);
}

void grosr_bench_beside_close(struct grosr_bench_beside *s)
{
    if (!s)
        return;
    if (s->bench.context) {
        grosr_cuda.context_set(s->bench.context);
        if (s->from && grosr_bench_cuda_wait(&s->bench, GROSR_BENCH_CUDA_TIMEOUT_NS) != -ETIMEDOUT)
            grosr_cuda.memory_free(s->from);
        grosr_bench_cuda_close(&s->bench);
    }
    free(s);
}
