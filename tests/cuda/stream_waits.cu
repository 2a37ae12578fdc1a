/*
 * Programs whose streams wait for words in memory, which know nothing of GROSR: `stream_waits WHAT`. Those
 * that hang leave after 12 s with exit code 42, by a signal: a thread that could do it could write a word
 * too. Built and recorded by stream_waits.t.
 */
#include <cuda.h>
#include <cuda_runtime.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <signal.h>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

static void must(cudaError_t code)
{
    if (code != cudaSuccess) {
        fprintf(stderr, "stream_waits: %s\n", cudaGetErrorString(code));
        _exit(1);
    }
}

static void must(CUresult code)
{
    if (code != CUDA_SUCCESS) {
        fprintf(stderr, "stream_waits: driver error %d\n", (int)code);
        _exit(1);
    }
}

static void leave(int)
{
    _exit(42);
}

__global__ void work(float *x)
{
    x[threadIdx.x] = x[threadIdx.x] * 0.5f + 1.0f;
}

/* For so many seconds. */
__global__ void server(int seconds)
{
    uint64_t begin, now;

    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(begin));
    do {
        __nanosleep(500);
        asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
    } while (now - begin < seconds * 1000000000ull);
}

static float *x;
static cudaStream_t one, two;
static uint32_t *host, *device; /* words */

static CUdeviceptr at(uint32_t *word)
{
    return (CUdeviceptr)(uintptr_t)word;
}

static void wait_for(cudaStream_t stream, uint32_t *word, uint32_t value)
{
    must(cuStreamWaitValue32(stream, at(word), value, CU_STREAM_WAIT_VALUE_GEQ));
}

static void write_to(cudaStream_t stream, uint32_t *word, uint32_t value)
{
    must(cuStreamWriteValue32(stream, at(word), value, 0));
}

static void wait_and_write(cudaStream_t stream, uint32_t *waited, uint32_t *written)
{
    CUstreamBatchMemOpParams batch[2];

    memset(batch, 0, sizeof(batch));
    batch[0].waitValue.operation = CU_STREAM_MEM_OP_WAIT_VALUE_32;
    batch[0].waitValue.address = at(waited);
    batch[0].waitValue.value = 1;
    batch[0].waitValue.flags = CU_STREAM_WAIT_VALUE_GEQ;
    batch[1].writeValue.operation = CU_STREAM_MEM_OP_WRITE_VALUE_32;
    batch[1].writeValue.address = at(written);
    batch[1].writeValue.value = 1;
    must(cuStreamBatchMemOp(stream, 2, batch, 0));
}

static void work_in(cudaStream_t stream)
{
    work<<<1, 32, 0, stream>>>(x);
    must(cudaGetLastError());
}

/* Behind a wait for a word; the word is written first, or never. */
static void behind(uint32_t *word)
{
    wait_for(one, word, 5);
    work_in(one);
    work_in(one);
    must(cudaStreamSynchronize(one));
}

static void pipeline(uint32_t n)
{
    auto begin = std::chrono::steady_clock::now();

    for (uint32_t i = 1; i <= n; i++) {
        write_to(two, device + 1, i);
        wait_for(one, device + 1, i);
        work_in(one);
        write_to(one, host + 1, i);
        wait_for(two, host + 1, i);
        if (i % 256 == 0)
            must(cudaDeviceSynchronize());
    }
    must(cudaDeviceSynchronize());
    printf("%.2f us each\n",
           std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count() / n);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    must(cudaHostAlloc((void **)&host, 4096, cudaHostAllocMapped));
    memset(host, 0, 4096);
    must(cudaMalloc((void **)&device, 4096));
    must(cudaMemset(device, 0, 4096));
    must(cudaMalloc((void **)&x, 4096));
    must(cudaStreamCreateWithFlags(&one, cudaStreamNonBlocking));
    must(cudaStreamCreateWithFlags(&two, cudaStreamNonBlocking));
    work_in(one); /* all are loaded before anything waits */
    server<<<1, 1, 0, one>>>(0);
    write_to(one, host + 100, 1);
    wait_for(one, host + 100, 1);
    must(cudaDeviceSynchronize());
    signal(SIGALRM, leave);
    alarm(12);
    if (!strcmp(what, "never")) {
        behind(host);
    } else if (!strcmp(what, "device")) {
        behind(device);
    } else if (!strcmp(what, "registered")) {
        uint32_t *own =
            (uint32_t *)mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        must(cudaHostRegister(own, 4096, cudaHostRegisterDefault));
        behind(own);
    } else if (!strcmp(what, "late")) {
        std::thread([] {
            sleep(8);
            *(volatile uint32_t *)host = 5;
        }).detach();
        behind(host);
    } else if (!strcmp(what, "kernel")) { /* which may write it, as far as can be seen */
        server<<<1, 1, 0, two>>>(9);
        behind(device);
    } else if (!strcmp(what, "there")) { /* the kernel behind the wait runs */
        host[0] = 5;
        wait_for(one, host, 5);
        server<<<1, 1, 0, one>>>(9);
        must(cudaStreamSynchronize(one));
    } else if (!strcmp(what, "written")) { /* by the other stream, to memory of the device */
        write_to(two, device, 5);
        wait_for(one, device, 5);
        server<<<1, 1, 0, one>>>(9);
        must(cudaStreamSynchronize(one));
    } else if (!strcmp(what, "cycle")) {
        wait_for(one, host, 1);
        work_in(one);
        write_to(one, device, 1);
        wait_for(two, device, 1);
        work_in(two);
        write_to(two, host, 1);
        must(cudaDeviceSynchronize());
    } else if (!strcmp(what, "batch")) {
        wait_and_write(one, device, device + 1);
        wait_and_write(two, device + 1, device);
        must(cudaDeviceSynchronize());
    } else if (!strcmp(what, "pipeline")) {
        pipeline(20000);
    } else {
        return 2;
    }
    return 0;
}
