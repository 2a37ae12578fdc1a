/*
 * A program that knows nothing of GROSR: small kernels beside one that never ends, which the program itself
 * stops. `cupti many N` and `cupti slow N` (paced over some seconds) count what they launch; `cupti hang`
 * waits behind the kernel for two seconds; `cupti rate N` tells what a launch costs. Built and recorded by
 * cupti.t.
 */
#include <cuda_runtime.h>

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void must(cudaError_t code)
{
    if (code != cudaSuccess) {
        fprintf(stderr, "cupti: %s\n", cudaGetErrorString(code));
        exit(1);
    }
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* It ends by itself after 20 s, so that nothing can hold the GPU. */
__global__ void endless(volatile uint32_t *stop)
{
    uint64_t begin, now;

    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(begin));
    do {
        __nanosleep(200);
        asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
    } while (!*stop && now - begin < 20000000000ull);
}

namespace work
{
template <int N> __global__ void small(float *x)
{
    float v = (float)threadIdx.x;

    for (int i = 0; i < N; i++)
        v = v * 1.0001f + 0.5f;
    x[blockIdx.x * blockDim.x + threadIdx.x] = v;
}
} // namespace work

static volatile uint32_t *stop;

static void *stop_later(void *unused)
{
    (void)unused;
    sleep(2);
    *stop = 1;
    return NULL;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "many";
    int n = argc > 2 ? atoi(argv[2]) : 1000;
    uint32_t *host;
    void *device, *more;
    float *x;
    cudaStream_t own, stream[2];
    pthread_t thread;

    must(cudaHostAlloc((void **)&host, 4096, cudaHostAllocMapped));
    memset(host, 0, 4096);
    stop = host;
    must(cudaHostGetDevicePointer(&device, host, 0));
    must(cudaMalloc((void **)&x, 1 << 20));
    must(cudaStreamCreateWithFlags(&own, cudaStreamNonBlocking));
    for (int i = 0; i < 2; i++)
        must(cudaStreamCreateWithFlags(&stream[i], cudaStreamNonBlocking));
    work::small<10><<<1, 64, 0, stream[0]>>>(x); /* loaded before the endless one runs */
    must(cudaStreamSynchronize(stream[0]));

    if (!strcmp(what, "rate")) {
        double best = 1;
        for (int round = 0; round < 5; round++) {
            double begin = now_s();
            for (int i = 0; i < n; i++)
                work::small<10><<<1, 64, 0, stream[0]>>>(x);
            must(cudaStreamSynchronize(stream[0]));
            double took = (now_s() - begin) / n;
            best = took < best ? took : best;
        }
        printf("%.0f ns a launch\n", best * 1e9);
        return 0;
    }
    endless<<<1, 1, 0, own>>>((volatile uint32_t *)device);
    must(cudaGetLastError());
    if (!strcmp(what, "hang")) {
        must(cudaMalloc(&more, 1 << 20));
        pthread_create(&thread, NULL, stop_later, NULL);
        must(cudaDeviceSynchronize());
        must(cudaFree(more));
        pthread_join(thread, NULL);
        return 0;
    }
    for (int i = 0; i < n; i++) {
        work::small<10><<<1, 64, 0, stream[i % 2]>>>(x);
        if (i % 100 == 99) {
            must(cudaMemsetAsync(x, 0, 4096, stream[0]));
            must(cudaMemcpyAsync(host + 256, x, 1024, cudaMemcpyDeviceToHost, stream[0]));
            must(cudaStreamSynchronize(stream[0]));
            if (!strcmp(what, "slow"))
                usleep(50000);
        }
    }
    must(cudaStreamSynchronize(stream[0]));
    must(cudaStreamSynchronize(stream[1]));
    printf("%d launched\n", n + 1);
    fflush(stdout);
    if (!strcmp(what, "many")) /* until nobody wants to look any more */
        for (double end = now_s() + 8; argc > 3 && now_s() < end && !access(argv[3], F_OK);)
            usleep(20000);
    *stop = 1;
    must(cudaDeviceSynchronize());
    return 0;
}
