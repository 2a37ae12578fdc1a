/*
 * Global memory in the image of a module (cubin.h): the variables there, and the loads of a loop.
 *
 * An instruction has its opcode in bits 0 to 11 of its first word, the register that it writes in bits 16 to
 * 23, the lower one of its address in 24 to 31, and a displacement in 40 to 63. Bit 8 of the second word: the
 * address has 64 bits. Bits 24 to 27: a uniform register is involved. Up to compute capability 7.5 it is a
 * part of the address; since 8.0, if all of `descriptor` is there, it describes the memory. These are what
 * nvcc 13.0 makes for 7.5 to 12.0. Other forms are left alone: what is returned is certain.
 *
 * An instruction whose kind is not known here may write up to four registers. One of those that writes none
 * has other bits in the same place, and is taken for one that does; that leaves out a load now and then, and
 * adds none.
 */
#include "cubin_parts.h"

#include <elf.h>
#include <string.h>

#define BYTES_OF_INSTRUCTION 16u
#define MAX_INSTRUCTIONS     256u /* of a loop that is looked into */
#define MAX_WRITTEN          4u   /* registers by one instruction */
#define NO_REGISTER          255u

enum { LD_7 = 0x380, LDG_7 = 0x381, LD = 0x980, LDG = 0x981, ATOMG_CAS = 0x3a9 };

/* Whether it reads from an address in two registers alone. */
static bool is_load(uint32_t capability, const uint64_t word[2], struct grosr_cubin_load *load)
{
    const uint32_t descriptor = 0xc;
    uint32_t opcode = word[0] & 0xfff, uniform = word[1] >> 24 & 0xf;
    uint32_t expected = (opcode == LD || opcode == LDG) && capability >= 80 ? descriptor : 0;

    if (opcode != LD && opcode != LDG && opcode != ATOMG_CAS &&
        !(capability < 80 && (opcode == LD_7 || opcode == LDG_7)))
        return false;
    if (capability < 70 || !(word[1] >> 8 & 1) || uniform != expected)
        return false;
    load->base = word[0] >> 24 & 0xff;
    load->displacement = (int64_t)((word[0] >> 40 ^ 0x800000u) - 0x800000u);
    return load->base != NO_REGISTER && load->base % 2 == 0;
}

/* CALL of all kinds: what it does to registers is not known; RET leaves the loop. */
static bool is_call(uint64_t word)
{
    uint32_t opcode = word & 0x1ff;

    return opcode == 0x143 || opcode == 0x144 || opcode == 0x145;
}

/* How many registers it writes, at most; 0: none. */
static uint32_t written(const uint64_t word[2])
{
    uint32_t bits = word[1] >> 9 & 7; /* of a load: 4: 32, 5: 64 */

    if (cubin_changes_nothing(word[0]))
        return 0;
    switch (word[0] & 0xfff) {
    case 0x98f: /* CCTL */
    case 0x992: /* MEMBAR */
    case 0x9ab: /* ERRBAR */
    case 0x985: /* ST, STG, STS, RED */
    case 0x986:
    case 0x988:
    case 0x98e:
    case 0x385:
    case 0x386:
    case 0x388:
    case 0x38e:
        return 0;
    case LD:
    case LDG:
    case LD_7:
    case LDG_7:
        return bits <= 4 ? 1 : bits == 5 ? 2 : MAX_WRITTEN;
    case ATOMG_CAS:
        return 2;
    default:
        break;
    }
    switch (word[0] & 0x1ff) {
    case 0x002: /* MOV, SEL, IADD3, LEA, LOP3, SHF, IMAD */
    case 0x007:
    case 0x010:
    case 0x011:
    case 0x012:
    case 0x019:
    case 0x024:
        return 1;
    default:
        return MAX_WRITTEN;
    }
}

static bool writes(const uint64_t word[2], uint32_t pair)
{
    uint32_t to = word[0] >> 16 & 0xff;

    return to != NO_REGISTER && to <= pair + 1 && to + written(word) > pair;
}

static bool stays(uint64_t (*code)[2], uint64_t count, uint32_t pair)
{
    for (uint64_t i = 0; i < count; i++)
        if (writes(code[i], pair))
            return false;
    return true;
}

uint32_t grosr_cubin_loads(const struct grosr_cubin *cubin, const struct grosr_cubin_function *function,
                           const struct grosr_cubin_loop *loop, struct grosr_cubin_load *load, uint32_t room)
{
    uint64_t code[MAX_INSTRUCTIONS][2], count = (loop->high - loop->low) / BYTES_OF_INSTRUCTION + 1;
    uint32_t found = 0;

    if (loop->high < loop->low || count > MAX_INSTRUCTIONS)
        return 0;
    for (uint64_t i = 0; i < count; i++)
        if (!grosr_cubin_instruction(cubin, function,
                                     function->address + loop->low + i * BYTES_OF_INSTRUCTION, code[i]) ||
            is_call(code[i][0]))
            return 0;
    for (uint64_t i = 0; i < count && found < room; i++) {
        struct grosr_cubin_load l = {.offset = loop->low + i * BYTES_OF_INSTRUCTION};
        if (is_load(cubin->elf.capability, code[i], &l) && stays(code, count, l.base))
            load[found++] = l;
    }
    return found;
}

bool grosr_cubin_next_variable(const struct grosr_cubin *cubin, uint64_t *at,
                               struct grosr_cubin_variable *variable)
{
    static const char global[] = ".nv.global"; /* and .nv.global.init */
    struct grosr_elf_section symbols, names, sections = {0}, in;
    Elf64_Sym s;
    uint32_t section;

    if (!grosr_elf_named(&cubin->elf, ".symtab", &symbols) ||
        grosr_elf_section(&cubin->elf, symbols.link, &names) ||
        grosr_elf_section(&cubin->elf, cubin->elf.names, &sections))
        return false;
    while (*at < symbols.size / sizeof(s)) {
        memcpy(&s, symbols.data + *at * sizeof(s), sizeof(s));
        variable->name = grosr_elf_text(&names, s.st_name);
        variable->bytes = s.st_size;
        if (cubin_symbol(cubin, &symbols, (*at)++, &variable->address, &section) &&
            ELF64_ST_TYPE(s.st_info) == STT_OBJECT && *variable->name &&
            !grosr_elf_section(&cubin->elf, section, &in) &&
            !strncmp(grosr_elf_text(&sections, in.name), global, sizeof(global) - 1) && variable->bytes &&
            variable->address <= UINT64_MAX - variable->bytes)
            return true;
    }
    return false;
}
