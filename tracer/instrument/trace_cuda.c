/*
 * Instrumented kernels' sessions on a GPU, through the driver API (trace_cuda.h). What uses the runtime API
 * has its primary context, which the driver API sees as any other.
 *
 * While a kernel runs, nothing here synchronises with it: a stream of our own, non-blocking; memory is
 * allocated, registered and the clock's kernel loaded and launched once before there is one, and freed after.
 */
#include "trace_cuda.h"

#include "../clock/clock.h"
#include "../nvidia/cuda_driver.h"
#include "../base/error.h"
#include "../base/time_limits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

extern const unsigned char grosr_clock_fatbin[]; /* fatbin.S */

struct grosr_trace_cuda {
    CUdevice device;
    CUcontext context;
    bool retained; /* it is the primary context, and nobody had it current */
    CUstream stream;
    CUmodule module;
    CUfunction clock;
    CUdeviceptr control;
    void *shared; /* a mapping of our own */
    size_t shared_bytes;
};

/* Enters the context. */
static int enter(const struct grosr_trace_cuda *c, const char *what)
{
    CUresult code = grosr_cuda_enter(c->context);
    return code == CUDA_SUCCESS ? 0 : grosr_cuda_fail(code, what);
}

/* In the context. */
static CUresult prepare(struct grosr_trace_cuda *c, struct grosr_trace_facts *f)
{
    CUresult code = grosr_cuda.context_device(&c->device);

    if (code == CUDA_SUCCESS)
        code = grosr_cuda.device_name(f->device_name, sizeof(f->device_name), c->device);
    if (code == CUDA_SUCCESS)
        code = grosr_cuda.stream_create(&c->stream, CU_STREAM_NON_BLOCKING);
    if (code == CUDA_SUCCESS)
        code = grosr_cuda.module_load(&c->module, grosr_clock_fatbin);
    if (code == CUDA_SUCCESS)
        code = grosr_cuda.module_function(&c->clock, c->module, "grosr_clock_kernel");
    if (code != CUDA_SUCCESS)
        return code;
    grosr_cuda_describe(c->device, &f->gpu);
    f->sms = f->gpu.sms;
    f->lanes = f->gpu.lanes;
    f->max_warps_per_sm = f->gpu.sm_warps;
    return CUDA_SUCCESS;
}

int grosr_trace_cuda_open(struct grosr_trace_cuda **out, struct grosr_trace_facts *facts)
{
    static const char what[] = "cannot trace on the CUDA device";
    struct grosr_trace_cuda *c;
    CUresult code;
    int err;

    if (!grosr_cuda_load())
        return grosr_fail(ENODEV, "%s", grosr_cuda.absent);
    c = (struct grosr_trace_cuda *)calloc(1, sizeof(*c));
    if (!c)
        return grosr_fail(ENOMEM, "out of memory");
    code = grosr_cuda.context_current(&c->context);
    if (code == CUDA_SUCCESS && !c->context) {
        code = grosr_cuda.device_get(&c->device, 0);
        if (code == CUDA_SUCCESS)
            code = grosr_cuda.context_retain(&c->context, c->device);
        c->retained = code == CUDA_SUCCESS;
    }
    if (code != CUDA_SUCCESS) {
        free(c);
        return grosr_cuda_fail(code, what);
    }
    err = enter(c, what);
    if (!err) {
        code = prepare(c, facts);
        grosr_cuda_leave();
        if (code != CUDA_SUCCESS)
            err = grosr_cuda_fail(code, what);
    }
    if (err)
        grosr_trace_cuda_close(c);
    else
        *out = c;
    return err;
}

/* Through a second mapping of the same pages, since the first goes with the session. */
int grosr_trace_cuda_share(struct grosr_trace_cuda *c, void *base, size_t bytes, void **view)
{
    static const char what[] = "cannot register the session segment with the device";
    CUdeviceptr p = 0;
    CUresult code;
    int err = enter(c, what);

    if (err)
        return err;
    c->shared = mremap(base, 0, bytes, MREMAP_MAYMOVE);
    if (c->shared == MAP_FAILED) {
        c->shared = NULL;
        grosr_cuda_leave();
        return grosr_fail(errno, "cannot map the session segment again: %s", strerror(errno));
    }
    code = grosr_cuda.host_register(c->shared, bytes,
                                    CU_MEMHOSTREGISTER_DEVICEMAP | CU_MEMHOSTREGISTER_PORTABLE);
    if (code == CUDA_SUCCESS) {
        c->shared_bytes = bytes;
        code = grosr_cuda.host_pointer(&p, c->shared, 0);
    } else {
        munmap(c->shared, bytes);
        c->shared = NULL;
    }
    grosr_cuda_leave();
    *view = (void *)(uintptr_t)p;
    return code == CUDA_SUCCESS ? 0 : grosr_cuda_fail(code, what);
}

/* Waits for what is in our stream; in the context. Not for ever: kernels of the program may be in the way. */
static CUresult await(struct grosr_trace_cuda *c)
{
    uint64_t start = grosr_host_clock_ns();
    CUresult code;

    while ((code = grosr_cuda.stream_query(c->stream)) == CUDA_ERROR_NOT_READY &&
           grosr_host_clock_ns() - start < GROSR_DEVICE_COPY_TIMEOUT_NS) {
        struct timespec pause = {0, 20000};
        nanosleep(&pause, NULL);
    }
    return code;
}

int grosr_trace_cuda_control(struct grosr_trace_cuda *c, const struct grosr_trace_control *first,
                             size_t bytes, struct grosr_trace_control **control)
{
    static const char what[] = "cannot allocate and fill device memory";
    CUresult code;
    int err = enter(c, what);

    if (err)
        return err;
    code = grosr_cuda.memory_alloc(&c->control, bytes);
    if (code == CUDA_SUCCESS)
        code = grosr_cuda.memory_set(c->control, 0, bytes, c->stream);
    if (code == CUDA_SUCCESS)
        code = grosr_cuda.copy_to_device(c->control, first, sizeof(*first), c->stream);
    if (code == CUDA_SUCCESS)
        code = await(c);
    grosr_cuda_leave();
    *control = (struct grosr_trace_control *)(uintptr_t)c->control;
    return code == CUDA_SUCCESS ? 0 : grosr_cuda_fail(code, what);
}

int grosr_trace_cuda_read(struct grosr_trace_cuda *c, void *to, size_t bytes)
{
    static const char what[] = "cannot read where the rings end";
    CUresult code;
    int err = enter(c, what);

    if (err)
        return err;
    code = grosr_cuda.copy_to_host(to, c->control, bytes, c->stream);
    if (code == CUDA_SUCCESS)
        code = await(c);
    grosr_cuda_leave();
    return code == CUDA_SUCCESS ? 0 : grosr_cuda_fail(code, what);
}

int grosr_trace_cuda_clock(struct grosr_trace_cuda *c, struct grosr_session_header *session,
                           uint64_t answered)
{
    static const char what[] = "cannot launch the kernel that tells the time";
    void *arguments[] = {&session, &answered};
    CUresult code;
    int err = enter(c, what);

    if (err)
        return err;
    code = grosr_cuda.stream_query(c->stream);
    if (code == CUDA_SUCCESS)
        code = grosr_cuda.launch(c->clock, 1, 1, 1, 1, 1, 1, 0, c->stream, arguments, NULL);
    grosr_cuda_leave();
    if (code == CUDA_ERROR_NOT_READY)
        return -EAGAIN;
    return code == CUDA_SUCCESS ? 0 : grosr_cuda_fail(code, what);
}

void grosr_trace_cuda_close(struct grosr_trace_cuda *c)
{
    if (!c)
        return;
    if (grosr_cuda_enter(c->context) == CUDA_SUCCESS) {
        if (c->stream)
            await(c);
        if (c->control)
            grosr_cuda.memory_free(c->control);
        if (c->shared) {
            grosr_cuda.host_unregister(c->shared);
            munmap(c->shared, c->shared_bytes);
        }
        if (c->module)
            grosr_cuda.module_unload(c->module);
        if (c->stream)
            grosr_cuda.stream_destroy(c->stream);
        grosr_cuda_leave();
    }
    if (c->retained)
        grosr_cuda.context_release(c->device);
    free(c);
}
