/*
 * Stalls of CUDA programs that know nothing of GROSR (workload.h): calls behind a kernel that does not end,
 * and a grid that does not fit on the GPU. No runtime is opened: the calls are the driver's, made by threads
 * of their own, and GROSR sees them as those of any program under `grosr record`.
 *
 * Each kernel ends when `stop` is set, in memory that the GPU sees. That is how a stall ends in order; a
 * process that is killed takes its kernels with it.
 */
#include "workload.h"

#include "../../tracer/base/error.h"
#include "../../tracer/nvidia/cuda_driver.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BEFORE     120   /* grids that fit, before one that does not */
#define THREADS    1024u /* of a block of it */
#define COPY_BYTES 64u

extern const unsigned char grosr_kernel_stalls_fatbin[]; /* fatbin.S */

/* What the table of the driver lacks. */
#define MORE(X)                                                              \
    X(copy_blocking, "cuMemcpyHtoD_v2", (CUdeviceptr, const void *, size_t)) \
    X(synchronize, "cuCtxSynchronize", (void))                               \
    X(event_create, "cuEventCreate", (CUevent *, unsigned))                  \
    X(event_record, "cuEventRecord", (CUevent, CUstream))                    \
    X(event_query, "cuEventQuery", (CUevent))

static struct {
#define X(member, symbol, arguments) CUresult(*member) arguments;
    MORE(X)
#undef X
} more;

struct calls {
    const struct call_stall *stall;
    CUdevice device;
    CUcontext context;
    CUfunction server, barrier;
    CUstream ordered, alone;  /* with the legacy default stream, and not */
    CUdeviceptr memory, stop; /* as the GPU has it */
    sys32 *stop_host;
    pthread_t thread[2];
    uint32_t threads;
    sys32 ended; /* the first thread has, with `code` */
    CUresult code;
    const char *what; /* was called last by it */
};

struct call_stall {
    const char *name;
    CUresult (*first)(struct calls *c);  /* a thread's; it launches the kernel */
    CUresult (*second)(struct calls *c); /* another one's, which launches none; NULL: there is none */
    bool blocking;                       /* with CUDA_LAUNCH_BLOCKING=1 */
};

static struct calls calls;

/* ---- calls ---- */

#define CALL(c, call, ...) ((c)->what = #call, (c)->code = (call)(__VA_ARGS__))

static CUresult serve(struct calls *c, CUstream stream)
{
    void *arguments[] = {&c->stop};

    return CALL(c, grosr_cuda.launch, c->server, 1, 1, 1, 1, 1, 1, 0, stream, arguments, NULL);
}

static void pause_ms(long ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

static CUresult free_behind(struct calls *c)
{
    CUresult code = serve(c, c->alone);

    return code ? code : CALL(c, grosr_cuda.memory_free, c->memory);
}

static CUresult wait_for_all(struct calls *c)
{
    CUresult code = serve(c, c->ordered);

    return code ? code : CALL(c, more.synchronize);
}

/* What comes here is counted as the first thread's failure all the same. */
static CUresult copy_behind(struct calls *c)
{
    static const char data[COPY_BYTES] = {0};

    pause_ms(200);
    return more.copy_blocking(c->memory, data, sizeof(data));
}

/* The copy is ordered behind the kernel, and the program asks whether it is done. */
static CUresult ask_behind(struct calls *c)
{
    CUevent event;
    CUresult code = serve(c, c->ordered);

    if (!code)
        code = CALL(c, grosr_cuda.copy_to_device, c->memory, (const void *)(c->stop_host + 64), COPY_BYTES,
                    NULL);
    if (!code)
        code = CALL(c, more.event_create, &event, CU_EVENT_DISABLE_TIMING);
    if (!code)
        code = CALL(c, more.event_record, event, NULL);
    while (!code && (code = CALL(c, more.event_query, event)) == CUDA_ERROR_NOT_READY) {
        code = CUDA_SUCCESS;
        pause_ms(1);
    }
    return code;
}

/* The launch itself waits for the kernel's end. */
static CUresult launch_behind(struct calls *c)
{
    return serve(c, c->alone);
}

static CUresult meet(struct calls *c, uint32_t blocks)
{
    void *arguments[] = {&c->memory, &c->stop};
    CUresult code = CALL(c, grosr_cuda.memory_set, c->memory, 0, sizeof(uint32_t), c->alone);

    return code ? code
                : CALL(c, grosr_cuda.launch, c->barrier, blocks, 1, 1, THREADS, 1, 1, 0, c->alone, arguments,
                       NULL);
}

/* A barrier of a grid of one block more than fit, after many of grids that fit. */
static CUresult meet_too_many(struct calls *c)
{
    int fit = 0, sms = 0;
    CUresult code = CALL(c, grosr_cuda.occupancy, &fit, c->barrier, (int)THREADS, 0);

    if (!code)
        code =
            CALL(c, grosr_cuda.device_attribute, &sms, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, c->device);
    for (int i = 0; !code && i < BEFORE; i++)
        code = meet(c, (uint32_t)(fit * sms));
    if (!code)
        code = CALL(c, grosr_cuda.stream_synchronize, c->alone);
    pause_ms(1000); /* that they have ended is known before the last one is launched */
    if (!code)
        code = meet(c, (uint32_t)(fit * sms) + 1);
    return code ? code : CALL(c, grosr_cuda.stream_synchronize, c->alone);
}

static const struct call_stall stalls[] = {
    {"cudafree", free_behind, NULL, false},   {"copy", wait_for_all, copy_behind, false},
    {"order", ask_behind, NULL, false},       {"blocking", launch_behind, NULL, true},
    {"resident", meet_too_many, NULL, false},
};

/* ---- threads ---- */

static void *first_main(void *unused)
{
    CUresult code = grosr_cuda.context_set(calls.context);

    (void)unused;
    if (!code)
        code = calls.stall->first(&calls);
    calls.code = code;
    sys_store_release(&calls.ended, 1); /* pairs with grosr_calls_check() */
    return NULL;
}

static void *second_main(void *unused)
{
    (void)unused;
    if (!grosr_cuda.context_set(calls.context))
        calls.stall->second(&calls);
    return NULL;
}

static int start_thread(void *(*main)(void *))
{
    int err = pthread_create(&calls.thread[calls.threads], NULL, main, NULL);

    if (err)
        return grosr_fail(err, "cannot start a thread: %s", strerror(err));
    calls.threads++;
    return 0;
}

/* ---- the beginning and the end ---- */

static int load_more(void)
{
    void *cuda = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);

#define X(member, symbol, arguments)                                    \
    *(void **)(void *)&more.member = cuda ? dlsym(cuda, symbol) : NULL; \
    if (!more.member)                                                   \
        return grosr_fail(ENODEV, "the NVIDIA driver is too old: it has no %s", symbol);
    MORE(X)
#undef X
    return 0;
}

/* All that is launched later has been launched once, and what is allocated later is none. */
static int prepare(struct calls *c, uint32_t ordinal)
{
    CUmodule module;
    void *host;
    CUresult code = CALL(c, grosr_cuda.device_get, &c->device, (int)ordinal);

    if (!code)
        code = CALL(c, grosr_cuda.context_retain, &c->context, c->device);
    if (!code)
        code = CALL(c, grosr_cuda.context_set, c->context);
    if (!code)
        code = CALL(c, grosr_cuda.module_load, &module, grosr_kernel_stalls_fatbin);
    if (!code)
        code = CALL(c, grosr_cuda.module_function, &c->server, module, "stall_server");
    if (!code)
        code = CALL(c, grosr_cuda.module_function, &c->barrier, module, "stall_barrier");
    if (!code)
        code = CALL(c, grosr_cuda.host_alloc, &host, 4096, CU_MEMHOSTALLOC_DEVICEMAP);
    if (!code)
        code = CALL(c, grosr_cuda.host_pointer, &c->stop, host, 0);
    if (!code)
        code = CALL(c, grosr_cuda.memory_alloc, &c->memory, 4096);
    if (!code)
        code = CALL(c, grosr_cuda.stream_create, &c->ordered, CU_STREAM_DEFAULT);
    if (!code)
        code = CALL(c, grosr_cuda.stream_create, &c->alone, CU_STREAM_NON_BLOCKING);
    if (code)
        return grosr_cuda_fail(code, c->what);
    memset(host, 0, 4096);
    c->stop_host = (sys32 *)host;
    sys_store_relaxed(c->stop_host, 1);
    code = serve(c, c->ordered);
    if (!code)
        code = serve(c, c->alone);
    if (!code)
        code = meet(c, 1);
    if (!code)
        code = CALL(c, more.synchronize);
    sys_store_relaxed(c->stop_host, 0);
    return code ? grosr_cuda_fail(code, c->what) : 0;
}

int grosr_calls_start(const char *workload, const char *device, struct grosr_device_info *info)
{
    for (size_t i = 0; i < sizeof(stalls) / sizeof(stalls[0]); i++)
        if (!strcmp(stalls[i].name, workload + strlen("stall:")))
            calls.stall = &stalls[i];
    if (calls.stall->blocking)
        setenv("CUDA_LAUNCH_BLOCKING", "1", 1); /* before the driver reads it */
    int err = grosr_find_device(device, info);
    if (!err)
        err = load_more();
    if (!err)
        err = prepare(&calls, info->ordinal);
    if (!err)
        err = start_thread(first_main);
    if (!err && calls.stall->second)
        err = start_thread(second_main);
    return err;
}

int grosr_calls_check(void)
{
    if (!sys_load_acquire(&calls.ended)) /* pairs with first_main() */
        return 0;
    return calls.code ? grosr_cuda_fail(calls.code, calls.what)
                      : grosr_fail(EIO, "stall:%s ended by itself", calls.stall->name);
}

void grosr_calls_end(void)
{
    if (calls.stop_host)
        sys_store_relaxed(calls.stop_host, 1);
    while (calls.threads)
        pthread_join(calls.thread[--calls.threads], NULL);
}
