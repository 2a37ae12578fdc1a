/*
 * The line table of a module's image (cubin.h): the programs of .debug_line, DWARF 2 to 4, run into one
 * matrix of rows.
 *
 * NVIDIA adds two extended opcodes. 0x90 says that the rows after it were inlined: the number of the row of
 * the call, counted from 1 in the sequence (0: none any more), and the function's name in .debug_str. 0x91
 * names the function without a call. Where a relocation stands for the address of a sequence, it counts: so
 * an image that has not been relocated is read too. What is written there is its addend, unless it has one of
 * its own, as those for compute capability 9.0 and later have.
 */
#include "cubin_parts.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ROWS  (16u << 20)
#define MAX_FILES (1u << 20)
#define MAX_DEPTH 64u         /* of inlined calls */
#define MAX_STEPS (64u << 20) /* through relocations, in all */

enum { STANDARD_COPY = 1, ADVANCE_PC, ADVANCE_LINE, SET_FILE, CONST_ADD_PC = 8, FIXED_ADVANCE_PC = 9 };
enum { EXTENDED_END = 1, EXTENDED_ADDRESS = 2, EXTENDED_INLINED_CALL = 0x90, EXTENDED_FUNCTION_NAME = 0x91 };

/* Bytes that are read one after the other; once they end, all that is read is 0. */
struct reader {
    const unsigned char *at, *end;
};

static uint64_t get(struct reader *r, size_t bytes)
{
    uint64_t value = 0;

    if ((size_t)(r->end - r->at) < bytes) {
        r->at = r->end;
        return 0;
    }
    memcpy(&value, r->at, bytes);
    r->at += bytes;
    return value;
}

static uint64_t get_uleb(struct reader *r)
{
    uint64_t value = 0;

    for (unsigned shift = 0; r->at < r->end; shift += 7) {
        unsigned char b = *r->at++;
        if (shift < 64)
            value |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            break;
    }
    return value;
}

static int64_t get_sleb(struct reader *r)
{
    uint64_t value = 0;

    for (unsigned shift = 0; r->at < r->end;) {
        unsigned char b = *r->at++;
        if (shift < 64)
            value |= (uint64_t)(b & 0x7f) << shift;
        shift += 7;
        if (!(b & 0x80)) {
            if ((b & 0x40) && shift < 64)
                value |= ~(uint64_t)0 << shift;
            break;
        }
    }
    return (int64_t)value;
}

static const char *get_text(struct reader *r)
{
    const unsigned char *end = (const unsigned char *)memchr(r->at, 0, (size_t)(r->end - r->at));
    const char *text = (const char *)r->at;

    if (!end) {
        r->at = r->end;
        return "";
    }
    r->at = end + 1;
    return text;
}

/* A program of the table, and the registers of its machine. */
struct program {
    struct grosr_cubin *cubin;
    struct reader code;
    const unsigned char *table; /* where .debug_line begins */
    struct grosr_elf_section relocations, symbols;
    uint64_t relocation_bytes; /* of each */
    uint64_t relocation;       /* the one to look at next: mostly they are in order */
    uint32_t relocation_steps; /* that may still be taken to find one */

    uint32_t min_bytes, line_range, opcode_base;
    int32_t line_base;
    const unsigned char *operands; /* how many each standard opcode has */
    uint32_t first_file, files;    /* in cubin_lines.file */

    uint32_t first_row; /* of the sequence */
    struct cubin_row now;
};

static bool grow(void **array, uint32_t *room, uint32_t used, size_t size, uint32_t max)
{
    if (used < *room)
        return true;
    uint32_t wider = *room ? *room * 2 : 256;
    void *grown = used < max ? realloc(*array, wider * size) : NULL;
    if (!grown)
        return false;
    *array = grown;
    *room = wider;
    return true;
}

static bool add_row(struct program *p, bool end)
{
    struct cubin_lines *lines = &p->cubin->lines;

    if (!grow((void **)&lines->row, &lines->room, lines->rows, sizeof(*lines->row), MAX_ROWS))
        return false;
    struct cubin_row *row = &lines->row[lines->rows++];
    *row = p->now;
    if (end)
        row->line = 0;
    /* A call that has not been made yet would let inlined calls go in a circle. */
    if (row->caller >= lines->rows)
        row->caller = 0;
    return true;
}

/* The relocation of the eight bytes there, if there is one. */
static void relocate(struct program *p, uint64_t offset)
{
    uint64_t count = p->relocations.size / p->relocation_bytes;

    p->now.section = 0;
    for (uint64_t n = 0; n < count && p->relocation_steps; n++, p->relocation_steps--) {
        uint64_t i = (p->relocation + n) % count;
        Elf64_Rela r = {.r_addend = (Elf64_Sxword)p->now.address};
        memcpy(&r, p->relocations.data + i * p->relocation_bytes, p->relocation_bytes);
        uint64_t base;
        if (r.r_offset != offset)
            continue;
        if (cubin_symbol(p->cubin, &p->symbols, ELF64_R_SYM(r.r_info), &base, &p->now.section))
            p->now.address = base + (uint64_t)r.r_addend;
        p->relocation = i + 1;
        return;
    }
}

static void begin_sequence(struct program *p)
{
    p->now = (struct cubin_row){.line = 1, .file = p->first_file};
    p->first_row = p->cubin->lines.rows;
}

static bool extended(struct program *p)
{
    uint64_t bytes = get_uleb(&p->code);
    struct reader operands = {p->code.at, p->code.at + bytes};

    if (bytes == 0 || bytes > (uint64_t)(p->code.end - p->code.at))
        return false;
    p->code.at += bytes;
    switch (get(&operands, 1)) {
    case EXTENDED_END:
        if (!add_row(p, true))
            return false;
        begin_sequence(p);
        break;
    case EXTENDED_ADDRESS: {
        uint64_t offset = (uint64_t)(operands.at - p->table);
        p->now.address = get(&operands, bytes - 1 < 8 ? (size_t)bytes - 1 : 8);
        relocate(p, offset);
        break;
    }
    case EXTENDED_INLINED_CALL: {
        uint64_t call = get_uleb(&operands), name = get_uleb(&operands);
        p->now.caller = call && call < MAX_ROWS ? (uint32_t)(p->first_row + call) : 0;
        p->now.function = call && name < UINT32_MAX ? (uint32_t)name + 1 : 0;
        break;
    }
    case EXTENDED_FUNCTION_NAME: {
        uint64_t name = get_uleb(&operands);
        p->now.function = name < UINT32_MAX ? (uint32_t)name + 1 : 0;
        break;
    }
    default:
        break;
    }
    return true;
}

static bool standard(struct program *p, uint32_t opcode)
{
    switch (opcode) {
    case STANDARD_COPY:
        return add_row(p, false);
    case ADVANCE_PC:
        p->now.address += get_uleb(&p->code) * p->min_bytes;
        break;
    case ADVANCE_LINE:
        p->now.line += (uint32_t)get_sleb(&p->code);
        break;
    case SET_FILE: {
        uint64_t file = get_uleb(&p->code);
        p->now.file = file >= 1 && file <= p->files ? p->first_file + (uint32_t)file - 1 : UINT32_MAX;
        break;
    }
    case CONST_ADD_PC:
        p->now.address += (uint64_t)((255 - p->opcode_base) / p->line_range) * p->min_bytes;
        break;
    case FIXED_ADVANCE_PC:
        p->now.address += get(&p->code, 2);
        break;
    default: /* columns, blocks, statements: nothing that is kept */
        for (unsigned i = 0; i < p->operands[opcode - 1]; i++)
            get_uleb(&p->code);
    }
    return true;
}

/* False: it is damaged, or memory is short; what has been read of it is kept. */
static bool run(struct program *p)
{
    begin_sequence(p);
    while (p->code.at < p->code.end) {
        uint32_t opcode = *p->code.at++;
        bool good = true;
        if (opcode >= p->opcode_base) {
            uint32_t special = opcode - p->opcode_base;
            p->now.address += (uint64_t)(special / p->line_range) * p->min_bytes;
            p->now.line += (uint32_t)(p->line_base + (int32_t)(special % p->line_range));
            good = add_row(p, false);
        } else if (opcode == 0) {
            good = extended(p);
        } else {
            good = standard(p, opcode);
        }
        if (!good)
            return false;
    }
    return true;
}

/* The tables of folders and of files; a file's folder 0 is where the compiler ran, which is not in here. */
static bool read_files(struct program *p, struct reader *header)
{
    struct cubin_lines *lines = &p->cubin->lines;
    const char **folder = NULL;
    uint32_t folders = 0, room = 0;
    bool good = true;

    for (const char *text; good && *(text = get_text(header));) {
        good = grow((void **)&folder, &room, folders, sizeof(*folder), MAX_FILES);
        if (good)
            folder[folders++] = text;
    }
    p->first_file = lines->files;
    p->files = 0;
    for (const char *name; good && *(name = get_text(header));) {
        uint64_t in = get_uleb(header);
        get_uleb(header);
        get_uleb(header);
        good = grow((void **)&lines->file, &lines->files_room, lines->files, sizeof(*lines->file), MAX_FILES);
        if (good) {
            lines->file[lines->files++] =
                (struct cubin_file){in >= 1 && in <= folders ? folder[in - 1] : "", name};
            p->files++;
        }
    }
    free(folder);
    return good;
}

static bool read_unit(struct program *p, struct reader *unit)
{
    uint64_t version = get(unit, 2), header_bytes = get(unit, 4);
    struct reader header = {unit->at, unit->at + header_bytes};

    if (version < 2 || version > 4 || header_bytes > (uint64_t)(unit->end - unit->at))
        return true; /* the next one may be better */
    p->min_bytes = (uint32_t)get(&header, 1);
    if (version >= 4)
        get(&header, 1);
    get(&header, 1);
    p->line_base = (int8_t)get(&header, 1);
    p->line_range = (uint32_t)get(&header, 1);
    p->opcode_base = (uint32_t)get(&header, 1);
    p->operands = header.at;
    if (p->line_range == 0 || p->opcode_base == 0 || (uint64_t)(header.end - header.at) < p->opcode_base - 1)
        return true;
    header.at += p->opcode_base - 1;
    p->code = (struct reader){unit->at + header_bytes, unit->end};
    return read_files(p, &header) && run(p);
}

static int by_place(const void *a, const void *b, void *rows)
{
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    const struct cubin_row *x = (const struct cubin_row *)rows + i, *y = (const struct cubin_row *)rows + j;

    if (x->section != y->section)
        return x->section < y->section ? -1 : 1;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    /* Where one sequence ends another may begin. */
    if (!x->line != !y->line)
        return x->line ? 1 : -1;
    return i < j ? -1 : i > j;
}

void cubin_lines_read(struct grosr_cubin *cubin)
{
    struct cubin_lines *lines = &cubin->lines;
    struct grosr_elf_section table;
    struct program p = {
        .cubin = cubin, .relocation_bytes = sizeof(Elf64_Rela), .relocation_steps = MAX_STEPS};

    cubin->lines_read = true;
    if (!grosr_elf_named(&cubin->elf, ".debug_line", &table))
        return;
    if (!grosr_elf_named(&cubin->elf, ".debug_str", &lines->names))
        lines->names.size = 0;
    bool relocated = grosr_elf_named(&cubin->elf, ".rela.debug_line", &p.relocations);
    if (!relocated && grosr_elf_named(&cubin->elf, ".rel.debug_line", &p.relocations)) {
        p.relocation_bytes = sizeof(Elf64_Rel);
        relocated = true;
    }
    if (!relocated || grosr_elf_section(&cubin->elf, p.relocations.link, &p.symbols))
        p.relocations.size = 0;
    p.table = table.data;
    struct reader all = {table.data, table.data + table.size};
    while (all.end - all.at > 4) {
        uint64_t bytes = get(&all, 4);
        if (bytes > (uint64_t)(all.end - all.at))
            break;
        struct reader unit = {all.at, all.at + bytes};
        all.at += bytes;
        if (!read_unit(&p, &unit))
            break;
    }
    if (lines->rows)
        lines->order = (uint32_t *)malloc(lines->rows * sizeof(*lines->order));
    if (!lines->order) {
        lines->rows = 0;
        return;
    }
    for (uint32_t i = 0; i < lines->rows; i++)
        lines->order[i] = i;
    qsort_r(lines->order, lines->rows, sizeof(*lines->order), by_place, lines->row);
}

/* The last row at or before the address in that section; NULL: there is none, or its sequence has ended. */
static const struct cubin_row *find_row(const struct cubin_lines *lines, uint32_t section, uint64_t address)
{
    uint32_t low = 0, high = lines->rows;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct cubin_row *row = &lines->row[lines->order[middle]];
        if (row->section < section || (row->section == section && row->address <= address))
            low = middle + 1;
        else
            high = middle;
    }
    const struct cubin_row *row = low ? &lines->row[lines->order[low - 1]] : NULL;
    return row && row->section == section && row->line ? row : NULL;
}

uint32_t grosr_cubin_lines(struct grosr_cubin *cubin, const struct grosr_cubin_function *function,
                           uint64_t address, struct grosr_cubin_line *line, uint32_t room)
{
    const struct cubin_lines *lines = &cubin->lines;
    uint32_t count = 0;

    if (!cubin->lines_read)
        cubin_lines_read(cubin);
    const struct cubin_row *row = find_row(lines, function->section, address);
    if (!row)
        row = find_row(lines, 0, address);
    for (unsigned depth = 0; row && count < room && depth < MAX_DEPTH; depth++) {
        bool known = row->file < lines->files;
        line[count++] = (struct grosr_cubin_line){
            .directory = known ? lines->file[row->file].directory : "",
            .file = known ? lines->file[row->file].name : "",
            .line = row->line,
            .function = row->function ? grosr_elf_text(&lines->names, row->function - 1) : "",
        };
        row = row->caller ? &lines->row[row->caller - 1] : NULL;
    }
    return count;
}
