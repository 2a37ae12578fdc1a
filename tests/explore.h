/*
 * Explores schedules: runs a few threads of real device and host code, one at a time, in every order in which
 * their accesses to shared memory can meet, within a bound on how often a thread is interrupted where it
 * could have gone on (Musuvathi, Qadeer, "Iterative context bounding for systematic testing of multithreaded
 * programs", PLDI 2007): most races need few interruptions.
 *
 * Included first of all, it takes the place of the porting layer on the host (tracer/port/device_host.h): the
 * headers under test are compiled against the operations below, each of which is a step. So what is explored
 * is the code itself and no model of it. A warp has one lane.
 *
 * Memory is weaker than a schedule alone could show. A relaxed store or add, and each word of a pair or quad,
 * is held back in its thread; when another thread comes to that word, it either is seen or is not yet. A
 * release, and the thread's own access to the word, bring it out. (Loads are not moved: a missing acquire is
 * not found.)
 *
 * The search is stateless: a run is a list of choices; the next run differs in the last choice that has an
 * alternative left. Only words that the scenario watches are steps; a thread that backs off waits until
 * another thread has written something, or until all do.
 */
#ifndef GROSR_EXPLORE_H
#define GROSR_EXPLORE_H

#define GROSR_DEVICE_HOST_H
#define GROSR_DEVICE_IS_CUDA 0
#define GROSR_LANES          1u
#define GROSR_LANE_DEPTH     1u
#define GROSR_DEVICE         static inline __attribute__((unused))
#define GROSR_DEVICE_COLD    static __attribute__((noinline, unused))

#include "../tracer/port/device.h"

#include "tap.h"

#include <setjmp.h>
#include <ucontext.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

enum {
    EXPLORE_THREADS = 4,
    EXPLORE_CHOICES = 4096,
    EXPLORE_HELD = 256,
    EXPLORE_IDLE = 64,
    EXPLORE_STACK = 256 * 1024
};

struct explore_scenario {
    const char *name;
    void (*begin)(void); /* before each run */
    void (*thread[EXPLORE_THREADS])(void);
    void (*end)(void); /* after it, when everything is visible */
    int bound;
};

struct explore_held {
    void *word;
    uint64_t value;
    int thread, bytes;
    bool add;
};

static struct {
    const struct explore_scenario *scenario;
    ucontext_t main, context[EXPLORE_THREADS];
    jmp_buf main_jump, jump[EXPLORE_THREADS];
    bool started[EXPLORE_THREADS];
    char *stack[EXPLORE_THREADS];
    void *main_fake, *fake[EXPLORE_THREADS]; /* the address sanitizer's */
    const void *main_bottom;
    size_t main_size;
    int threads, running; /* -1: none of them */
    bool ended[EXPLORE_THREADS], waits[EXPLORE_THREADS];
    uint64_t written, wrote[EXPLORE_THREADS], seen[EXPLORE_THREADS];

    struct explore_held held[EXPLORE_HELD];
    int held_count;

    uint16_t chosen[EXPLORE_CHOICES], alternatives[EXPLORE_CHOICES];
    int choices, at, spent, idle;
    const char *failure;
    uint64_t runs, steps;

    struct {
        const char *begin, *end;
    } watched[16];
    int watched_count;
} explore = {.running = -1};

/* ---- choices ---- */

/* The run goes on in one of n ways; all but the first cost one of the bound. */
static inline int explore_choose(int n)
{
    if (explore.spent >= explore.scenario->bound || n < 2)
        return 0;
    if (explore.at == EXPLORE_CHOICES) {
        explore.failure = "the run does not end";
        return 0;
    }
    if (explore.at == explore.choices) {
        explore.chosen[explore.at] = 0;
        explore.alternatives[explore.at] = (uint16_t)n;
        explore.choices++;
    }
    int k = explore.chosen[explore.at++];
    explore.spent += k > 0;
    return k;
}

/* On to the next run. False: there is none. */
static inline bool explore_next(void)
{
    while (explore.choices > 0) {
        int last = explore.choices - 1;
        if (explore.chosen[last] + 1 < explore.alternatives[last]) {
            explore.chosen[last]++;
            return true;
        }
        explore.choices--;
    }
    return false;
}

static inline void explore_require(bool condition, const char *what)
{
    if (!condition && !explore.failure)
        explore.failure = what;
}

/* ---- memory ---- */

static inline void explore_watch(const void *memory, size_t bytes)
{
    int i = explore.watched_count++;

    assert(i < 16);
    explore.watched[i].begin = (const char *)memory;
    explore.watched[i].end = (const char *)memory + bytes;
}

static inline bool explore_watches(const void *word)
{
    for (int i = 0; i < explore.watched_count; i++)
        if ((const char *)word >= explore.watched[i].begin && (const char *)word < explore.watched[i].end)
            return true;
    return false;
}

static inline uint64_t explore_read(const void *word, int bytes)
{
    return bytes == 4 ? *(const uint32_t *)word : *(const uint64_t *)word;
}

static inline void explore_write(void *word, int bytes, uint64_t value, int thread)
{
    if (bytes == 4)
        *(uint32_t *)word = (uint32_t)value;
    else
        *(uint64_t *)word = value;
    explore.written++;
    if (thread >= 0)
        explore.wrote[thread]++;
}

/* Brings out what is held back as number i. */
static inline void explore_bring_out(int i)
{
    struct explore_held h = explore.held[i];

    memmove(&explore.held[i], &explore.held[i + 1], (size_t)(--explore.held_count - i) * sizeof(h));
    explore_write(h.word, h.bytes, h.add ? explore_read(h.word, h.bytes) + h.value : h.value, h.thread);
}

/* All that a thread holds back (of one word, or NULL: of all). */
static inline void explore_bring_out_all(int thread, const void *word)
{
    for (int i = 0; i < explore.held_count;)
        if (explore.held[i].thread == thread && (!word || explore.held[i].word == word))
            explore_bring_out(i);
        else
            i++;
}

static inline void explore_hold_back(void *word, int bytes, uint64_t value, bool add)
{
    if (explore.running < 0 || !explore_watches(word) || explore.held_count == EXPLORE_HELD) {
        explore_write(word, bytes, add ? explore_read(word, bytes) + value : value, explore.running);
        return;
    }
    explore.held[explore.held_count++] = (struct explore_held){word, value, explore.running, bytes, add};
}

/* ---- threads ---- */

static inline void explore_to(int thread, bool dies)
{
    int before = explore.running;
    ucontext_t *from = before < 0 ? &explore.main : &explore.context[before];
    ucontext_t *to = thread < 0 ? &explore.main : &explore.context[thread];

    explore.running = thread;
#ifdef __SANITIZE_ADDRESS__
    void **fake = before < 0 ? &explore.main_fake : &explore.fake[before];
    __sanitizer_start_switch_fiber(dies ? NULL : fake,
                                   thread < 0 ? explore.main_bottom : explore.stack[thread],
                                   thread < 0 ? explore.main_size : (size_t)EXPLORE_STACK);
    swapcontext(from, to);
    __sanitizer_finish_switch_fiber(*fake, NULL, NULL);
#else
    /* swapcontext() once a thread and run; then without its two system calls. */
    (void)dies;
    if (_setjmp(before < 0 ? explore.main_jump : explore.jump[before]))
        return;
    if (thread >= 0 && !explore.started[thread]) {
        explore.started[thread] = true;
        swapcontext(from, to);
    } else {
        _longjmp(thread < 0 ? explore.main_jump : explore.jump[thread], 1);
    }
#endif
}

static inline bool explore_can_run(int t)
{
    /* It waits for others to write something since it last came to wait. */
    return !explore.ended[t] && !(explore.waits[t] && explore.written - explore.wrote[t] == explore.seen[t]);
}

/* Lets some thread run: the running one if it can and nothing else is chosen. */
static inline void explore_schedule(bool dies)
{
    int current = explore.running, can[EXPLORE_THREADS], n = 0, t;

    for (;;) {
        if (current >= 0 && explore_can_run(current))
            can[n++] = current;
        for (t = 0; t < explore.threads; t++)
            if (t != current && explore_can_run(t))
                can[n++] = t;
        if (n || !explore.held_count)
            break;
        explore_bring_out(0); /* nobody can go on without it */
    }
    for (t = 0; n == 0 && t < explore.threads && explore.idle < EXPLORE_IDLE; t++)
        if (!explore.ended[t]) { /* waits end without a reason, too */
            explore.waits[t] = false;
            explore.idle++;
            can[n++] = t;
        }
    if (n == 0 || explore.failure) {
        explore_require(explore.idle < EXPLORE_IDLE, "all wait for each other");
        explore_to(-1, dies);
        return;
    }
    t = can[explore_choose(n)];
    if (t != current)
        explore_to(t, dies);
}

/* Before an access to a word. */
static inline void explore_step(const void *word)
{
    if (explore.running < 0 || !explore_watches(word))
        return;
    explore.steps++;
    explore.waits[explore.running] = false;
    explore_schedule(false);
    explore_bring_out_all(explore.running, word);
    for (int i = 0; i < explore.held_count;)
        if (explore.held[i].word == word && explore_choose(2) == 0)
            explore_bring_out(i);
        else
            i++;
}

static inline void explore_wait(void)
{
    int t = explore.running;

    if (t < 0)
        return;
    explore.waits[t] = true;
    explore_schedule(false);
    explore.waits[t] = false;
    explore.seen[t] = explore.written - explore.wrote[t];
}

static void explore_thread(int t)
{
#ifdef __SANITIZE_ADDRESS__
    const void *bottom;
    size_t size;
    __sanitizer_finish_switch_fiber(NULL, &bottom, &size);
    if (!explore.main_bottom || explore.main_size == 0) {
        explore.main_bottom = bottom;
        explore.main_size = size;
    }
#endif
    explore.scenario->thread[t]();
    explore.ended[t] = true;
    explore_schedule(true);
}

static inline void explore_run(void)
{
    explore.threads = explore.held_count = explore.at = explore.spent = explore.idle = explore.watched_count =
        0;
    explore.written = 0;
    explore.scenario->begin();
    for (int t = 0; t < EXPLORE_THREADS && explore.scenario->thread[t]; t++) {
        ucontext_t *c = &explore.context[t];
        if (!explore.stack[t])
            explore.stack[t] = (char *)malloc(EXPLORE_STACK);
        getcontext(c);
        c->uc_stack.ss_sp = explore.stack[t];
        c->uc_stack.ss_size = EXPLORE_STACK;
        c->uc_link = NULL;
        makecontext(c, (void (*)(void))explore_thread, 1, t);
        explore.ended[t] = explore.waits[t] = explore.started[t] = false;
        explore.wrote[t] = explore.seen[t] = 0;
        explore.threads++;
    }
    explore_schedule(false); /* comes back when all have ended */
    while (explore.held_count)
        explore_bring_out(0);
    if (!explore.failure)
        explore.scenario->end();
}

/* Explores a scenario within a bound, or until `limit` runs or something goes wrong. Whether that was all. */
static inline bool explore_within(const struct explore_scenario *scenario, int bound, uint64_t limit)
{
    struct explore_scenario bounded = *scenario;
    bool more = true;

    bounded.bound = bound;
    explore.scenario = &bounded;
    explore.choices = 0;
    for (uint64_t i = 0; i < limit && more; i++) {
        explore_run();
        explore.runs++;
        more = !explore.failure && explore_next(); /* what failed keeps its choices */
    }
    return !more;
}

/*
 * Explores a scenario within its bound. With the address sanitizer, where a switch of threads takes 20 times
 * as long, all schedules of one interruption, then the first of those of two.
 */
static inline void explore_all(const struct explore_scenario *scenario)
{
    bool all = true;

    explore.failure = NULL;
    explore.runs = explore.steps = 0;
#ifdef __SANITIZE_ADDRESS__
    enum { LIMIT = 5000 };
    explore_within(scenario, 1, UINT64_MAX);
    if (!explore.failure && scenario->bound > 1)
        all = explore_within(scenario, 2, LIMIT) && scenario->bound == 2;
#else
    explore_within(scenario, scenario->bound, UINT64_MAX);
#endif
    ok(!explore.failure, "%s: %" PRIu64 " schedules, %" PRIu64 " steps, %s", scenario->name, explore.runs,
       explore.steps, all ? "all within the bound" : "a part of those within the bound");
    if (explore.failure) {
        printf("# %s; the choices were:", explore.failure);
        for (int i = 0; i < explore.at; i++)
            printf(" %d", explore.chosen[i]);
        printf("\n");
    }
    for (int t = 0; t < EXPLORE_THREADS; t++) {
        free(explore.stack[t]);
        explore.stack[t] = NULL;
    }
}

/* ---- the porting layer (tracer/port/device.h has the contracts) ---- */

#define EXPLORE_WORD(type, word, bytes)                                           \
    GROSR_DEVICE word type##_load(const type *p)                                  \
    {                                                                             \
        explore_step(p);                                                          \
        return p->v;                                                              \
    }                                                                             \
    GROSR_DEVICE void type##_store_relaxed(type *p, word x)                       \
    {                                                                             \
        explore_step(p);                                                          \
        explore_hold_back(p, bytes, x, false);                                    \
    }                                                                             \
    GROSR_DEVICE void type##_store_release(type *p, word x)                       \
    {                                                                             \
        explore_step(p);                                                          \
        explore_bring_out_all(explore.running, NULL);                             \
        explore_write(p, bytes, x, explore.running);                              \
    }                                                                             \
    GROSR_DEVICE word type##_cas(type *p, word expected, word x)                  \
    {                                                                             \
        explore_step(p);                                                          \
        word old = p->v;                                                          \
        if (old == expected)                                                      \
            explore_write(p, bytes, x, explore.running);                          \
        return old;                                                               \
    }                                                                             \
    GROSR_DEVICE word type##_cas_release(type *p, word e, word x)                 \
    {                                                                             \
        explore_step(p);                                                          \
        explore_bring_out_all(explore.running, NULL);                             \
        return p->v == e ? explore_write(p, bytes, x, explore.running), e : p->v; \
    }                                                                             \
    GROSR_DEVICE word type##_add(type *p, word x)                                 \
    {                                                                             \
        explore_step(p);                                                          \
        word old = p->v;                                                          \
        explore_write(p, bytes, old + x, explore.running);                        \
        return old;                                                               \
    }                                                                             \
    GROSR_DEVICE word type##_add_release(type *p, word x)                         \
    {                                                                             \
        explore_step(p);                                                          \
        explore_bring_out_all(explore.running, NULL);                             \
        word old = p->v;                                                          \
        explore_write(p, bytes, old + x, explore.running);                        \
        return old;                                                               \
    }                                                                             \
    /* What it returns, nobody uses. */                                           \
    GROSR_DEVICE void type##_add_relaxed(type *p, word x)                         \
    {                                                                             \
        explore_step(p);                                                          \
        explore_hold_back(p, bytes, x, true);                                     \
    }

EXPLORE_WORD(dev32, uint32_t, 4)
EXPLORE_WORD(dev64, uint64_t, 8)
EXPLORE_WORD(sys32, uint32_t, 4)
EXPLORE_WORD(sys64, uint64_t, 8)

#define EXPLORE_SELECT(family, op, p)              \
    _Generic((p), family##32 *                     \
             : family##32_##op, const family##32 * \
             : family##32_##op, family##64 *       \
             : family##64_##op, const family##64 * \
             : family##64_##op)

#define dev_load_relaxed(p)      EXPLORE_SELECT(dev, load, p)(p)
#define dev_load_acquire(p)      EXPLORE_SELECT(dev, load, p)(p)
#define dev_store_relaxed(p, x)  EXPLORE_SELECT(dev, store_relaxed, p)(p, x)
#define dev_store_release(p, x)  EXPLORE_SELECT(dev, store_release, p)(p, x)
#define sys_load_relaxed(p)      EXPLORE_SELECT(sys, load, p)(p)
#define sys_load_acquire(p)      EXPLORE_SELECT(sys, load, p)(p)
#define sys_store_relaxed(p, x)  EXPLORE_SELECT(sys, store_relaxed, p)(p, x)
#define sys_store_release(p, x)  EXPLORE_SELECT(sys, store_release, p)(p, x)
#define dev_cas_relaxed(p, e, x) EXPLORE_SELECT(dev, cas, p)(p, e, x)
#define dev_cas_acquire(p, e, x) EXPLORE_SELECT(dev, cas, p)(p, e, x)
#define dev_cas_acq_rel(p, e, x) EXPLORE_SELECT(dev, cas_release, p)(p, e, x)
#undef dev_claim
#define dev_claim(p, n)       EXPLORE_SELECT(dev, add, p)(p, n)
#define dev_add_relaxed(p, x) EXPLORE_SELECT(dev, add_relaxed, p)(p, x)
#define dev_add_acquire(p, x) EXPLORE_SELECT(dev, add, p)(p, x)
#define dev_add_acq_rel(p, x) EXPLORE_SELECT(dev, add_release, p)(p, x)
#define dev_add_release(p, x) EXPLORE_SELECT(dev, add_release, p)(p, x)
#define dev_count(p, x)       dev64_add_relaxed(p, x)

/* At once, and in their order; what was stored before stays held back, as on a GPU, which has no fence here.
 */
#define dev_add_dependent(p, x)    EXPLORE_SELECT(dev, add, p)(p, x)
#define dev_cas_dependent(p, e, x) EXPLORE_SELECT(dev, cas, p)(p, e, x)
#define dev_or_dependent(p, x)     dev_or_relaxed(p, x)
#define dev_and_dependent(p, x)    dev_and_relaxed(p, x)

GROSR_DEVICE uint64_t dev_or_relaxed(dev64 *p, uint64_t x)
{
    explore_step(p);
    uint64_t old = p->v;
    explore_write(p, 8, old | x, explore.running);
    return old;
}

GROSR_DEVICE uint64_t dev_and_relaxed(dev64 *p, uint64_t x)
{
    explore_step(p);
    uint64_t old = p->v;
    explore_write(p, 8, old & x, explore.running);
    return old;
}

GROSR_DEVICE uint64_t dev_and_release(dev64 *p, uint64_t x)
{
    explore_step(p);
    explore_bring_out_all(explore.running, NULL);
    uint64_t old = p->v;
    explore_write(p, 8, old & x, explore.running);
    return old;
}
#define dev_or_acquire(p, x) dev_or_relaxed(p, x)

GROSR_DEVICE struct grosr_quad dev_load_quad_acquire(const dev256 *p)
{
    struct grosr_quad q;
    for (int i = 0; i < 4; i++) {
        explore_step(&p->w[i]);
        q.w[i] = p->w[i];
    }
    return q;
}

GROSR_DEVICE struct grosr_quad dev_load_quad_relaxed(const dev256 *p)
{
    return dev_load_quad_acquire(p);
}

/* The words in any order: readers must not rely on one. */
GROSR_DEVICE void dev_store_quad_release(dev256 *p, struct grosr_quad q)
{
    explore_bring_out_all(explore.running, NULL);
    for (int i = 0; i < 4; i++) {
        explore_step(&p->w[i]);
        explore_hold_back(&p->w[i], 8, q.w[i], false);
    }
}

GROSR_DEVICE uint64_t dev_cas_ahead(dev64 *p, uint64_t expected, uint64_t wanted)
{
    return dev_cas_relaxed(p, expected, wanted);
}

GROSR_DEVICE void dev_store_quad_behind(dev256 *p, struct grosr_quad q)
{
    dev_store_quad_release(p, q);
}

GROSR_DEVICE struct grosr_pair sys_load_pair_relaxed(const sys128 *p)
{
    struct grosr_pair x;
    explore_step(&p->lo);
    x.lo = p->lo;
    explore_step(&p->hi);
    x.hi = p->hi;
    return x;
}

#define sys_load_pair_acquire(p) sys_load_pair_relaxed(p)

GROSR_DEVICE void sys_store_pair_relaxed(sys128 *p, uint64_t lo, uint64_t hi)
{
    explore_step(&p->lo);
    explore_hold_back(&p->lo, 8, lo, false);
    explore_step(&p->hi);
    explore_hold_back(&p->hi, 8, hi, false);
}

GROSR_DEVICE void sys_store_pair_release(sys128 *p, uint64_t lo, uint64_t hi)
{
    explore_bring_out_all(explore.running, NULL);
    sys_store_pair_relaxed(p, lo, hi);
}

GROSR_DEVICE bool dev_uniform(bool flag)
{
    return flag;
}

GROSR_DEVICE void sys_store_pair_if(sys128 *p, bool flag, uint64_t lo, uint64_t hi)
{
    if (flag)
        sys_store_pair_relaxed(p, lo, hi);
}

GROSR_DEVICE sys128 *sys_append_pair_if(sys128 *p, bool flag, uint64_t lo, uint64_t hi)
{
    sys_store_pair_if(p, flag, lo, hi);
    return p + 1;
}

GROSR_DEVICE uint32_t warp_load(const warp32 *p)
{
    return p->v;
}

GROSR_DEVICE void warp_store(warp32 *p, uint32_t x)
{
    p->v = x;
}

GROSR_DEVICE uint32_t warp_add(warp32 *p, uint32_t x)
{
    uint32_t old = p->v;
    p->v += x;
    return old;
}

GROSR_DEVICE uint32_t warp_ticket(warp32 *p)
{
    return warp_add(p, 1);
}

GROSR_DEVICE uint32_t dev_popc32(uint32_t m)
{
    return (uint32_t)__builtin_popcount(m);
}

GROSR_DEVICE uint32_t dev_ffs32(uint32_t m)
{
    return (uint32_t)__builtin_ffs((int)m);
}

GROSR_DEVICE uint32_t dev_ffs64(uint64_t m)
{
    return (uint32_t)__builtin_ffsll((long long)m);
}

GROSR_DEVICE uint32_t dev_fls32(uint32_t m)
{
    return m ? 32u - (uint32_t)__builtin_clz(m) : 0;
}

GROSR_DEVICE uint32_t dev_popc64(uint64_t m)
{
    return (uint32_t)__builtin_popcountll(m);
}

GROSR_DEVICE uint32_t dev_fls64(uint64_t m)
{
    return m ? 64u - (uint32_t)__builtin_clzll(m) : 0;
}

/* Of one lane. */
struct grosr_group {
    uint32_t rank, size;
};

GROSR_DEVICE struct grosr_group dev_group(uint32_t key)
{
    struct grosr_group g = {0, 1};
    (void)key;
    return g;
}

#define dev_group_leads(g)     ((g).rank == 0)
#define dev_group_shfl32(g, x) ((void)(g), (uint32_t)(x))
#define dev_group_shfl64(g, x) ((void)(g), (uint64_t)(x))
#define dev_group_sum32(g, x)  ((void)(g), (uint32_t)(x))
#define dev_group_or64(g, x)   ((void)(g), (uint64_t)(x))
#define dev_group_meet(g)      ((void)(g))

/* Of the threads, and of what runs outside of a run. A test may choose others. */
static uint32_t explore_spread[EXPLORE_THREADS + 1] = {0, 1, 2, 3, 4};

GROSR_DEVICE uint32_t dev_spread(void)
{
    return explore_spread[explore.running < 0 ? (int)EXPLORE_THREADS : explore.running];
}

/* Time stands still, and waiting is for others. */
GROSR_DEVICE void dev_backoff(uint32_t *step)
{
    ++*step;
    explore_wait();
}

/* In words, each of which may be seen late. */
GROSR_DEVICE void sys_copy_out(void *at, const void *from, uint32_t bytes, uint32_t part, uint32_t parts)
{
    (void)part;
    (void)parts;
    for (uint32_t i = 0; i + 8 <= bytes; i += 8)
        sys_store_relaxed((sys64 *)(void *)((char *)at + i), explore_read((const char *)from + i, 8));
}

GROSR_DEVICE void sys_copy_in(void *to, const void *at, uint32_t bytes, uint32_t part, uint32_t parts)
{
    (void)part;
    (void)parts;
    for (uint32_t i = 0; i + 8 <= bytes; i += 8)
        *(uint64_t *)(void *)((char *)to + i) =
            sys_load_relaxed((const sys64 *)(const void *)((const char *)at + i));
}

#define GROSR_MASK_WARP           1u
#define dev_mask()                1u
#define dev_mask_ballot(m, flag)  ((uint32_t)((flag) ? (m) : 0))
#define dev_mask_shfl64(m, x, l)  ((void)(m), (void)(l), (uint64_t)(x))
#define dev_mask_sync(m)          ((void)(m))
#define dev_lane()                0u
#define dev_ballot(flag)          ((uint32_t)((flag) ? 1 : 0))
#define dev_shfl32(x, lane)       ((void)(lane), (uint32_t)(x))
#define dev_shfl64(x, lane)       ((void)(lane), (uint64_t)(x))
#define dev_sum64(x)              ((uint64_t)(x))
#define dev_syncwarp()            ((void)0)
#define dev_clock_ns()            UINT64_C(1)
#define dev_sm()                  0u
#define dev_point(name)           ((void)(name))
#define dev_poll_pause(step)      dev_backoff(step)
#define dev_backoff_is_deep(step) ((step) > 1000000)

#endif
