/*
 * PC sampling: where the warps of a context's kernels stand (cuda_parts.h). What its files share; nobody else
 * includes this.
 *
 *     cuda_pc_code.c   the code of modules that were loaded: lines, loops
 *     cuda_pc_rows.c   samples of a time bin into records, and into the segment's table of functions
 *     cuda_pc.c        contexts: sampling begins and ends, and what there is is fetched
 *
 * Each calls only those above it.
 */
#ifndef GROSR_INJECT_CUDA_PC_H
#define GROSR_INJECT_CUDA_PC_H

#include "cuda_parts.h"

#include "../nvidia/cubin.h"

/* ---- cuda_pc_code.c ---- */

/* The code of a function; none: the module was not kept, or does not have it. */
struct pc_code;

/* All below: the sampler, or whoever holds its lock. */

/* NULL: there is none. It stays until the process ends. */
struct pc_code *pc_code(uint64_t crc, const char *function);

/* The line of an instruction, and the function inlined there with its line (NULL: none). False: not known. */
bool pc_line(struct pc_code *code, uint64_t offset, struct inject_string **file, uint32_t *line,
             struct inject_string **inlined);

/* The loops of the function. */
uint32_t pc_loops(struct pc_code *code, const struct grosr_cubin_loop **loop);

/* Whether a warp that stands there waits for others or pauses. */
bool pc_synchronizes(const struct pc_code *code, uint64_t offset);

/* Modules whose images were not kept, for want of room. */
uint32_t pc_modules_left(void);

/* ---- cuda_pc_rows.c: the sampler, or whoever holds its lock ---- */

#define PC_GROUPS 32u

/* A reason for which a warp stands still, as CUPTI numbers it. */
struct pc_stall {
    struct inject_string *name; /* "long_scoreboard"; NULL: there is none of that number */
    uint32_t group;             /* a number of the name, below PC_GROUPS */
    bool memory;                /* it waits for memory */
    bool not_issued;            /* of those with the same name that are counted too, so many */
};

struct pc_bin {
    uint64_t start_ns, end_ns;
    uint32_t device, context;
    const struct pc_stall *stall;
    uint32_t stalls;
    bool again; /* instructions may have come already in this bin */
    bool waits; /* for room in the stream: not where a thread of the program waits with it */
};

/* Samples of an instruction. */
void pc_add(struct inject_thread *t, const struct pc_bin *bin, const CUpti_PCSamplingPCData *pc);

/* The bin is complete: the functions that were sampled in it. Without a thread they are left out. */
void pc_add_functions(struct inject_thread *t, const struct pc_bin *bin);

/* Writes a record of the bin. */
void pc_write(struct inject_thread *t, const struct pc_bin *bin, const struct grosr_piece *pieces,
              unsigned count);

#endif
