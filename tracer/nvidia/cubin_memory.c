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
#define MAX_PASSES           16u  /* over a loop, until it is known what is reached */
#define MAX_WRITTEN          4u   /* registers by one instruction */
#define NO_REGISTER          255u

/* A loop's instructions, from its first to its last. */
struct body {
    uint64_t low; /* the first one's offset in the function */
    uint32_t count;
    uint64_t code[MAX_INSTRUCTIONS][2];
    bool is_in[MAX_INSTRUCTIONS]; /* it is reached from the first, and the last from it */
};

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
    uint32_t size = word[1] >> 9 & 7, words = opcode == ATOMG_CAS ? 0 : 4; /* the code of 32 bits */
    load->bytes = size == words ? 4 : size == (words ? words + 1 : 2) ? 8 : 0;
    load->base = word[0] >> 24 & 0xff;
    load->displacement = (int64_t)((word[0] >> 40 ^ 0x800000u) - 0x800000u);
    return load->base != NO_REGISTER && load->base % 2 == 0;
}

/* CALL; RET leaves the loop. */
static bool is_call(uint64_t word)
{
    uint32_t operation = word & 0x1ff;

    return operation == 0x143 || operation == 0x144;
}

/* Operations, whose operands are in the three bits above, that write no register: ... */
static bool writes_none(uint32_t operation)
{
    static const uint16_t none[] = {
        0x00b, 0x00c, 0x01c, 0x02a, /* FSETP, ISETP, PLOP3, DSETP */
        0x082, 0x08c, 0x090, 0x092, 0x0b9,
        0x0ca, 0x1ac, 0x1c3,        /* of uniform registers */
        0x118, 0x11a, 0x11b, 0x15d, /* NOP, DEPBAR, ENDCOLLECTIVE, NANOSLEEP */
        0x141, 0x142, 0x143, 0x144, 0x145,
        0x146, 0x147, 0x148,               /* BSYNC, BREAK, CALL, BSSY, YIELD, BRA, WARPSYNC */
        0x14d, 0x150, 0x15c,               /* EXIT, RET, BPT */
        0x185, 0x186, 0x187, 0x188, 0x18e, /* ST, STG, STL, STS, RED */
        0x18f, 0x192, 0x1ab,               /* CCTL, MEMBAR, ERRBAR */
    };

    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        if (none[i] == operation)
            return true;
    return false;
}

/* ... and that write one: MOV, VOTE, SEL, IADD3, LEA, LOP3, PRMT, IMNMX, SHF, SGXT, IMAD, VIADD, S2R, SHFL.
 */
static bool writes_one(uint32_t operation)
{
    static const uint16_t one[] = {0x002, 0x006, 0x007, 0x010, 0x011, 0x012, 0x016,
                                   0x017, 0x019, 0x01a, 0x024, 0x036, 0x119, 0x189};

    for (size_t i = 0; i < sizeof(one) / sizeof(one[0]); i++)
        if (one[i] == operation)
            return true;
    return false;
}

/* How many registers it writes, at most; 0: none. */
static uint32_t written(const uint64_t word[2])
{
    uint32_t operation = word[0] & 0x1ff, size = word[1] >> 9 & 7; /* of a load: 4: 32 bits, 5: 64 */

    if (writes_none(operation))
        return 0;
    switch (operation) {
    case 0x180: /* LD, LDG, LDL, LDS */
    case 0x181:
    case 0x183:
    case 0x184:
        return size <= 4 ? 1 : size == 5 ? 2 : MAX_WRITTEN;
    case 0x1a9: /* ATOMG.CAS */
    case 0x005: /* CS2R */
    case 0x025: /* IMAD.WIDE, IMAD.HI */
    case 0x027:
        return 2;
    default:
        return writes_one(operation) ? 1 : MAX_WRITTEN;
    }
}

static bool writes(const uint64_t word[2], uint32_t pair)
{
    uint32_t to = word[0] >> 16 & 0xff;

    return to != NO_REGISTER && to <= pair + 1 && to + written(word) > pair;
}

/* ---- the loop ---- */

/* Whether what is behind it does not follow: a branch, EXIT or RET that no predicate decides, nor (the fifth
 * bit) a uniform one or whether lanes diverge. */
static bool ends_flow(const uint64_t word[2])
{
    uint32_t opcode = word[0] & 0xfff, guard = word[0] >> 12 & 0xf, predicate = word[1] >> 23 & 0x1f;
    const uint32_t always = 7;

    if (opcode == CUBIN_BRA)
        return guard == always && predicate == always;
    return (opcode == 0x94d || opcode == 0x950) && guard == always;
}

/* The instruction that a branch goes to; `count`: it is no branch, or leaves the body. */
static uint64_t target(const struct grosr_cubin *cubin, const struct body *body, uint32_t at)
{
    uint32_t opcode = body->code[at][0] & 0xfff;

    if (opcode != CUBIN_BRA && opcode != CUBIN_BRA_UNIFORM)
        return body->count;
    uint64_t distance = cubin_branch_distance(cubin, body->code[at]);
    uint64_t to = (at + 1) * (uint64_t)BYTES_OF_INSTRUCTION + distance;
    return to % BYTES_OF_INSTRUCTION || to / BYTES_OF_INSTRUCTION > body->count ? body->count
                                                                                : to / BYTES_OF_INSTRUCTION;
}

/* What is reached from the first, or, backwards, what reaches the last. False: it takes too long to find. */
static bool spread(bool *reached, uint32_t (*next)[2], uint32_t count, bool backwards)
{
    bool more = true;

    for (uint32_t pass = 0; more && pass < MAX_PASSES; pass++) {
        more = false;
        for (uint32_t k = 0; k < 2 * count; k++) {
            uint32_t i = backwards ? count - 1 - k / 2 : k / 2, to = next[i][k % 2];
            if (to >= count || reached[i] == reached[to] || !reached[backwards ? to : i])
                continue;
            reached[backwards ? i : to] = true;
            more = true;
        }
    }
    return !more;
}

/* A branch backwards is not always a loop: code that is seldom run stands at the end, and goes back to where
 * it came from. */
static void find_members(const struct grosr_cubin *cubin, struct body *body)
{
    bool from[MAX_INSTRUCTIONS] = {true}, to[MAX_INSTRUCTIONS] = {false};
    uint32_t next[MAX_INSTRUCTIONS][2];

    to[body->count - 1] = true;
    for (uint32_t i = 0; i < body->count; i++) {
        next[i][0] = ends_flow(body->code[i]) ? body->count : i + 1;
        next[i][1] = (uint32_t)target(cubin, body, i);
    }
    bool known = spread(from, next, body->count, false) && spread(to, next, body->count, true);
    for (uint32_t i = 0; i < body->count; i++)
        body->is_in[i] = known && from[i] && to[i];
}

/* False: it is too long, or not in the image. */
static bool read_body(const struct grosr_cubin *cubin, const struct grosr_cubin_function *function,
                      const struct grosr_cubin_loop *loop, struct body *body)
{
    uint64_t count = (loop->high - loop->low) / BYTES_OF_INSTRUCTION + 1;

    if (count > MAX_INSTRUCTIONS)
        return false;
    *body = (struct body){.low = loop->low, .count = (uint32_t)count};
    for (uint32_t i = 0; i < body->count; i++)
        if (!grosr_cubin_instruction(cubin, function,
                                     function->address + loop->low + i * (uint64_t)BYTES_OF_INSTRUCTION,
                                     body->code[i]))
            return false;
    find_members(cubin, body);
    return true;
}

static bool find_body(const struct grosr_cubin *cubin, const struct grosr_cubin_function *function,
                      const struct grosr_cubin_loop *loop, uint32_t loops, uint64_t offset, struct body *best)
{
    struct body body;

    best->count = 0;
    for (uint32_t i = 0; i < loops; i++) {
        if (offset < loop[i].low || offset > loop[i].high ||
            (best->count && (loop[i].high - loop[i].low) / BYTES_OF_INSTRUCTION >= best->count))
            continue;
        if (read_body(cubin, function, &loop[i], &body) &&
            body.is_in[(offset - body.low) / BYTES_OF_INSTRUCTION])
            *best = body;
    }
    return best->count != 0;
}

static bool stays(const struct body *body, uint32_t pair)
{
    for (uint32_t i = 0; i < body->count; i++)
        if (body->is_in[i] && writes(body->code[i], pair))
            return false;
    return true;
}

uint32_t grosr_cubin_loads(const struct grosr_cubin *cubin, const struct grosr_cubin_function *function,
                           const struct grosr_cubin_loop *loop, uint32_t loops, uint64_t offset,
                           struct grosr_cubin_load *load, uint32_t room)
{
    struct body body;
    uint32_t found = 0, calls = 0;

    if (!find_body(cubin, function, loop, loops, offset, &body))
        return 0;
    for (uint32_t i = 0; i < body.count; i++)
        calls += body.is_in[i] && is_call(body.code[i][0]);
    for (uint32_t i = 0; calls <= 1 && i < body.count && found < room; i++) {
        struct grosr_cubin_load l = {.offset = body.low + i * (uint64_t)BYTES_OF_INSTRUCTION};
        if (body.is_in[i] && is_load(cubin->elf.capability, body.code[i], &l) && stays(&body, l.base))
            load[found++] = l;
    }
    return found;
}

/* ---- variables ---- */

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
