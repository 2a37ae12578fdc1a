/*
 * Where every warp of a GPU stood, from a GPU core dump: what the driver writes when a kernel fails
 * (CUDA_ENABLE_COREDUMP_ON_EXCEPTION) or when it is asked to (arm.h). Neither a GPU nor a debugger is needed.
 *
 * The format is NVIDIA's, documented in the toolkit's cudacoredump.h: an ELF file whose sections are tables
 * of devices, contexts, modules, grids, SMs, blocks (CTAs), warps and lanes. A section's sh_link is the table
 * that its parent is a row of, sh_info the row. Rows may be longer than known here, and older drivers' are
 * shorter: sh_entsize is their size, and fields behind it are 0. A full GPU has more sections than the file's
 * header can count, whose number is in section 0. A warp's program counter is in its lanes' rows; only valid
 * lanes have rows.
 *
 * A core dump is not trusted. What cannot be followed makes an error of one line; nothing is guessed.
 */
#ifndef GROSR_COREDUMP_H
#define GROSR_COREDUMP_H

#include "findings.h"

#define GROSR_CORE_NONE UINT32_MAX

/* What a warp waits for, as far as its instruction and its lines tell. */
enum grosr_core_wait {
    GROSR_CORE_WAIT_NONE,
    GROSR_CORE_WAIT_WARP,     /* __syncwarp() */
    GROSR_CORE_WAIT_MBARRIER, /* cuda::barrier, TMA */
    GROSR_CORE_WAIT_BLOCK,    /* __syncthreads() and its kind */
    GROSR_CORE_WAIT_CLUSTER,
    GROSR_CORE_WAIT_GRID, /* grid.sync() */
    GROSR_CORE_WAITS
};

struct grosr_core_device {
    const char *name; /* "NVIDIA H100 80GB HBM3"; "" if it is not said */
    uint32_t sms, warps_per_sm, sm_major, sm_minor;
};

struct grosr_core_grid {
    uint32_t device;
    uint64_t id, context, module, entry;
    char *kernel; /* its name, or "kernel at 0x..." */
    uint32_t grid[3], block[3];
    char *arguments;                    /* "0x7f1200000000, 3"; "" if they are not known */
    uint32_t blocks, warps, exceptions; /* that are in the dump */
    bool misstated; /* `grid` is too small: the driver writes 1x1x1 for a cooperative launch */
};

/* Where a program counter points. Lines are of the function whose code it is; what was inlined there is text.
 */
struct grosr_core_place {
    uint64_t address, offset;
    char *function; /* "" if no module has the address */
    char *file;     /* with its folder; "" without line information */
    uint32_t line;
    char *inlined; /* "sync_grids_wait (sync.h:98)"; "" */
    enum grosr_core_wait wait;
    uint32_t spot; /* the same for places of the same function, line and wait */
};

struct grosr_core_warp {
    uint32_t device, grid, sm, id; /* id: in its SM */
    uint32_t block[3];
    uint32_t warp; /* in its block; GROSR_CORE_NONE: it has no lanes */
    uint32_t valid, active;
    uint32_t place, other; /* of the active lanes; of others, if they stand elsewhere, or GROSR_CORE_NONE */
    enum grosr_core_wait wait;
    uint32_t exception; /* 0: none */
};

/* Warps of a grid that stand at the same spot in the same way. */
struct grosr_core_group {
    uint32_t grid, first, warps; /* first: the warp that stands for them */
    uint32_t blocks;             /* that they are of, at most: neighbours in order are counted once */
};

/* An SM that reports a failure of a warp which has left. */
struct grosr_core_fault {
    uint32_t device, sm, exception;
    uint32_t place; /* GROSR_CORE_NONE: not known */
};

struct grosr_core {
    struct grosr_core_device *device;
    struct grosr_core_grid *grid;
    struct grosr_core_place *place;
    struct grosr_core_warp *warp;
    struct grosr_core_group *group; /* by grid, the largest first */
    struct grosr_core_fault *fault;
    uint32_t devices, grids, places, warps, groups, faults;
    uint32_t driver_major, driver_minor, timestamp; /* 0: not said */
};

/* Reads a core dump. -EINVAL and what is wrong with it, -ENOMEM, or -errno of the file. */
int grosr_core_open(struct grosr_core **core, const char *path);
/* The same of bytes, which must stay until it is freed. */
int grosr_core_read(struct grosr_core **core, const void *bytes, uint64_t size);
void grosr_core_free(struct grosr_core *core); /* NULL is allowed */

/* Words: "Warp Illegal Address"; "block barrier", "" for none. */
const char *grosr_core_exception_name(uint32_t exception);
const char *grosr_core_wait_name(enum grosr_core_wait wait);

/* "steps.cu:30", or "segment_steps+0x80"; and "steps.cu:30 in segment_steps, waiting at a grid barrier,
   inlined sync_grids_wait (sync.h:98)". Both return how long the text is. */
int grosr_core_spot_text(const struct grosr_core *core, uint32_t place, char *text, size_t size);
int grosr_core_place_text(const struct grosr_core *core, uint32_t place, enum grosr_core_wait wait,
                          char *text, size_t size);

/* Whether the file is a GPU core dump. */
bool grosr_core_is(const char *path);

/*
 * Adds what a core dump shows: kernels that failed, and barriers at which warps wait in vain, as findings;
 * where all warps stand as remarks. A core dump is one moment: that warps wait proves nothing by itself.
 */
int grosr_diagnose_core(const char *path, struct grosr_findings *findings);

#endif
