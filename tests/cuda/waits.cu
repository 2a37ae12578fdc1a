/*
 * Bounded waits on a GPU: what locks, words, barriers and mbarriers order among warps and threads of many
 * SMs; what the session says of waits that last; timeouts, stops and a trap; and what a wait costs beside a
 * loop by hand. Built and run by waits.t. Writes TAP.
 */
#include "tests/tap.h"

#include "tracer/instrument/grosr_trace.h"
extern "C" {
#include "tracer/session/wait_facts.h"
}

#include <time.h>

#define BLOCKS 64u
#define WARPS  4u /* of a block */
#define ROUNDS 100u
#define MS     1000000ull

enum { WORD, LOCK, PHASE };
static const char *const names[] = {"word", "lock", "phase"};

struct shared {
    struct grosr_lock lock, thread_lock, held;
    struct grosr_barrier barrier;
    uint32_t entered, entered_by_thread, wrong, result[BLOCKS];
    uint64_t turn, sum, share[2][BLOCKS];
    unsigned long long ns[2];
    uint32_t ping, pong;
};

static struct grosr_tracing *tracing;
static struct shared *on_gpu, host;
static uint32_t *word, *word_on_gpu; /* of the CPU's */
static cudaStream_t stream;

static void must(cudaError_t code)
{
    if (code == cudaSuccess)
        return;
    printf("Bail out! %s\n", cudaGetErrorString(code));
    exit(1);
}

static void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static void open_tracing(uint64_t report_ns)
{
    struct grosr_trace_options o = GROSR_TRACE_OPTIONS_DEFAULT;

    o.name = "waits";
    o.warps = BLOCKS * WARPS;
    o.ring_events = 256;
    o.names = names;
    o.name_count = 3;
    o.wait_report_ns = report_ns;
    if (grosr_trace_open(&tracing, &o)) {
        printf("Bail out! %s\n", grosr_error());
        exit(1);
    }
    must(cudaMemset(on_gpu, 0, sizeof(*on_gpu)));
    __atomic_store_n(word, 3, __ATOMIC_RELEASE);
}

/* Waits for the kernel; false: it still runs after ten seconds. */
static bool over(void)
{
    for (int i = 0; i < 10000; i++, pause_ms(1)) {
        cudaError_t code = cudaStreamQuery(stream);
        if (code != cudaErrorNotReady) {
            must(code);
            must(cudaMemcpy(&host, on_gpu, sizeof(host), cudaMemcpyDeviceToHost));
            return true;
        }
    }
    return false;
}

static bool await_facts(uint32_t worker, struct grosr_wait_facts *facts)
{
    for (int i = 0; i < 5000; i++, pause_ms(1))
        if (grosr_wait_facts_read(grosr_trace_session(tracing), worker, facts))
            return true;
    return false;
}

static void describe(const struct grosr_wait_facts *facts)
{
    char text[200];
    grosr_wait_facts_describe(facts, text, sizeof(text));
    printf("# %s\n", text);
}

/* ---- order ---- */

__global__ void everything(struct shared *s GROSR_TRACED(struct grosr_trace_handle trace))
{
    uint32_t warp = threadIdx.x / 32, number = blockIdx.x * WARPS + warp;

    GROSR_TRACE_WARP(t, trace, number);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        grosr_lock_acquire(&t, GROSR_BY_WARP, LOCK, 0, &s->lock);
        if (dev_lane() == 31)
            s->entered++; /* not the lane that has taken it */
        grosr_lock_release(&t, GROSR_BY_WARP, LOCK, 0, &s->lock);
    }
    for (uint32_t round = 0; warp == 0 && round < ROUNDS; round++) {
        uint64_t mine = (uint64_t)round * BLOCKS + blockIdx.x, sum = 0;
        grosr_wait_word64(&t, GROSR_BY_WARP, WORD, blockIdx.x, &s->turn, GROSR_EQUAL, mine);
        if (dev_lane() == 7) {
            s->wrong += s->sum != mine;
            s->sum++;
        }
        dev_syncwarp();
        if (dev_lane() == 0)
            grosr_store64(&s->turn, mine + 1);
        if (dev_lane() == 9)
            s->share[round % 2][blockIdx.x] = mine;
        grosr_barrier_wait(&t, GROSR_BY_WARP, PHASE, round, &s->barrier, BLOCKS);
        for (uint32_t i = 0; i < BLOCKS; i++)
            sum += s->share[round % 2][i] - (uint64_t)round * BLOCKS;
        if (sum != BLOCKS * (BLOCKS - 1) / 2)
            atomicAdd(&s->wrong, 1);
    }
    grosr_trace_end(&t);
}

/* Divergent: every lane takes the lock for itself. */
__global__ void by_thread(struct shared *s GROSR_TRACED(struct grosr_trace_handle trace))
{
    struct grosr_trace_handle nothing = {};

    if (threadIdx.x % 32 == 5) {
        GROSR_TRACE_THREAD(t, trace, 2 * blockIdx.x + threadIdx.x / 32);
        for (uint32_t round = 0; round < ROUNDS; round++) {
            grosr_lock_acquire(&t, GROSR_BY_THREAD, LOCK, 1, &s->thread_lock);
            s->entered_by_thread++;
            grosr_lock_release(&t, GROSR_BY_THREAD, LOCK, 1, &s->thread_lock);
        }
        grosr_trace_end(&t);
    } else {
        GROSR_TRACE_THREAD(t, nothing, 0);
        grosr_lock_acquire(&t, GROSR_BY_THREAD, LOCK, 1, &s->thread_lock);
        s->entered_by_thread++;
        grosr_lock_release(&t, GROSR_BY_THREAD, LOCK, 1, &s->thread_lock);
        grosr_trace_end(&t);
    }
}

static void order(uint64_t report_ns)
{
    open_tracing(report_ns);
    everything<<<BLOCKS, WARPS * 32, 0, stream>>>(on_gpu GROSR_TRACED(grosr_trace_handle(tracing)));
    must(cudaGetLastError());
    ok(over(), "warps of %u blocks wait for each other", BLOCKS);
    is(host.entered, BLOCKS * WARPS * ROUNDS, "the lock keeps warps apart");
    is(host.turn, BLOCKS * ROUNDS, "the turn goes round");
    is(host.wrong, 0, "words and barriers order what is written before");
    by_thread<<<BLOCKS, 64, 0, stream>>>(on_gpu GROSR_TRACED(grosr_trace_handle(tracing)));
    must(cudaGetLastError());
    ok(over(), "and so do threads that have diverged");
    is(host.entered_by_thread, BLOCKS * 2 * (ROUNDS + 31), "whom the lock keeps apart");
    is(grosr_trace_close(tracing), 0, "closed: %s", grosr_error());
}

/* ---- facts ---- */

/* Block 0 has the lock and waits for the CPU; block 1 wants the lock; block 2 waits for an mbarrier, others
 * at the barrier, but for the last, which waits for a word that nobody writes. */
__global__ void stuck(struct shared *s, uint32_t *word GROSR_TRACED(struct grosr_trace_handle trace))
{
    __shared__ uint64_t mbarrier;
    int result;

    GROSR_TRACE_WARP(t, trace, blockIdx.x);
    for (uint32_t i = 0; i < 3 && blockIdx.x >= 3; i++) /* phases that all of them pass */
        grosr_barrier_wait(&t, GROSR_BY_WARP, PHASE, i, &s->barrier, BLOCKS - 3);
    if (blockIdx.x == 0) {
        grosr_lock_acquire(&t, GROSR_BY_WARP, LOCK, 0, &s->held);
        result = grosr_wait_system32(&t, GROSR_BY_WARP, WORD, 9, word, GROSR_AT_LEAST, 4);
        grosr_lock_release(&t, GROSR_BY_WARP, LOCK, 0, &s->held);
    } else if (blockIdx.x == 1) {
        uint32_t step = 0;
        while (!dev_load_relaxed(&s->held.word))
            dev_backoff(&step);
        result = grosr_lock_acquire(&t, GROSR_BY_WARP, LOCK, 0, &s->held);
        if (!result)
            grosr_lock_release(&t, GROSR_BY_WARP, LOCK, 0, &s->held);
    } else if (blockIdx.x == 2) {
        if (threadIdx.x == 0)
            asm volatile(
                "mbarrier.init.shared.b64 [%0], 1;" ::"r"((uint32_t)__cvta_generic_to_shared(&mbarrier)));
        __syncwarp();
        result = grosr_wait_mbarrier(&t, GROSR_BY_WARP, PHASE, 7, &mbarrier, 0);
    } else if (blockIdx.x < BLOCKS - 1) {
        result = grosr_barrier_wait(&t, GROSR_BY_WARP, PHASE, 3, &s->barrier, BLOCKS - 3);
    } else {
        result = grosr_wait_word64(&t, GROSR_BY_WARP, WORD, 1, &s->turn, GROSR_EQUAL, 1ull << 40);
    }
    if (threadIdx.x == 0)
        s->result[blockIdx.x] = result + 1;
    grosr_trace_end(&t);
}

static void facts(void)
{
    const uint32_t last = BLOCKS - 1;
    struct grosr_wait_facts f = {};
    uint32_t missing[BLOCKS];

    open_tracing(5 * MS);
    const struct grosr_session *session = grosr_trace_session(tracing);
    stuck<<<BLOCKS, 32, 0, stream>>>(on_gpu, word_on_gpu GROSR_TRACED(grosr_trace_handle(tracing)));
    must(cudaGetLastError());
    ok(await_facts(0, &f), "a wait for a word of the CPU's");
    ok(f.kind == GROSR_WAIT_WORD && f.system && f.bits == 32 && f.until == GROSR_AT_LEAST && f.seen == 3 &&
           f.wanted == 4 && f.index == 9 && f.address == (uint64_t)(uintptr_t)word_on_gpu,
       "all that it knows");
    describe(&f);
    ok(await_facts(1, &f), "a wait for a lock");
    ok(f.kind == GROSR_WAIT_LOCK && f.holder == 0 && f.held &&
           f.address == (uint64_t)(uintptr_t)&on_gpu->held,
       "which worker 0 holds");
    describe(&f);
    ok(await_facts(2, &f) && f.kind == GROSR_WAIT_MBARRIER && f.wanted == 0, "a wait for an mbarrier");
    describe(&f);
    ok(await_facts(3, &f), "a wait at a barrier");
    for (int i = 0; i < 5000 && f.seen < BLOCKS - 4; i++, pause_ms(1))
        grosr_wait_facts_read(session, 3, &f);
    ok(f.kind == GROSR_WAIT_BARRIER && f.seen == BLOCKS - 4 && f.wanted == BLOCKS - 3,
       "all but one have arrived");
    is(f.holder, last, "and it says who has not");
    describe(&f);
    pause_ms(50);
    is(grosr_wait_facts_missing(session, &f, missing, BLOCKS), 4, "four do not wait at it");
    ok(await_facts(last, &f) && f.bits == 64 && f.wanted == 1ull << 40 && !f.system,
       "whom a word has not come to");
    __atomic_store_n(word, 4, __ATOMIC_RELEASE);
    for (int i = 0;
         i < 5000 && (grosr_wait_facts_read(session, 0, &f) || grosr_wait_facts_read(session, 1, &f)); i++)
        pause_ms(1);
    ok(!grosr_wait_facts_read(session, 0, &f) && !grosr_wait_facts_read(session, 1, &f),
       "the CPU's word, and with it the lock, come");
    is(grosr_trace_set_wait_timeout(tracing, 1000 * MS, GROSR_WAIT_CONTINUE), 0,
       "a timeout that does not count");
    is(grosr_trace_stop_waits(tracing, true), 0, "the others are stopped");
    ok(over(), "and the kernel ends");
    ok(host.result[0] == 1 && host.result[1] == 1, "two waits have found what they waited for");
    bool stopped = true;
    for (uint32_t i = 2; i < BLOCKS; i++)
        stopped = stopped && host.result[i] == 1 + GROSR_WAIT_STOPPED;
    ok(stopped, "the others know that they were stopped");
    is(grosr_trace_close(tracing), 0, "closed: %s", grosr_error());
}

static void timeouts(void)
{
    open_tracing(5 * MS);
    grosr_trace_set_wait_timeout(tracing, 20 * MS, GROSR_WAIT_FAIL);
    stuck<<<BLOCKS, 32, 0, stream>>>(on_gpu, word_on_gpu GROSR_TRACED(grosr_trace_handle(tracing)));
    must(cudaGetLastError());
    ok(over(), "waits that time out end by themselves");
    is(host.result[0], 1 + GROSR_WAIT_TIMED_OUT, "and say so");
    is(host.result[3], 1 + GROSR_WAIT_TIMED_OUT, "all of them");
    is(grosr_trace_close(tracing), 0, "closed: %s", grosr_error());
}

/* ---- cost ---- */

/* A word goes to and fro between two SMs: by hand, and by waits. */
__global__ void to_and_fro(struct shared *s, uint32_t n,
                           bool by_hand GROSR_TRACED(struct grosr_trace_handle trace))
{
    uint32_t *mine = blockIdx.x ? &s->pong : &s->ping, *other = blockIdx.x ? &s->ping : &s->pong;

    GROSR_TRACE_WARP(t, trace, blockIdx.x);
    uint64_t start = dev_clock_ns();
    for (uint32_t i = 1; i <= n; i++) {
        if (blockIdx.x == 0 && dev_lane() == 0)
            grosr_store32(mine, i);
        if (by_hand) {
            while (!dev_ballot(dev_lane() == 0 && dev_load_acquire((dev32 *)other) == i))
                ;
            dev_syncwarp();
        } else {
            grosr_wait_word32(&t, GROSR_BY_WARP, WORD, 0, other, GROSR_EQUAL, i);
        }
        if (blockIdx.x == 1 && dev_lane() == 0)
            grosr_store32(mine, i);
    }
    if (threadIdx.x == 0)
        s->ns[blockIdx.x] = dev_clock_ns() - start;
    grosr_trace_end(&t);
}

static void cost(void)
{
    const uint32_t n = 20000;
    double ns[2] = {0, 0};

    for (int by_hand = 1; by_hand >= 0; by_hand--) {
        open_tracing(10 * MS);
        to_and_fro<<<2, 32, 0, stream>>>(on_gpu, n, by_hand != 0 GROSR_TRACED(grosr_trace_handle(tracing)));
        must(cudaGetLastError());
        ok(over(), "a word to and fro, %s", by_hand ? "by hand" : "by waits");
        ns[by_hand] = (double)host.ns[0] / n / 2;
        is(grosr_trace_close(tracing), 0, "closed: %s", grosr_error());
    }
    printf("# a hop from SM to SM: %.0f ns by hand, %.0f ns by a bounded wait\n", ns[1], ns[0]);
    ok(ns[0] < 1.3 * ns[1] + 50, "a bounded wait costs what a poll costs");
}

/* ---- a trap, at last: no context is left after it ---- */

static void traps(void)
{
    struct grosr_wait_facts f = {};
    cudaError_t code = cudaErrorNotReady;

    open_tracing(5000 * MS);
    grosr_trace_set_wait_timeout(tracing, 20 * MS, GROSR_WAIT_TRAP);
    stuck<<<1, 32, 0, stream>>>(on_gpu, word_on_gpu GROSR_TRACED(grosr_trace_handle(tracing)));
    for (int i = 0; i < 10000 && code == cudaErrorNotReady; i++, pause_ms(1))
        code = cudaStreamQuery(stream);
    ok(code != cudaSuccess && code != cudaErrorNotReady, "a wait that lasts too long traps: %s",
       cudaGetErrorString(code));
    ok(grosr_wait_facts_read(grosr_trace_session(tracing), 0, &f), "the session says in which wait");
    ok(f.kind == GROSR_WAIT_WORD && f.seen == 3 && f.wanted == 4 && f.index == 9, "for what");
    describe(&f);
    ok(grosr_trace_close(tracing) != 0, "the session cannot be closed well: %s", grosr_error());
}

int main(void)
{
    must(cudaSetDeviceFlags(cudaDeviceMapHost));
    must(cudaMalloc((void **)&on_gpu, sizeof(*on_gpu)));
    must(cudaHostAlloc((void **)&word, sizeof(*word), cudaHostAllocMapped));
    must(cudaHostGetDevicePointer((void **)&word_on_gpu, word, 0));
    must(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    order(10 * MS);
    order(0);
    facts();
    timeouts();
    cost();
    traps();
    return tap_done();
}
