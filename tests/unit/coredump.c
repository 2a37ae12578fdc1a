/* Core dumps of GPUs: where warps stand is read right, what is damaged is refused, and nobody is blamed for
 * waiting. */
#include "../../tracer/base/error.h"
#include "../../tracer/coredump/coredump.h"
#include "../coredump_writer.h"
#include "../tap.h"

#include <errno.h>
#include <unistd.h>

#define AT(instruction) (IMAGE_ADDRESS + 16 * (instruction))

static char path[] = "/tmp/grosr-core-XXXXXX";

static void same(const char *got, const char *want, const char *what)
{
    bool equal = !strcmp(got, want);

    ok(equal, "%s", what);
    if (!equal)
        printf("# got '%s', want '%s'\n", got, want);
}

static struct grosr_core *core_of(struct bytes file)
{
    struct grosr_core *core = NULL;

    if (grosr_core_read(&core, file.at, file.size))
        printf("# %s\n", grosr_error());
    return core;
}

static const char *place(const struct grosr_core *core, uint32_t p, enum grosr_core_wait wait)
{
    static char text[512];

    grosr_core_place_text(core, p, wait, text, sizeof(text));
    return text;
}

static void test_small(void)
{
    const unsigned instruction[] = {52};
    struct bytes file = dump_simple(4, 1, instruction, 1);
    struct grosr_core *core = core_of(file);

    ok(core && core->devices == 1 && core->grids == 1 && core->warps == 1 && core->groups == 1, "one warp");
    same(core->device[0].name, "NVIDIA H100 80GB HBM3", "the device has its name");
    ok(core->device[0].sms == 132 && core->device[0].warps_per_sm == 64 && core->device[0].sm_major == 9,
       "and size");
    ok(core->driver_major == 580 && core->timestamp == 1764288000, "the driver and the time are known");
    same(core->grid[0].kernel, "segment_steps", "the kernel has its name");
    same(core->grid[0].arguments, "0x7f3000000000, 3", "and its arguments, each of its size");
    ok(core->grid[0].grid[0] == 4 && core->grid[0].block[0] == 32 && core->grid[0].blocks == 1,
       "one of four blocks");
    same(place(core, core->warp[0].place, core->warp[0].wait), "steps.cu:22 in segment_steps",
         "the warp has a line");
    same(core->place[0].file, "/src/steps.cu", "whose file has its folder");
    is(core->place[0].offset, 16 * 52, "and an offset");
    grosr_core_free(core);
    free(file.at);
}

/* Lanes of a warp at two places, of which one is a barrier; the second warp has a lane that is not valid. */
static void test_lanes(void)
{
    struct dump d = {0};
    uint32_t device = dump_device(&d, "GPU");
    uint32_t image = dump_image(&d, device, image_make(IMAGE_ADDRESS, 1));
    uint32_t grid = dump_grid(&d, device, image, IMAGE_ADDRESS, 1, 64);
    uint32_t block = dump_block(&d, dump_sm(&d, device, 3), grid, 0);
    uint32_t warp = dump_warp(&d, block, 9, 0x7, 0x6);

    dump_lane(&d, warp, 0, 32, AT(IMAGE_BARRIER));
    dump_lane(&d, warp, 1, 33, AT(0));
    dump_lane(&d, warp, 2, 34, AT(0));
    warp = dump_warp(&d, block, 10, 0x1, 0x0);
    dump_lane(&d, warp, 0, 0, AT(IMAGE_BARRIER + 1));
    dump_lane(&d, warp, 5, 5, AT(2));
    struct bytes file = dump_finish(&d);
    struct grosr_core *core = core_of(file);

    ok(core && core->warps == 2, "two warps");
    for (uint32_t i = 0; i < core->warps; i++) {
        const struct grosr_core_warp *w = &core->warp[i];
        if (w->id == 9) {
            same(place(core, w->place, w->wait), "steps.cu:10 in segment_steps",
                 "active lanes say where it stands");
            same(place(core, w->other, core->place[w->other].wait),
                 "steps.cu:15 in segment_steps, waiting at a block barrier", "the others where they do");
            ok(w->warp == 1 && w->sm == 3, "it is the block's second warp");
        } else {
            same(place(core, w->place, w->wait), "steps.cu:15 in segment_steps, waiting at a block barrier",
                 "behind a barrier is at it");
            is(w->other, GROSR_CORE_NONE, "a lane that is not valid stands nowhere");
        }
    }
    grosr_core_free(core);
    free(file.at);
}

/* Two devices whose modules are at the same address; an image without lines; a PC that is in none. */
static void test_devices(void)
{
    struct dump d = {0};
    uint32_t first = dump_device(&d, "first"), second = dump_device(&d, "second");
    uint32_t lines = dump_image(&d, first, image_make(IMAGE_ADDRESS, 1));
    uint32_t none = dump_image(&d, second, image_make(IMAGE_ADDRESS, 0));
    uint32_t a = dump_grid(&d, first, lines, IMAGE_ADDRESS, 1, 32);
    uint32_t b = dump_grid(&d, second, none, IMAGE_ADDRESS, 1, 32);
    uint32_t c = dump_grid(&d, second, 77, 0x5000, 1, 32);
    uint32_t sm0 = dump_sm(&d, first, 0), sm1 = dump_sm(&d, second, 1);
    uint32_t block[] = {dump_block(&d, sm0, a, 0), dump_block(&d, sm1, b, 0), dump_block(&d, sm1, c, 0)};
    const uint64_t pc[] = {AT(8), AT(8), 0x5010};

    for (unsigned i = 0; i < 3; i++)
        dump_lane(&d, dump_warp(&d, block[i], 0, 1, 1), 0, 0, pc[i]);
    struct bytes file = dump_finish(&d);
    struct grosr_core *core = core_of(file);

    ok(core && core->devices == 2 && core->grids == 3 && core->warps == 3, "two devices, three kernels");
    same(place(core, core->warp[0].place, GROSR_CORE_WAIT_NONE), "steps.cu:12 in segment_steps",
         "the first's module has lines");
    same(place(core, core->warp[1].place, GROSR_CORE_WAIT_NONE), "segment_steps+0x80",
         "the second's has none");
    same(place(core, core->warp[2].place, GROSR_CORE_WAIT_NONE), "0x5010, which no module in the dump has",
         "some code is in none");
    same(core->grid[2].kernel, "kernel at 0x5000", "nor is its kernel");
    same(core->grid[2].arguments, "", "whose arguments are not known");
    grosr_core_free(core);
    free(file.at);
}

/* A block of a grid that is in no table, whose code is in a module that has been unloaded. */
static void test_unlisted(void)
{
    struct dump d = {0};
    uint32_t device = dump_device(&d, "GPU");
    uint32_t image = dump_image(&d, device, image_make(IMAGE_ADDRESS, 1));
    uint32_t block = dump_block(&d, dump_sm(&d, device, 0), 9, 4);

    dump_whole_warp(&d, block, 0, 52);
    (void)image;
    struct bytes file = dump_finish(&d);
    const Elf64_Ehdr *h = (const Elf64_Ehdr *)(void *)file.at;
    Elf64_Shdr *section = (Elf64_Shdr *)(void *)(file.at + h->e_shoff);
    for (unsigned i = 0; i < h->e_shnum; i++)
        if (section[i].sh_type == 0x80000007u)
            section[i].sh_link = 0;
    struct grosr_core *core = core_of(file);
    ok(core && core->grids == 1 && core->grid[0].id == 10 && core->grid[0].blocks == 1,
       "a grid that no table has");
    same(core->grid[0].kernel, "kernel at 0x0", "has no name");
    same(place(core, core->warp[0].place, GROSR_CORE_WAIT_NONE), "steps.cu:22 in segment_steps",
         "but its warps have lines, of a module without a context");
    grosr_core_free(core);
    free(file.at);
}

/* ---- findings ---- */

static int diagnose(struct bytes file, struct grosr_findings *findings)
{
    FILE *f = fopen(path, "wb");

    if (!f || fwrite(file.at, 1, file.size, f) != file.size || fclose(f))
        exit(1);
    free(file.at);
    grosr_findings_init(findings, 0);
    int err = grosr_diagnose_core(path, NULL, findings);
    return err ? err : grosr_findings_settle(findings);
}

/* The verdict and summary of a dump whose warps stand at these instructions. */
static void judge(uint32_t blocks, uint32_t warps, const unsigned *instruction, uint32_t count,
                  enum grosr_verdict verdict, const char *summary)
{
    struct grosr_findings findings;

    is(diagnose(dump_simple(blocks, warps, instruction, count), &findings), 0, "a dump is read");
    same(grosr_verdict_name(findings.verdict), grosr_verdict_name(verdict), "its verdict");
    same(findings.findings ? findings.finding[0].summary : "", summary, "its summary");
    grosr_findings_free(&findings);
}

static void test_barriers(void)
{
    unsigned at[1056], i;
    struct grosr_findings findings;

    for (i = 0; i < 4; i++)
        at[i] = IMAGE_GRID_SYNC;
    judge(16, 4, at, 4, GROSR_VERDICT_STALLED,
          "1 block of kernel segment_steps waits at its grid barrier, steps.cu:20, for 15 that have ended or "
          "were never started");
    for (i = 4; i < 8; i++)
        at[i] = IMAGE_GRID_SYNC;
    judge(
        1, 4, at, 8, GROSR_VERDICT_STALLED,
        "2 blocks of kernel segment_steps wait at its grid barrier, steps.cu:20, for others that have ended "
        "or were never started"); /* a cooperative launch */
    at[3] = 52;
    judge(16, 4, at, 4, GROSR_VERDICT_HEALTHY, "where 4 warps of kernel segment_steps stood");
    for (i = 0; i < 4; i++)
        at[i] = IMAGE_BARRIER;
    judge(1, 4, at, 4, GROSR_VERDICT_STALLED,
          "all 4 warps of kernel segment_steps wait at barriers, most at the block barrier of steps.cu:15: "
          "nobody is left who could arrive");
    at[3] = 0;
    judge(1, 4, at, 4, GROSR_VERDICT_HEALTHY, "where 4 warps of kernel segment_steps stood");
    at[0] = IMAGE_BARRIER;
    judge(1, 1, at, 1, GROSR_VERDICT_HEALTHY, "where 1 warp of kernel segment_steps stood");
    for (i = 0; i < 1056; i++)
        at[i] = IMAGE_GRID_SYNC;
    at[500] = 0;
    judge(132, 8, at, 1056, GROSR_VERDICT_HEALTHY,
          "1,055 of 1,056 warps of kernel segment_steps wait at its grid barrier, steps.cu:20, for one that "
          "stands elsewhere");
    is(diagnose(dump_simple(132, 8, at, 1056), &findings), 0, "once more");
    same(findings.finding[0].evidence,
         "grid 132x1x1, block 256x1x1: 132 of 132 blocks are on the GPU\n"
         "arguments: 0x7f3000000000, 3\n"
         "1,055 of 1,056 warps at steps.cu:20 in segment_steps, waiting at a grid barrier, inlined sync "
         "(sync.h:98) "
         "(one is block 0 warp 0 on SM 0)\n"
         "1 of 1,056 warps at steps.cu:10 in segment_steps (block 62 warp 4 on SM 62)",
         "the evidence says where all stand");
    grosr_findings_free(&findings);
    for (i = 0; i < 1056; i += 8)
        at[i] = 0; /* one in each block works, and the others wait for it: nothing special */
    judge(132, 8, at, 1056, GROSR_VERDICT_HEALTHY, "where 1,056 warps of kernel segment_steps stood");
}

static void test_failures(void)
{
    struct dump d = {0};
    uint32_t device = dump_device(&d, "GPU");
    uint32_t image = dump_image(&d, device, image_make(IMAGE_ADDRESS, 1));
    uint32_t grid = dump_grid(&d, device, image, IMAGE_ADDRESS, 1, 64);
    uint32_t sm = dump_sm(&d, device, 0), left = dump_sm(&d, device, 7);
    uint32_t block = dump_block(&d, sm, grid, 0);
    uint32_t warp = dump_whole_warp(&d, block, 0, 60);
    struct grosr_findings findings;

    dump_whole_warp(&d, block, 1, 0);
    set64(&d, DUMP_WARP, warp, 0, AT(25));
    set32(&d, DUMP_WARP, warp, 24, 1);
    set32(&d, DUMP_LANE, 3, 32, 14);
    set32(&d, DUMP_SM, sm, 8, 14);
    set32(&d, DUMP_SM, left, 8, 12);
    set32(&d, DUMP_SM, left, 12, 1);
    set64(&d, DUMP_SM, left, 16, AT(0));
    is(diagnose(dump_finish(&d), &findings), 0, "a dump of a failure");
    same(grosr_verdict_name(findings.verdict), "stalled", "is a finding");
    ok(findings.findings == 2, "as is one whose warp has left");
    bool first = strstr(findings.finding[0].summary, "kernel") != NULL; /* they are equal: in any order */
    same(findings.finding[0].kind, "gpu_exception", "of its kind");
    same(findings.finding[!first].summary,
         "kernel segment_steps has failed: Warp Illegal Address at steps.cu:16",
         "which says what, and where it was and not where the warp stood");
    same(findings.finding[first].summary,
         "a warp on SM 7 has failed, and has left since: Warp Assert at steps.cu:10",
         "an SM's failure is not lost");
    grosr_findings_free(&findings);
}

/* ---- large, and damaged ---- */

static void test_large(void)
{
    struct dump d = {.registers = 8};
    uint32_t device = dump_device(&d, "GPU");
    uint32_t image = dump_image(&d, device, image_make(IMAGE_ADDRESS, 1));
    uint32_t grid = dump_grid(&d, device, image, IMAGE_ADDRESS, 132 * 2, 1024);

    for (uint32_t s = 0; s < 132; s++) {
        uint32_t sm = dump_sm(&d, device, s);
        for (uint32_t b = 0; b < 2; b++) {
            uint32_t block = dump_block(&d, sm, grid, 2 * s + b);
            for (uint32_t w = 0; w < 32; w++)
                dump_whole_warp(&d, block, w, w == 7 ? 0 : 52);
        }
    }
    struct bytes file = dump_finish(&d);
    const Elf64_Ehdr *h = (const Elf64_Ehdr *)(void *)file.at;
    ok(h->e_shnum == 0 && h->e_shstrndx == SHN_XINDEX,
       "a full GPU has more sections than the header can count");
    struct grosr_core *core = core_of(file);
    ok(core && core->warps == 8448 && core->places == 2 && core->groups == 2, "8,448 warps in two groups");
    ok(core && core->group[0].warps == 8448 - 264 && core->group[0].blocks == 264, "the larger one first");
    grosr_core_free(core);
    free(file.at);
}

/* Every word of the tables changed, and every length cut: read or refused, and nothing else. */
static void test_damage(void)
{
    const unsigned instruction[] = {0, IMAGE_BARRIER, 42, 52};
    struct bytes file = dump_simple(4, 2, instruction, 4), one;
    struct grosr_core *core;
    unsigned refused = 0, wordless = 0, tries = 0;

    for (size_t cut = 0; cut < file.size; cut += 199) {
        one.at = (unsigned char *)malloc(cut ? cut : 1);
        memcpy(one.at, file.at, cut);
        int err = grosr_core_read(&core, one.at, cut);
        refused += err == -EINVAL;
        wordless += err && !*grosr_error();
        if (!err)
            grosr_core_free(core);
        free(one.at);
        tries++;
    }
    is(refused, tries, "a dump that is cut anywhere is refused");
    one.at = (unsigned char *)malloc(file.size);
    refused = 0;
    for (size_t at = 0; at + 4 <= file.size; at += 4) {
        static const uint32_t value[] = {0, 0xffffffffu, 0x80000000u, 7};
        memcpy(one.at, file.at, file.size);
        memcpy(one.at + at, &value[at / 4 % 4], 4);
        int err = grosr_core_read(&core, one.at, file.size);
        refused += err != 0;
        wordless += err && !*grosr_error();
        if (!err)
            grosr_core_free(core);
    }
    ok(refused > 100, "many changes are noticed (%u)", refused);
    is(wordless, 0, "and it says each time why it is refused");
    free(one.at);
    free(file.at);
}

static void test_files(void)
{
    struct grosr_findings findings;
    struct bytes image = image_make(IMAGE_ADDRESS, 1), text = {0};

    bytes_add(&text, "no ELF file, and longer than its header\n", 40);
    is(diagnose(image, &findings), -EINVAL, "machine code is no core dump");
    ok(strstr(grosr_error(), "it is machine code of a GPU, and no core dump") != NULL, "which is said");
    ok(!grosr_core_is(path), "and known from its header");
    grosr_findings_free(&findings);
    is(diagnose(text, &findings), -EINVAL, "nor is a text");
    grosr_findings_free(&findings);
    is(grosr_diagnose_core("/nowhere", NULL, &findings), -ENOENT, "a file that is not there");
    is(grosr_diagnose_core("/dev", NULL, &findings), -EINVAL, "a folder");
}

int main(void)
{
    int fd = mkstemp(path);

    if (fd < 0)
        return 1;
    close(fd);
    test_small();
    test_lanes();
    test_devices();
    test_unlisted();
    test_barriers();
    test_failures();
    test_large();
    test_damage();
    test_files();
    unlink(path);
    return tap_done();
}
