/*
 * The loops in a function's code (cubin.h): each branch backwards ends one, which begins where it goes to.
 *
 * A branch has its distance from the instruction behind it in its word: up to compute capability 8.9 in bytes
 * from bit 32 on, since 9.0 in units of four bytes, the lowest eight bits of them from bit 16 on and the
 * others from bit 34 on.
 *
 * A loop of instructions that write no register, read no memory and ask nothing (branches, pauses,
 * comparisons of registers) computes the same each time: whoever has gone round it often enough stays in it.
 *
 * A loop that polls reads memory, or makes atomic operations, at addresses that it does not change. Beside
 * that it has pauses, fences, clocks, sums and comparisons, and stores nothing.
 */
#include "cubin_parts.h"

#define BYTES_OF_INSTRUCTION 16u
#define MAX_INSTRUCTIONS     (1u << 20)

enum { BRA = CUBIN_BRA, BRA_UNIFORM = CUBIN_BRA_UNIFORM };

/* Whether an instruction leaves all but predicates as it was, and depends on nothing else. */
static bool changes_nothing(uint64_t word)
{
    switch (word & 0xfff) {
    case BRA:
    case BRA_UNIFORM:
    case 0x918: /* NOP */
    case 0x95d: /* NANOSLEEP, of a number or a register */
    case 0x35d:
    case 0x948: /* WARPSYNC */
    case 0x945: /* BSSY, BSYNC, BREAK */
    case 0x941:
    case 0x942:
    case 0x946: /* YIELD */
    case 0x20c: /* ISETP, of registers, a number, a constant */
    case 0x80c:
    case 0xc0c:
    case 0xa0c:
    case 0x81c: /* PLOP3 */
        return true;
    default:
        return false;
    }
}

static uint64_t sign_extend(uint64_t value, unsigned bits)
{
    uint64_t sign = UINT64_C(1) << (bits - 1);

    return (value ^ sign) - sign;
}

uint64_t cubin_branch_distance(const struct grosr_cubin *cubin, const uint64_t word[2])
{
    if (cubin->elf.capability < 90)
        return sign_extend(word[0] >> 32 | (word[1] & 0x3ffff) << 32, 50);
    uint64_t high = word[0] >> 34 | (word[1] & 0x3ffff) << 30;
    return sign_extend(high << 8 | (word[0] >> 16 & 0xff), 56) * 4;
}

static bool is_endless(const struct grosr_cubin *cubin, const struct grosr_cubin_function *function,
                       uint64_t low, uint64_t high)
{
    uint64_t word[2];

    for (uint64_t at = low; at <= high; at += BYTES_OF_INSTRUCTION)
        if (!grosr_cubin_instruction(cubin, function, function->address + at, word) ||
            !changes_nothing(word[0]))
            return false;
    return true;
}

enum operation { OTHER, CONTROL, CONSTANT, COMPUTES, READS };

/* What a loop that polls may have. Of the registers that an instruction writes the first is in bits 16 to 23,
 * that of its address, or its first operand, in bits 24 to 31; 255 is none. */
static enum operation operation_of(uint64_t word)
{
    unsigned first = word >> 24 & 0xff;

    switch (word & 0xfff) {
    case 0x94d: /* EXIT */
    case 0x98f: /* CCTL */
    case 0x992: /* MEMBAR */
    case 0x9ab: /* ERRBAR */
    case 0x5ab: /* CGAERRBAR */
    case 0x886: /* VOTEU */
    case 0x2ca: /* R2UR */
    case 0xab9: /* ULDC */
        return CONTROL;
    case 0xa02: /* MOV and LDC, of a constant */
    case 0x802:
        return CONSTANT;
    case 0xb82:
    case 0x624: /* IMAD, of nothing times nothing and a constant */
        return first == 0xff ? CONSTANT : OTHER;
    case 0x224: /* ... and a register */
    case 0x424:
    case 0xc24:
    case 0xe24:
        return first == 0xff ? COMPUTES : OTHER;
    case 0x824: /* ... or of a register and 1 */
        return first == 0xff || word >> 32 == 1 ? COMPUTES : OTHER;
    case 0x202: /* MOV */
    case 0xc02:
    case 0x210: /* IADD3 */
    case 0x810:
    case 0xa10:
    case 0xc10:
    case 0x236: /* VIADD */
    case 0x836:
    case 0xc36:
    case 0x212: /* LOP3 */
    case 0x812:
    case 0xa12:
    case 0xc12:
    case 0x805: /* CS2R */
    case 0x806: /* VOTE */
        return COMPUTES;
    case 0x980: /* LD, LDG, LDS */
    case 0x981:
    case 0x381:
    case 0x984:
    case 0x38a: /* ATOM, ATOMG */
    case 0x98a:
    case 0x38b:
    case 0x98b:
    case 0x3a8:
    case 0x9a8:
    case 0x3a9:
    case 0x9a9:
        return READS;
    default:
        return changes_nothing(word) ? CONTROL : OTHER;
    }
}

/* Registers by pairs, as addresses are. */
static void mark_pair(uint64_t set[2], unsigned number)
{
    if (number != 0xff)
        set[number >> 7] |= UINT64_C(1) << (number >> 1 & 63);
}

static bool polls(const struct grosr_cubin *cubin, const struct grosr_cubin_function *function, uint64_t low,
                  uint64_t high)
{
    uint64_t word[2], written[2] = {0, 0}, addresses[2] = {0, 0};
    bool reads = false;

    for (uint64_t at = low; at <= high; at += BYTES_OF_INSTRUCTION) {
        if (!grosr_cubin_instruction(cubin, function, function->address + at, word))
            return false;
        enum operation operation = operation_of(word[0]);
        if (operation == OTHER || (operation == READS && (word[1] >> 9 & 7) == 6)) /* 16 bytes */
            return false;
        if (operation == READS || operation == COMPUTES)
            mark_pair(written, word[0] >> 16 & 0xff);
        if (operation == READS)
            mark_pair(addresses, word[0] >> 24 & 0xff);
        reads |= operation == READS;
    }
    return reads && !(written[0] & addresses[0]) && !(written[1] & addresses[1]);
}

uint32_t grosr_cubin_loops(const struct grosr_cubin *cubin, const struct grosr_cubin_function *function,
                           struct grosr_cubin_loop *loop, uint32_t room)
{
    uint32_t count = 0, instructions = 0;
    uint64_t word[2];

    for (uint64_t at = 0;
         count < room && instructions < MAX_INSTRUCTIONS && function->bytes >= BYTES_OF_INSTRUCTION &&
         at <= function->bytes - BYTES_OF_INSTRUCTION;
         at += BYTES_OF_INSTRUCTION, instructions++) {
        if (!grosr_cubin_instruction(cubin, function, function->address + at, word) ||
            ((word[0] & 0xfff) != BRA && (word[0] & 0xfff) != BRA_UNIFORM))
            continue;
        uint64_t to = at + BYTES_OF_INSTRUCTION + cubin_branch_distance(cubin, word);
        if (to > at || to % BYTES_OF_INSTRUCTION) /* forwards, or before the function */
            continue;
        loop[count++] = (struct grosr_cubin_loop){to, at, is_endless(cubin, function, to, at),
                                                  polls(cubin, function, to, at)};
    }
    return count;
}

bool grosr_cubin_synchronizes(const struct grosr_cubin *cubin, const struct grosr_cubin_function *function,
                              uint64_t offset)
{
    uint64_t word[2];

    if (!grosr_cubin_instruction(cubin, function, function->address + offset, word))
        return false;
    switch (word[0] & 0xfff) {
    case 0xb1d: /* BAR, of a number; of registers */
    case 0x31d:
    case 0x91d:
    case 0x95d: /* NANOSLEEP */
    case 0x35d:
    case 0x948: /* WARPSYNC */
    case 0x348:
    case 0x941: /* BSYNC */
    case 0x946: /* YIELD */
        return true;
    default:
        return false;
    }
}
