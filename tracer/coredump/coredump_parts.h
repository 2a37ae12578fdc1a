/*
 * What the files of coredump.h share. A core is built in order: tables, images, grids, warps with their
 * places, groups.
 */
#ifndef GROSR_COREDUMP_PARTS_H
#define GROSR_COREDUMP_PARTS_H

#include "coredump.h"

#include "../nvidia/cubin.h"

/* Types of sections, from SHT_LOUSER on. */
enum {
    CORE_DEVICES = 9,
    CORE_CONTEXTS,
    CORE_SMS,
    CORE_GRIDS,
    CORE_BLOCKS,
    CORE_WARPS,
    CORE_LANES,
    CORE_MODULES,
    CORE_MANAGED = 1, /* memory, at the section's address */
    CORE_GLOBAL,
    CORE_REGISTERS = 5, /* of a lane, 32 bits each */
    CORE_IMAGE = 7,     /* relocated */
    CORE_PARAMETERS = 18,
    CORE_UNIFORM_REGISTERS, /* of a warp, 32 bits each */
    CORE_META = 22,
    CORE_TYPES = 24
};
#define CORE_TYPE_BASE 0x80000000u

/* Sections of one type, in their order. */
struct core_list {
    uint32_t *section;
    uint32_t count, room;
};

struct core_image {
    uint32_t device;
    uint64_t context, module;
    struct grosr_cubin *cubin;
};

/* What a place is found by, besides its address. */
struct core_key {
    uint64_t hash, context;
    uint32_t device;
};

/* A core while it is read, and what must stay afterwards. */
struct core_reader {
    struct grosr_core core; /* first: the one is the other */
    void *map;              /* of the file; NULL: the bytes are the caller's */
    uint64_t map_bytes;
    struct grosr_elf elf;
    struct core_list list[CORE_TYPES];
    struct grosr_elf_section texts;
    struct core_image *image;
    uint32_t images;
    struct core_key *key; /* of each place */
    uint32_t *slot;       /* a hash table of places, plus 1; 0: free. It has twice as many slots as places */
    uint32_t places_room;
};

/* A table, with its rows. */
struct core_table {
    struct grosr_elf_section section;
    uint64_t row_bytes, rows;
};

/* Lists the sections by type; -EINVAL if one is not in the file. */
int core_list_sections(struct core_reader *reader);

/* The table in that section. -EINVAL: it is of another type, or its rows are shorter than any driver's. */
int core_table(const struct core_reader *reader, uint32_t section, uint32_t type, struct core_table *table);

/* The table that this section's parent is in, and the row's bytes. */
int core_parent(const struct core_reader *reader, const struct grosr_elf_section *child, uint32_t type,
                struct core_table *table, const unsigned char **row);

static inline const unsigned char *core_row(const struct core_table *table, uint64_t row)
{
    return table->section.data + row * table->row_bytes;
}
#define core_u32(table, row, offset) grosr_elf_u32(row, (table)->row_bytes, offset)
#define core_u64(table, row, offset) grosr_elf_u64(row, (table)->row_bytes, offset)

/* By device and id, which is how grids are ordered; the one of that device and id. */
int core_compare_grids(const void *a, const void *b);
uint32_t core_find_grid(const struct grosr_core *core, uint32_t device, uint64_t id);

int core_read_images(struct core_reader *reader);
/* The place of an address in code of the grid; GROSR_CORE_NONE: out of memory. */
uint32_t core_place(struct core_reader *reader, const struct grosr_core_grid *grid, uint32_t device,
                    uint64_t address);
/* The grid's kernel and its arguments by name; -ENOMEM. */
int core_name_grid(struct core_reader *reader, struct grosr_core_grid *grid, const unsigned char *arguments,
                   uint64_t bytes);
/* The module, and the function in it, that the address is in; false: none has it. */
bool core_code(const struct core_reader *reader, const struct grosr_core_grid *grid, uint32_t device,
               uint64_t address, const struct core_image **image, struct grosr_cubin_function *function);
/* The name without its types, which is the caller's; NULL: out of memory. */
char *core_brief_name(const char *mangled);
/* "1,055". Returns `text`. */
const char *core_count_text(char text[32], uint64_t count);
int core_read_warps(struct core_reader *reader);
int core_group(struct grosr_core *core);

/* ---- what is in registers ---- */

/* Words that can be an address: the others are more likely numbers. */
#define CORE_ADDRESS_MIN (UINT64_C(1) << 32)
#define CORE_ADDRESS_END (UINT64_C(1) << 57)

/* Something that a session knows. `owner`: which session, of those that were found. */
struct core_known {
    struct grosr_core_name name;
    uint32_t owner;
    uint32_t word_bytes; /* of a lock or a word: 4, 8; else 0 */
};

/* A session's time, CLOCK_REALTIME. */
struct core_owner {
    uint64_t from_s, until_s; /* until: its last sign of life; UINT64_MAX: it lives */
};

struct grosr_core_sessions {
    struct core_known *known;
    struct core_owner *owner;
    uint32_t count, room, owners;
};

/* Adds a name, whose texts it takes also when it fails; -ENOMEM. */
int core_add_name(struct grosr_core *core, struct grosr_core_name name);
/* Those of the core itself, in any order: its modules' variables and its kernels' arguments. -ENOMEM. */
int core_name_own(struct core_reader *reader);
/* Those of sessions whose time the dump is of, or of all; -ENOMEM. */
int core_name_sessions(struct core_reader *reader, const struct grosr_core_sessions *sessions, bool all);
/* A word of memory, if it is in the dump. */
bool core_memory(const struct core_reader *reader, uint64_t address, uint32_t bytes, uint64_t *value);

#endif
