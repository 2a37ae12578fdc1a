/*
 * A persistent producer/consumer kernel of somebody's own, which has nothing of GROSR's but its trace.
 *
 * Each channel is a block: its first warp makes items, by one thread, and puts them into a small ring; the
 * others take them out and work on them, all lanes on one item, and add up what comes out in a ledger under a
 * lock. It runs for so many items, or until Ctrl-C.
 *
 * For the CPU (gcc -x c) a warp is a thread; what differs is in the two halves of the first part.
 */
#ifdef __cplusplus
#include <cuda/atomic>
#endif
#include <grosr/trace.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CHANNELS  4u
#define CONSUMERS 3u
#define WARPS     (1u + CONSUMERS) /* of a channel */
#define SLOTS     8u
#define ROUNDS    64u /* of work on an item, in each of 32 lanes */
#define BATCH     16u /* items between entries in the ledger */

enum { PRODUCE, CONSUME, FULL_SLOT, EMPTY_SLOT, LEDGER, DEPTH };
static const char *const names[] = {"produce", "consume", "full slot", "empty slot", "ledger", "depth"};

/* ---- what a GPU and a CPU call differently ---- */

#ifdef __CUDACC__

#define DEVICE static __device__
#define LANES  32u
typedef cuda::atomic_ref<uint32_t, cuda::thread_scope_system> word;

DEVICE uint32_t load(uint32_t *p)
{
    return word(*p).load(cuda::memory_order_acquire);
}

DEVICE void store(uint32_t *p, uint32_t x)
{
    word(*p).store(x, cuda::memory_order_release);
}

DEVICE uint32_t add(uint32_t *p, uint32_t x)
{
    return cuda::atomic_ref<uint32_t, cuda::thread_scope_device>(*p).fetch_add(x, cuda::memory_order_relaxed);
}

DEVICE bool try_lock(uint32_t *p)
{
    uint32_t free = 0;
    return cuda::atomic_ref<uint32_t, cuda::thread_scope_device>(*p).compare_exchange_strong(
        free, 1, cuda::memory_order_acquire, cuda::memory_order_relaxed);
}

DEVICE void pause_a_little(void)
{
    __nanosleep(100);
}

/* The first lane's. */
DEVICE uint32_t of_warp(uint32_t x)
{
    return __shfl_sync(~0u, x, 0);
}

DEVICE uint32_t sum_of_warp(uint32_t x)
{
    for (int d = 16; d; d >>= 1)
        x += __shfl_xor_sync(~0u, x, d);
    return x;
}

#else

#include <pthread.h>

#define DEVICE static
#define LANES  1u

DEVICE uint32_t load(uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

DEVICE void store(uint32_t *p, uint32_t x)
{
    __atomic_store_n(p, x, __ATOMIC_RELEASE);
}

DEVICE uint32_t add(uint32_t *p, uint32_t x)
{
    return __atomic_fetch_add(p, x, __ATOMIC_RELAXED);
}

DEVICE bool try_lock(uint32_t *p)
{
    uint32_t free = 0;
    return __atomic_compare_exchange_n(p, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

DEVICE void pause_a_little(void)
{
    struct timespec pause = {0, 10000};
    nanosleep(&pause, NULL);
}

DEVICE uint32_t of_warp(uint32_t x)
{
    return x;
}

DEVICE uint32_t sum_of_warp(uint32_t x)
{
    return x;
}

#endif

/* ---- the kernel ---- */

/* All zero at first. Slot i % SLOTS has item i when its turn is 2 * (i / SLOTS) + 1, and room for it when it
 * is one less. */
struct channel {
    uint32_t turn[SLOTS], item[SLOTS];
    uint32_t made;   /* items so far */
    uint32_t over;   /* 1: there will be no more */
    uint32_t ticket; /* the next item that a consumer takes */
    uint32_t lock;   /* of the ledger */
    uint32_t sum, entered;
};

static
#ifdef __CUDACC__
    __host__ __device__
#endif
        uint32_t
        work(uint32_t item, uint32_t lane)
{
    uint32_t x = item * 2654435761u + lane;
    for (uint32_t i = 0; i < ROUNDS; i++)
        x = x * 1664525u + 1013904223u;
    return x >> 16;
}

/* By one thread. items 0: until *stop. */
DEVICE void produce(struct channel *c, uint32_t items, uint32_t *stop GROSR_TRACED(struct grosr_tracer *t))
{
    uint32_t i;

    for (i = 0; (items == 0 || i < items) && !load(stop); i++) {
        uint32_t *turn = &c->turn[i % SLOTS];
        grosr_poll(t);
        if (load(turn) != i / SLOTS * 2) {
            grosr_wait_begin(t, EMPTY_SLOT, i % SLOTS);
            while (load(turn) != i / SLOTS * 2) {
                grosr_poll(t);
                pause_a_little();
            }
            grosr_wait_end(t);
        }
        grosr_begin(t, PRODUCE);
        c->item[i % SLOTS] = i * 3 + 1;
        store(turn, i / SLOTS * 2 + 1);
        store(&c->made, i + 1);
        grosr_end(t, PRODUCE, i);
        grosr_counter(t, DEPTH, (int64_t)(i + 1) - (int64_t)load(&c->ticket));
    }
    store(&c->over, 1);
}

/* Whether item i is there, or will never be. */
DEVICE bool settled(struct channel *c, uint32_t i, bool *there)
{
    *there = load(&c->turn[i % SLOTS]) == i / SLOTS * 2 + 1;
    return *there || (load(&c->over) && i >= load(&c->made));
}

/* By a warp: what a lane looks at for itself it asks the first lane about, so that all go the same way. */
DEVICE bool await_item(struct channel *c, uint32_t i GROSR_TRACED(struct grosr_tracer *t))
{
    bool there, is_settled = of_warp(settled(c, i, &there));

    if (!is_settled) {
        grosr_wait_begin(t, FULL_SLOT, i % SLOTS);
        while (!of_warp(settled(c, i, &there))) {
            grosr_poll(t);
            pause_a_little();
        }
        grosr_wait_end(t);
    }
    return of_warp(there);
}

DEVICE void enter(struct channel *c, uint32_t number, uint32_t lane, uint32_t sum,
                  uint32_t items GROSR_TRACED(struct grosr_tracer *t))
{
    bool waits = false;

    while (!of_warp(lane == 0 && try_lock(&c->lock))) {
        if (!waits) {
            grosr_wait_begin(t, LEDGER, number);
        }
        waits = true;
        grosr_poll(t);
        pause_a_little();
    }
    grosr_wait_end(t);
    grosr_hold(t, LEDGER, number);
    if (lane == 0) {
        c->sum += sum;
        c->entered += items;
        store(&c->lock, 0);
    }
    grosr_release(t, LEDGER, number);
}

DEVICE void consume(struct channel *c, uint32_t number, uint32_t lane GROSR_TRACED(struct grosr_tracer *t))
{
    uint32_t sum = 0, items = 0;

    for (;;) {
        grosr_poll(t);
        uint32_t i = of_warp(lane == 0 ? add(&c->ticket, 1) : 0), x = 0;
        if (!await_item(c, i GROSR_TRACED(t)))
            break;
        grosr_begin(t, CONSUME);
        uint32_t item = of_warp(c->item[i % SLOTS]);
        for (uint32_t l = lane; l < 32; l += LANES)
            x += work(item, l);
        sum += sum_of_warp(x);
        if (lane == 0) {
            store(&c->turn[i % SLOTS], i / SLOTS * 2 + 2);
        }
        grosr_end(t, CONSUME, i);
        if (++items == BATCH) {
            enter(c, number, lane, sum, items GROSR_TRACED(t));
            sum = items = 0;
        }
    }
    enter(c, number, lane, sum, items GROSR_TRACED(t));
}

/* One lane of one warp. The producer's recorder is its one thread's, a consumer's its warp's. */
DEVICE void run(struct channel *channels, uint32_t items, uint32_t *stop, uint32_t number, uint32_t warp,
                uint32_t lane GROSR_TRACED(struct grosr_trace_handle trace))
{
    struct channel *c = &channels[number];

    if (warp == 0 && lane == 0) {
        GROSR_TRACE_THREAD(t, trace, number * WARPS);
        produce(c, items, stop GROSR_TRACED(&t));
        grosr_trace_end(&t);
    }
    if (warp > 0) {
        GROSR_TRACE_WARP(t, trace, number * WARPS + warp);
        consume(c, number, lane GROSR_TRACED(&t));
        grosr_trace_end(&t);
    }
}

/* ---- the program ---- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* Each channel's sum, against a plain loop. */
static int check(const struct channel *channels)
{
    uint64_t all = 0;

    for (uint32_t n = 0; n < CHANNELS; n++) {
        uint32_t sum = 0;
        for (uint32_t i = 0; i < channels[n].made; i++)
            for (uint32_t l = 0; l < 32; l++)
                sum += work(i * 3 + 1, l);
        if (channels[n].entered != channels[n].made || channels[n].sum != sum) {
            fprintf(stderr, "pipe: channel %u: %u of %u items, their sum is %u and should be %u\n", n,
                    channels[n].entered, channels[n].made, channels[n].sum, sum);
            return 1;
        }
        all += channels[n].made;
    }
    printf("%llu items went through %u channels\n", (unsigned long long)all, CHANNELS);
    return 0;
}

static void doze(void)
{
    struct timespec pause = {0, 1000000};
    nanosleep(&pause, NULL);
}

#ifdef __CUDACC__

__global__ void pipe_kernel(struct channel *channels, uint32_t items,
                            uint32_t *stop GROSR_TRACED(struct grosr_trace_handle trace))
{
    run(channels, items, stop, blockIdx.x, threadIdx.x / 32, threadIdx.x % 32 GROSR_TRACED(trace));
}

static void must(cudaError_t code)
{
    if (code != cudaSuccess) {
        fprintf(stderr, "pipe: %s\n", cudaGetErrorString(code));
        exit(1);
    }
}

static void run_all(struct channel *channels, uint32_t items, struct grosr_tracing *tracing)
{
    struct channel *on_gpu;
    uint32_t *stop, *stop_on_gpu;
    cudaStream_t stream;
    cudaError_t state;

    (void)tracing;
    must(cudaMalloc((void **)&on_gpu, CHANNELS * sizeof(*on_gpu)));
    must(cudaMemset(on_gpu, 0, CHANNELS * sizeof(*on_gpu)));
    must(cudaHostAlloc((void **)&stop, sizeof(*stop), cudaHostAllocMapped));
    must(cudaHostGetDevicePointer((void **)&stop_on_gpu, stop, 0));
    must(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    must(cudaDeviceSynchronize());
    *stop = 0;
    pipe_kernel<<<CHANNELS, WARPS * 32, 0, stream>>>(on_gpu, items,
                                                     stop_on_gpu GROSR_TRACED(grosr_trace_handle(tracing)));
    must(cudaGetLastError());
    while ((state = cudaStreamQuery(stream)) == cudaErrorNotReady) {
        if (interrupted)
            __atomic_store_n(stop, 1, __ATOMIC_RELEASE);
        doze();
    }
    must(state);
    must(cudaMemcpy(channels, on_gpu, CHANNELS * sizeof(*on_gpu), cudaMemcpyDeviceToHost));
}

#else

struct job {
    struct channel *channels;
    uint32_t items, *stop, number, warp;
    GROSR_TRACE_ONLY(struct grosr_trace_handle trace;)
};

static void *thread_main(void *p)
{
    struct job *j = (struct job *)p;

    run(j->channels, j->items, j->stop, j->number, j->warp, 0 GROSR_TRACED(j->trace));
    store(j->stop + 1 + j->number * WARPS + j->warp, 1);
    return NULL;
}

static void run_all(struct channel *channels, uint32_t items, struct grosr_tracing *tracing)
{
    static uint32_t stop[1 + CHANNELS * WARPS]; /* and who has ended */
    static struct job job[CHANNELS * WARPS];
    pthread_t thread[CHANNELS * WARPS];

    (void)tracing;
    for (uint32_t i = 0; i < CHANNELS * WARPS; i++) {
        job[i].channels = channels;
        job[i].items = items;
        job[i].stop = stop;
        job[i].number = i / WARPS;
        job[i].warp = i % WARPS;
        GROSR_TRACE_ONLY(job[i].trace = grosr_trace_handle(tracing);)
        if (pthread_create(&thread[i], NULL, thread_main, &job[i]))
            exit(1);
    }
    for (uint32_t i = 0; i < CHANNELS * WARPS; i++) {
        while (!load(&stop[1 + i])) {
            if (interrupted)
                store(stop, 1);
            doze();
        }
        pthread_join(thread[i], NULL);
    }
}

#endif

/* pipe [ITEMS [FILE [GROSR]]]: items of each channel, 0: until Ctrl-C; a trace to record into; the grosr
 * command. */
int main(int argc, char **argv)
{
    static struct channel channels[CHANNELS];
    struct grosr_trace_options options = GROSR_TRACE_OPTIONS_DEFAULT;
    struct grosr_tracing *tracing;
    int code;

    signal(SIGINT, on_interrupt);
    options.name = "pipe";
    options.warps = CHANNELS * WARPS;
    options.names = names;
    options.name_count = sizeof(names) / sizeof(names[0]);
    options.file = argc > 2 ? argv[2] : NULL;
    options.recorder = argc > 3 ? argv[3] : NULL;
    if (grosr_trace_open(&tracing, &options)) {
        fprintf(stderr, "pipe: %s\n", grosr_error());
        return 1;
    }
    run_all(channels, argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 20000, tracing);
    code = check(channels);
    if (grosr_trace_close(tracing)) {
        fprintf(stderr, "pipe: %s\n", grosr_error());
        code = 1;
    }
    return code;
}
