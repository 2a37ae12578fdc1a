/*
 * A rig for the experiment `alloc`: a heap of GROSR's in the device's memory, or the device's own malloc, and
 * kernels that use it (bench_alloc.h), with no runtime. On the host device the kernels are threads.
 *
 * A device is a table of functions, one for each kind. All memory that it has lent is freed when it is
 * closed.
 */
#ifndef GROSR_BENCH_ALLOC_RIG_H
#define GROSR_BENCH_ALLOC_RIG_H

#include "bench.h"
#include "bench_alloc.h"

#include "../alloc/heap_plan.h"

struct grosr_bench_alloc_device {
    /* `heap_bytes`: for the device's own malloc, where its heap has a size; 0: it is not used. `workers`: on
     * the host device, of threads. */
    int (*open)(void **device, const struct grosr_device_info *info, uint64_t heap_bytes, uint32_t workers);
    int (*allocate)(void *device, size_t bytes, void **memory);
    int (*release)(void *device, void *memory);
    int (*clear)(void *device, void *memory, size_t bytes);
    int (*write)(void *device, void *memory, const void *from, size_t bytes);
    int (*read)(void *device, void *to, const void *memory, size_t bytes);
    /* Runs a kernel to its end. `warps`: how many entries of start_ns and end_ns it has written. */
    int (*run)(void *device, enum grosr_bench_alloc_kernel kernel, bool plain,
               const struct grosr_bench_alloc *argument, uint32_t *warps);
    void (*close)(void *device); /* NULL is allowed */
};

extern const struct grosr_bench_alloc_device grosr_bench_alloc_host, grosr_bench_alloc_cuda;

/* A heap and its memory as the device gave it. */
struct grosr_bench_heap {
    struct grosr_heap heap;
    struct grosr_heap_plan plan;
    void *arena, *memory;
};

/* Two allocators are compared: GROSR's and the device's own, which is `plain`. */
struct grosr_bench_alloc_rig {
    const struct grosr_bench_alloc_device *ops;
    struct grosr_bench_report *report;
    uint32_t workers;
    void *device;
    bool plain;
    uint64_t bytes;       /* of the arena, or of the heap of the device's malloc; 0: that has no bound */
    uint32_t threads_max; /* of a kernel */
    /* Of the next run; the pointers stay. A run begins with empty tallies. */
    struct grosr_bench_alloc args;
    struct grosr_bench_heap heap;        /* not of `plain` */
    uint64_t tally[GROSR_BENCH_TALLIES]; /* of the latest run */
};

/* To be closed in any case. */
int grosr_bench_alloc_open(struct grosr_bench_alloc_rig *rig, struct grosr_bench_report *report,
                           uint32_t workers, bool plain, uint64_t bytes, uint32_t threads_max);
void grosr_bench_alloc_close(struct grosr_bench_alloc_rig *rig);

/* A heap as at first. That of a device's malloc may not be had again: then nothing happens, and *fresh is
 * false. */
int grosr_bench_alloc_renew(struct grosr_bench_alloc_rig *rig, bool *fresh);

/* No thread has a block or a list. */
int grosr_bench_alloc_forget(struct grosr_bench_alloc_rig *rig);

/* Runs a kernel and checks what it counted. *ns: from the first warp's start to the last one's end, by the
 * device's clock. */
int grosr_bench_alloc_run(struct grosr_bench_alloc_rig *rig, enum grosr_bench_alloc_kernel kernel,
                          double *ns);

/* Copies of what the device has. */
int grosr_bench_alloc_read(struct grosr_bench_alloc_rig *rig, void *to, const void *memory, size_t bytes);

/* Checks that the threads' blocks, of the sizes that the arguments tell, are in the arena and apart. Stores
 * the bytes from the lowest to the end of the highest, and what was asked for, if wanted. */
int grosr_bench_alloc_check_places(struct grosr_bench_alloc_rig *rig, double *range, double *requested);

/* What the heap says of itself; of GROSR's only. */
int grosr_bench_alloc_counters(struct grosr_bench_alloc_rig *rig, struct grosr_heap_counters *out);

/* Checks that nothing is allocated and that no error was noted; of GROSR's only. */
int grosr_bench_alloc_check_empty(struct grosr_bench_alloc_rig *rig);

/* Makes a heap on the device, from the plan to the first map in its place; and frees it. */
int grosr_bench_heap_make(struct grosr_bench_alloc_rig *rig, uint64_t bytes, struct grosr_bench_heap *heap);
int grosr_bench_heap_free(struct grosr_bench_alloc_rig *rig, struct grosr_bench_heap *heap);

#endif
