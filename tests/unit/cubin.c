/* Loops in the code of modules: found for every kind of branch, endless ones told from those that may end,
 * and nothing is believed of an image that is damaged. */
#include "../../tracer/nvidia/cubin.h"
#include "../coredump_writer.h"
#include "../tap.h"

#include <stddef.h>

#define KERNEL "_Z4spinPi"

/* Instructions as nvcc 13.0 makes them, for compute capability 9.0 and, where it differs, 8.0. */
#define LDG       UINT64_C(0x0000000404007981)
#define ISETP     UINT64_C(0x000000ff0000720c)
#define NANOSLEEP UINT64_C(0x000000640000795d)
#define IADD3     UINT64_C(0x0000000102027810)
#define SELF_90   UINT64_C(0xfffffffc00fc7947)
#define BACK_90   UINT64_C(0xfffffffc00f08947) /* @!P0 BRA, three instructions back */
#define AHEAD_90  UINT64_C(0x0000000000188947)
#define UNIFORM   UINT64_C(0xfffffffd09b47547) /* BRA.U, 18 instructions back */
#define BACK_80   UINT64_C(0xfffffed000001947) /* 18 instructions back */
#define AHEAD_80  UINT64_C(0x0000008000008947)
#define BEHIND    UINT64_C(0x000fea000383ffff)

static struct bytes image(uint64_t (*code)[2], unsigned capability)
{
    struct bytes b = image_of(KERNEL, code, 0, 1);
    uint32_t flags = capability << 8 | 0x06000004;

    b.at[8] = 8;
    memcpy(b.at + offsetof(Elf64_Ehdr, e_flags), &flags, sizeof(flags));
    return b;
}

static void nops(uint64_t (*code)[2])
{
    for (unsigned i = 0; i < IMAGE_INSTRUCTIONS; i++)
        code[i][0] = IMAGE_NOP, code[i][1] = 0;
}

static void put(uint64_t (*code)[2], unsigned at, uint64_t word)
{
    code[at][0] = word;
    code[at][1] = word >> 63 ? BEHIND : 0;
}

/* The loops of such code; their number. */
static uint32_t loops(uint64_t (*code)[2], unsigned capability, struct grosr_cubin_loop *found, uint32_t room)
{
    struct bytes b = image(code, capability);
    struct grosr_cubin_function f;
    struct grosr_cubin *cubin;
    uint32_t n = UINT32_MAX;

    if (grosr_cubin_open(&cubin, b.at, b.size) == 0) {
        if (grosr_cubin_named(cubin, KERNEL, &f))
            n = grosr_cubin_loops(cubin, &f, found, room);
        grosr_cubin_free(cubin);
    }
    free(b.at);
    return n;
}

static void branches(void)
{
    uint64_t code[IMAGE_INSTRUCTIONS][2];
    struct grosr_cubin_loop l[8];

    nops(code);
    is(loops(code, 90, l, 8), 0, "no branch, no loop");
    put(code, 2, AHEAD_90);
    is(loops(code, 90, l, 8), 0, "nor by one ahead");
    put(code, 12, SELF_90);
    put(code, 23, BACK_90);
    put(code, 30, UNIFORM);
    is(loops(code, 90, l, 8), 3, "9.0: three branches back");
    ok(l[0].low == 16 * 12 && l[0].high == 16 * 12, "one to itself");
    ok(l[1].low == 16 * 20 && l[1].high == 16 * 23, "one over three instructions");
    ok(l[2].low == 16 * 12 && l[2].high == 16 * 30, "a uniform one over 18");
    is(loops(code, 90, l, 2), 2, "no more than there is room for");
    put(code, 4, UNIFORM);
    is(loops(code, 90, l, 8), 3, "a branch to before the function is none of it");

    nops(code);
    put(code, 2, AHEAD_80);
    put(code, 30, BACK_80);
    is(loops(code, 80, l, 8), 1, "8.0: a branch back, and one ahead");
    ok(l[0].low == 16 * 12 && l[0].high == 16 * 30, "which is 18 instructions");
    image_branch(code[40], 40, 33);
    is(loops(code, 75, l, 8), 2, "7.5 has them in the same way");
    ok(l[1].low == 16 * 33 && l[1].high == 16 * 40, "wherever they go to");
}

static void endless(void)
{
    static const struct {
        uint64_t word;
        bool endless;
        const char *name;
    } cases[] = {{IMAGE_NOP, true, "nothing"},
                 {NANOSLEEP, true, "a pause"},
                 {ISETP, true, "a comparison"},
                 {0x0000000000007948, true, "a convergence of the warp"},
                 {LDG, false, "a load"},
                 {IADD3, false, "a sum, which may be a counter"},
                 {0x0000000000007919, false, "a special register, which may be a clock"},
                 {0x00000000000079ab, false, "a fence"},
                 {0x7b1d, false, "a barrier"}};
    uint64_t code[IMAGE_INSTRUCTIONS][2];
    struct grosr_cubin_loop l[2];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        nops(code);
        put(code, 21, cases[i].word);
        put(code, 23, BACK_90);
        is(loops(code, 90, l, 2), 1, "a loop of %s", cases[i].name);
        ok(l[0].endless == cases[i].endless, "%s", cases[i].endless ? "does not end" : "may end");
    }
}

static void lines(void)
{
    uint64_t code[IMAGE_INSTRUCTIONS][2];
    struct grosr_cubin_line line[4];
    struct grosr_cubin_function f;
    struct grosr_cubin *cubin;

    nops(code);
    struct bytes b = image(code, 90);
    is(grosr_cubin_open(&cubin, b.at, b.size), 0, "an image that is not relocated");
    ok(grosr_cubin_named(cubin, KERNEL, &f) && !grosr_cubin_named(cubin, "_Z4spin", &f),
       "its function by name");
    grosr_cubin_named(cubin, KERNEL, &f);
    is(grosr_cubin_lines(cubin, &f, f.address + 16 * 8, line, 4), 1, "the line of an offset");
    ok(line[0].line == 12 && !strcmp(line[0].file, "steps.cu"), "is 12");
    is(grosr_cubin_lines(cubin, &f, f.address + 16 * IMAGE_GRID_SYNC, line, 4), 2, "where a call is inlined");
    ok(line[1].line == 20 && line[0].line == 98, "there are two");
    grosr_cubin_free(cubin);
    free(b.at);
}

/* A module that is not relocated: the line table names its function by a symbol, in one of two kinds of
 * relocations, and what is written in the table is the addend of the first and means nothing in the other. */
static void relocated(uint32_t type, const char *name, uint64_t written)
{
    uint64_t code[IMAGE_INSTRUCTIONS][2];
    struct grosr_cubin_line line[4] = {{0}};
    struct grosr_cubin_function f;
    struct grosr_cubin *cubin;
    struct elf_writer w;
    struct bytes lines = image_lines(written), names = {0};
    size_t at = 0;
    Elf64_Sym symbols[2] = {{0}};

    nops(code);
    bytes_add8(&names, 0);
    bytes_add(&names, KERNEL, sizeof(KERNEL));
    while (memcmp(lines.at + at, "\0\11\2", 3) != 0) /* the first address comes behind this */
        at++;
    at += 3;
    elf_begin(&w);
    uint32_t text = elf_add(&w, ".text." KERNEL, SHT_PROGBITS, 0, 0, 0x1000, 0, code, sizeof(code));
    uint32_t strings = elf_add(&w, ".strtab", SHT_STRTAB, 0, 0, 0, 0, names.at, names.size);
    symbols[1] = (Elf64_Sym){.st_name = 1,
                             .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                             .st_shndx = (uint16_t)text,
                             .st_size = sizeof(code)};
    uint32_t symtab =
        elf_add(&w, ".symtab", SHT_SYMTAB, strings, 1, 0, sizeof(Elf64_Sym), symbols, sizeof(symbols));
    elf_add(&w, ".debug_line", SHT_PROGBITS, 0, 0, 0, 0, lines.at, lines.size);
    const Elf64_Rela r = {.r_offset = at, .r_info = ELF64_R_INFO(1, 2), .r_addend = 0};
    elf_add(&w, name, type, symtab, 0, 0, 0, &r, type == SHT_RELA ? sizeof(r) : sizeof(Elf64_Rel));
    struct bytes b = elf_finish(&w, ET_EXEC);
    bool opened = grosr_cubin_open(&cubin, b.at, b.size) == 0 && grosr_cubin_named(cubin, KERNEL, &f);
    ok(opened && grosr_cubin_lines(cubin, &f, f.address + 16 * 8, line, 4) == 1 && line[0].line == 12, "%s",
       name);
    grosr_cubin_free(cubin);
    free(lines.at);
    free(names.at);
    free(b.at);
}

/* Each byte of an image, wrong in turn: nothing is read outside it (the address sanitizer looks), and what is
 * found lies in the function. */
static void damaged(void)
{
    uint64_t code[IMAGE_INSTRUCTIONS][2], wrong = 0, opened = 0;
    struct grosr_cubin_loop l[4];

    nops(code);
    put(code, 23, BACK_90);
    struct bytes b = image(code, 90);
    for (size_t i = 0; i < b.size; i++) {
        struct grosr_cubin_function f;
        struct grosr_cubin *cubin;
        unsigned char *copy = (unsigned char *)malloc(b.size);
        if (!copy)
            abort();
        memcpy(copy, b.at, b.size);
        copy[i] ^= 0xff;
        if (grosr_cubin_open(&cubin, copy, b.size) == 0) {
            opened++;
            if (grosr_cubin_named(cubin, KERNEL, &f)) {
                uint32_t n = grosr_cubin_loops(cubin, &f, l, 4);
                for (uint32_t k = 0; k < n; k++)
                    wrong += l[k].low > l[k].high || l[k].high >= f.bytes;
            }
            grosr_cubin_free(cubin);
        }
        free(copy);
    }
    free(b.at);
    ok(opened > 100, "many damaged images can be opened");
    is(wrong, 0, "their loops lie in the function");
}

int main(void)
{
    branches();
    endless();
    lines();
    relocated(SHT_RELA, ".rela.debug_line", 0x123456789abc);
    relocated(SHT_REL, ".rel.debug_line", 0);
    damaged();
    return tap_done();
}
