/*
 * What a GPU's machine code says about itself: the image of a module (cubin), as it is in a core dump, a fat
 * binary or a file. Functions are its symbols; lines come from .debug_line, which nvcc writes with -lineinfo
 * or -G, in DWARF 2 to 4 with NVIDIA's records of inlined calls; arguments from .nv.info. An image is not
 * trusted: what is damaged in it is left out.
 *
 * Addresses: in a relocated image those of the GPU; in one that is not, sections begin at 0, and a function
 * is found by its name. One thread; the image's bytes must stay as long as the cubin.
 */
#ifndef GROSR_CUBIN_H
#define GROSR_CUBIN_H

#include "elf_file.h"

struct grosr_cubin;

struct grosr_cubin_function {
    const char *name; /* as the linker has it */
    uint64_t address, bytes;
    uint32_t section;
    uint64_t offset; /* in its section */
    bool is_kernel;
};

/* A source line. The next one up is the call of the function that was inlined there. */
struct grosr_cubin_line {
    const char *directory, *file; /* "" and "" if the table is damaged */
    uint32_t line;
    const char *function; /* the one inlined, as the linker has it; "": the machine code's own */
};

struct grosr_cubin_argument {
    uint32_t index, offset, bytes;
};

/* -EINVAL: it is no ELF file of a GPU; -ENOMEM. */
int grosr_cubin_open(struct grosr_cubin **cubin, const void *image, uint64_t bytes);
void grosr_cubin_free(struct grosr_cubin *cubin); /* NULL is allowed */

/* The function whose code is at this address, the innermost; the one of that name. */
bool grosr_cubin_at(const struct grosr_cubin *cubin, uint64_t address, struct grosr_cubin_function *function);
bool grosr_cubin_named(const struct grosr_cubin *cubin, const char *name,
                       struct grosr_cubin_function *function);

/*
 * The source lines of an address in a function, innermost first; how many, at most `room`. 0: there is no
 * line information for it. The first call reads all of the table.
 */
uint32_t grosr_cubin_lines(struct grosr_cubin *cubin, const struct grosr_cubin_function *function,
                           uint64_t address, struct grosr_cubin_line *line, uint32_t room);

/* The instruction, of 16 bytes as in all GPUs since Volta. */
bool grosr_cubin_instruction(const struct grosr_cubin *cubin, const struct grosr_cubin_function *function,
                             uint64_t address, uint64_t word[2]);

/* A loop, by the offsets of its first and last instruction in its function. */
struct grosr_cubin_loop {
    uint64_t low, high;
    bool endless; /* none of its instructions changes anything, so it does not end by itself */
    bool polls; /* it reads memory at the same places again and again, and does nothing with it but compare */
};

/* Whether a warp that stands at this offset waits for other lanes or warps, or pauses: WARPSYNC, BSYNC, a
 * barrier of the block, NANOSLEEP, YIELD. */
bool grosr_cubin_synchronizes(const struct grosr_cubin *cubin, const struct grosr_cubin_function *function,
                              uint64_t offset);

/* The loops of a function, those in it included; how many, at most `room`. */
uint32_t grosr_cubin_loops(const struct grosr_cubin *cubin, const struct grosr_cubin_function *function,
                           struct grosr_cubin_loop *loop, uint32_t room);

/*
 * A load or compare-and-swap of a loop, from global memory or by a generic address, of the address in
 * registers `base` (low) and base + 1 and `displacement`. Nothing in the loop writes the two: what they hold
 * at any instruction of the loop is what it reads each time round, or, if a function that the loop calls may
 * have changed them, what it has read or is about to read.
 */
struct grosr_cubin_load {
    uint64_t offset; /* in the function */
    uint32_t base;
    uint32_t bytes; /* that it reads: 4, 8; 0: fewer or more */
    int64_t displacement;
};

/* Those of the innermost loop that the instruction at this offset is in, which may be long or call others
 * only so far; how many, at most `room`. 0 of code that is not understood: before compute capability 7.0;
 * of 10.0 and later only loads are. */
uint32_t grosr_cubin_loads(const struct grosr_cubin *cubin, const struct grosr_cubin_function *function,
                           const struct grosr_cubin_loop *loop, uint32_t loops, uint64_t offset,
                           struct grosr_cubin_load *load, uint32_t room);

/* A variable in global memory (__device__). */
struct grosr_cubin_variable {
    const char *name; /* as the linker has it */
    uint64_t address, bytes;
};

/* The next one from symbol *at on, which is 0 at first and moves behind it. False: there are no more. */
bool grosr_cubin_next_variable(const struct grosr_cubin *cubin, uint64_t *at,
                               struct grosr_cubin_variable *variable);

/* The kernel's arguments, ordered by index; how many, at most `room`. */
uint32_t grosr_cubin_arguments(const struct grosr_cubin *cubin, const char *kernel,
                               struct grosr_cubin_argument *argument, uint32_t room);

#endif
