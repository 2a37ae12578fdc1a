/*
 * Core dumps of GPUs that are made up, in the driver's format (cudacoredump.h): devices, modules, grids, SMs,
 * blocks, warps and lanes are added in that order, each to one that is there, and dump_finish() lays them
 * out. The rows are those of driver r580.
 *
 * image_make() makes a module of one kernel, relocated to an address: 64 instructions, steps.cu from line 10
 * on with four of them a line; a block barrier is instruction 20 (line 15), and instructions 40 to 47 are
 * grid.sync(), which line 20 calls. Instructions 56 to 58 (line 22) are a loop that polls the word at R2 +
 * 0x40. A relocated one has two variables in global memory.
 */
#ifndef GROSR_COREDUMP_WRITER_H
#define GROSR_COREDUMP_WRITER_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE_KERNEL       "_Z13segment_stepsPKiPf"
#define IMAGE_ADDRESS      UINT64_C(0x7f3210001000)
#define IMAGE_INSTRUCTIONS 64u
#define IMAGE_BARRIER      23u /* the last instruction of line 15 */
#define IMAGE_GRID_SYNC    42u
#define IMAGE_POLL         57u /* in its loop, behind the load */
#define IMAGE_BYTES        4096u
#define IMAGE_FLAG         UINT64_C(0x7f3210480000) /* 4 bytes: flag */
#define IMAGE_TABLE        (IMAGE_FLAG + 0x100)
#define IMAGE_TABLE_BYTES  0x1000u

/* ---- bytes that grow ---- */

struct bytes {
    unsigned char *at;
    size_t size, room;
};

static inline void bytes_add(struct bytes *b, const void *data, size_t size)
{
    if (b->size + size > b->room) {
        b->room = (b->size + size) * 2;
        b->at = (unsigned char *)realloc(b->at, b->room);
        if (!b->at)
            abort();
    }
    if (size)
        memcpy(b->at + b->size, data, size);
    b->size += size;
}

static inline void bytes_add8(struct bytes *b, unsigned value)
{
    unsigned char c = (unsigned char)value;
    bytes_add(b, &c, 1);
}

static inline void bytes_add32(struct bytes *b, uint32_t value)
{
    bytes_add(b, &value, 4);
}
static inline void bytes_add64(struct bytes *b, uint64_t value)
{
    bytes_add(b, &value, 8);
}

static inline void align(struct bytes *b, size_t to)
{
    while (b->size % to)
        bytes_add8(b, 0);
}

/* ---- ELF files ---- */

struct elf_writer {
    struct bytes file, headers, names;
    uint32_t sections;
};

static inline void elf_begin(struct elf_writer *w)
{
    static const Elf64_Ehdr no_header = {0};
    static const Elf64_Shdr no_section = {0};

    memset(w, 0, sizeof(*w));
    bytes_add(&w->file, &no_header, sizeof(no_header));
    bytes_add(&w->headers, &no_section, sizeof(no_section));
    bytes_add8(&w->names, 0);
    w->sections = 1;
}

static inline uint32_t elf_add(struct elf_writer *w, const char *name, uint32_t type, uint32_t link,
                               uint32_t info, uint64_t address, uint64_t row, const void *data, size_t size)
{
    align(&w->file, 16);
    Elf64_Shdr h = {.sh_name = (Elf64_Word)w->names.size,
                    .sh_type = type,
                    .sh_addr = address,
                    .sh_offset = w->file.size,
                    .sh_size = size,
                    .sh_link = link,
                    .sh_info = info,
                    .sh_entsize = row};
    bytes_add(&w->names, name, strlen(name) + 1);
    bytes_add(&w->file, data, size);
    bytes_add(&w->headers, &h, sizeof(h));
    return w->sections++;
}

/* The file's bytes, which are the caller's. */
static inline struct bytes elf_finish(struct elf_writer *w, uint16_t type)
{
    struct bytes names = {0};

    bytes_add(&names, w->names.at, w->names.size);
    bytes_add(&names, ".shstrtab", sizeof(".shstrtab"));
    uint32_t index = elf_add(w, ".shstrtab", SHT_STRTAB, 0, 0, 0, 0, names.at, names.size);
    align(&w->file, 16);
    Elf64_Ehdr h = {.e_type = type,
                    .e_machine = 190,
                    .e_version = EV_CURRENT,
                    .e_shoff = w->file.size,
                    .e_ehsize = sizeof(h),
                    .e_shentsize = sizeof(Elf64_Shdr),
                    .e_shnum = (uint16_t)(w->sections < SHN_LORESERVE ? w->sections : 0),
                    .e_shstrndx = (uint16_t)(index < SHN_LORESERVE ? index : SHN_XINDEX)};
    memcpy(h.e_ident, "\177ELF\2\1\1\x33\7", 9);
    Elf64_Shdr *first = (Elf64_Shdr *)(void *)w->headers.at;
    first->sh_size = w->sections < SHN_LORESERVE ? 0 : w->sections;
    first->sh_link = index < SHN_LORESERVE ? 0 : index;
    bytes_add(&w->file, w->headers.at, w->headers.size);
    memcpy(w->file.at, &h, sizeof(h));
    free(w->headers.at);
    free(w->names.at);
    free(names.at);
    return w->file;
}

/* ---- a module ---- */

static inline void put_uleb(struct bytes *b, uint32_t value)
{
    for (; value >= 0x80; value >>= 7)
        bytes_add8(b, (value & 0x7f) | 0x80);
    bytes_add8(b, value);
}

static inline void put_row(struct bytes *b, int line_by, unsigned address_by)
{
    bytes_add8(b, 3);                        /* advance the line */
    bytes_add8(b, (unsigned)line_by & 0x7f); /* as it is: from -64 to 63 */
    bytes_add8(b, 2);                        /* advance the address */
    put_uleb(b, address_by);
    bytes_add8(b, 1); /* a row */
}

static inline void put_inlined(struct bytes *b, uint32_t call, uint32_t name)
{
    struct bytes operands = {0};

    bytes_add8(&operands, 0x90);
    put_uleb(&operands, call);
    put_uleb(&operands, name);
    bytes_add8(b, 0);
    put_uleb(b, (uint32_t)operands.size);
    bytes_add(b, operands.at, operands.size);
    free(operands.at);
}

static inline struct bytes image_lines(uint64_t address)
{
    static const char head[] = "\1\1\373\16\12"                  /* steps of addresses, of lines; opcodes */
                               "\0\1\1\1\1\0\0\0\1"              /* operands of opcodes 1 to 9 */
                               "/src\0/cuda/include\0\0"         /* folders */
                               "steps.cu\0\1\0\0sync.h\0\2\0\0"; /* files: folder, time, length */
    struct bytes b = {0};

    bytes_add32(&b, 0);
    bytes_add(&b, "\2", 2);
    bytes_add32(&b, sizeof(head));
    bytes_add(&b, head, sizeof(head));
    bytes_add(&b, "\0\11\2", 3);
    bytes_add64(&b, address);
    put_row(&b, 9, 0); /* line 10 */
    for (unsigned line = 11; line <= 20; line++)
        put_row(&b, 1, 64);
    /* The eleventh row is line 20, at instruction 40: the call. */
    bytes_add(&b, "\4\2", 2);
    put_inlined(&b, 11, 1);
    put_row(&b, 63, 0);
    put_row(&b, 15, 32); /* sync.h:98 at instruction 42 */
    put_inlined(&b, 0, 0);
    bytes_add(&b, "\4\1", 2);
    put_row(&b, -64, 96); /* line 34 at instruction 48 */
    put_row(&b, -12, 64); /* line 22 at instruction 52 */
    bytes_add8(&b, 2);
    put_uleb(&b, 192);
    bytes_add(&b, "\0\1\1", 3);
    uint32_t length = (uint32_t)b.size - 4;
    memcpy(b.at, &length, sizeof(length));
    return b;
}

/* A module of one kernel with that code. */
static inline struct bytes image_of(const char *kernel, uint64_t (*code)[2], uint64_t address, int with_lines)
{
    static const char inlined[] = "\0_ZNK18cooperative_groups4__v110grid_group4syncEv";
    static const uint32_t arguments[] = {0x000c1704, 0, 0x00080001, 4u << 18, /* at 8, of 4 bytes */
                                         0x000c1704, 0, 0x00000000, 8u << 18};
    const size_t code_bytes = IMAGE_INSTRUCTIONS * sizeof(*code);
    struct elf_writer w;
    struct bytes names = {0};
    char section[256];
    Elf64_Sym symbols[4] = {{0}};

    bytes_add8(&names, 0);
    bytes_add(&names, kernel, strlen(kernel) + 1);
    bytes_add(&names, "flag", 5);
    bytes_add(&names, "_ZN4ring5tableE", 16);
    elf_begin(&w);
    snprintf(section, sizeof(section), ".text.%s", kernel);
    uint32_t text = elf_add(&w, section, SHT_PROGBITS, 0, 0, address, 0, code, code_bytes);
    uint32_t strings = elf_add(&w, ".strtab", SHT_STRTAB, 0, 0, 0, 0, names.at, names.size);
    symbols[1] = (Elf64_Sym){.st_name = 1,
                             .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                             .st_other = 0x10,
                             .st_shndx = (uint16_t)text,
                             .st_value = address,
                             .st_size = code_bytes};
    uint32_t global = elf_add(&w, ".nv.global", SHT_NOBITS, 0, 0, address ? IMAGE_FLAG : 0, 0, NULL, 0);
    for (unsigned i = 2; i < 4; i++)
        symbols[i] = (Elf64_Sym){.st_name = (Elf64_Word)(strlen(kernel) + (i == 2 ? 2 : 7)),
                                 .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT),
                                 .st_shndx = (uint16_t)global,
                                 .st_value = (address ? IMAGE_FLAG : 0) + (i == 2 ? 0 : 0x100),
                                 .st_size = i == 2 ? 4 : IMAGE_TABLE_BYTES};
    elf_add(&w, ".symtab", SHT_SYMTAB, strings, 1, 0, sizeof(Elf64_Sym), symbols, sizeof(symbols));
    snprintf(section, sizeof(section), ".nv.info.%s", kernel);
    elf_add(&w, section, SHT_LOPROC, 0, 0, 0, 0, arguments, sizeof(arguments));
    if (with_lines) {
        struct bytes lines = image_lines(address);
        elf_add(&w, ".debug_line", SHT_PROGBITS, 0, 0, 0, 0, lines.at, lines.size);
        elf_add(&w, ".debug_str", SHT_PROGBITS, 0, 0, 0, 0, inlined, sizeof(inlined));
        free(lines.at);
    }
    free(names.at);
    struct bytes file = elf_finish(&w, ET_EXEC);
    uint32_t capability = 80;
    memcpy(file.at + offsetof(Elf64_Ehdr, e_flags), &capability, sizeof(capability));
    return file;
}

#define IMAGE_NOP 0x7918u

/* The word of a branch, as GPUs before compute capability 9.0 have it; `to` and `from` are instructions. */
static inline void image_branch(uint64_t word[2], unsigned from, unsigned to)
{
    uint64_t distance = (uint64_t)(((int64_t)to - (int64_t)from - 1) * 16);

    word[0] = 0x0947 | distance << 32;
    word[1] = distance >> 32 & 0x3ffff;
}

static inline struct bytes image_make(uint64_t address, int with_lines)
{
    uint64_t code[IMAGE_INSTRUCTIONS][2];

    for (unsigned i = 0; i < IMAGE_INSTRUCTIONS; i++) {
        code[i][0] = i == IMAGE_BARRIER ? 0x7b1d : IMAGE_NOP; /* BAR.SYNC, NOP */
        code[i][1] = i == IMAGE_BARRIER ? 0x10000 : 0;
    }
    code[56][0] = UINT64_C(0x0000400402007981); /* LDG.E.STRONG.SYS R0, [R2.64+0x40] */
    code[56][1] = UINT64_C(0x000ea4000c1f5900);
    code[57][0] = UINT64_C(0x000000ff0000720c); /* ISETP */
    image_branch(code[58], 58, 56);
    return image_of(IMAGE_KERNEL, code, address, with_lines);
}

/* ---- a core dump ---- */

enum { DUMP_DEVICE, DUMP_IMAGE, DUMP_GRID, DUMP_SM, DUMP_BLOCK, DUMP_WARP, DUMP_LANE, DUMP_KINDS };

/* A row of a table, which is what `parent` of the kind above has; and what else there is about it: a module's
 * image, a grid's arguments, a warp's uniform registers, a lane's registers. */
struct dump_row {
    uint32_t parent;
    unsigned char row[120];
    struct bytes blob;
};

struct dump {
    struct bytes rows[DUMP_KINDS];
    struct bytes texts;
    uint32_t registers; /* of each lane that is given none; 0: none */
    uint32_t timestamp; /* 0: 1764288000 */
    struct bytes memory;
    uint64_t memory_at;
};

static inline struct dump_row *dump_at(struct dump *d, unsigned kind, uint32_t index)
{
    return (struct dump_row *)(void *)d->rows[kind].at + index;
}

static inline uint32_t dump_count(const struct dump *d, unsigned kind)
{
    return (uint32_t)(d->rows[kind].size / sizeof(struct dump_row));
}

static inline uint32_t dump_add(struct dump *d, unsigned kind, uint32_t parent)
{
    struct dump_row row = {.parent = parent};

    bytes_add(&d->rows[kind], &row, sizeof(row));
    return dump_count(d, kind) - 1;
}

static inline void set32(struct dump *d, unsigned kind, uint32_t index, unsigned offset, uint32_t value)
{
    memcpy(dump_at(d, kind, index)->row + offset, &value, sizeof(value));
}

static inline void set64(struct dump *d, unsigned kind, uint32_t index, unsigned offset, uint64_t value)
{
    memcpy(dump_at(d, kind, index)->row + offset, &value, sizeof(value));
}

static inline uint32_t dump_device(struct dump *d, const char *name)
{
    uint32_t i = dump_add(d, DUMP_DEVICE, 0);

    if (!d->texts.size)
        bytes_add8(&d->texts, 0);
    set64(d, DUMP_DEVICE, i, 0, d->texts.size);
    bytes_add(&d->texts, name, strlen(name) + 1);
    set32(d, DUMP_DEVICE, i, 24, i);
    set32(d, DUMP_DEVICE, i, 36, 132);
    set32(d, DUMP_DEVICE, i, 40, 64);
    set32(d, DUMP_DEVICE, i, 44, 32);
    set32(d, DUMP_DEVICE, i, 56, 9);
    set32(d, DUMP_DEVICE, i, 64, 16);
    return i;
}

/* The module's handle is its number plus 100. Takes the image. */
static inline uint32_t dump_image(struct dump *d, uint32_t device, struct bytes image)
{
    uint32_t i = dump_add(d, DUMP_IMAGE, device);

    set64(d, DUMP_IMAGE, i, 0, i + 100);
    dump_at(d, DUMP_IMAGE, i)->blob = image;
    return i;
}

/* The grid's id is its number plus 1. */
static inline uint32_t dump_grid(struct dump *d, uint32_t device, uint32_t image, uint64_t entry,
                                 uint32_t blocks, uint32_t threads)
{
    uint32_t i = dump_add(d, DUMP_GRID, device);
    uint32_t dimensions[] = {blocks, 1, 1, threads, 1, 1};

    set64(d, DUMP_GRID, i, 0, i + 1);
    set64(d, DUMP_GRID, i, 8, device + 50);
    set64(d, DUMP_GRID, i, 24, entry);
    set64(d, DUMP_GRID, i, 32, image + 100);
    for (unsigned k = 0; k < 6; k++)
        set32(d, DUMP_GRID, i, 72 + 4 * k, dimensions[k]);
    return i;
}

static inline void dump_arguments(struct dump *d, uint32_t grid, const void *data, size_t size)
{
    bytes_add(&dump_at(d, DUMP_GRID, grid)->blob, data, size);
}

static inline uint32_t dump_sm(struct dump *d, uint32_t device, uint32_t id)
{
    uint32_t i = dump_add(d, DUMP_SM, device);

    set32(d, DUMP_SM, i, 0, id);
    return i;
}

static inline uint32_t dump_block(struct dump *d, uint32_t sm, uint32_t grid, uint32_t index)
{
    uint32_t i = dump_add(d, DUMP_BLOCK, sm);

    set64(d, DUMP_BLOCK, i, 0, grid + 1);
    set32(d, DUMP_BLOCK, i, 8, index);
    return i;
}

static inline uint32_t dump_warp(struct dump *d, uint32_t block, uint32_t id, uint32_t valid, uint32_t active)
{
    uint32_t i = dump_add(d, DUMP_WARP, block);

    set32(d, DUMP_WARP, i, 8, id);
    set32(d, DUMP_WARP, i, 12, valid);
    set32(d, DUMP_WARP, i, 16, active);
    return i;
}

static inline uint32_t dump_lane(struct dump *d, uint32_t warp, uint32_t lane, uint32_t thread, uint64_t pc)
{
    uint32_t i = dump_add(d, DUMP_LANE, warp);

    set64(d, DUMP_LANE, i, 0, pc);
    set32(d, DUMP_LANE, i, 16, lane);
    set32(d, DUMP_LANE, i, 20, thread);
    return i;
}

/* Adds 64 bits to the registers of a lane, or to the uniform ones of a warp. */
static inline void dump_register_pair(struct dump *d, unsigned kind, uint32_t index, uint64_t value)
{
    bytes_add64(&dump_at(d, kind, index)->blob, value);
}

/* A warp with all its lanes at one place. */
static inline uint32_t dump_whole_warp(struct dump *d, uint32_t block, uint32_t warp, unsigned instruction)
{
    uint32_t i = dump_warp(d, block, warp, 0xffffffffu, 0xffffffffu);

    for (uint32_t lane = 0; lane < 32; lane++)
        dump_lane(d, i, lane, 32 * warp + lane, IMAGE_ADDRESS + 16 * instruction);
    return i;
}

/* Where the table of a parent's children is. Children are in the order of their parents. */
struct dump_tables {
    uint32_t *section; /* by parent */
    uint32_t *row;     /* by child: its row in that table */
};

static inline struct dump_tables dump_tables(struct dump *d, struct elf_writer *w, unsigned kind,
                                             unsigned parent_kind, const struct dump_tables *parents,
                                             const char *name, uint32_t type, uint32_t row_bytes)
{
    struct dump_tables t = {(uint32_t *)calloc(dump_count(d, parent_kind) + 1, 4),
                            (uint32_t *)calloc(dump_count(d, kind) + 1, 4)};

    for (uint32_t i = 0, count = dump_count(d, kind); i < count;) {
        uint32_t parent = dump_at(d, kind, i)->parent;
        struct bytes table = {0};
        for (uint32_t row = 0; i < count && dump_at(d, kind, i)->parent == parent; i++) {
            t.row[i] = row++;
            bytes_add(&table, dump_at(d, kind, i)->row, row_bytes);
        }
        uint32_t above = dump_at(d, parent_kind, parent)->parent;
        uint32_t link = parent_kind == DUMP_DEVICE ? parents->section[0] : parents->section[above];
        t.section[parent] = elf_add(w, name, 0x80000000u + type, link, parents->row[parent], 0, row_bytes,
                                    table.at, table.size);
        free(table.at);
    }
    return t;
}

static inline void free_tables(struct dump_tables *t)
{
    free(t->section);
    free(t->row);
}

/* The file's bytes, which are the caller's. The dump is empty afterwards. */
static inline struct bytes dump_finish(struct dump *d)
{
    const uint32_t meta[8] = {0, 0, 580, 65, 13, 0, 0x3f, d->timestamp ? d->timestamp : 1764288000};
    struct elf_writer w;
    struct bytes devices = {0};
    uint32_t count = dump_count(d, DUMP_DEVICE), device_table;
    struct dump_tables top = {&device_table, (uint32_t *)calloc(count + 1, 4)};

    elf_begin(&w);
    elf_add(&w, ".cudbg.meta", 0x80000016u, 0, 0, 0, 0, meta, sizeof(meta));
    elf_add(&w, ".strtab", SHT_STRTAB, 0, 0, 0, 0, d->texts.at, d->texts.size);
    for (uint32_t i = 0; i < count; i++) {
        top.row[i] = i;
        bytes_add(&devices, dump_at(d, DUMP_DEVICE, i)->row, 88);
    }
    device_table = elf_add(&w, ".cudbg.devtbl", 0x80000009u, 0, 0, 0, 88, devices.at, devices.size);
    for (uint32_t i = 0, next = 0; i < count; i++) { /* a context for each device */
        uint64_t context[5] = {i + 50};
        struct bytes modules = {0};
        uint32_t first = next, images = dump_count(d, DUMP_IMAGE);
        uint32_t table = elf_add(&w, ".cudbg.ctxtbl", 0x8000000au, device_table, i, 0, 40, context, 40);
        for (; next < images && dump_at(d, DUMP_IMAGE, next)->parent == i; next++)
            bytes_add(&modules, dump_at(d, DUMP_IMAGE, next)->row, 8);
        table = elf_add(&w, ".cudbg.modtbl", 0x80000010u, table, 0, 0, 8, modules.at, modules.size);
        for (uint32_t k = first; k < next; k++)
            elf_add(&w, ".cudbg.relfimg", 0x80000007u, table, k - first, 0, 0,
                    dump_at(d, DUMP_IMAGE, k)->blob.at, dump_at(d, DUMP_IMAGE, k)->blob.size);
        free(modules.at);
    }
    struct dump_tables grids = dump_tables(d, &w, DUMP_GRID, DUMP_DEVICE, &top, ".cudbg.gridtbl", 12, 120);
    for (uint32_t i = 0; i < dump_count(d, DUMP_GRID); i++) {
        struct dump_row *g = dump_at(d, DUMP_GRID, i);
        if (g->blob.size)
            elf_add(&w, ".cudbg.param", 0x80000012u, grids.section[g->parent], grids.row[i], 0, 0, g->blob.at,
                    g->blob.size);
    }
    struct dump_tables sms = dump_tables(d, &w, DUMP_SM, DUMP_DEVICE, &top, ".cudbg.smtbl", 11, 40);
    struct dump_tables blocks = dump_tables(d, &w, DUMP_BLOCK, DUMP_SM, &sms, ".cudbg.ctatbl", 13, 56);
    struct dump_tables warps = dump_tables(d, &w, DUMP_WARP, DUMP_BLOCK, &blocks, ".cudbg.wptbl", 14, 64);
    struct dump_tables lanes = dump_tables(d, &w, DUMP_LANE, DUMP_WARP, &warps, ".cudbg.lntbl", 15, 56);
    for (uint32_t i = 0; i < dump_count(d, DUMP_WARP); i++) {
        const struct dump_row *warp = dump_at(d, DUMP_WARP, i);
        if (warp->blob.size)
            elf_add(&w, ".cudbg.uregs", 0x80000013u, warps.section[warp->parent], warps.row[i], 0, 4,
                    warp->blob.at, warp->blob.size);
    }
    for (uint32_t i = 0; i < dump_count(d, DUMP_LANE); i++) {
        const struct dump_row *lane = dump_at(d, DUMP_LANE, i);
        if (lane->blob.size || d->registers)
            elf_add(&w, ".cudbg.regs", 0x80000005u, lanes.section[lane->parent], lanes.row[i], 0, 4,
                    lane->blob.size ? lane->blob.at : (const void *)meta,
                    lane->blob.size ? lane->blob.size : 4 * (d->registers < 8 ? d->registers : 8));
    }
    if (d->memory.size)
        elf_add(&w, ".cudbg.global.0", 0x80000002u, 0, 0, d->memory_at, 0, d->memory.at, d->memory.size);
    struct bytes file = elf_finish(&w, ET_CORE);

    struct dump_tables *all[] = {&grids, &sms, &blocks, &warps, &lanes};
    for (unsigned i = 0; i < 5; i++)
        free_tables(all[i]);
    for (unsigned kind = 0; kind < DUMP_KINDS; kind++) {
        for (uint32_t i = 0; i < dump_count(d, kind); i++)
            free(dump_at(d, kind, i)->blob.at);
        free(d->rows[kind].at);
    }
    free(devices.at);
    free(top.row);
    free(d->texts.at);
    free(d->memory.at);
    memset(d, 0, sizeof(*d));
    return file;
}

/* A dump of one kernel whose warps stand at these instructions, `warps` in a block, of a grid of `blocks`. */
static inline struct bytes dump_simple(uint32_t blocks, uint32_t warps, const unsigned *instruction,
                                       uint32_t count)
{
    static const uint64_t arguments[2] = {0x7f3000000000, 3};
    struct dump d = {0};
    uint32_t device = dump_device(&d, "NVIDIA H100 80GB HBM3");
    uint32_t image = dump_image(&d, device, image_make(IMAGE_ADDRESS, 1));
    uint32_t grid = dump_grid(&d, device, image, IMAGE_ADDRESS, blocks, warps * 32);

    dump_arguments(&d, grid, arguments, 12);
    for (uint32_t i = 0; i < count; i += warps) {
        uint32_t block = dump_block(&d, dump_sm(&d, device, i / warps), grid, i / warps);
        for (uint32_t k = 0; k < warps && i + k < count; k++)
            dump_whole_warp(&d, block, k, instruction[i + k]);
    }
    return dump_finish(&d);
}

#endif
