/*
 * The diagnosis of recorded CUDA programs, by pictures of them that are made by hand (foreign_parts.h): which
 * evidence makes a finding, and that without it there is none. And by tables of a session that has died.
 */
#include "../foreign_picture.h"

#include "../../tracer/base/host_clock.h"
#include "../../tracer/session/record.h"

#include <unistd.h>

/* ---- kernels that are waited for ---- */

static struct foreign overdue(uint64_t ran, uint64_t longest_ns, uint32_t flags)
{
    struct foreign f = picture();
    struct foreign_launch *l = launch(&f, GROSR_LAUNCH_KERNEL, 1, 7, "work");

    l->ran = ran;
    l->longest_ns = longest_ns;
    l->flags = flags;
    call(&f, FOREIGN_CALL_OTHER, 7, GROSR_CALL_WAITS_DEVICE, "cudaDeviceSynchronize");
    return f;
}

/* The same, with a threshold of which it is more than ten times as old. */
static struct foreign overdue_for(uint64_t ran, uint64_t longest_ns)
{
    struct foreign f = overdue(ran, longest_ns, 0);

    f.threshold_ns = S / 2;
    return f;
}

static void kernels(void)
{
    struct foreign f = picture();
    is_kind(f, "idle", "nothing is idle");
    is_kind(overdue(0, 0, 0), "healthy", "a kernel of which nothing is known may take its time");
    is_kind(overdue(9, 1000, 0), "healthy", "nine that were fast prove nothing");
    is_kind(overdue(10, 1000, 0), "healthy", "ten do not either: a warm-up has ten");
    ok(says("kernel_overdue"), "it is remarked on");
    is_kind(overdue(10, S, 0), "healthy", "not if they were only ten times as fast");
    ok(!says("kernel_overdue"), "nor remarked on then");
    is_kind(overdue(100, 1000, 0), "healthy", "a hundred do not before ten times the threshold");
    is_kind(overdue_for(100, 1000), "kernel_overdue", "after it they do");
    is_kind(overdue_for(99, 1000), "healthy", "99 do not");
    is_kind(overdue_for(100, S / 5), "healthy", "not if these took a fiftieth of the time");
    is_kind(overdue(1, 1000, GROSR_LAUNCH_COOPERATIVE), "grid_barrier", "one does of a cooperative launch");
    is_kind(overdue(1, S / 5, GROSR_LAUNCH_COOPERATIVE), "healthy", "not if it took a fiftieth of the time");
    is_kind(overdue(10, S / 5, GROSR_LAUNCH_COOPERATIVE), "grid_barrier", "but ten such");
    is_kind(overdue(0, 0, GROSR_LAUNCH_COOPERATIVE), "healthy", "none does not");
    f = overdue_for(100, 1000);
    f.calls = 0;
    is_kind(f, "healthy", "a kernel that nobody waits for may serve");
    f = overdue_for(100, 1000);
    f.launch[0].first = false;
    is_kind(f, "healthy", "one that was behind another at the first look has just begun");
    f = overdue_for(100, 1000);
    f.stream[1].rose_ns = f.now_ns - S / 2;
    is_kind(f, "healthy", "so has one whose stream moved half a second ago");
    f = overdue_for(100, 1000);
    struct foreign_launch *l = launch(&f, GROSR_LAUNCH_KERNEL, 2, 8, "large");
    l->grid[0] = 1000;
    is_kind(f, "healthy", "beside a large kernel that lasts, it may have no room");
    f = overdue_for(100, 1000);
    launch(&f, GROSR_LAUNCH_KERNEL, 2, 8, "small");
    is_kind(f, "kernel_overdue", "beside a small one it has");
}

/* ---- room on the GPU ---- */

/* A kernel of blocks that take half of an SM each, on 4 SMs. */
static struct foreign_launch *halves(struct foreign *f, uint32_t stream, uint32_t tid, uint32_t blocks,
                                     const char *name)
{
    struct foreign_launch *l = launch(f, GROSR_LAUNCH_KERNEL, stream, tid, name);

    l->grid[0] = blocks;
    l->room = (struct grosr_room){.sms = 4, .blocks = 2, .share = {16384, 4096, 0, 1024}};
    return l;
}

/* A grid of so many blocks, after so many that fitted and took so long; and a call that waits. */
static struct foreign large(uint32_t blocks, uint64_t ran, uint64_t longest_ns)
{
    struct foreign f = picture();
    struct foreign_launch *l = halves(&f, 1, 7, blocks, "steps");

    l->fitting_ran = ran;
    l->fitting_longest_ns = longest_ns;
    f.threshold_ns = S / 2;
    call(&f, FOREIGN_CALL_OTHER, 7, GROSR_CALL_WAITS_DEVICE, "cudaDeviceSynchronize");
    return f;
}

static void too_large(void)
{
    is_kind(large(9, 100, 1000), "not_resident", "a grid that does not fit, after a hundred that did");
    is_said("of its 9 blocks 8 fit", "by its numbers");
    is_kind(large(8, 100, 1000), "healthy", "one that fits");
    is_kind(large(100000, 0, 0), "healthy", "one that does not, as most do, without a history");
    is_said("of its 100000 blocks 8 fit on the GPU at once (2 on each of 4 SMs)", "which is remarked on");
    is_kind(large(9, 99, 1000), "healthy", "99 prove nothing");
    is_kind(large(9, 100, S / 20), "healthy",
            "nor those that took a two-hundredth of the time, in two turns");
    is_kind(large(9, 100, S / 25), "not_resident", "a little less does");
    is_kind(large(800000, 100, 1000), "healthy", "many turns take time");
    struct foreign f = large(9, 100, 1000);
    f.threshold_ns = S + 1;
    is_kind(f, "healthy", "not before ten times the threshold");
    f = large(9, 100, 1000);
    f.launch[0].ran = 1;
    f.launch[0].longest_ns = 1000;
    is_kind(f, "healthy", "not if that very grid has ended before");
    f = large(9, 100, 1000);
    f.calls = 0;
    is_kind(f, "healthy", "nor if nobody waits for it");
    f = large(9, 100, 1000);
    f.launch[0].room.sms = 0;
    is_kind(f, "healthy", "nor where the room is not known");
}

/* One that fills the GPU, then another; a thread waits for that, and the driver says that both streams are
 * busy. */
static struct foreign crowd(uint32_t blocks, uint32_t flags, uint32_t waiter)
{
    struct foreign f = picture();
    struct foreign_call *c;

    halves(&f, 1, 7, blocks, "server")->flags = flags;
    halves(&f, 2, 8, 1, "work");
    f.stream[1].busy_ns = f.stream[2].busy_ns = f.now_ns;
    c = call(&f, FOREIGN_CALL_OTHER, waiter, GROSR_CALL_WAITS_STREAM, "cudaStreamSynchronize");
    c->stream = 2;
    return f;
}

static void no_room(void)
{
    const uint32_t for_ever = GROSR_LAUNCH_PERSISTENT;

    is_kind(crowd(8, for_ever, 8), "not_resident", "a kernel that runs for ever leaves no room");
    is(findings.verdict, GROSR_VERDICT_STALLED, "for another thread's kernel, which is stalled");
    is_said("kernel server (stream 0), which is meant to run for ever, takes 100 % of the threads",
            "by that");
    is_kind(crowd(8, for_ever, 7), "not_resident", "or for one that the same thread waits for");
    is(findings.verdict, GROSR_VERDICT_DEADLOCK, "which is a deadlock");
    is_kind(crowd(4, for_ever, 7), "healthy", "one that leaves half of each SM");
    is_kind(crowd(7, for_ever, 7), "healthy", "or of one SM");
    is_kind(crowd(800, 0, 7), "healthy", "one that may end");
    is_said("kernel work (stream 0) waits for room on the GPU's SMs, which kernel server (stream 0) occupies",
            "which is remarked on");
    struct foreign f = crowd(800, 0, 7);
    f.stream[1].busy_ns = f.now_ns - 3 * S;
    is_kind(f, "healthy", "one that may have ended");
    is_said("waits for the end of kernel work (stream 0); what that does cannot be seen",
            "says nothing of room");
    f = crowd(8, for_ever, 8);
    f.calls = 0;
    is_kind(f, "healthy", "a kernel without room for which nobody waits");
    f = crowd(8, for_ever, 8);
    f.stream[2].context = 2;
    is_kind(f, "healthy", "contexts take turns on the GPU");
    f = crowd(8, for_ever, 8);
    f.launch[0].issued_ns = f.launch[1].issued_ns + 1;
    is_kind(f, "healthy", "one that was launched later has taken nobody's room");
    f = crowd(8, for_ever, 8);
    f.stream[1].rose_ns = f.launch[1].issued_ns + 1;
    is_kind(f, "healthy", "nor one that had another before it then");
    f = crowd(8, for_ever, 8);
    f.launch[1].room.share[GROSR_ROOM_THREADS] = 0;
    is_kind(f, "healthy", "what a block takes must be known");
    f = crowd(8, 0, 8);
    f.threshold_ns = S / 2;
    f.launch[0].ran = 100;
    f.launch[0].longest_ns = 1000;
    is_kind(f, "not_resident", "one that has always been fast, and does not end, leaves no room");
    is(findings.verdict, GROSR_VERDICT_STALLED, "for a kernel that is new");
    f = crowd(8, 0, 8);
    f.threshold_ns = S / 2;
    f.launch[0].ran = f.launch[1].ran = 100;
    f.launch[0].longest_ns = f.launch[1].longest_ns = 1000;
    is_kind(f, "not_resident", "for one that always was as well");
    is(findings.verdict, GROSR_VERDICT_DEADLOCK, "they wait for each other");
    f = crowd(4, for_ever, 9);
    halves(&f, 3, 8, 4, "tenant")->flags = for_ever;
    f.launch[2].issued_ns = f.launch[1].issued_ns;
    f.launch[1].issued_ns++;
    is_kind(f, "not_resident", "two that take half each");
}

/* ---- transfers ---- */

static struct foreign feed(uint32_t order, uint32_t flags, uint32_t tid)
{
    struct foreign f = picture();

    f.stream[0].order = GROSR_STREAM_LEGACY;
    f.stream[1].order = order;
    launch(&f, GROSR_LAUNCH_KERNEL, 1, 7, "server");
    launch(&f, GROSR_LAUNCH_MEMCPY, 0, tid, "copy")->flags = flags;
    return f;
}

static void transfers(void)
{
    is_kind(feed(GROSR_STREAM_BLOCKING, GROSR_LAUNCH_TO_DEVICE, 8), "default_stream_order",
            "a transfer by a thread without kernels, behind a kernel by the default stream");
    is_kind(feed(GROSR_STREAM_NON_BLOCKING, GROSR_LAUNCH_TO_DEVICE, 8), "healthy",
            "a non-blocking stream is not ordered");
    is_kind(feed(GROSR_STREAM_ORDER_UNKNOWN, GROSR_LAUNCH_TO_DEVICE, 8), "healthy",
            "nor one of which it is not known");
    is_kind(feed(GROSR_STREAM_BLOCKING, GROSR_LAUNCH_FROM_DEVICE, 8), "healthy",
            "a transfer out feeds nobody");
    is_kind(feed(GROSR_STREAM_BLOCKING, GROSR_LAUNCH_TO_DEVICE, 7), "healthy",
            "nor does the kernel's own thread");
    struct foreign f = feed(GROSR_STREAM_BLOCKING, GROSR_LAUNCH_TO_DEVICE, 7);
    f.launch[0].ran = 1;
    f.launch[0].longest_ns = 1000;
    is_kind(f, "default_stream_order", "unless the kernel has always ended fast");
    f = feed(GROSR_STREAM_BLOCKING, GROSR_LAUNCH_TO_DEVICE, 8);
    f.stream[0].context = 2;
    is_kind(f, "healthy", "the default stream of another context is not ordered");
    f = feed(GROSR_STREAM_BLOCKING, GROSR_LAUNCH_TO_DEVICE, 8);
    f.launch[0].ran = 1;
    f.launch[0].longest_ns = 8 * S;
    is_kind(f, "healthy", "a kernel that has taken as long before is slow");
}

/* ---- calls ---- */

/* ---- kernels in loops that do not end ---- */

static struct foreign sampled(uint32_t flags, uint64_t memory_samples)
{
    struct foreign f = picture();
    struct foreign_launch *l = launch(&f, GROSR_LAUNCH_KERNEL, 1, 7, "poll");

    f.pc = (struct foreign_pc *)calloc(4, sizeof(*f.pc));
    f.pc[0].samples = (struct grosr_pc_function){.start_ns = 99 * S,
                                                 .end_ns = 100 * S - S / 2,
                                                 .since_ns = 92 * S,
                                                 .samples = 1000,
                                                 .loop_samples = 900,
                                                 .memory_samples = memory_samples,
                                                 .stall_samples = 800,
                                                 .full_name = (uint32_t)l->name_id,
                                                 .first_line = 12,
                                                 .last_line = 14,
                                                 .flags = flags};
    snprintf(f.pc[0].name, sizeof(f.pc[0].name), "poll");
    snprintf(f.pc[0].stall, sizeof(f.pc[0].stall), "branch_resolving");
    snprintf(f.pc[0].file, sizeof(f.pc[0].file), "/src/poll.cu");
    f.pcs = 1;
    call(&f, FOREIGN_CALL_OTHER, 7, GROSR_CALL_WAITS_DEVICE, "cudaDeviceSynchronize");
    return f;
}

static void samples(void)
{
    const uint32_t endless = GROSR_PC_LOOP | GROSR_PC_ENDLESS;
    struct foreign f = sampled(endless, 0);

    is_kind(f, "hoisted_poll", "a loop in which nothing changes, and a call that waits");
    is_said("poll.cu:12-14 in poll", "it is named by its lines");
    is_said("none of them waits for memory", "with the samples as evidence");
    f = sampled(GROSR_PC_LOOP, 0);
    is_kind(f, "healthy", "a loop that computes may take its time");
    is_said("90 % of 1000 in the loop at poll.cu:12-14 in poll; none of them waits for memory",
            "where it is, is said");
    f = sampled(GROSR_PC_LOOP, 600);
    is_kind(f, "healthy", "so may one that waits for memory");
    is_said("66 % of these wait for memory; most frequent: branch_resolving (88 %)", "which is said too");
    f = sampled(endless, 0);
    f.launch[0].ran = 3;
    f.launch[0].longest_ns = 20 * S;
    is_kind(f, "hoisted_poll", "however long others like it have taken");
    f = sampled(endless, 0);
    f.calls = 0;
    is_kind(f, "healthy", "nobody waits for it");
    is_said("does not end", "a remark then");
    f = sampled(endless, 0);
    f.pc[0].samples.since_ns = 99 * S;
    is_kind(f, "healthy", "half a second in the loop is too short");
    f = sampled(endless, 0);
    f.pc[0].samples.end_ns = 97 * S;
    is_kind(f, "healthy", "samples that are three seconds old say nothing");
    f = sampled(endless, 0);
    f.launch[0].issued_ns = 99 * S + S / 4;
    is_kind(f, "healthy", "nor do those of a launch before");
    f = sampled(endless, 0);
    f.launch[0].first = false;
    is_kind(f, "healthy", "or of a kernel that was behind another");
    f = sampled(endless, 0);
    f.pc[0].samples.full_name = 1;
    snprintf(f.pc[0].name, sizeof(f.pc[0].name), "wait_for_flag");
    is_kind(f, "hoisted_poll", "a function that the only kernel calls");
    is_said("in wait_for_flag", "by its name");
    f = sampled(endless, 0);
    f.pc[0].samples.full_name = 1;
    snprintf(f.pc[0].name, sizeof(f.pc[0].name), "wait_for_flag");
    launch(&f, GROSR_LAUNCH_KERNEL, 2, 7, "other");
    is_kind(f, "healthy", "one of two kernels: it is not known of which");
    f = sampled(endless, 0);
    f.stream[1].context = 2;
    is_kind(f, "healthy", "samples of another context");
}

static struct foreign hidden(enum foreign_call_kind kind, uint32_t wait, const char *name)
{
    struct foreign f = picture();

    launch(&f, GROSR_LAUNCH_KERNEL, 1, 7, "server");
    call(&f, kind, 8, wait, name);
    return f;
}

/* A kernel that is overdue behind a transfer that has no record. */
static struct foreign behind_transfer(uint32_t kind, uint64_t bytes)
{
    struct foreign f = picture();
    struct foreign_launch *l = launch(&f, kind, 1, 7, "copy");

    l->bytes = bytes;
    l = launch(&f, GROSR_LAUNCH_KERNEL, 1, 7, "work");
    l->ran = 1;
    l->longest_ns = 1000;
    l->flags = GROSR_LAUNCH_COOPERATIVE;
    l->first = false;
    call(&f, FOREIGN_CALL_OTHER, 7, GROSR_CALL_WAITS_DEVICE, "cudaDeviceSynchronize");
    return f;
}

static void ended_transfers(void)
{
    struct foreign f;

    is_kind(behind_transfer(GROSR_LAUNCH_MEMCPY, 64), "grid_barrier",
            "a small transfer has ended after 10 s");
    is_kind(behind_transfer(GROSR_LAUNCH_MEMSET, 64), "grid_barrier", "so has a memset");
    is_kind(behind_transfer(GROSR_LAUNCH_MEMCPY, S / 2), "grid_barrier", "and 500 MB");
    is_kind(behind_transfer(GROSR_LAUNCH_MEMCPY, S), "healthy", "a gigabyte may not have");
    is_kind(behind_transfer(GROSR_LAUNCH_HOST_FUNCTION, 0), "healthy", "nor a host function");
    f = behind_transfer(GROSR_LAUNCH_MEMCPY, 64);
    f.launch[0].issued_ns = f.now_ns - S;
    is_kind(f, "healthy", "nor one of a second ago");
    f = behind_transfer(GROSR_LAUNCH_MEMCPY, 64);
    f.call[0].correlation = f.launch[0].correlation;
    is_kind(f, "healthy", "nor one whose call has not returned");
    f = behind_transfer(GROSR_LAUNCH_MEMCPY, 64);
    f.launch[0].first = false;
    is_kind(f, "healthy", "nor was it there before, if something was before it at the first look");
    f = behind_transfer(GROSR_LAUNCH_MEMCPY, 64);
    f.stream[1].order = GROSR_STREAM_LEGACY;
    f.stream[2].order = GROSR_STREAM_BLOCKING;
    launch(&f, GROSR_LAUNCH_KERNEL, 2, 8, "server")->issued_ns = 80 * S;
    is_kind(f, "healthy", "nor one that the legacy default stream's order keeps behind a kernel");
}

static void hidden_waits(void)
{
    is_kind(hidden(FOREIGN_CALL_FREE, GROSR_CALL_WAITS_DEVICE, "cudaFree"), "hidden_wait",
            "cudaFree behind a kernel");
    is_kind(hidden(FOREIGN_CALL_PIN, GROSR_CALL_WAITS_NOT, "cudaHostAlloc"), "hidden_wait",
            "cudaHostAlloc behind a kernel");
    struct foreign f = hidden(FOREIGN_CALL_PIN, GROSR_CALL_WAITS_NOT, "cudaHostAlloc");
    f.call[0].activity = GROSR_THREAD_SYSTEM;
    is_kind(f, "healthy", "one that works in the system pins memory");
    f = hidden(FOREIGN_CALL_FREE, GROSR_CALL_WAITS_DEVICE, "cudaFree");
    f.launches = 0;
    is_kind(f, "healthy", "without a kernel it waits for nothing of the program");
    f = hidden(FOREIGN_CALL_FREE, GROSR_CALL_WAITS_DEVICE, "cudaFree");
    f.call[0].context = 1;
    f.stream[1].context = 2;
    is_kind(f, "healthy", "a kernel of another context is no reason");
    f = hidden(FOREIGN_CALL_FREE, GROSR_CALL_WAITS_DEVICE, "cudaFree");
    f.call[0].stays = false;
    is_kind(f, "healthy", "a call that has just begun");
    f = hidden(FOREIGN_CALL_LOAD, GROSR_CALL_WAITS_NOT, "cuModuleLoadData");
    f.call[0].activity = GROSR_THREAD_SPINS;
    is_kind(f, "healthy", "a thread that loads code and uses the CPU compiles");
    is_kind(hidden(FOREIGN_CALL_LOAD, GROSR_CALL_WAITS_NOT, "cuModuleLoadData"), "lazy_load",
            "one that does not waits");
    f = hidden(FOREIGN_CALL_LAUNCH, GROSR_CALL_WAITS_NOT, "cudaLaunchKernel");
    f.call[0].correlation = launch(&f, GROSR_LAUNCH_KERNEL, 2, 8, "other")->correlation;
    f.call[0].start_ns = f.launch[1].issued_ns;
    is_kind(f, "lazy_load", "a first launch behind a kernel");
    f = hidden(FOREIGN_CALL_FREE, GROSR_CALL_WAITS_DEVICE, "cudaFree");
    call(&f, FOREIGN_CALL_ALLOCATE, 9, GROSR_CALL_WAITS_NOT, "cudaMalloc")->start_ns = 92 * S;
    is_kind(f, "hidden_wait", "two calls behind a kernel");
    is(findings.findings, 1, "are one finding: the second wants what the first keeps");
}

/* ---- host functions and captures ---- */

static struct foreign host_function(uint32_t state, uint32_t owner)
{
    struct foreign f = picture();

    launch(&f, GROSR_LAUNCH_KERNEL, 1, 7, "work");
    launch(&f, GROSR_LAUNCH_HOST_FUNCTION, 1, 7, "release");
    struct foreign_call *c =
        call(&f, FOREIGN_CALL_OTHER, 7, GROSR_CALL_WAITS_STREAM, "cudaStreamSynchronize");
    c->stream = 1;
    f.thread[f.threads++] = (struct grosr_host_thread){
        .tid = 20, .state = state, .address = 0x1000, .owner = owner, .function = 2, .since_ns = 92 * S};
    return f;
}

static void host_functions(void)
{
    is_kind(host_function(GROSR_HOST_THREAD_MUTEX, 7), "host_function_stuck",
            "a host function wants a mutex of the thread that waits for it");
    for (uint32_t i = 0; findings.findings && i < findings.finding[0].workers; i++)
        ok(!strstr(findings.finding[0].worker[i], "kernel"), "no kernel is blamed: %s",
           findings.finding[0].worker[i]);
    is_kind(host_function(GROSR_HOST_THREAD_MUTEX, 8), "healthy", "a mutex of a thread that can run");
    is_kind(host_function(GROSR_HOST_THREAD_SLEEPS, 0), "healthy", "a host function that sleeps");
    is_kind(host_function(GROSR_HOST_THREAD_RUNS, 0), "healthy", "one that runs");
    struct foreign f = host_function(GROSR_HOST_THREAD_FUTEX, 0);
    f.thread[f.threads++] = (struct grosr_host_thread){.tid = 21, .state = GROSR_HOST_THREAD_SLEEPS};
    is_kind(f, "healthy", "one that another thread may wake");
    f = host_function(GROSR_HOST_THREAD_FUTEX, 0);
    is_kind(f, "host_function_stuck", "one that only the thread could wake that waits for it");
    f = host_function(GROSR_HOST_THREAD_FUTEX, 0);
    f.threads_unknown = true;
    is_kind(f, "healthy", "not where there are threads that are not known");
}

static struct foreign capture(enum grosr_thread_activity activity)
{
    struct foreign f = picture();

    f.stream[1].capture_ns = 90 * S;
    f.stream[1].captured = 1;
    f.stream[1].capture_tid = 7;
    f.stream[1].capture_activity = activity;
    f.called_ns = 91 * S;
    return f;
}

static void captures(void)
{
    is_kind(capture(GROSR_THREAD_SPINS), "capture_not_launched", "a capture whose thread spins");
    is_kind(capture(GROSR_THREAD_WORKS), "healthy", "one whose thread works");
    is_kind(capture(GROSR_THREAD_UNKNOWN), "healthy", "one of whose thread nothing is known");
    struct foreign f = capture(GROSR_THREAD_SPINS);
    f.called = true;
    is_kind(f, "healthy", "one beside which calls are made");
    f = capture(GROSR_THREAD_SPINS);
    f.stream[1].captured = 0;
    is_kind(f, "healthy", "one that has recorded nothing");
}

/* ---- order ---- */

static void order(void)
{
    struct foreign f = picture();
    uint32_t before[4];

    f.stream[0].order = GROSR_STREAM_LEGACY;
    f.stream[1].order = GROSR_STREAM_BLOCKING;
    f.stream[2].order = GROSR_STREAM_NON_BLOCKING;
    launch(&f, GROSR_LAUNCH_KERNEL, 1, 7, "a"); /* 1 */
    launch(&f, GROSR_LAUNCH_KERNEL, 2, 7, "b"); /* 2 */
    launch(&f, GROSR_LAUNCH_MEMCPY, 0, 7, "c"); /* 3: behind a */
    launch(&f, GROSR_LAUNCH_KERNEL, 1, 7, "d"); /* 4: behind a and c */
    launch(&f, GROSR_LAUNCH_KERNEL, 3, 7, "e"); /* 5: behind b, by an event */
    f.event_wait[f.event_waits++] =
        (struct grosr_event_wait){.place = 4, .on_place = 2, .stream = 3, .on = 2};
    is(foreign_order(&f), 0, "an order");
    uint32_t a = foreign_launch_of(&f, 1), b = foreign_launch_of(&f, 2), c = foreign_launch_of(&f, 3),
             d = foreign_launch_of(&f, 4), e = foreign_launch_of(&f, 5);
    ok(foreign_runs(&f, a) && foreign_runs(&f, b), "the first of their streams run");
    ok(foreign_before(&f, c, before, 4) == 1 && before[0] == a,
       "the default stream waits for the blocking one alone");
    ok(foreign_before(&f, d, before, 4) == 2 && before[0] == a && before[1] == c,
       "and the blocking one for it");
    ok(foreign_before(&f, e, before, 4) == 1 && before[0] == b, "a stream waits for an event");
    is(foreign_runner(&f, d), a, "what runs is found behind both");
    is(foreign_runner(&f, e), b, "and behind the event");
    foreign_free(&f);
}

/* ---- a session's tables ---- */

static void tables(void)
{
    const struct grosr_session_options o = {.device = "process",
                                            .device_name = "test",
                                            .program = "test",
                                            .lanes = 1,
                                            .device_clock_is_host = true,
                                            .host_ring_events = 8,
                                            .streams = 1,
                                            .stream_bytes = 4096,
                                            .call_slots = 4,
                                            .launch_slots = 64,
                                            .cuda_streams = 8,
                                            .text_bytes = 4096};
    struct grosr_session *s;

    if (grosr_session_create(&s, &o)) {
        printf("Bail out! %s\n", grosr_error());
        exit(1);
    }
    uint64_t now = grosr_host_clock_ns();
    uint32_t stream = grosr_cuda_stream_add(s, 77, 0x2000, 1, 8);
    uint32_t server = grosr_outstanding_add_text(s, "server", 6),
             free_name = grosr_outstanding_add_text(s, "cudaFree", 8);
    struct grosr_launch l = {.kind = GROSR_LAUNCH_KERNEL,
                             .correlation = 5,
                             .issued_ns = now - 3 * S,
                             .stream = stream,
                             .tid = 1,
                             .name = server,
                             .full_name = server,
                             .grid = {1, 1, 1},
                             .block = {1, 1, 1}};
    uint32_t slot = grosr_launch_begin(s, &l);
    grosr_launch_returned(s, slot, &l, now - 3 * S, true);
    const struct grosr_call c = {.start_ns = now - 2 * S,
                                 .name = free_name,
                                 .tid = (uint32_t)getpid(),
                                 .correlation = 6,
                                 .wait = GROSR_CALL_WAITS_DEVICE,
                                 .stream = GROSR_NO_STREAM,
                                 .context = 1};
    grosr_call_enter(s, 0, &c);
    grosr_findings_free(&findings);
    grosr_findings_init(&findings, S / 20);
    is(grosr_diagnose_calls(s, &findings), 0, "a session of this process is diagnosed");
    is(grosr_findings_settle(&findings), 0, "and its findings are settled");
    is(findings.verdict, GROSR_VERDICT_STALLED, "it is stalled");
    ok(findings.findings && strstr(findings.finding[0].summary, "cudaFree") &&
           strstr(findings.finding[0].summary, "server"),
       "by what its tables say");
    grosr_call_leave(s, 0);
    grosr_launch_recorded(s, GROSR_LAUNCH_KERNEL, 5, now);
    grosr_findings_free(&findings);
    grosr_findings_init(&findings, S / 20);
    grosr_diagnose_calls(s, &findings);
    grosr_findings_settle(&findings);
    is(findings.verdict, GROSR_VERDICT_IDLE, "when all has ended it is idle");
    grosr_session_close(s);
}

int main(void)
{
    grosr_findings_init(&findings, S);
    kernels();
    too_large();
    no_room();
    transfers();
    ended_transfers();
    samples();
    hidden_waits();
    host_functions();
    captures();
    order();
    tables();
    grosr_findings_free(&findings);
    return tap_done();
}
