/*
 * Functions, instructions and arguments in the image of a module (cubin.h).
 */
#include "cubin_parts.h"

#include "../base/error.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STO_ENTRY           0x10 /* in a symbol's st_other: a kernel */
#define FORMAT_SIZED        4    /* an attribute of .nv.info that has its size before it */
#define ATTRIBUTE_PARAMETER 0x17
#define MAX_NAME            4096

/* Symbols of a relocated image are addresses, others are offsets in their sections. */
static uint64_t symbol_address(const struct grosr_elf_section *in, uint64_t value)
{
    return value >= in->address ? value : in->address + value;
}

bool cubin_symbol(const struct grosr_cubin *cubin, const struct grosr_elf_section *symbols, uint64_t index,
                  uint64_t *address, uint32_t *section)
{
    Elf64_Sym s;
    struct grosr_elf_section in;

    if (index >= symbols->size / sizeof(s))
        return false;
    memcpy(&s, symbols->data + index * sizeof(s), sizeof(s));
    if (grosr_elf_section(&cubin->elf, s.st_shndx, &in))
        return false;
    *address = symbol_address(&in, s.st_value);
    *section = s.st_shndx;
    return true;
}

static int by_address(const void *a, const void *b)
{
    const struct grosr_cubin_function *x = (const struct grosr_cubin_function *)a,
                                      *y = (const struct grosr_cubin_function *)b;

    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    return x->bytes != y->bytes ? (x->bytes > y->bytes ? -1 : 1) : strcmp(x->name, y->name);
}

static int read_functions(struct grosr_cubin *cubin)
{
    struct grosr_elf_section symbols, names, in;
    Elf64_Sym s;

    if (!grosr_elf_named(&cubin->elf, ".symtab", &symbols) ||
        grosr_elf_section(&cubin->elf, symbols.link, &names))
        return 0;
    uint64_t count = symbols.size / sizeof(s);
    cubin->function = (struct grosr_cubin_function *)calloc(count ? count : 1, sizeof(*cubin->function));
    if (!cubin->function)
        return -ENOMEM;
    for (uint64_t i = 0; i < count; i++) {
        memcpy(&s, symbols.data + i * sizeof(s), sizeof(s));
        const char *name = grosr_elf_text(&names, s.st_name);
        if (ELF64_ST_TYPE(s.st_info) != STT_FUNC || !*name || grosr_elf_section(&cubin->elf, s.st_shndx, &in))
            continue;
        uint64_t address = symbol_address(&in, s.st_value), offset = address - in.address;
        if (offset >= in.size || s.st_size > in.size - offset || address + s.st_size < address)
            continue;
        cubin->function[cubin->functions++] =
            (struct grosr_cubin_function){.name = name,
                                          .address = address,
                                          .bytes = s.st_size,
                                          .section = s.st_shndx,
                                          .offset = offset,
                                          .is_kernel = (s.st_other & STO_ENTRY) != 0};
    }
    qsort(cubin->function, cubin->functions, sizeof(*cubin->function), by_address);
    return 0;
}

int grosr_cubin_open(struct grosr_cubin **cubin, const void *image, uint64_t bytes)
{
    struct grosr_cubin *c = (struct grosr_cubin *)calloc(1, sizeof(*c));

    if (!c)
        return grosr_fail(ENOMEM, "out of memory");
    int err = grosr_elf_open(&c->elf, image, bytes);
    if (!err)
        err = read_functions(c);
    if (err) {
        grosr_cubin_free(c);
        return err;
    }
    *cubin = c;
    return 0;
}

void grosr_cubin_free(struct grosr_cubin *cubin)
{
    if (!cubin)
        return;
    free(cubin->lines.row);
    free(cubin->lines.order);
    free(cubin->lines.file);
    free(cubin->function);
    free(cubin);
}

bool grosr_cubin_at(const struct grosr_cubin *cubin, uint64_t address, struct grosr_cubin_function *function)
{
    uint32_t low = 0, high = cubin->functions;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (cubin->function[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    /* Functions lie in each other two deep at most, and those before are not looked through for ever. */
    for (uint32_t i = low, tries = 0; i-- > 0 && tries < 4096; tries++) {
        if (address - cubin->function[i].address < cubin->function[i].bytes) {
            *function = cubin->function[i];
            return true;
        }
    }
    return false;
}

bool grosr_cubin_named(const struct grosr_cubin *cubin, const char *name,
                       struct grosr_cubin_function *function)
{
    for (uint32_t i = 0; i < cubin->functions; i++) {
        if (!strcmp(cubin->function[i].name, name)) {
            *function = cubin->function[i];
            return true;
        }
    }
    return false;
}

bool grosr_cubin_instruction(const struct grosr_cubin *cubin, const struct grosr_cubin_function *function,
                             uint64_t address, uint64_t word[2])
{
    struct grosr_elf_section code;

    if (address < function->address || address - function->address >= function->bytes ||
        grosr_elf_section(&cubin->elf, function->section, &code))
        return false;
    uint64_t at = function->offset + (address - function->address);
    if (at > code.size || code.size - at < 16)
        return false;
    word[0] = grosr_elf_u64(code.data, code.size, at);
    word[1] = grosr_elf_u64(code.data, code.size, at + 8);
    return true;
}

static int by_index(const void *a, const void *b)
{
    uint32_t x = ((const struct grosr_cubin_argument *)a)->index,
             y = ((const struct grosr_cubin_argument *)b)->index;
    return x < y ? -1 : x > y;
}

/* An attribute is a format, what it is, and two bytes, which are its size or its value. */
uint32_t grosr_cubin_arguments(const struct grosr_cubin *cubin, const char *kernel,
                               struct grosr_cubin_argument *argument, uint32_t room)
{
    struct grosr_elf_section info;
    char name[MAX_NAME];
    uint32_t count = 0;

    if ((size_t)snprintf(name, sizeof(name), ".nv.info.%s", kernel) >= sizeof(name) ||
        !grosr_elf_named(&cubin->elf, name, &info))
        return 0;
    for (uint64_t at = 0; info.size >= 4 && at <= info.size - 4;) {
        uint32_t head = grosr_elf_u32(info.data, info.size, at), bytes = head >> 16;
        at += 4;
        if ((head & 0xff) != FORMAT_SIZED)
            continue;
        if (bytes > info.size - at)
            break;
        if ((head >> 8 & 0xff) == ATTRIBUTE_PARAMETER && bytes >= 12 && count < room) {
            uint32_t place = grosr_elf_u32(info.data, info.size, at + 4);
            argument[count++] = (struct grosr_cubin_argument){
                place & 0xffff, place >> 16, grosr_elf_u32(info.data, info.size, at + 8) >> 18};
        }
        at += bytes;
    }
    qsort(argument, count, sizeof(*argument), by_index);
    return count;
}
