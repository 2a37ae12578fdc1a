/*
 * Reading ELF files of GPUs: core dumps, and the images of modules in them (cubins). 64 bits, little endian,
 * of NVIDIA's machine (EM_CUDA). The bytes are not trusted: every offset and count is checked before it is
 * used, and nothing is written. Sections are found by their headers alone; program headers are not read.
 */
#ifndef GROSR_ELF_FILE_H
#define GROSR_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct grosr_elf {
    const unsigned char *bytes; /* the caller's, and to be kept */
    uint64_t size;
    uint64_t sections_at;
    uint32_t sections;   /* section 0 included, which is none */
    uint32_t names;      /* the section with sections' names; 0: none */
    uint16_t type;       /* ET_CORE, ET_EXEC, ... */
    uint32_t capability; /* compute capability of the code, 90 for 9.0 */
};

struct grosr_elf_section {
    uint32_t index, type, link, info;
    uint32_t name;             /* in the section of names */
    uint64_t address;          /* where it is loaded */
    uint64_t row_bytes;        /* sh_entsize */
    const unsigned char *data; /* `size` bytes of the file */
    uint64_t size;
};

/* Whether the bytes, of which 20 are enough, begin an ELF file of a GPU; type: of which kind. */
bool grosr_elf_is_gpu(const void *bytes, size_t size, uint16_t *type);

/* -EINVAL, with what is wrong with it in grosr_error(). */
int grosr_elf_open(struct grosr_elf *elf, const void *bytes, uint64_t size);

/* -EINVAL: there is no such section, or it is not in the file. A section without bytes in the file is empty.
 */
int grosr_elf_section(const struct grosr_elf *elf, uint32_t index, struct grosr_elf_section *section);

/* The text that begins there in a section of texts; "" if it does not end in the section. */
const char *grosr_elf_text(const struct grosr_elf_section *texts, uint64_t offset);

/* The first section of that name. */
bool grosr_elf_named(const struct grosr_elf *elf, const char *name, struct grosr_elf_section *section);

/* Numbers at an offset of a row or a section that has `size` bytes; 0 if they are not in it. */
uint32_t grosr_elf_u32(const unsigned char *data, uint64_t size, uint64_t offset);
uint64_t grosr_elf_u64(const unsigned char *data, uint64_t size, uint64_t offset);

#endif
