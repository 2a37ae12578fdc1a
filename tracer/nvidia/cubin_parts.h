/*
 * What the files of cubin.h share.
 */
#ifndef GROSR_CUBIN_PARTS_H
#define GROSR_CUBIN_PARTS_H

#include "cubin.h"

/* A row of the line table's matrix, in the order in which it was made. */
struct cubin_row {
    uint64_t address;
    uint32_t section;  /* that the address is in; 0: not known, any */
    uint32_t line;     /* 0: the sequence ends here */
    uint32_t file;     /* in cubin_lines.file */
    uint32_t caller;   /* the row of the call that was inlined, plus 1; 0: none */
    uint32_t function; /* its name in .debug_str, plus 1; 0: none */
};

struct cubin_file {
    const char *directory, *name;
};

struct cubin_lines {
    struct cubin_row *row;
    uint32_t *order; /* rows by section and address */
    uint32_t rows, room;
    struct cubin_file *file;
    uint32_t files, files_room;
    struct grosr_elf_section names; /* .debug_str */
};

struct grosr_cubin {
    struct grosr_elf elf;
    struct grosr_cubin_function *function; /* by address, the outer one before the inner */
    uint32_t functions;
    struct cubin_lines lines;
    bool lines_read;
};

/* The address that a symbol stands for, and its section. */
bool cubin_symbol(const struct grosr_cubin *cubin, const struct grosr_elf_section *symbols, uint64_t index,
                  uint64_t *address, uint32_t *section);

/* Branches; and where one goes to, from the instruction behind it on. */
enum { CUBIN_BRA = 0x947, CUBIN_BRA_UNIFORM = 0x547 };
uint64_t cubin_branch_distance(const struct grosr_cubin *cubin, const uint64_t word[2]);

/* Reads .debug_line as far as it is sound; nothing if there is none or memory is short. */
void cubin_lines_read(struct grosr_cubin *cubin);

#endif
