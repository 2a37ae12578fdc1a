/*
 * Loads the CUDA driver's symbols, and turns its codes into errno (cuda_driver.h).
 */
#include "cuda_driver.h"

#include "../base/error.h"
#include "../session/fork.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct grosr_cuda_driver grosr_cuda;

static uint32_t loaded_by; /* the process, as fork.h counts */

int grosr_cuda_fail(CUresult code, const char *what)
{
    const char *name = "unknown error", *text = "";
    int err;

    grosr_cuda.error_name(code, &name);
    grosr_cuda.error_string(code, &text);
    switch (code) {
    case CUDA_ERROR_OUT_OF_MEMORY:
        err = ENOMEM;
        break;
    case CUDA_ERROR_NO_DEVICE:
    case CUDA_ERROR_INVALID_DEVICE:
        err = ENODEV;
        break;
    default:
        err = EIO;
    }
    return grosr_fail(err, "%s: %s (%s)", what, text, name);
}

static void load_cuda(void)
{
    void *library;
    CUresult code;
    int count = 0;

    loaded_by = grosr_fork_number();
    setenv("CUDA_MODULE_LOADING", "EAGER", 0);
    library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(grosr_cuda.absent, sizeof(grosr_cuda.absent),
                 "no NVIDIA driver: libcuda.so.1 cannot be loaded");
        return;
    }
#define X(member, symbol, arguments)                                                                         \
    *(void **)(void *)&grosr_cuda.member = dlsym(library, symbol);                                           \
    if (!grosr_cuda.member) {                                                                                \
        snprintf(grosr_cuda.absent, sizeof(grosr_cuda.absent), "the NVIDIA driver is too old: it has no %s", \
                 symbol);                                                                                    \
        return;                                                                                              \
    }
    GROSR_CUDA_SYMBOLS(X)
#undef X
    code = grosr_cuda.init(0);
    if (code == CUDA_SUCCESS)
        code = grosr_cuda.device_count(&count);
    if (code != CUDA_SUCCESS || count == 0) {
        const char *text = "no device";
        if (code != CUDA_SUCCESS)
            grosr_cuda.error_string(code, &text);
        snprintf(grosr_cuda.absent, sizeof(grosr_cuda.absent), "the NVIDIA driver finds no usable GPU: %s",
                 text);
        return;
    }
    grosr_cuda.driver_version(&grosr_cuda.version);
}

static void forget_cuda(void)
{
    if (!grosr_cuda.absent[0])
        snprintf(grosr_cuda.absent, sizeof(grosr_cuda.absent),
                 "the NVIDIA driver was in use when this process was forked, and does not survive that");
}

bool grosr_cuda_load(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT, forked = PTHREAD_ONCE_INIT;

    pthread_once(&once, load_cuda);
    if (loaded_by != grosr_fork_number())
        pthread_once(&forked, forget_cuda);
    return !grosr_cuda.absent[0];
}

static __thread CUstreamCaptureMode mode_before; /* while inside */

CUresult grosr_cuda_enter(CUcontext context)
{
    CUresult code = grosr_cuda.context_push(context);

    if (code != CUDA_SUCCESS)
        return code;
    mode_before = CU_STREAM_CAPTURE_MODE_RELAXED;
    code = grosr_cuda.capture_mode(&mode_before);
    if (code != CUDA_SUCCESS) /* the caller does not leave what it has not entered */
        grosr_cuda.context_pop(&context);
    return code;
}

void grosr_cuda_leave(void)
{
    CUcontext ours;

    grosr_cuda.capture_mode(&mode_before);
    grosr_cuda.context_pop(&ours);
}

static uint32_t attribute(CUdevice id, CUdevice_attribute which)
{
    int value = 0;
    return grosr_cuda.device_attribute(&value, which, id) == CUDA_SUCCESS ? (uint32_t)value : 0;
}

void grosr_cuda_describe(CUdevice id, struct grosr_gpu *gpu)
{
    size_t bytes = 0;
    CUuuid uuid;

    *gpu = (struct grosr_gpu){
        .id = (uint32_t)id, /* CUdevice is the number, in all drivers so far */
        .sms = attribute(id, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
        .clock_khz = attribute(id, CU_DEVICE_ATTRIBUTE_CLOCK_RATE),
        .l2_bytes = attribute(id, CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE),
        .constant_bytes = attribute(id, CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY),
        .major = attribute(id, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
        .minor = attribute(id, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
        .lanes = attribute(id, CU_DEVICE_ATTRIBUTE_WARP_SIZE),
        .sm_blocks = attribute(id, CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR),
        .sm_registers = attribute(id, CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR),
        .sm_shared_bytes = attribute(id, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR),
        .block_threads = attribute(id, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK),
        .block_registers = attribute(id, CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK),
        .block_shared_bytes = attribute(id, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK),
        .copy_engines = attribute(id, CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT),
    };
    if (gpu->lanes)
        gpu->sm_warps = attribute(id, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR) / gpu->lanes;
    /* Both edges of the memory's clock carry data. */
    gpu->memory_bytes_per_s = (uint64_t)attribute(id, CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE) * 1000 * 2 *
                              attribute(id, CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH) / 8;
    if (grosr_cuda.device_memory(&bytes, id) == CUDA_SUCCESS)
        gpu->memory_bytes = bytes;
    if (grosr_cuda.device_uuid(&uuid, id) == CUDA_SUCCESS)
        memcpy(gpu->uuid, &uuid, sizeof(gpu->uuid));
    if (grosr_cuda.device_pci(gpu->bus, (int)sizeof(gpu->bus), id) != CUDA_SUCCESS)
        gpu->bus[0] = 0;
}
