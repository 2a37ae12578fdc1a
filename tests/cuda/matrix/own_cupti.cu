/*
 * A program with a profiler of its own: it collects its kernels' records through CUPTI's activity API, as an
 * in-process profiler does, and gets 100 of them. CUPTI is loaded at run time, from the file that is named.
 */
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <cupti.h>

__global__ void work(int *x)
{
    if (x)
        *x = 1;
}

static CUptiResult (*next_record)(uint8_t *, size_t, CUpti_Activity **);
static int kernels;

static void CUPTIAPI give(uint8_t **buffer, size_t *size, size_t *records)
{
    *size = 1 << 20;
    *buffer = (uint8_t *)aligned_alloc(8, *size);
    *records = 0;
}

static void CUPTIAPI take(CUcontext, uint32_t, uint8_t *buffer, size_t, size_t valid)
{
    CUpti_Activity *record = nullptr;

    while (next_record(buffer, valid, &record) == CUPTI_SUCCESS)
        kernels += record->kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL;
    free(buffer);
}

int main(int argc, char **argv)
{
    void *cupti = argc > 1 ? dlopen(argv[1], RTLD_NOW) : nullptr;

    if (!cupti)
        return 2;
    auto register_callbacks =
        (decltype(&cuptiActivityRegisterCallbacks))dlsym(cupti, "cuptiActivityRegisterCallbacks");
    auto enable = (decltype(&cuptiActivityEnable))dlsym(cupti, "cuptiActivityEnable");
    auto flush = (decltype(&cuptiActivityFlushAll))dlsym(cupti, "cuptiActivityFlushAll");
    next_record = (decltype(next_record))dlsym(cupti, "cuptiActivityGetNextRecord");
    if (!register_callbacks || !enable || !flush || !next_record)
        return 2;
    bool registered = register_callbacks(give, take) == CUPTI_SUCCESS;
    bool enabled = enable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL) == CUPTI_SUCCESS;
    for (int i = 0; i < 100; i++)
        work<<<1, 1>>>(nullptr);
    cudaError_t error = cudaDeviceSynchronize();
    flush(0);
    printf("registered %d, enabled %d, %s, %d kernels\n", registered, enabled, cudaGetErrorString(error),
           kernels);
    return 0;
}
