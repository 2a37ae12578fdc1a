/*
 * A rig on a GPU (bench_rig.h): the session's segment registered, a copy of it in device memory, and the
 * kernels of bench.cu.
 */
#include "bench_rig.h"

#include "../../tracer/clock/clock.h"
#include "../../tracer/nvidia/cuda_driver.h"
#include "../../tracer/session/session.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define SETTLE_NS 10000000000u /* for what is in the stream when the rig is closed */

extern const unsigned char grosr_bench_fatbin[]; /* fatbin.S */

static const struct kernel {
    const char *name;
    enum grosr_bench_recorder recorder;
    enum grosr_bench_length length;
} kernels[] = {
#define KERNEL(name, recorder, length) {"bench_" #name, recorder, length},
    GROSR_BENCH_EMIT_KERNELS(KERNEL)
#undef KERNEL
        {"bench_flood", GROSR_BENCH_FLOOD, GROSR_BENCH_SHORT},
};

#define KERNELS (sizeof(kernels) / sizeof(kernels[0]))

struct grosr_bench_rig_cuda {
    CUdevice id;
    CUcontext context;
    CUmodule module;
    CUstream stream;
    CUfunction kernel[KERNELS];
    struct grosr_session *session;
    bool registered;
    CUdeviceptr copy, result, span_ns;
    size_t result_bytes, span_bytes;
    bool in_device_memory; /* the run's */
    bool fetching;         /* the kernel has ended, and what it left is on its way */
};

/* `call` and its name in an error. */
#define TRY(call)                                                       \
    do {                                                                \
        CUresult try_code = grosr_cuda.call;                            \
        if (try_code != CUDA_SUCCESS)                                   \
            return grosr_cuda_fail(try_code, "the rig failed: " #call); \
    } while (0)

static int prepare(struct grosr_bench_rig_cuda *c, uint32_t ordinal, struct grosr_bench_launch *views,
                   void **view)
{
    CUdeviceptr base;

    TRY(device_get(&c->id, (int)ordinal));
    TRY(context_retain(&c->context, c->id));
    TRY(context_set(c->context));
    TRY(module_load(&c->module, grosr_bench_fatbin));
    for (uint32_t i = 0; i < KERNELS; i++)
        TRY(module_function(&c->kernel[i], c->module, kernels[i].name));
    TRY(stream_create(&c->stream, CU_STREAM_NON_BLOCKING));
    TRY(memory_alloc(&c->copy, c->session->bytes));
    TRY(memory_alloc(&c->result, c->result_bytes));
    TRY(memory_alloc(&c->span_ns, c->span_bytes));
    TRY(host_register(c->session->base, c->session->bytes, CU_MEMHOSTREGISTER_DEVICEMAP));
    c->registered = true;
    TRY(host_pointer(&base, c->session->base, 0));
    *view = (void *)(uintptr_t)base;
    views->result = (uint32_t *)(uintptr_t)c->result;
    views->span_ns = (uint64_t *)(uintptr_t)c->span_ns;
    return 0;
}

int grosr_bench_rig_cuda_open(struct grosr_bench_rig_cuda **out, uint32_t ordinal,
                              struct grosr_session *session, uint32_t warps, struct grosr_bench_launch *views,
                              void **view, void **copy)
{
    struct grosr_bench_rig_cuda *c;
    int err;

    if (!grosr_cuda_load())
        return grosr_fail(ENODEV, "no CUDA device: %s", grosr_cuda.absent);
    c = (struct grosr_bench_rig_cuda *)calloc(1, sizeof(*c));
    if (!c)
        return grosr_fail(ENOMEM, "out of memory");
    c->session = session;
    c->result_bytes = (size_t)warps * 32 * sizeof(uint32_t);
    c->span_bytes = warps * sizeof(uint64_t);
    err = prepare(c, ordinal, views, view);
    *copy = (void *)(uintptr_t)c->copy;
    if (err)
        grosr_bench_rig_cuda_close(c);
    else
        *out = c;
    return err;
}

int grosr_bench_rig_cuda_start(struct grosr_bench_rig_cuda *c, const struct grosr_bench_rig_run *run,
                               const struct grosr_bench_launch *launch)
{
    struct grosr_bench_launch argument = *launch;
    void *arguments[] = {&argument};
    uint32_t k = 0;

    while (kernels[k].recorder != run->recorder || kernels[k].length != run->length)
        k++;
    TRY(context_set(c->context));
    c->in_device_memory = run->in_device_memory;
    c->fetching = false;
    TRY(memory_set(c->result, 0xff, c->result_bytes, c->stream));
    if (run->in_device_memory)
        TRY(copy_to_device(c->copy, c->session->base, c->session->bytes, c->stream));
    /* Cooperative: all warps are there at once, or none. */
    TRY(launch_cooperative(c->kernel[k], run->blocks, 1, 1, run->warps_per_block * 32, 1, 1, 0, c->stream,
                           arguments));
    return 0;
}

static int await(struct grosr_bench_rig_cuda *c, uint64_t timeout_ns)
{
    uint64_t start = grosr_host_clock_ns();
    CUresult code;

    while ((code = grosr_cuda.stream_query(c->stream)) == CUDA_ERROR_NOT_READY) {
        struct timespec pause = {0, 20000};
        if (grosr_host_clock_ns() - start > timeout_ns)
            return -ETIMEDOUT;
        nanosleep(&pause, NULL);
    }
    return code == CUDA_SUCCESS ? 0 : grosr_cuda_fail(code, "the rig's kernel failed");
}

int grosr_bench_rig_cuda_wait(struct grosr_bench_rig_cuda *c, uint64_t timeout_ns, uint32_t *result,
                              uint64_t *span_ns)
{
    int err;

    TRY(context_set(c->context));
    if (!c->fetching && (err = await(c, timeout_ns)))
        return err;
    if (!c->fetching) {
        TRY(copy_to_host(result, c->result, c->result_bytes, c->stream));
        TRY(copy_to_host(span_ns, c->span_ns, c->span_bytes, c->stream));
        if (c->in_device_memory)
            TRY(copy_to_host(c->session->base, c->copy, c->session->bytes, c->stream));
        c->fetching = true;
    }
    return await(c, timeout_ns);
}

void grosr_bench_rig_cuda_close(struct grosr_bench_rig_cuda *c)
{
    if (!c)
        return;
    if (c->context) {
        grosr_cuda.context_set(c->context);
        /* Freeing would wait for a kernel that does not end; the process's exit ends it. */
        if (c->stream && await(c, SETTLE_NS) == -ETIMEDOUT)
            return;
        if (c->registered)
            grosr_cuda.host_unregister(c->session->base);
        if (c->copy)
            grosr_cuda.memory_free(c->copy);
        if (c->result)
            grosr_cuda.memory_free(c->result);
        if (c->span_ns)
            grosr_cuda.memory_free(c->span_ns);
        if (c->stream)
            grosr_cuda.stream_destroy(c->stream);
        if (c->module)
            grosr_cuda.module_unload(c->module);
        grosr_cuda.context_release(c->id);
    }
    free(c);
}
