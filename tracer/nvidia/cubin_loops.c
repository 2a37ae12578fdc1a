/*
 * The loops in a function's code (cubin.h): each branch backwards ends one, which begins where it goes to.
 *
 * A branch has its distance from the instruction behind it in its word: up to compute capability 8.9 in bytes
 * from bit 32 on, since 9.0 in units of four bytes, the lowest eight bits of them from bit 16 on and the
 * others from bit 34 on.
 *
 * A loop of instructions that write no register, read no memory and ask nothing (branches, pauses,
 * comparisons of registers) computes the same each time: whoever has gone round it often enough stays in it.
 */
#include "cubin_parts.h"

#define BYTES_OF_INSTRUCTION 16u
#define MAX_INSTRUCTIONS     (1u << 20)

enum { BRA = 0x947, BRA_UNIFORM = 0x547 };

bool cubin_changes_nothing(uint64_t word)
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

/* Where a branch goes to, from the instruction behind it on. */
static uint64_t branch_distance(const struct grosr_cubin *cubin, const uint64_t word[2])
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
            !cubin_changes_nothing(word[0]))
            return false;
    return true;
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
        uint64_t to = at + BYTES_OF_INSTRUCTION + branch_distance(cubin, word);
        if (to > at || to % BYTES_OF_INSTRUCTION) /* forwards, or before the function */
            continue;
        loop[count++] = (struct grosr_cubin_loop){to, at, is_endless(cubin, function, to, at)};
    }
    return count;
}
