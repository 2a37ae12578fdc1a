/*
 * Kernels that are sampled, for pc_sampling.t: `pc_sampling WHAT [SECONDS]` does WHAT for so long (6) and
 * ends by itself, whatever its kernels do. It knows nothing of GROSR.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cuda_runtime.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define CHECK(call)                                                                    \
    do {                                                                               \
        cudaError_t e = (call);                                                        \
        if (e != cudaSuccess) {                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, cudaGetErrorString(e)); \
            _exit(1);                                                                  \
        }                                                                              \
    } while (0)

__device__ __forceinline__ int look(volatile int *flag)
{
    return *flag; /* look */
}

/* Waits for the host, which writes the flag. */
__global__ void polls(volatile int *flag, int *out)
{
    while (!look(flag)) /* polls */
        ;
    out[threadIdx.x] = 1;
}

/* The same with a plain variable: it is read once. */
__global__ void hoisted(const int *flag, int *out)
{
    while (!*flag) /* hoisted */
        ;
    out[threadIdx.x] = 1;
}

/* One warp polls in vain, and the others wait for it at the barrier. */
__global__ void behind_barrier(const int *flag, int *out)
{
    if (threadIdx.x < 32)
        while (!*flag) /* behind_barrier */
            ;
    __syncthreads();
    out[threadIdx.x] = 1;
}

__device__ unsigned long long now()
{
    unsigned long long ns;

    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(ns));
    return ns;
}

/* Each load waits for the one before. */
__global__ void chases(const unsigned *next, unsigned long long ns, unsigned *out)
{
    unsigned long long end = now() + ns;
    unsigned at = blockIdx.x * 7919 + threadIdx.x;

    while (now() < end)
        for (int i = 0; i < 100000; i++)
            at = next[at]; /* chases */
    out[threadIdx.x] = at;
}

__global__ void computes(unsigned long long ns, unsigned seed, unsigned *out)
{
    unsigned long long end = now() + ns;
    unsigned x = seed + threadIdx.x;

    while (now() < end)
#pragma unroll 1
        for (int i = 0; i < 1000000; i++)
            x = (x ^ x << 13) * 2654435761u + 12345u; /* computes */
    out[threadIdx.x] = x;
}

__global__ void empty()
{
}

static int *flag, *out;
static unsigned seconds = 6;

static double seconds_now()
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *let_go(void *)
{
    sleep(seconds);
    *(volatile int *)flag = 1;
    return NULL;
}

/* Kernels that never end go with the process. */
static void on_alarm(int)
{
    static const char done[] = "done\n";

    if (write(1, done, sizeof(done) - 1) < 0)
        _exit(1);
    _exit(0);
}

static void launches()
{
    const int n = 20000;
    double best = 1e9;

    for (int round = 0; round < 5; round++) {
        double start = seconds_now();
        for (int i = 0; i < n; i++) {
            empty<<<1, 32>>>();
            if (i % 500 == 499)
                CHECK(cudaDeviceSynchronize());
        }
        double took = (seconds_now() - start) / n * 1e6;
        best = took < best ? took : best;
    }
    printf("%.3f us\n", best);
}

static void chase()
{
    const unsigned n = 64u << 20;
    unsigned *host = (unsigned *)malloc(n * sizeof(*host)), *next;

    for (unsigned i = 0; i < n; i++)
        host[i] = (unsigned)((i * 2654435761ull + 40503) % n);
    CHECK(cudaMalloc(&next, n * sizeof(*next)));
    CHECK(cudaMemcpy(next, host, n * sizeof(*next), cudaMemcpyHostToDevice));
    free(host);
    chases<<<32, 64>>>(next, seconds * 1000000000ull, (unsigned *)out);
    CHECK(cudaDeviceSynchronize());
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    pthread_t thread;

    seconds = argc > 2 ? (unsigned)atoi(argv[2]) : seconds;
    signal(SIGALRM, on_alarm);
    alarm(seconds + 20);
    CHECK(cudaHostAlloc(&flag, sizeof(*flag), cudaHostAllocMapped));
    CHECK(cudaMalloc(&out, 4096));
    *flag = 0;
    CHECK(cudaDeviceSynchronize());
    if (!strcmp(what, "polls") || !strcmp(what, "destroy")) {
        pthread_create(&thread, NULL, let_go, NULL);
        polls<<<64, 64>>>(flag, out);
        CHECK(cudaDeviceSynchronize());
        pthread_join(thread, NULL);
        if (!strcmp(what, "destroy"))
            CHECK(cudaDeviceReset());
    } else if (!strcmp(what, "hoisted") || !strcmp(what, "barrier")) {
        alarm(seconds);
        if (!strcmp(what, "hoisted"))
            hoisted<<<64, 64>>>(flag, out);
        else
            behind_barrier<<<64, 256>>>(flag, out);
        CHECK(cudaDeviceSynchronize());
    } else if (!strcmp(what, "chases")) {
        chase();
    } else if (!strcmp(what, "computes")) {
        computes<<<32, 64>>>(seconds * 1000000000ull, 1, (unsigned *)out);
        CHECK(cudaDeviceSynchronize());
    } else if (!strcmp(what, "launches")) {
        launches();
    } else {
        return 2;
    }
    puts("done");
    return 0;
}
