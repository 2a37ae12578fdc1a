/* Core dumps of GPUs: what is in registers is found by name, in the right warps, and numbers are not taken
 * for addresses; what a session knows of them is added, if it is that of the dump's process and time. */
#include "../../tracer/base/error.h"
#include "../../tracer/coredump/coredump.h"
#include "../../tracer/session/session.h"
#include "../coredump_writer.h"
#include "../tap.h"

#include <time.h>
#include <unistd.h>

#define AT(instruction) (IMAGE_ADDRESS + 16 * (instruction))
#define POINTER         UINT64_C(0x7f3000012300)
#define LOCK            (POINTER + 0x40)
#define ROOM            8u
#define LOCK_WORD       UINT64_C(0x4000000000000) /* of worker 3 */

static char *line[ROOM];
static uint32_t lines;

static void same(const char *got, const char *want, const char *what)
{
    bool equal = !strcmp(got, want);

    ok(equal, "%s", what);
    if (!equal)
        printf("# got  '%s'\n# want '%s'\n", got, want);
}

/* A dump of a kernel that was called with POINTER and 3. */
struct made {
    struct dump d;
    uint32_t device, image, grid, sm;
};

static struct made begin(void)
{
    static const uint64_t arguments[2] = {POINTER, 3};
    struct made m = {0};

    m.device = dump_device(&m.d, "GPU");
    m.image = dump_image(&m.d, m.device, image_make(IMAGE_ADDRESS, 1));
    m.grid = dump_grid(&m.d, m.device, m.image, IMAGE_ADDRESS, 4, 32);
    dump_arguments(&m.d, m.grid, arguments, sizeof(arguments));
    m.sm = dump_sm(&m.d, m.device, 0);
    return m;
}

/* A warp whose lanes have `pairs` of registers, and lane k k * step more in the last. */
static uint32_t add_warp(struct made *m, uint32_t block, unsigned instruction, const uint64_t *pair,
                         uint32_t pairs, uint64_t step)
{
    uint32_t first = dump_count(&m->d, DUMP_LANE);
    uint32_t warp = dump_whole_warp(&m->d, dump_block(&m->d, m->sm, m->grid, block), 0, instruction);

    for (uint32_t lane = 0; lane < 32; lane++)
        for (uint32_t i = 0; i < pairs; i++)
            dump_register_pair(&m->d, DUMP_LANE, first + lane, pair[i] + (i + 1 == pairs ? lane * step : 0));
    return warp;
}

/* The lines of the first group. */
static struct grosr_core *find(struct made *m, const struct grosr_core_sessions *sessions, const char *path,
                               struct bytes *file)
{
    struct grosr_core *core = NULL;

    while (lines > 0)
        free(line[--lines]);
    *file = dump_finish(&m->d);
    if (grosr_core_read(&core, file->at, file->size) || grosr_core_match(core, sessions, path)) {
        printf("Bail out! %s\n", grosr_error());
        exit(1);
    }
    lines = grosr_core_match_lines(core, core->group[0].first, core->group[0].warps, line, ROOM);
    return core;
}

/* The line of the first group; NULL: there is none. */
static void expect(struct made *m, const struct grosr_core_sessions *sessions, const char *path,
                   const char *want, const char *what)
{
    struct bytes file;

    grosr_core_free(find(m, sessions, path, &file));
    free(file.at);
    is(lines, want != NULL, "%s: lines", what);
    for (uint32_t i = 0; i < lines; i++)
        same(line[i], i == 0 && want ? want : "", what);
}

/* ---- names of the dump itself ---- */

static void test_arguments(void)
{
    const uint64_t pair[] = {7, 1, POINTER}, more[] = {7, 1, POINTER + 0x48}, beyond[] = {POINTER + 0x100};
    struct made m = begin();

    add_warp(&m, 0, 4, pair, 3, 0);
    expect(&m, NULL, NULL, "32 of 32 lanes hold argument 1 of segment_steps (0x7f3000012300)", "an argument");
    m = begin();
    add_warp(&m, 0, 4, more, 3, 4);
    expect(&m, NULL, NULL, "32 of 32 lanes hold argument 1 of segment_steps, at several offsets",
           "lanes that point behind it, each to its word");
    m = begin();
    add_warp(&m, 0, 4, more, 3, 0);
    expect(&m, NULL, NULL, "32 of 32 lanes hold argument 1 of segment_steps + 0x48 (0x7f3000012348)",
           "and to one word");
    m = begin();
    add_warp(&m, 0, 4, beyond, 1, 0);
    expect(&m, NULL, NULL, NULL, "an address that may be of another allocation");
}

static void test_variables(void)
{
    const uint64_t flag[] = {IMAGE_FLAG}, table[] = {IMAGE_TABLE + 16};
    struct made m = begin();

    m.d.memory_at = IMAGE_FLAG;
    bytes_add64(&m.d.memory, 5);
    add_warp(&m, 0, 4, flag, 1, 0);
    add_warp(&m, 1, 4, flag, 1, 0);
    expect(&m, NULL, NULL,
           "2 of 2 warps (32 of 32 lanes) hold the address of variable flag (0x7f3210480000); "
           "which was 5 in the dump",
           "a variable");
    m = begin();
    add_warp(&m, 0, 4, table, 1, 0);
    expect(&m, NULL, NULL, "32 of 32 lanes hold an address in variable table, at +0x10 (0x7f3210480110)",
           "a place in one");
    m = begin();
    add_warp(&m, 0, 4, table, 1, IMAGE_TABLE_BYTES / 16);
    expect(&m, NULL, NULL, "16 of 32 lanes hold addresses in variable table", "its end");
}

static void test_loads(void)
{
    const uint64_t base[] = {0, IMAGE_FLAG - 0x40}, other[] = {0, POINTER};
    struct made m = begin();

    add_warp(&m, 0, IMAGE_POLL, base, 2, 0);
    expect(&m, NULL, NULL,
           "32 of 32 lanes read variable flag (0x7f3210480000) in a loop, by the load at "
           "segment_steps+0x380",
           "what a loop polls, whose address no register has");
    m = begin();
    add_warp(&m, 0, IMAGE_POLL, other, 2, 0);
    expect(&m, NULL, NULL,
           "32 of 32 lanes read what argument 1 of segment_steps points to, at +0x40 "
           "(0x7f3000012340) in a loop, by the load at segment_steps+0x380",
           "which is not said to be held as well");
    m = begin();
    m.d.memory_at = POINTER + 0x40;
    bytes_add64(&m.d.memory, UINT64_C(0x700000009));
    add_warp(&m, 0, IMAGE_POLL, other, 2, 0);
    expect(&m, NULL, NULL,
           "32 of 32 lanes read what argument 1 of segment_steps points to, at +0x40 (0x7f3000012340) in a "
           "loop, by the load at segment_steps+0x380; which was 9 in the dump",
           "and its value, of 32 bits as the load has");
    m = begin();
    add_warp(&m, 0, IMAGE_POLL + 2, base, 2, 0);
    expect(&m, NULL, NULL, NULL, "behind the loop nothing is read");
}

static void test_uniform(void)
{
    const uint64_t pair[] = {1};
    struct made m = begin();
    uint32_t warp = add_warp(&m, 0, 4, pair, 1, 0);

    dump_register_pair(&m.d, DUMP_WARP, warp, 9);
    dump_register_pair(&m.d, DUMP_WARP, warp, IMAGE_FLAG);
    expect(&m, NULL, NULL, "32 of 32 lanes hold the address of variable flag (0x7f3210480000)",
           "a warp's uniform registers");
}

/* ---- what is none ---- */

/* Nothing of these registers is named. */
static void none(const uint64_t *pair, uint32_t pairs, uint64_t argument, const char *what)
{
    struct made m = begin();
    uint64_t arguments[2] = {argument, 3};

    memcpy(dump_at(&m.d, DUMP_GRID, m.grid)->blob.at, arguments, sizeof(arguments));
    add_warp(&m, 0, 4, pair, pairs, 0);
    expect(&m, NULL, NULL, NULL, what);
}

static void test_numbers(void)
{
    const uint64_t small[] = {0, 1, 42, 65535}, low[] = {UINT64_C(0x7f3000000000), UINT64_C(0x7f300000ff00)};
    const uint64_t shifted[] = {IMAGE_FLAG << 32, IMAGE_FLAG >> 32}, half[] = {(uint32_t)IMAGE_FLAG};
    const uint64_t real[] = {UINT64_C(0x3ff0000000000000)}, next[] = {IMAGE_FLAG + 4};

    none(small, 4, 42, "small integers, which an argument is too");
    none(low, 2, low[0], "an address whose lower half is small may be a number and half of an old address");
    none(low, 2, low[1], "or another");
    none(shifted, 2, 3, "halves in an odd register and the next");
    none(half, 1, 3, "the lower half alone");
    none(real, 1, real[0], "a floating-point number");
    none(next, 1, 3, "the word behind a variable");
}

/* Two GPUs whose modules are at one address: the second has none, and its kernel other arguments. */
static void test_others(void)
{
    struct made m = begin();
    uint32_t second = dump_device(&m.d, "second");
    uint32_t grid = dump_grid(&m.d, second, 77, 0x5000, 1, 32), sm = dump_sm(&m.d, second, 1);
    uint32_t warp = dump_warp(&m.d, dump_block(&m.d, sm, grid, 0), 0, 3, 3);
    struct bytes file;

    for (uint32_t lane = 0; lane < 3; lane++) { /* the third is not valid */
        uint32_t i = dump_lane(&m.d, warp, lane, lane, 0x5010);
        dump_register_pair(&m.d, DUMP_LANE, i, IMAGE_FLAG);
        dump_register_pair(&m.d, DUMP_LANE, i, POINTER);
    }
    struct grosr_core *core = find(&m, NULL, NULL, &file);
    is(core->matches, 0, "another GPU's variables and another kernel's arguments are not meant");
    grosr_core_free(core);
    free(file.at);

    m = begin();
    warp = dump_warp(&m.d, dump_block(&m.d, m.sm, m.grid, 0), 0, 3, 3);
    for (uint32_t lane = 0; lane < 3; lane++)
        dump_register_pair(&m.d, DUMP_LANE, dump_lane(&m.d, warp, lane, lane, AT(4)), IMAGE_FLAG);
    core = find(&m, NULL, NULL, &file);
    ok(core->matches == 1 && core->match[0].lanes == 3, "lanes that have ended hold nothing");
    grosr_core_free(core);
    free(file.at);
}

/* ---- sessions ---- */

static struct grosr_session *make_session(const char *device)
{
    struct grosr_session_options o = {.device = device,
                                      .device_name = "GPU",
                                      .program = "test",
                                      .sms = 1,
                                      .max_warps_per_sm = 64,
                                      .lanes = 32,
                                      .workers = 4,
                                      .ring_events = 64,
                                      .host_ring_events = 64,
                                      .overflow = GROSR_OVERFLOW_OVERWRITE,
                                      .level = GROSR_LEVEL_SPANS,
                                      .names = 4};
    struct grosr_session *s = NULL;

    if (grosr_session_create(&s, &o) || grosr_session_add_name(s, GROSR_NAME_USER, 2, "journal", NULL)) {
        printf("Bail out! %s\n", grosr_error());
        exit(1);
    }
    return s;
}

/* Worker 1 waits at the address, as has been reported; 2.1 s after `seen`, if that is a lock's. */
static void put_wait(const struct grosr_session *s, uint64_t kind, uint64_t address, uint64_t wanted,
                     uint64_t seen)
{
    const uint64_t began = 4000;
    struct grosr_wait_entry *e = grosr_session_wait(s, 1);
    struct grosr_pair word = grosr_event_pack(UINT64_C(9) << GROSR_LAP_SHIFT, GROSR_EV_WAIT_BEGIN, began,
                                              grosr_payload_resource(2, 0));

    sys_store_relaxed(&e->stated, kind << GROSR_WAIT_KIND_SHIFT | began);
    sys_store_relaxed(&e->resource, UINT64_C(2) << 32);
    sys_store_relaxed(&e->address, address);
    sys_store_relaxed(&e->wanted, wanted);
    sys_store_relaxed(&e->seen, seen);
    sys_store_relaxed(&e->since, began);
    sys_store_relaxed(&e->updated, UINT64_C(2100000000));
    sys_store_relaxed(&e->sequence, UINT64_C(2));
    sys_store_pair_relaxed(&grosr_session_worker(s, 1)->state, word.lo, word.hi);
}

static struct grosr_core_sessions *sessions_of(uint32_t pid)
{
    struct grosr_core_sessions *found = NULL;

    is(grosr_core_sessions_of(&found, pid), 0, "a process's sessions are looked at");
    return found;
}

static const char held[] =
    "32 of 32 lanes hold the address of lock journal 0 (0x7f3000012340, also argument 1 of "
    "segment_steps + 0x40); held by worker 3 for 2.1 s";

static void test_lock(void)
{
    const uint64_t pair[] = {LOCK}, base[] = {0, POINTER};
    struct grosr_session *s = make_session("cuda");
    struct made m = begin();

    put_wait(s, GROSR_WAIT_LOCK, LOCK, 0, LOCK_WORD);
    struct grosr_core_sessions *found = sessions_of((uint32_t)getpid());
    add_warp(&m, 0, 4, pair, 1, 0);
    expect(&m, found, NULL, held, "a lock by its name, and who holds it");
    m = begin();
    m.d.memory_at = POINTER;
    for (uint64_t i = 0; i < 9; i++)
        bytes_add64(&m.d.memory, i < 8 ? i : UINT64_C(3) << 48 | 77);
    add_warp(&m, 0, IMAGE_POLL, base, 2, 0);
    expect(&m, found, NULL,

           "32 of 32 lanes read lock journal 0 (0x7f3000012340, also what argument 1 of "
           "segment_steps points to, at +0x40) in a loop, by the load at segment_steps+0x380; held "
           "by worker 3 for 2.1 s; in the dump worker 2 holds it",
           "that a loop polls, with what the dump's memory says");
    put_wait(s, GROSR_WAIT_WORD | (uint64_t)GROSR_AT_LEAST << 8, LOCK + 1, 9, 3);
    grosr_core_sessions_free(found);
    found = sessions_of((uint32_t)getpid());
    m = begin();
    add_warp(&m, 0, 4, pair, 1, 0);
    expect(&m, found, NULL, "32 of 32 lanes hold argument 1 of segment_steps + 0x40 (0x7f3000012340)",
           "a word one byte further is another");
    grosr_core_sessions_free(found);
    put_wait(s, GROSR_WAIT_WORD | (uint64_t)GROSR_AT_LEAST << 8, LOCK, 9, 3);
    found = sessions_of((uint32_t)getpid());
    m = begin();
    add_warp(&m, 0, 4, pair, 1, 0);
    expect(&m, found, NULL,

           "32 of 32 lanes hold the address of word journal 0 (0x7f3000012340, also argument 1 of "
           "segment_steps + 0x40); which was 3 and has to be at least 9",
           "a word, and what it has to be");
    grosr_core_sessions_free(found);
    put_wait(s, GROSR_WAIT_MBARRIER, LOCK, 1, 0);
    found = sessions_of((uint32_t)getpid());
    m = begin();
    add_warp(&m, 0, 4, pair, 1, 0);
    expect(&m, found, NULL, "32 of 32 lanes hold argument 1 of segment_steps + 0x40 (0x7f3000012340)",
           "an mbarrier's offset in shared memory is no address");
    grosr_core_sessions_free(found);
    grosr_session_close(s);
}

static void test_whose(void)
{
    const uint64_t pair[] = {LOCK};
    static const char argument[] = "32 of 32 lanes hold argument 1 of segment_steps + 0x40 (0x7f3000012340)";
    struct grosr_session *s = make_session("cuda");
    char path[64], other[64];

    put_wait(s, GROSR_WAIT_LOCK, LOCK, 0, LOCK_WORD);
    snprintf(path, sizeof(path), "/somewhere/core.%d.nvcudmp", (int)getpid());
    snprintf(other, sizeof(other), "core.%d.nvcudmp", (int)getppid());
    const struct {
        const char *path;
        int64_t after_s; /* the session's start */
        bool known;
        const char *what;
    } tries[] = {{path, 1, true, "a dump that is named after the process"},
                 {path, -3600, false, "one from before its session"},
                 {other, 1, false, "another process's"},
                 {"my.nvcudmp", 1, false, "one without a process's number"}};
    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        struct made m = begin();
        m.d.timestamp = (uint32_t)(time(NULL) + tries[i].after_s);
        add_warp(&m, 0, 4, pair, 1, 0);
        expect(&m, NULL, tries[i].path, tries[i].known ? held : argument, tries[i].what);
    }
    grosr_session_close(s);
    s = make_session("host");
    put_wait(s, GROSR_WAIT_LOCK, LOCK, 0, LOCK_WORD);
    struct made m = begin();
    m.d.timestamp = (uint32_t)time(NULL);
    add_warp(&m, 0, 4, pair, 1, 0);
    expect(&m, NULL, path, argument, "a session of the CPU's threads");
    grosr_session_close(s);
}

static void test_segment(void)
{
    struct grosr_session *s = make_session("cuda");
    const uint64_t state = (uint64_t)(uintptr_t)grosr_session_worker(s, 2);
    const uint64_t pair[] = {state}, behind[] = {(uint64_t)(uintptr_t)s->base + s->bytes + 64};
    struct grosr_core_sessions *found = sessions_of((uint32_t)getpid());
    struct made m = begin();
    char want[160];

    snprintf(want, sizeof(want),
             "32 of 32 lanes hold an address in the workers' states of session 0, at +0x100 (0x%" PRIx64 ")",
             state);
    add_warp(&m, 0, 4, pair, 1, 0);
    expect(&m, found, NULL, want, "a part of the segment, where the process has it mapped");
    m = begin();
    add_warp(&m, 0, 4, behind, 1, 0);
    expect(&m, found, NULL, NULL, "behind it is nothing");
    grosr_core_sessions_free(found);
    grosr_session_close(s);
}

/* ---- damaged ---- */

/* Every word of the file changed: it is refused, or what is found is sound. */
static void test_damage(void)
{
    const uint64_t pair[] = {0, POINTER, IMAGE_FLAG};
    struct made m = begin();
    struct grosr_core *core;
    unsigned bad = 0, changed = 0;

    dump_register_pair(&m.d, DUMP_WARP, add_warp(&m, 0, IMAGE_POLL, pair, 3, 0), IMAGE_TABLE);
    struct bytes file = dump_finish(&m.d);
    unsigned char *copy = (unsigned char *)malloc(file.size);
    for (size_t at = 0; at + 4 <= file.size; at += 4) {
        static const uint32_t value[] = {0, 0xffffffffu, 0x80000005u, 7};
        memcpy(copy, file.at, file.size);
        memcpy(copy + at, &value[at / 4 % 4], 4);
        if (grosr_core_read(&core, copy, file.size))
            continue;
        bad += grosr_core_match(core, NULL, NULL) != 0;
        changed += core->matches != 4; /* what is read, and three that are held */
        for (uint32_t i = 0; i < core->matches; i++)
            bad += core->match[i].warp >= core->warps || core->match[i].name >= core->names;
        grosr_core_free(core);
    }
    is(bad, 0, "whatever is damaged, what is found is sound");
    ok(changed > 20, "much of what is damaged shows (%u)", changed);
    free(copy);
    free(file.at);
}

int main(void)
{
    test_arguments();
    test_variables();
    test_loads();
    test_uniform();
    test_numbers();
    test_others();
    test_lock();
    test_whose();
    test_segment();
    test_damage();
    while (lines > 0)
        free(line[--lines]);
    return tap_done();
}
