/*
 * Two warps that work for a while and then want two locks, each in the other's order: `deadlock MS`. On
 * SIGINT it ends; on SIGTERM too, in order, but its kernel hangs until then. For the CPU (gcc -x c) a warp is
 * a thread.
 */
#ifdef __cplusplus
#include <cuda/atomic>
#endif
#include <grosr/trace.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WORK, LOCK };
static const char *const names[] = {"work", "lock"};

#ifdef __CUDACC__

#define DEVICE static __device__
typedef cuda::atomic_ref<uint32_t, cuda::thread_scope_system> word;

DEVICE uint32_t load(uint32_t *p)
{
    return word(*p).load(cuda::memory_order_acquire);
}

DEVICE bool try_lock(uint32_t *p)
{
    uint32_t free = 0;
    return cuda::atomic_ref<uint32_t, cuda::thread_scope_device>(*p).compare_exchange_strong(
        free, 1, cuda::memory_order_acquire, cuda::memory_order_relaxed);
}

DEVICE void doze(void)
{
    __nanosleep(1000);
}

#else

#include <pthread.h>

#define DEVICE static

DEVICE uint32_t load(uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

DEVICE bool try_lock(uint32_t *p)
{
    uint32_t free = 0;
    return __atomic_compare_exchange_n(p, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

DEVICE void doze(void)
{
    struct timespec pause = {0, 100000};
    nanosleep(&pause, NULL);
}

#endif

/* By the host, in memory that both sides map. */
struct words {
    uint32_t stop, over; /* end; no more work */
};

/* In the device's memory: not every machine has atomic operations on the host's. */
struct locks {
    uint32_t taken[2];
};

DEVICE void take(struct words *w, struct locks *l, uint32_t which, struct grosr_tracer *t)
{
    if (!try_lock(&l->taken[which])) {
        grosr_wait_begin(t, LOCK, which);
        while (!try_lock(&l->taken[which]) && !load(&w->stop)) {
            grosr_poll(t);
            doze();
        }
        grosr_wait_end(t);
    }
    grosr_hold(t, LOCK, which);
}

/* By the first lane of warp `which`. */
DEVICE void run(struct words *w, struct locks *l, uint32_t which, struct grosr_trace_handle trace)
{
    GROSR_TRACE_THREAD(t, trace, which);
    for (uint32_t i = 0; !load(&w->over) && !load(&w->stop); i++) {
        grosr_poll(&t);
        grosr_begin(&t, WORK);
        doze();
        grosr_end(&t, WORK, i);
    }
    take(w, l, which, &t);
    while (!load(&l->taken[1 - which]) && !load(&w->stop)) /* until the other has its first */
        doze();
    take(w, l, 1 - which, &t);
    grosr_release(&t, LOCK, 1 - which);
    grosr_release(&t, LOCK, which);
    grosr_trace_end(&t);
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* Between the start of the warps and their end. */
static void play(struct words *w, unsigned ms)
{
    struct timespec pause = {0, 1000000};

    for (unsigned i = 0; i < ms && !interrupted; i++)
        nanosleep(&pause, NULL);
    __atomic_store_n(&w->over, 1, __ATOMIC_RELEASE);
    while (!interrupted)
        nanosleep(&pause, NULL);
    __atomic_store_n(&w->stop, 1, __ATOMIC_RELEASE);
}

#ifdef __CUDACC__

__global__ void deadlock_kernel(struct words *w, struct locks *l, struct grosr_trace_handle trace)
{
    if (threadIdx.x == 0)
        run(w, l, blockIdx.x, trace);
}

static void must(cudaError_t code)
{
    if (code != cudaSuccess) {
        fprintf(stderr, "deadlock: %s\n", cudaGetErrorString(code));
        exit(1);
    }
}

static void run_all(unsigned ms, struct grosr_tracing *t)
{
    struct words *w, *on_gpu;
    struct locks *l;

    must(cudaHostAlloc((void **)&w, sizeof(*w), cudaHostAllocMapped));
    must(cudaHostGetDevicePointer((void **)&on_gpu, w, 0));
    must(cudaMalloc((void **)&l, sizeof(*l)));
    must(cudaMemset(l, 0, sizeof(*l)));
    *w = (struct words){0, 0};
    deadlock_kernel<<<2, 32>>>(on_gpu, l, grosr_trace_handle(t));
    must(cudaGetLastError());
    play(w, ms);
    must(cudaDeviceSynchronize());
}

#else

static struct words words;
static struct locks locks;

struct job {
    uint32_t which;
    struct grosr_trace_handle trace;
};

static void *thread_main(void *p)
{
    struct job *j = (struct job *)p;

    run(&words, &locks, j->which, j->trace);
    return NULL;
}

static void run_all(unsigned ms, struct grosr_tracing *t)
{
    struct job job[2] = {{0, grosr_trace_handle(t)}, {1, grosr_trace_handle(t)}};
    pthread_t thread[2];

    for (int i = 0; i < 2; i++)
        if (pthread_create(&thread[i], NULL, thread_main, &job[i]))
            exit(1);
    play(&words, ms);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
}

#endif

static struct grosr_tracing *tracing;

static void on_terminate(int number)
{
    (void)number;
    grosr_trace_close(tracing);
    exit(3);
}

int main(int argc, char **argv)
{
    struct grosr_trace_options options = GROSR_TRACE_OPTIONS_DEFAULT;

    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_terminate);
    options.name = "deadlock";
    options.warps = 2;
    options.names = names;
    options.name_count = sizeof(names) / sizeof(names[0]);
    if (grosr_trace_open(&tracing, &options)) {
        fprintf(stderr, "deadlock: %s\n", grosr_error());
        return 1;
    }
    run_all(argc > 1 ? (unsigned)atoi(argv[1]) : 0, tracing);
    if (grosr_trace_close(tracing)) {
        fprintf(stderr, "deadlock: %s\n", grosr_error());
        return 1;
    }
    return 0;
}
