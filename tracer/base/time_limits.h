/*
 * How long somebody else is waited for, in ns: the collector, the device, other threads of a traced program.
 * Intervals between a thread's own periodic steps stand in the files that have them.
 */
#ifndef GROSR_TIME_LIMITS_H
#define GROSR_TIME_LIMITS_H

#define GROSR_MS UINT64_C(1000000)
#define GROSR_S  UINT64_C(1000000000)

/* ---- the collector ---- */

/* One that was started for this session: until it has attached. */
#define GROSR_COLLECTOR_START_TIMEOUT_NS (10 * GROSR_S)

/* One that runs already (GROSR_COLLECTOR): until it has found this session. */
#define GROSR_COLLECTOR_FIND_TIMEOUT_NS (2 * GROSR_S)

/* The same for sessions of a process after one that waited for it in vain. */
#define GROSR_COLLECTOR_LATE_TIMEOUT_NS (50 * GROSR_MS)

/* For room in a stream of records, since anything was written; then the record is dropped, and counted. */
#define GROSR_STREAM_ROOM_TIMEOUT_NS (2 * GROSR_S)

/* The collector's own thread that samples hardware counters, at the end: NVML may hang. */
#define GROSR_SAMPLER_END_TIMEOUT_NS (300 * GROSR_MS)

/* Rows, for the clock snapshot that comes after them. */
#define GROSR_ROWS_CLOCK_TIMEOUT_NS (200 * GROSR_MS)

/* ---- the device ---- */

#define GROSR_DEVICE_START_TIMEOUT_NS (10 * GROSR_S)
#define GROSR_DEVICE_STOP_TIMEOUT_NS  (10 * GROSR_S)
#define GROSR_DEVICE_COPY_TIMEOUT_NS  (5 * GROSR_S)

/* A clock snapshot, from a device whose service warp answers; from an instrumented kernel's warp that polls;
 * from a kernel that is launched to answer. */
#define GROSR_CLOCK_TIMEOUT_NS        (50 * GROSR_MS)
#define GROSR_CLOCK_POLLED_TIMEOUT_NS (5 * GROSR_MS)
#define GROSR_CLOCK_LAUNCH_TIMEOUT_NS (20 * GROSR_MS)

/* The first and the last snapshot of an instrumented kernel's session, with retry. */
#define GROSR_CLOCK_FIRST_TIMEOUT_NS (5 * GROSR_S)
#define GROSR_CLOCK_LAST_TIMEOUT_NS  (200 * GROSR_MS)

/* ---- a traced program ---- */

/* A lock that another thread of the program may hold inside the driver; then it is done without. */
#define GROSR_INJECT_LOCK_TIMEOUT_NS (100 * GROSR_MS)

/* Records of kernels that have ended, when the program ends. */
#define GROSR_INJECT_END_TIMEOUT_NS (500 * GROSR_MS)

#endif
