/* Loops in the code of modules: found for every kind of branch, endless ones told from those that may end,
 * and nothing is believed of an image that is damaged. */
#include "../../tracer/nvidia/cubin.h"
#include "../coredump_writer.h"
#include "../tap.h"

#include <stddef.h>

#define KERNEL "_Z4spinPi"

/* Loads and what else writes registers, both words, as nvcc 13.0 makes them. */
#define LOAD_90 UINT64_C(0x0000400402007981), UINT64_C(0x000ea4000c1f5900) /* LDG.E R0, [R2.64+0x40] */
#define LOAD_64_90                                                                                          \
    UINT64_C(0xfffff00404047981), UINT64_C(0x000ea2000c1f5b00)                 /* LDG.E.64 R4, [R4.64-0x10] \
                                                                                */
#define GENERIC_90  UINT64_C(0x0000000402007980), UINT64_C(0x000ea2000c115900) /* LD.E R0, [R2.64] */
#define CAS_90      UINT64_C(0x00000004020473a9), UINT64_C(0x000ea400001ee506) /* ATOMG.E.CAS.64 R4, [R2] */
#define CAS_OWN     UINT64_C(0x00000004020273a9), UINT64_C(0x000ea400001f4506) /* the same into R2 */
#define LOAD_75     UINT64_C(0x0000000002037381), UINT64_C(0x000a400001e6900)  /* LDG.E R3, [R2] */
#define LOAD_75_GEN UINT64_C(0x0000000002047980), UINT64_C(0x000ea40000116900) /* LD.E R4, [R2] */
#define UNIFORM_75  UINT64_C(0x00000004ff007981), UINT64_C(0x000ea4000c1f6900) /* LDG.E R0, [UR4] */
#define NARROW      UINT64_C(0x0000400402007981), UINT64_C(0x000ea4000c1f5800) /* LDG R0, without .E */
#define MOVE_R3     UINT64_C(0x0000000500037202), UINT64_C(0x000fe40000000f00) /* MOV R3, R5 */
#define MOVE_R0     UINT64_C(0x0000000500007202), UINT64_C(0x000fe40000000f00)
#define CALL_90     UINT64_C(0x0000000000307944), UINT64_C(0x000fea0003c00000)

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

/* What real loops have: of grids' barriers and locks, as compilers made them, and of sums over arrays. */
static void polls(void)
{
    static const struct {
        uint64_t word[6];
        bool polls;
        const char *name;
    } cases[] = {
        {{0x0000000402007981, 0x00500070c002720c}, true, "a load at one place, and a comparison"},
        {{0x0000040402077980, 0x000000000000798f, 0x0000007946, 0x0000000007077212, 0xffffffff0700780c},
         true,
         "cooperative groups' barrier"},
        {{0x00000064ff00795d, 0x000000ff020079a8, 0x000000090000720c},
         true,
         "an atomic operation, with pauses"},
        {{0x000000060200738b, 0x000000ff0000720c}, true, "a lock"},
        {{0x0000000000067805, 0x0000000402087981, 0x0000000604007210, 0x0000000107067824, 0x000000ff0800720c},
         true,
         "a deadline"},
        {{0x000000040b027825, 0x0000000402027981, 0x0000000b000b7210, 0x0000000902097210},
         false,
         "a sum of an array"},
        {{0x0000000402007981, 0x0000000402007210, 0x0000000100027810}, false, "a load at places that follow"},
        {{0x0000000402007981, 0x0000000904007986}, false, "a load, and a store"},
        {{0x0000000402007981, 0x0000000900007221}, false, "a load, and floating point"},
        {{0x0000000402007981, 0x0000000900077224}, false, "a load, and a product"},
        {{0x000000090000720c, 0x0000000100027810}, false, "nothing that is read"},
        {{0x0000000402007984, 0x0000007b1d}, false, "a load, and a barrier"},
    };
    uint64_t code[IMAGE_INSTRUCTIONS][2];
    struct grosr_cubin_loop l[2];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        nops(code);
        for (unsigned k = 0; k < 6 && cases[i].word[k]; k++)
            code[10 + k][0] = cases[i].word[k];
        image_branch(code[20], 20, 10);
        is(loops(code, 80, l, 2), 1, "a loop of %s", cases[i].name);
        ok(l[0].polls == cases[i].polls, "%s", cases[i].polls ? "polls" : "does not poll");
    }
    nops(code);
    code[10][0] = 0x0000000402007981;
    code[10][1] = 6 << 9;
    image_branch(code[20], 20, 10);
    loops(code, 80, l, 2);
    ok(!l[0].polls, "a load of 16 bytes is not known to keep its address");
}

/* Where warps that do nothing but wait stand, beside the loops in which they poll. */
static void synchronizes(void)
{
    static const struct {
        uint64_t low, high;
        bool is;
        const char *what;
    } cases[] = {
        {0x0000000000007b1d, 0x000fec0000010000, true, "BAR.SYNC"},
        {0x0000000000007948, 0x000fea0003800000, true, "WARPSYNC.ALL"},
        {0xffffffff00007948, 0x000fea0003800000, true, "WARPSYNC of a mask"},
        {0x0000000000007946, 0x000fea0003800000, true, "YIELD"},
        {0x000000ff020079a8, 0x000e6200081ee1c4, false, "ATOMG"},
        {0x0000000607067210, 0x000fca0007f1e1ff, false, "IADD3"},
        {0xfffffffc00d48947, 0x000fea000083ffff, false, "BRA"},
    };
    uint64_t code[IMAGE_INSTRUCTIONS][2];
    struct grosr_cubin_function f;
    struct grosr_cubin *cubin;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        nops(code);
        code[20][0] = cases[i].low, code[20][1] = cases[i].high;
        struct bytes b = image(code, 90);
        ok(grosr_cubin_open(&cubin, b.at, b.size) == 0 && grosr_cubin_named(cubin, KERNEL, &f) &&
               grosr_cubin_synchronizes(cubin, &f, 16 * 20) == cases[i].is &&
               !grosr_cubin_synchronizes(cubin, &f, 16 * 21) && !grosr_cubin_synchronizes(cubin, &f, f.bytes),
           "%s %s", cases[i].what, cases[i].is ? "waits" : "does not wait");
        grosr_cubin_free(cubin);
        free(b.at);
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

/* What is read in a loop of these two instructions. */
static uint32_t loads(unsigned capability, uint64_t a0, uint64_t a1, uint64_t b0, uint64_t b1,
                      struct grosr_cubin_load *found)
{
    uint64_t code[IMAGE_INSTRUCTIONS][2];
    struct grosr_cubin_function f;
    struct grosr_cubin_loop loop[4];
    struct grosr_cubin *cubin;
    uint32_t n = UINT32_MAX;

    nops(code);
    code[20][0] = a0, code[20][1] = a1;
    code[21][0] = b0, code[21][1] = b1;
    put(code, 22, ISETP);
    put(code, 23, BACK_90);
    if (capability < 90)
        image_branch(code[23], 23, 20);
    struct bytes b = image(code, capability);
    if (grosr_cubin_open(&cubin, b.at, b.size) == 0) {
        if (grosr_cubin_named(cubin, KERNEL, &f))
            n = grosr_cubin_loads(cubin, &f, loop, grosr_cubin_loops(cubin, &f, loop, 4), 16 * 21, found, 4);
        grosr_cubin_free(cubin);
    }
    free(b.at);
    return n;
}

static bool is_load(const struct grosr_cubin_load *l, unsigned at, uint32_t base, int64_t displacement)
{
    return l->offset == 16 * at && l->base == base && l->displacement == displacement;
}

static void memory(void)
{
    struct grosr_cubin_load l[4];

    ok(loads(90, LOAD_90, IMAGE_NOP, 0, l) == 1 && is_load(l, 20, 2, 0x40), "9.0: a load, and where from");
    is(l[0].bytes, 4, "of 32 bits");
    ok(loads(80, GENERIC_90, IMAGE_NOP, 0, l) == 1 && is_load(l, 20, 2, 0), "8.0: by a generic address");
    ok(loads(90, LOAD_90, CAS_90, l) == 2 && is_load(l + 1, 21, 2, 0), "a compare-and-swap beside it");
    is(l[1].bytes, 8, "of 64 bits");
    ok(loads(100, LOAD_90, MOVE_R0, l) == 1, "10.0, beside what writes another register");
    ok(loads(70, LOAD_75_GEN, IMAGE_NOP, 0, l) == 1 && is_load(l, 20, 2, 0) && l[0].bytes == 4, "7.0");
    is(loads(75, LOAD_75, IMAGE_NOP, 0, l), 0, "one that writes half of its own address");
    is(loads(90, LOAD_64_90, IMAGE_NOP, 0, l), 0, "or all of it");
    is(loads(75, CAS_OWN, IMAGE_NOP, 0, l), 0, "a compare-and-swap that does");
    is(loads(90, LOAD_90, MOVE_R3, l), 0, "an address that changes in the loop");
    is(loads(90, LOAD_90, CALL_90, l), 1, "beside a call it has been read or will be");
    is(loads(90, CALL_90, CALL_90, l), 0, "between two it may be neither");
    is(loads(75, UNIFORM_75, IMAGE_NOP, 0, l), 0, "7.5: an address in uniform registers");
    is(loads(75, LOAD_90, IMAGE_NOP, 0, l), 0, "or partly in them");
    is(loads(90, LOAD_75_GEN, IMAGE_NOP, 0, l), 0, "9.0: none that describes the memory is not understood");
    is(loads(90, NARROW, IMAGE_NOP, 0, l), 0, "nor an address of 32 bits");
    is(loads(60, LOAD_90, IMAGE_NOP, 0, l), 0, "nor another architecture's code");
}

/* Code that is seldom run: it stands behind the rest, and goes back to where it came from. */
static void seldom(void)
{
    uint64_t code[IMAGE_INSTRUCTIONS][2];
    struct grosr_cubin_function f;
    struct grosr_cubin_load l[4];
    struct grosr_cubin_loop loop[4];
    struct grosr_cubin *cubin;

    nops(code);
    image_branch(code[9], 9, 30);
    code[10][0] = UINT64_C(0x0000400402007981);
    code[10][1] = UINT64_C(0x000ea4000c1f5900);
    code[20][0] = 0x794d; /* EXIT */
    image_branch(code[32], 32, 10);
    struct bytes b = image(code, 80);
    is(grosr_cubin_open(&cubin, b.at, b.size), 0, "a branch back that is no loop");
    ok(grosr_cubin_named(cubin, KERNEL, &f), "in the kernel");
    is(grosr_cubin_loops(cubin, &f, loop, 4), 1, "a branch back");
    is(grosr_cubin_loads(cubin, &f, loop, 1, 16 * 12, l, 4), 0, "nothing is read again and again there");
    grosr_cubin_free(cubin);
    code[20][0] = 0x894d; /* @!P0 EXIT */
    free(b.at);
    b = image(code, 80);
    is(grosr_cubin_open(&cubin, b.at, b.size), 0, "the same, if the rest goes on into it");
    ok(grosr_cubin_loads(cubin, &f, loop, 1, 16 * 12, l, 4) == 1 && is_load(l, 10, 2, 0x40), "is a loop");
    grosr_cubin_free(cubin);
    free(b.at);
}

static void variables(void)
{
    struct bytes b = image_make(IMAGE_ADDRESS, 0);
    struct grosr_cubin_variable v;
    struct grosr_cubin *cubin;
    uint64_t at = 0;

    is(grosr_cubin_open(&cubin, b.at, b.size), 0, "an image with variables");
    ok(grosr_cubin_next_variable(cubin, &at, &v) && !strcmp(v.name, "flag") && v.address == IMAGE_FLAG &&
           v.bytes == 4,
       "the first one");
    ok(grosr_cubin_next_variable(cubin, &at, &v) && !strcmp(v.name, "_ZN4ring5tableE") &&
           v.address == IMAGE_TABLE && v.bytes == IMAGE_TABLE_BYTES,
       "the second");
    ok(!grosr_cubin_next_variable(cubin, &at, &v), "a kernel is none");
    grosr_cubin_free(cubin);
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
    polls();
    synchronizes();
    lines();
    relocated(SHT_RELA, ".rela.debug_line", 0x123456789abc);
    relocated(SHT_REL, ".rel.debug_line", 0);
    memory();
    seldom();
    variables();
    damaged();
    return tap_done();
}
