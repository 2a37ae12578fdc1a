/*
 * Reading ELF files of GPUs (elf_file.h).
 */
#include "elf_file.h"

#include "../base/error.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define EM_GPU 190 /* EM_CUDA */

uint32_t grosr_elf_u32(const unsigned char *data, uint64_t size, uint64_t offset)
{
    uint32_t value = 0;

    if (offset <= size && size - offset >= sizeof(value))
        memcpy(&value, data + offset, sizeof(value));
    return value;
}

uint64_t grosr_elf_u64(const unsigned char *data, uint64_t size, uint64_t offset)
{
    uint64_t value = 0;

    if (offset <= size && size - offset >= sizeof(value))
        memcpy(&value, data + offset, sizeof(value));
    return value;
}

bool grosr_elf_is_gpu(const void *bytes, size_t size, uint16_t *type)
{
    const unsigned char *b = (const unsigned char *)bytes;
    uint16_t machine;

    if (size < 20 || memcmp(b, ELFMAG, SELFMAG) != 0 || b[EI_CLASS] != ELFCLASS64 ||
        b[EI_DATA] != ELFDATA2LSB)
        return false;
    memcpy(type, b + offsetof(Elf64_Ehdr, e_type), sizeof(*type));
    memcpy(&machine, b + offsetof(Elf64_Ehdr, e_machine), sizeof(machine));
    return machine == EM_GPU;
}

int grosr_elf_open(struct grosr_elf *elf, const void *bytes, uint64_t size)
{
    Elf64_Ehdr header;
    Elf64_Shdr first;

    *elf = (struct grosr_elf){.bytes = (const unsigned char *)bytes, .size = size};
    if (!grosr_elf_is_gpu(bytes, size, &elf->type) || size < sizeof(header))
        return grosr_fail(EINVAL, "it is no ELF file of a GPU");
    memcpy(&header, bytes, sizeof(header));
    /* Since version 8 of the format it is in the second byte. */
    elf->capability = header.e_flags >> (header.e_ident[EI_ABIVERSION] >= 8 ? 8 : 0) & 0xff;
    if (header.e_shoff == 0 || header.e_shentsize != sizeof(first))
        return grosr_fail(EINVAL, "it has no table of sections");
    if (header.e_shoff > size || size - header.e_shoff < sizeof(first))
        return grosr_fail(EINVAL,
                          "it ends before its table of sections: it has %" PRIu64
                          " bytes, the table is at %" PRIu64,
                          size, (uint64_t)header.e_shoff);
    elf->sections_at = header.e_shoff;

    /* What does not fit into the file's header stands in section 0. */
    memcpy(&first, elf->bytes + elf->sections_at, sizeof(first));
    uint64_t sections = header.e_shnum ? header.e_shnum : first.sh_size;
    uint32_t names = header.e_shstrndx == SHN_XINDEX ? first.sh_link : header.e_shstrndx;
    if (sections > (size - elf->sections_at) / sizeof(first) || sections >= UINT32_MAX)
        return grosr_fail(EINVAL, "it ends in its table of sections: %" PRIu64 " are said to be in it",
                          sections);
    elf->sections = (uint32_t)sections;
    elf->names = names < sections ? names : 0;
    return 0;
}

int grosr_elf_section(const struct grosr_elf *elf, uint32_t index, struct grosr_elf_section *section)
{
    Elf64_Shdr h;

    if (index >= elf->sections)
        return grosr_fail(EINVAL, "it has no section %" PRIu32 ", which another refers to", index);
    memcpy(&h, elf->bytes + elf->sections_at + (uint64_t)index * sizeof(h), sizeof(h));
    bool empty = index == 0 || h.sh_type == SHT_NOBITS || h.sh_type == SHT_NULL;
    if (!empty && (h.sh_offset > elf->size || h.sh_size > elf->size - h.sh_offset))
        return grosr_fail(EINVAL,
                          "section %" PRIu32 " is not in it: %" PRIu64 " bytes at %" PRIu64 " of %" PRIu64,
                          index, (uint64_t)h.sh_size, (uint64_t)h.sh_offset, elf->size);
    *section = (struct grosr_elf_section){
        .index = index,
        .type = h.sh_type,
        .link = h.sh_link,
        .info = h.sh_info,
        .name = h.sh_name,
        .address = h.sh_addr,
        .row_bytes = h.sh_entsize,
        .data = elf->bytes + (empty ? 0 : h.sh_offset),
        .size = empty ? 0 : h.sh_size,
    };
    return 0;
}

const char *grosr_elf_text(const struct grosr_elf_section *texts, uint64_t offset)
{
    if (offset >= texts->size || !memchr(texts->data + offset, 0, texts->size - offset))
        return "";
    return (const char *)texts->data + offset;
}

bool grosr_elf_named(const struct grosr_elf *elf, const char *name, struct grosr_elf_section *section)
{
    struct grosr_elf_section names;

    if (!elf->names || grosr_elf_section(elf, elf->names, &names))
        return false;
    for (uint32_t i = 1; i < elf->sections; i++)
        if (!grosr_elf_section(elf, i, section) && !strcmp(grosr_elf_text(&names, section->name), name))
            return true;
    return false;
}
