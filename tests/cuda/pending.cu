/*
 * Programs that hang in several ways, and programs that lose records, which know nothing of GROSR: `pending
 * WHAT`. Each hangs for some seconds and leaves by itself, with exit code 42. Built and recorded by
 * pending.t, diagnose_calls.t and cures.t.
 *
 * `pending WHAT cured` does the same work as the program that hangs, follows the advice that its finding has
 * (tracer/findings/findings.def), and ends with 0.
 */
#include <cuda_runtime.h>
#include <cooperative_groups.h>
#include <cupti.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <mutex>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

static void must(cudaError_t code)
{
    if (code != cudaSuccess) {
        fprintf(stderr, "pending: %s\n", cudaGetErrorString(code));
        _exit(1);
    }
}

static void leave_later()
{
    std::thread([] {
        sleep(12);
        _exit(42);
    }).detach();
}

/* It ends by itself after 30 s, so that nothing can hold the GPU. */
__global__ void server(volatile uint32_t *stop)
{
    uint64_t begin, now;

    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(begin));
    do {
        __nanosleep(500);
        asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
    } while (!*stop && now - begin < 30000000000ull);
}

__global__ void work(float *x)
{
    x[threadIdx.x] = x[threadIdx.x] * 0.5f + 1.0f;
}

/* Two of these that wait for each other. */
__global__ void first_half(volatile uint32_t *here, volatile uint32_t *there)
{
    *here = 1;
    __threadfence_system();
    for (int i = 0; i < 60000000 && !*there; i++)
        __nanosleep(500);
}

__global__ void second_half(volatile uint32_t *here, volatile uint32_t *there)
{
    *here = 1;
    __threadfence_system();
    for (int i = 0; i < 60000000 && !*there; i++)
        __nanosleep(500);
}

/* It is first used beside a kernel that runs. */
__global__ void late(float *x)
{
    x[threadIdx.x] *= 2;
}

/* Each block comes to the grid's barrier as often as its entry says. */
__global__ void steps(const int *times, float *x)
{
    for (int i = 0; i < times[blockIdx.x]; i++) {
        x[blockIdx.x] += 1;
        cooperative_groups::this_grid().sync();
    }
}

/* A barrier of the whole grid, as people write it. It ends by itself after 30 s. */
__global__ void barrier(unsigned *arrived)
{
    uint64_t begin, now;

    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(begin));
    if (threadIdx.x == 0) {
        atomicAdd(arrived, 1u);
        do
            asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
        while (atomicAdd(arrived, 0u) < gridDim.x && now - begin < 30000000000ull);
    }
    __syncthreads();
}

/* Honest work of many blocks, for 15 s or so. */
__global__ void grind(float *y, uint64_t ns)
{
    uint64_t begin, now;
    float a = (float)threadIdx.x;

    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(begin));
    do {
        for (int i = 0; i < 1000; i++)
            a = a * 0.999f + 1.0f;
        asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
    } while (now - begin < ns);
    y[threadIdx.x] = a;
}

static bool cured;
static float *x;
static cudaStream_t one, two;

/* Blocks of 1,024 threads that fit on the GPU. */
static int fitting(const void *kernel)
{
    cudaDeviceProp p;
    int blocks;

    must(cudaGetDeviceProperties(&p, 0));
    must(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, 1024, 0));
    return blocks * p.multiProcessorCount;
}

/* A barrier of a grid that does not fit, after so many of grids that do. */
static void barriers(int before)
{
    unsigned *arrived;
    int fit = fitting((const void *)barrier);

    must(cudaMalloc(&arrived, 4));
    for (int i = 0; i < before; i++) {
        must(cudaMemsetAsync(arrived, 0, 4, one));
        barrier<<<fit, 1024, 0, one>>>(arrived);
    }
    must(cudaMemsetAsync(arrived, 0, 4, one));
    must(cudaStreamSynchronize(one));
    sleep(1); /* their records come before the last is launched */
    barrier<<<fit + 1, 1024, 0, one>>>(arrived);
    cudaStreamSynchronize(one);
}
static std::mutex pool;

static void CUDART_CB release(void *)
{
    std::lock_guard<std::mutex> lock(pool);
}

static std::atomic<int> released;

/* Cured: it takes no lock. */
static void CUDART_CB release_later(void *)
{
    released++;
}

/* Launches it with as many barriers in each block, or with one more in one of them. */
static void run_steps(int *times, float *sums, bool even)
{
    const int blocks = 16;
    void *arguments[] = {&times, &sums};
    int host[blocks];

    for (int i = 0; i < blocks; i++)
        host[i] = !even && i == 7 ? 3 : 2;
    must(cudaMemcpy(times, host, sizeof(host), cudaMemcpyHostToDevice));
    must(cudaLaunchCooperativeKernel((void *)steps, blocks, 32, arguments, 0, one));
    must(cudaStreamSynchronize(one));
}

/* What the kernel `server` waits for. */
static void end_server(uint32_t *words)
{
    *(volatile uint32_t *)words = 1;
    must(cudaDeviceSynchronize());
}

static void many(int n)
{
    for (int i = 0; i < n; i++)
        work<<<1, 32, 0, i % 2 ? one : two>>>(x);
    must(cudaDeviceSynchronize());
}

/* ---- another user of CUPTI ---- */

static long own_kernels;

static void CUPTIAPI give(uint8_t **buffer, size_t *size, size_t *records)
{
    *size = 1 << 20;
    *buffer = (uint8_t *)aligned_alloc(8, *size);
    *records = 0;
}

static decltype(&cuptiActivityGetNextRecord) next_record;

static void CUPTIAPI take(CUcontext, uint32_t, uint8_t *buffer, size_t, size_t valid)
{
    CUpti_Activity *r = nullptr;

    while (next_record(buffer, valid, &r) == CUPTI_SUCCESS)
        own_kernels += r->kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL;
}

static void CUPTIAPI called(void *, CUpti_CallbackDomain, CUpti_CallbackId, const void *)
{
}

static void other_user(const char *path)
{
    void *lib = dlopen(path, RTLD_NOW);

    if (!lib)
        exit(77);
    next_record = (decltype(next_record))dlsym(lib, "cuptiActivityGetNextRecord");
    many(100);
    sleep(2);
    CUpti_SubscriberHandle own;
    CUptiResult subscribed = ((decltype(&cuptiSubscribe))dlsym(lib, "cuptiSubscribe"))(&own, called, nullptr);
    ((decltype(&cuptiActivityRegisterCallbacks))dlsym(lib, "cuptiActivityRegisterCallbacks"))(give, take);
    ((decltype(&cuptiActivityEnable))dlsym(lib, "cuptiActivityEnable"))(
        CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
    many(100);
    ((decltype(&cuptiActivityFlushAll))dlsym(lib, "cuptiActivityFlushAll"))(0);
    ((decltype(&cuptiActivityDisable))dlsym(lib, "cuptiActivityDisable"))(
        CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
    many(100);
    sleep(1);
    printf("subscribe %d, %ld kernels\n", (int)subscribed, own_kernels);
}

/* Copies, fills and graphs of several forms, each of which is to have its record. */
static void everything()
{
    char *host, pageable[100000];
    float *more;
    cudaGraph_t graph;
    cudaGraphExec_t exec;

    must(cudaMallocHost(&host, 1 << 20));
    must(cudaMalloc(&more, 1 << 20));
    must(cudaMemset(more, 0, 1 << 20));
    must(cudaMemsetAsync(more, 1, 4096, one));
    must(cudaMemset2D(more, 1024, 0, 512, 4));
    must(cudaMemcpy(more, pageable, sizeof(pageable), cudaMemcpyHostToDevice));
    must(cudaMemcpy(pageable, more, 64, cudaMemcpyDeviceToHost));
    must(cudaMemcpy(x, more, 64, cudaMemcpyDeviceToDevice));
    must(cudaMemcpy(x, more, 0, cudaMemcpyDeviceToDevice));
    must(cudaMemcpyAsync(more, host, 1 << 20, cudaMemcpyHostToDevice, one));
    must(cudaMemcpyAsync(host, more, 1 << 20, cudaMemcpyDeviceToHost, one));
    must(cudaMemcpyAsync(pageable, more, sizeof(pageable), cudaMemcpyDeviceToHost, one));
    must(cudaMemcpy2D(more, 1024, host, 512, 512, 4, cudaMemcpyHostToDevice));
    must(cudaStreamBeginCapture(one, cudaStreamCaptureModeThreadLocal));
    for (int i = 0; i < 10; i++)
        work<<<1, 32, 0, one>>>(x);
    must(cudaMemcpyAsync(more, x, 64, cudaMemcpyDeviceToDevice, one));
    must(cudaStreamEndCapture(one, &graph));
    must(cudaGraphInstantiate(&exec, graph, 0));
    for (int i = 0; i < 100; i++)
        must(cudaGraphLaunch(exec, one));
    must(cudaLaunchHostFunc(one, release, nullptr));
    must(cudaStreamSynchronize(one));
    many(1000);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    uint32_t *words, *device;
    float *block;

    cured = argc > 2 && !strcmp(argv[2], "cured");
    if (!strcmp(what, "blocking") && !cured)
        setenv("CUDA_LAUNCH_BLOCKING", "1", 1);
    if (!strcmp(what, "lazy"))
        setenv("CUDA_MODULE_LOADING", cured ? "EAGER" : "LAZY", 1);
    if (!strcmp(what, "exit") && fork() == 0) {
        must(cudaMalloc(&x, 4096));
        many(100);
        _exit(0);
    }
    must(cudaHostAlloc((void **)&words, 4096, cudaHostAllocMapped));
    memset(words, 0, 4096);
    must(cudaHostGetDevicePointer((void **)&device, words, 0));
    must(cudaMalloc(&x, 4096));
    must(cudaMalloc(&block, 1 << 20));
    must(cudaStreamCreateWithFlags(&one, cudaStreamNonBlocking));
    must(cudaStreamCreateWithFlags(&two, cudaStreamNonBlocking));
    work<<<1, 32, 0, one>>>(x); /* all are loaded before anything lasts */
    grind<<<1, 32, 0, one>>>(x, 0);
    words[0] = words[1] = words[2] = 1;
    server<<<1, 1, 0, one>>>(device);
    first_half<<<1, 1, 0, one>>>(device + 1, device + 1);
    second_half<<<1, 1, 0, one>>>(device + 2, device + 2);
    must(cudaDeviceSynchronize());
    words[0] = words[1] = words[2] = 0;
    if (!strcmp(what, "everything")) {
        everything();
        return 0;
    }
    if (!strcmp(what, "exit")) {
        while (wait(nullptr) > 0)
            ;
        many(100);
        return 0;
    }
    if (!strcmp(what, "other")) {
        other_user(argc > 2 ? argv[2] : "libcupti.so");
        return 0;
    }
    leave_later();
    if (!strcmp(what, "free")) {
        if (cured) /* outside the time in which the kernel runs */
            must(cudaFree(block));
        server<<<1, 1, 0, one>>>(device);
        if (!cured)
            cudaFree(block);
        end_server(words);
    } else if (!strcmp(what, "copy")) {
        cudaStream_t ordered;
        must(cudaStreamCreate(&ordered)); /* with the default stream */
        server<<<1, 1, 0, ordered>>>(device);
        std::thread copier([&] {
            usleep(100000);
            if (cured) {
                must(cudaMemcpyAsync(x, words + 64, 64, cudaMemcpyHostToDevice, two));
                must(cudaStreamSynchronize(two));
            } else {
                cudaMemcpy(x, words, 64, cudaMemcpyHostToDevice);
            }
            *(volatile uint32_t *)words = 1;
        });
        cudaDeviceSynchronize();
        copier.join();
    } else if (!strcmp(what, "capture")) {
        cudaGraph_t graph;
        cudaGraphExec_t exec;
        must(cudaStreamBeginCapture(one, cudaStreamCaptureModeThreadLocal));
        work<<<1, 32, 0, one>>>(x);
        while (!cured)
            pause();
        must(cudaStreamEndCapture(one, &graph));
        must(cudaGraphInstantiate(&exec, graph, 0));
        must(cudaGraphLaunch(exec, one));
        must(cudaStreamSynchronize(one));
    } else if (!strcmp(what, "blocking")) {
        work<<<1, 32, 0, one>>>(x);
        server<<<1, 1, 0, one>>>(device);
        end_server(words);
    } else if (!strcmp(what, "swapped")) {
        /* A peer in each stream: each waits for the other one of its name. */
        first_half<<<1, 1, 0, one>>>(device + 1, device + 2);
        second_half<<<1, 1, 0, one>>>(device + 3, device + 4);
        if (cured)
            first_half<<<1, 1, 0, two>>>(device + 2, device + 1);
        second_half<<<1, 1, 0, two>>>(device + 4, device + 3);
        if (!cured)
            first_half<<<1, 1, 0, two>>>(device + 2, device + 1);
        must(cudaStreamSynchronize(one));
        must(cudaStreamSynchronize(two));
    } else if (!strcmp(what, "function")) {
        std::lock_guard<std::mutex> lock(pool);
        work<<<1, 32, 0, one>>>(x);
        must(cudaLaunchHostFunc(one, cured ? release_later : release, nullptr));
        work<<<1, 32, 0, one>>>(x);
        must(cudaStreamSynchronize(one));
        return cured && released != 1;
    } else if (!strcmp(what, "poll")) {
        cudaStream_t ordered, stream = cured ? two : 0;
        cudaEvent_t event;
        must(cudaStreamCreate(&ordered));
        must(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
        server<<<1, 1, 0, ordered>>>(device);
        must(cudaMemcpyAsync(x, words + 64, 64, cudaMemcpyHostToDevice, stream));
        must(cudaEventRecord(event, stream));
        while (cudaEventQuery(event) == cudaErrorNotReady)
            usleep(1000);
        end_server(words);
    } else if (!strcmp(what, "graph")) {
        cudaGraph_t graph;
        cudaGraphExec_t exec;
        must(cudaStreamBeginCapture(one, cudaStreamCaptureModeThreadLocal));
        work<<<1, 32, 0, one>>>(x);
        server<<<1, 1, 0, one>>>(device);
        must(cudaStreamEndCapture(one, &graph));
        must(cudaGraphInstantiate(&exec, graph, 0));
        must(cudaGraphLaunch(exec, one));
        work<<<1, 32, 0, one>>>(x);
        cudaStreamSynchronize(one);
    } else if (!strcmp(what, "lazy")) {
        server<<<1, 1, 0, one>>>(device);
        late<<<1, 32, 0, two>>>(x); /* with lazy loading it waits until the kernel before has ended */
        must(cudaStreamSynchronize(two));
        end_server(words);
    } else if (!strcmp(what, "steps")) {
        int *times;
        must(cudaMalloc(&times, 4096));
        for (int i = 0; i < 20; i++)
            run_steps(times, x, true);
        run_steps(times, x, cured);
    } else if (!strcmp(what, "resident")) {
        barriers(120);
    } else if (!strcmp(what, "barrier")) {
        barriers(0);
    } else if (!strcmp(what, "room")) {
        server<<<fitting((const void *)server), 1024, 0, one>>>(device);
        work<<<1, 32, 0, two>>>(x);
        cudaStreamSynchronize(two);
    } else if (!strcmp(what, "beside")) {
        server<<<fitting((const void *)server) / 2, 1024, 0, one>>>(device);
        grind<<<1, 32, 0, two>>>(x, 15000000000ull);
        cudaStreamSynchronize(two);
    } else if (!strcmp(what, "large")) {
        grind<<<100 * fitting((const void *)grind), 1024, 0, one>>>(x, 200000000ull);
        cudaStreamSynchronize(one);
    } else if (!strcmp(what, "wait")) {
        grind<<<fitting((const void *)grind), 1024, 0, one>>>(x, 15000000000ull);
        work<<<1, 32, 0, two>>>(x);
        cudaStreamSynchronize(two);
    } else {
        return 2;
    }
    return 0;
}
