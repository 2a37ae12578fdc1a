/*
 * What the files of the double share (cupti_double.h): cupti_double.c is CUPTI, double_device.c the device
 * and the runtime's calls, double_driver.c the driver as far as tracers call it, double_pc.c PC sampling,
 * double_words.c words that streams wait for, double_calls.c the driver as a
 * program calls it.
 *
 * `double_lock` guards the device and the records, and is never held while somebody else's code is called.
 */
#ifndef GROSR_TESTS_DOUBLE_PARTS_H
#define GROSR_TESTS_DOUBLE_PARTS_H

#include "cupti_double.h"
#include "detached.h"

#include <cuda.h>
#include <cupti.h>

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* When something ends that ends when the program says, or begins when that has ended. */
#define RUNNING UINT64_MAX       /* at double_stop() */
#define HELD    (UINT64_MAX - 1) /* when the host function of its stream has returned */

/* ---- cupti_double.c ---- */

union record {
    CUpti_Activity head;
    CUpti_ActivityKernel10 kernel;
    CUpti_ActivityMemcpy6 copy;
    CUpti_ActivityMemset4 fill;
    CUpti_ActivitySynchronization2 wait;
    CUpti_ActivityGraphTrace2 graph;
    CUpti_ActivityDevice5 device;
    CUpti_ActivityContext3 context;
};

/* With `double_lock`. */
void double_add_record(const union record *record);
bool double_collects_kernels(void);
bool double_collects_copies(void);
bool double_collects_graphs(void);

/* A call between its two callbacks. */
struct call {
    CUpti_CallbackDomain domain;
    CUpti_CallbackId id;
    CUpti_CallbackData data;
    uint64_t kept;
    int result;
    bool known; /* its context, when it begins */
};

void double_enter(struct call *c, CUpti_CallbackDomain domain, CUpti_CallbackId id, const char *name,
                  const void *params, const char *symbol, uint32_t number);
void double_leave(struct call *c, int result);
uint32_t double_correlation(void);

/* CUPTI reports a failure of its own, if the fault `fatal` is set. */
void double_fail(void);

/* The runtime's functions have a version in their number, not in their name. */
#define RUNTIME(c, function, version, params, symbol, number)                                                \
    double_enter(c, CUPTI_CB_DOMAIN_RUNTIME_API, CUPTI_RUNTIME_TRACE_CBID_##function##_##version, #function, \
                 params, symbol, number)
#define DRIVER(c, function, params, symbol, number)                                                    \
    double_enter(c, CUPTI_CB_DOMAIN_DRIVER_API, CUPTI_DRIVER_TRACE_CBID_##function, #function, params, \
                 symbol, number)

/* As CUPTI stamps: by the tool's clock, if it gave one. */
uint64_t double_now_ns(void);
bool double_has_fault(const char *word);

/* Whether the driver is initialized: a tool's threads begin before. */
bool double_is_initialized(void);

/* ---- double_device.c ---- */

extern pthread_mutex_t double_lock;

struct item {
    uint64_t start_ns, end_ns; /* or RUNNING, or HELD */
    bool collected;
    const char *name; /* of a kernel */
};

struct stream {
    uint64_t items;
    struct item latest;
    uint64_t released_ns; /* when its host function returned */
    bool non_blocking;
};

extern struct stream double_streams[DOUBLE_STREAMS];

struct CUevent_st {
    uint32_t stream;
    uint64_t items; /* of its stream that come before it */
    bool recorded;
    struct CUevent_st *next, **from; /* the driver knows all that there are */
};

struct CUgraph_st {
    const char *const *names;
    uint32_t kernels;
};

static inline CUcontext context_of(void)
{
    return (CUcontext)(uintptr_t)0x1000;
}

static inline CUstream handle_of(uint32_t stream)
{
    return (CUstream)(uintptr_t)(stream ? 0x2000 + stream : 0);
}

static inline uint32_t number_of(CUstream handle)
{
    return handle ? (uint32_t)((uintptr_t)handle - 0x2000) % DOUBLE_STREAMS : 0;
}

void double_sleep_ms(uint32_t ms);

/* A time of a stream's, or RUNNING if it has not come. */
uint64_t double_time(uint32_t stream, uint64_t ns);

/* What a stream is given; when it starts and ends; and when it starts behind what is in it. With the lock. */
struct item double_put(uint32_t stream, uint64_t from, uint64_t takes_ns);
uint64_t double_behind(uint32_t stream, uint64_t now_ns);
bool double_stream_is_over(uint32_t stream);

/* Whether all streams have come to their ends; and kernels that are collected and keep records back. */
bool double_is_idle(void);
bool double_withholds(void);

/* Waits while a call is in the driver that keeps its lock, if the fault `stuck` is set. */
void double_wait_for_driver(void);

/* The name of the kernel that a stream runs; NULL: none. With the lock. */
const char *double_running(uint32_t stream);

/* A launch by a call of the driver's. */
void double_launch_by_driver(uint32_t stream, const char *name, const struct double_shape *shape,
                             uint64_t takes_ns);

/* ---- double_pc.c ---- */

/* The modules of the process, each of one kernel. */
void double_load_modules(void (*report)(CUpti_ModuleResourceData *module));

/* ---- double_driver.c ---- */

/* The function that a kernel's name is of. */
CUfunction double_function(const char *name);

/* The calling thread has a context current. */
bool double_has_context(void);

/* Logs, as the driver does for each of its calls that fails. */
void double_log_failure(int result, const char *call);

/* Whether a stream is captured; of a call that CUDA holds to be unsafe, whether it may be made now. */
bool double_is_captured(uint32_t stream);

#endif
