/*
 * The built-in task functions. A list like this one makes the ids, the table that the workers dispatch
 * through (dispatch.h) and the names in the trace.
 *
 * TASK(id, NAME, name, effects, text)
 *     id        0 .. 0x7ffe, never reused
 *     effects   PURE      its value is its only effect
 *               WRITES    it writes to memory, which is visible to the host before the result is, at the
 *                         price of a fence
 *               WARP      it is a GROSR_WARP_TASK, which may write too
 */
#ifndef GROSR_TASKS_H
#define GROSR_TASKS_H

/* The greatest id that a task function can have. */
#define GROSR_FUNCTION_MAX 0x7ffeu

/* The ids of a program's own list, as FN_NAME: GROSR_TASK_IDS(MY_TASKS); */
#define GROSR_TASK_ID(id, NAME, name, effects, text) FN_##NAME = id,
#define GROSR_TASK_IDS(TASKS)                        enum { TASKS(GROSR_TASK_ID) }

#define GROSR_BUILT_IN_TASKS(TASK)                                                                         \
    TASK(0, NOP, nop, PURE, "does nothing; value 0")                                                       \
    TASK(1, ADD, add, PURE, "a + b, modulo 2^64")                                                          \
    TASK(2, MUL, mul, PURE, "a * b, modulo 2^64")                                                          \
    TASK(3, SPIN, spin, PURE, "computes for b ns; value: the ns it took")                                  \
    TASK(4, FIB, fib, PURE, "the a-th Fibonacci number, by a tree of tasks")                               \
    TASK(5, TREE, tree, PURE, "a tree of depth a in which each task spawns b children; value: its leaves") \
    TASK(6, FAN, fan, PURE, "b tasks `mul` with arguments 0 .. b-1 and a; value: their sum")               \
    TASK(7, HOP, hop, WRITES,                                                                              \
         "step a >> 16 of a & 0xffff: notes the time in the array at b and continues as itself")           \
    TASK(8, RELAY, relay, WRITES, "the same, alternating between workers 0 and 1")                         \
    TASK(9, LINK, link, WRITES, "the same, by spawning the next step as a waiting task and signalling it") \
    TASK(10, SPREAD, spread, WARP, "the sum of the squares of a .. a + b - 1, by all lanes of a warp")     \
    TASK(11, RANDOM, random, PURE,                                                                         \
         "a random tree of at most a levels from seed b; value: a checksum of its tasks")                  \
    TASK(12, POKE, poke, WRITES, "writes a to the address b")                                              \
    TASK(20, PIPELINE, pipeline, WRITES,                                                                   \
         "a window of the dependent tasks of the grid at b, then the next one")                            \
    TASK(21, STAGE, stage, WRITES, "cell a of the grid at b, then signals the cells that need it")

/* What the built-in functions are besides, in a runtime that has system calls: functions that make them. */
#define GROSR_BUILT_IN_CALL_TASKS(TASK)                                                                     \
    TASK(30, CALL, call, WRITES, "makes the system call of record a of those at b")                         \
    TASK(31, CALL_WARP, call_warp, WARP, "makes the a system calls of the records at b, a lane each")       \
    TASK(32, CALL_GROUP, call_group, WARP, "the same for preads and pwrites, a packet for each warp")       \
    TASK(33, CALL_THEN, call_then, WRITES, "the same for one read or write, and continues when it is done") \
    TASK(34, CALL_END, call_end, WRITES, "what `call_then` continues as")                                   \
    TASK(35, CHECKSUM, checksum, WARP, "the checksum of chunk a of the file at b")                          \
    TASK(36, CALLS, calls, WARP, "makes the system calls of the loop at b, one after the other")            \
    TASK(37, CALLS_WARP, calls_warp, WARP, "the same in each lane")                                         \
    TASK(38, ECHO, echo, WRITES,                                                                            \
         "asks the host, with a bare word, and waits for its answer, again and again")                      \
    TASK(39, RPC, rpc, WRITES, "the same with a packet of 64 bytes, as LLVM's libc does")

/* Those that use the heap, for the workload churn: of a program of their own, with the ones above. */
#define GROSR_BUILT_IN_HEAP_TASKS(TASK)                                                                 \
    TASK(50, CHURN, churn, WRITES, "replaces blocks of the table at b by new ones, and checks the old") \
    TASK(51, EMPTY, empty, WRITES, "frees the blocks of a part of the table at b")                      \
    TASK(52, GROW, grow, WRITES,                                                                        \
         "allocates a node of a tree of a levels, its address at b, and its children")                  \
    TASK(53, FOLD, fold, WRITES, "sums up the node at b and frees its children")

/* Faults, for the workloads stall:NAME, and honest work that looks like one: of a program of their own. */
#define GROSR_BUILT_IN_STALL_TASKS(TASK)                                                                \
    TASK(60, STALL_START, stall_start, WRITES, "starts function a >> 16 on each of a & 0xffff workers") \
    TASK(61, STALL_LOCKS, stall_locks, WRITES, "holds its own lock and wants the next one's")           \
    TASK(62, STALL_RING, stall_ring, WRITES, "fills a bounded ring that only such tasks would empty")   \
    TASK(63, STALL_CHILD, stall_child, WRITES,                                                          \
         "waits in its lane for a child that only its worker can start")                                \
    TASK(64, STALL_CHILD_RUNS, stall_child_runs, WRITES, "that child")                                  \
    TASK(65, STALL_PORTS, stall_ports, WRITES, "keeps a port for a system call and wants another one")  \
    TASK(66, STALL_MEMORY, stall_memory, WRITES, "allocates until nothing is left, and waits for more") \
    TASK(67, STALL_CALL, stall_call, WRITES, "makes a system call")                                     \
    TASK(68, STALL_READ, stall_read, WRITES, "reads from a FIFO")                                       \
    TASK(69, STALL_WAKEUP, stall_wakeup, WRITES, "waits for a signal that came before")                 \
    TASK(70, STALL_NEVER, stall_never, WRITES, "has a child that waits for a signal too many")          \
    TASK(71, STALL_ENDLESS, stall_endless, WRITES, "computes without an end")                           \
    TASK(72, STALL_BARRIER, stall_barrier, WRITES, "waits at a barrier, but for the last worker's")     \
    TASK(73, STALL_ITEMS, stall_items, WRITES, "takes items of a producer that has ended")              \
    TASK(74, STALL_RESULTS, stall_results, WRITES, "gives results to the host")                         \
    TASK(75, STALL_HOT, stall_hot, WRITES, "works under one lock")                                      \
    TASK(76, STALL_UNFAIR, stall_unfair, WRITES,                                                        \
         "takes from a queue behind a lock that worker 0 never gets")                                   \
    TASK(77, STALL_INVERSION, stall_inversion, WRITES,                                                  \
         "takes a lock and continues behind urgent tasks, or wants that lock")                          \
    TASK(78, STALL_RELEASE, stall_release, WRITES, "releases it")                                       \
    TASK(79, STALL_PIECE, stall_piece, WRITES, "works for b ns")                                        \
    TASK(80, STALL_LONG, stall_long, WRITES, "works without an end, and reports progress")              \
    TASK(81, STALL_BUSY, stall_busy, WRITES, "fills or empties a ring that is nearly full")             \
    TASK(82, STALL_ABANDONED, stall_abandoned, WRITES, "takes a lock and ends, or wants that lock")     \
    TASK(83, STALL_URGENT, stall_urgent, WRITES, "works, after it has spawned the next urgent one")     \
    GROSR_BUILT_IN_CURED_TASKS(TASK)

/* The same, cured. */
#define GROSR_BUILT_IN_CURED_TASKS(TASK)                                                                    \
    TASK(90, CURED_LOCKS, cured_locks, WRITES, "takes two locks in the one order")                          \
    TASK(91, CURED_RING, cured_ring, WRITES, "fills a ring, and runs its tasks itself when it is full")     \
    TASK(92, CURED_CHILD, cured_child, WRITES, "suspends until its child has ended")                        \
    TASK(93, CURED_CONTINUED, cured_continued, WRITES, "what such a task continues as")                     \
    TASK(94, CURED_MEMORY, cured_memory, WRITES, "allocates all that it needs, or nothing")                 \
    TASK(95, CURED_WAKEUP, cured_wakeup, WRITES, "waits for a signal since it looked, before any can come") \
    TASK(96, CURED_SIGNAL, cured_signal, WRITES, "has a child that waits for the one signal that it sends") \
    TASK(97, CURED_ENDLESS, cured_endless, WRITES, "works for a second, and reports progress")              \
    TASK(98, CURED_ABANDONED, cured_abandoned, WRITES, "takes a lock and releases it")                      \
    TASK(99, CURED_BARRIER, cured_barrier, WRITES, "waits at a barrier, every worker's")                    \
    TASK(100, CURED_ITEMS, cured_items, WRITES, "takes items until their producer says that it has ended")  \
    TASK(101, CURED_UNFAIR, cured_unfair, WRITES, "takes from a queue, by tickets")                         \
    TASK(102, CURED_HOT, cured_hot, WRITES, "works under a lock of its own")                                \
    TASK(103, CURED_INVERSION, cured_inversion, WRITES, "releases its lock before it continues")            \
    TASK(104, CURED_URGENT, cured_urgent, WRITES, "works, after it has spawned the next urgent one, if any")

#endif
