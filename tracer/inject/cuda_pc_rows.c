/*
 * Samples of a time bin into records (cuda_pc.h): one for each instruction, and one for each function, with
 * the innermost of its loops that has most of its samples. The latest of each function stands in the
 * segment's table, for whoever asks while the program hangs.
 *
 * CUPTI counts each reason twice: all samples, and those of them ("_not_issued") in which the warp's
 * scheduler issued nothing at all.
 */
#include "cuda_pc.h"

#include "../session/outstanding.h"

#include <stdlib.h>
#include <string.h>

#define FUNCTIONS_MAX 4096u  /* that are sampled in a bin */
#define STEPS_MAX     4096u  /* instructions of a loop whose lines are looked up */
#define MOST_PCT      90u    /* of the samples in loops: the innermost loop with so many counts */
#define ENDLESS_MIN   16u    /* samples in an endless loop that are no accident */
#define BARRIER_PCT   99u    /* of the samples behind a barrier: so many of warps that wait at it */
#define STRAY         10000u /* samples, of which one anywhere says nothing */

#define NONE UINT32_MAX

struct place {
    uint64_t offset, samples, memory;
    uint32_t by_stall[PC_GROUPS];
    uint32_t next; /* of the function; NONE: the last */
};

struct function {
    const struct kernel_name *name;
    struct pc_code *code;
    uint64_t crc;
    uint64_t samples;
    uint32_t first; /* of its places; NONE: it has none */
};

/* As of the latest bin, what is in the segment. */
struct shown {
    const struct kernel_name *name;
    uint32_t context;
    uint64_t low, high, since_ns, end_ns;
};

static struct function functions[FUNCTIONS_MAX]; /* of this bin */
static uint32_t function_count;
static struct place *places; /* of this bin */
static uint32_t place_count, place_room;
static struct shown shown[GROSR_PC_SLOTS];

void pc_write(struct inject_thread *t, const struct pc_bin *bin, const struct grosr_piece *pieces,
              unsigned count)
{
    if (bin->waits)
        activity_write(t, pieces, count);
    else
        inject_write(t, pieces, count);
}

/* A function that one kernel alone calls has that kernel's name before its own. */
static const struct kernel_name *name_of(const char *function)
{
    const char *last = strrchr(function, '$');

    return kernel_name(last && last[1] ? last + 1 : function);
}

static struct function *find_function(uint64_t crc, const struct kernel_name *name, const char *function)
{
    /* Instructions of a function come one after the other. */
    for (uint32_t i = function_count; i-- > 0;)
        if (functions[i].name == name && functions[i].crc == crc)
            return &functions[i];
    if (function_count == FUNCTIONS_MAX)
        return NULL;
    struct function *f = &functions[function_count++];
    f->name = name;
    f->crc = crc;
    f->code = pc_code(crc, function);
    f->samples = 0;
    f->first = NONE;
    return f;
}

static struct place *add_place(struct function *f, uint64_t offset, bool again)
{
    for (uint32_t i = again ? f->first : NONE; i != NONE; i = places[i].next)
        if (places[i].offset == offset)
            return &places[i];
    if (place_count == place_room) {
        uint32_t room = place_room ? 2 * place_room : 1024;
        struct place *more = (struct place *)realloc(places, room * sizeof(*more));
        if (!more)
            return NULL;
        places = more;
        place_room = room;
    }
    struct place *p = &places[place_count];
    memset(p, 0, sizeof(*p));
    p->offset = offset;
    p->next = f->first;
    f->first = place_count++;
    return p;
}

/* Puts both counts of each reason together, in the order of their groups; how many there are. */
static uint32_t merge(const struct pc_bin *bin, const CUpti_PCSamplingPCData *pc,
                      struct grosr_record_cuda_stall *stall, const struct pc_stall **reason)
{
    struct grosr_record_cuda_stall by_group[PC_GROUPS] = {{0}};
    const struct pc_stall *of_group[PC_GROUPS] = {NULL};
    uint32_t n = 0;

    for (size_t i = 0; i < pc->stallReasonCount; i++) {
        uint32_t index = pc->stallReason[i].pcSamplingStallReasonIndex, samples = pc->stallReason[i].samples;
        if (!samples || index >= bin->stalls || !bin->stall[index].name)
            continue;
        const struct pc_stall *s = &bin->stall[index];
        of_group[s->group] = s;
        *(s->not_issued ? &by_group[s->group].not_issued : &by_group[s->group].samples) += samples;
    }
    for (uint32_t g = 0; g < PC_GROUPS; g++) {
        if (!of_group[g])
            continue;
        stall[n] = by_group[g];
        if (stall[n].samples < stall[n].not_issued)
            stall[n].samples = stall[n].not_issued;
        reason[n++] = of_group[g];
    }
    return n;
}

void pc_add(struct inject_thread *t, const struct pc_bin *bin, const CUpti_PCSamplingPCData *pc)
{
    struct grosr_record_cuda_stall stall[PC_GROUPS];
    const struct pc_stall *reason[PC_GROUPS];
    uint32_t n = merge(bin, pc, stall, reason);
    const char *symbol = pc->functionName ? pc->functionName : "";
    const struct kernel_name *name = name_of(symbol);
    struct inject_string *file = NULL, *inlined = NULL;
    uint32_t line = 0;

    if (!n || !name)
        return;
    struct function *f = find_function(pc->cubinCrc, name, symbol);
    struct place *p = f ? add_place(f, pc->pcOffset, bin->again) : NULL;
    for (uint32_t i = 0; i < n; i++) {
        stall[i].name = inject_string_number(t, reason[i]->name);
        stall[i].memory = reason[i]->memory;
        if (!p)
            continue;
        f->samples += stall[i].samples;
        p->samples += stall[i].samples;
        p->memory += reason[i]->memory ? stall[i].samples : 0;
        p->by_stall[reason[i]->group] += stall[i].samples;
    }
    if (f && f->code)
        pc_line(f->code, pc->pcOffset, &file, &line, &inlined);
    const struct grosr_record_cuda_pc r = {
        .head = {0, GROSR_RECORD_CUDA_PC},
        .start = bin->start_ns,
        .end = bin->end_ns,
        .offset = pc->pcOffset,
        .device = bin->device,
        .context = bin->context,
        .name = inject_string_number(t, name->brief),
        .full_name = inject_string_number(t, name->full),
        .file = file ? inject_string_number(t, file) : 0,
        .line = line,
        .inlined = inlined ? inject_string_number(t, inlined) : 0,
        .count = n,
    };
    const struct grosr_piece pieces[] = {{&r, sizeof(r)}, {stall, n * sizeof(stall[0])}};
    pc_write(t, bin, pieces, 2);
}

/* ---- functions ---- */

static uint64_t samples_between(const struct function *f, uint64_t low, uint64_t high)
{
    uint64_t samples = 0;

    for (uint32_t i = f->first; i != NONE; i = places[i].next)
        if (places[i].offset >= low && places[i].offset <= high)
            samples += places[i].samples;
    return samples;
}

static void set_loop(struct grosr_record_cuda_pc_function *r, const struct grosr_cubin_loop *loop)
{
    if (r->flags && loop->high - loop->low >= r->high - r->low)
        return;
    r->low = loop->low;
    r->high = loop->high;
    r->flags = GROSR_PC_LOOP | (loop->endless ? GROSR_PC_ENDLESS : 0);
}

/*
 * A loop that does not end, or else the innermost with nearly as many samples as any has; or else all that
 * was sampled.
 */
static void find_loop(const struct function *f, struct grosr_record_cuda_pc_function *r)
{
    const struct grosr_cubin_loop *loop = NULL;
    uint32_t loops = f->code ? pc_loops(f->code, &loop) : 0;
    uint64_t most = 0;

    r->low = UINT64_MAX;
    for (uint32_t i = f->first; i != NONE; i = places[i].next) {
        r->low = places[i].offset < r->low ? places[i].offset : r->low;
        r->high = places[i].offset > r->high ? places[i].offset : r->high;
    }
    for (uint32_t i = 0; i < loops; i++) {
        uint64_t samples = samples_between(f, loop[i].low, loop[i].high);
        most = samples > most ? samples : most;
        if (loop[i].endless && samples >= ENDLESS_MIN && samples * 100 >= f->samples)
            set_loop(r, &loop[i]);
    }
    for (uint32_t i = 0; most && !(r->flags & GROSR_PC_ENDLESS) && i < loops; i++)
        if (samples_between(f, loop[i].low, loop[i].high) * 100 >= most * MOST_PCT)
            set_loop(r, &loop[i]);
}

/* What the warps in it wait for; the group of the most frequent reason. */
static uint32_t count_loop(const struct function *f, struct grosr_record_cuda_pc_function *r)
{
    uint64_t by_stall[PC_GROUPS] = {0};
    uint32_t best = 0;

    for (uint32_t i = f->first; i != NONE; i = places[i].next) {
        const struct place *p = &places[i];
        if (p->offset < r->low || p->offset > r->high)
            continue;
        r->loop_samples += p->samples;
        r->memory_samples += p->memory;
        for (uint32_t k = 0; k < PC_GROUPS; k++)
            by_stall[k] += p->by_stall[k];
    }
    for (uint32_t k = 1; k < PC_GROUPS; k++)
        best = by_stall[k] > by_stall[best] ? k : best;
    r->stall_samples = (uint32_t)(by_stall[best] < UINT32_MAX ? by_stall[best] : UINT32_MAX);
    return best;
}

/*
 * Whether a warp that was sampled there waits: in a loop that polls, where the lanes of a warp meet again, or
 * at a barrier, which shows as the instruction behind it. Where several processes share the GPU, a warp has
 * to fetch that instruction again when its turn comes.
 */
static bool is_wait(const struct function *f, const struct place *p, uint32_t barrier)
{
    const struct grosr_cubin_loop *loop = NULL;
    uint32_t loops = f->code ? pc_loops(f->code, &loop) : 0;

    for (uint32_t k = 0; k < loops; k++)
        if (loop[k].polls && p->offset >= loop[k].low && p->offset <= loop[k].high)
            return true;
    if (barrier != NONE && p->by_stall[barrier] &&
        p->by_stall[barrier] * UINT64_C(100) >= p->samples * BARRIER_PCT)
        return true;
    return f->code && pc_synchronizes(f->code, p->offset);
}

/* Whether no warp of it does more than wait. On a GPU that is shared, one sample in many thousands is
 * somewhere else, where no warp has been. */
static bool only_waits(const struct function *f, uint32_t barrier)
{
    uint64_t others = 0;

    for (uint32_t i = f->first; i != NONE; i = places[i].next)
        others += is_wait(f, &places[i], barrier) ? 0 : places[i].samples;
    return f->samples >= ENDLESS_MIN && f->first != NONE && others <= f->samples / STRAY;
}

/* The group of a reason; NONE: there is none of that name. */
static uint32_t group_of(const struct pc_bin *bin, const char *name)
{
    for (uint32_t i = 0; i < bin->stalls; i++)
        if (bin->stall[i].name && !strcmp(inject_string_text(bin->stall[i].name), name))
            return bin->stall[i].group;
    return NONE;
}

static struct inject_string *find_lines(const struct function *f, struct grosr_record_cuda_pc_function *r)
{
    struct inject_string *file = NULL, *at, *inlined;
    uint32_t line;

    for (uint64_t offset = r->low; f->code && offset <= r->high && offset - r->low < 16 * STEPS_MAX;
         offset += 16) {
        if (!pc_line(f->code, offset, &at, &line, &inlined) || !line || (file && at != file))
            continue;
        file = at;
        r->first_line = !r->first_line || line < r->first_line ? line : r->first_line;
        r->last_line = line > r->last_line ? line : r->last_line;
    }
    return file;
}

/* The function's slot in the segment: its own, a free one, or that which was sampled last the longest ago. */
static uint32_t find_shown(const struct kernel_name *name, uint32_t context)
{
    uint32_t oldest = 0;

    for (uint32_t i = 0; i < GROSR_PC_SLOTS; i++) {
        if (shown[i].name == name && shown[i].context == context)
            return i;
        if (shown[i].end_ns < shown[oldest].end_ns)
            oldest = i;
    }
    return oldest;
}

static void show(const struct function *f, const struct grosr_record_cuda_pc_function *r,
                 struct inject_string *file, struct inject_string *stall)
{
    uint32_t at = find_shown(f->name, r->context);
    struct shown *s = &shown[at];
    bool same = s->name == f->name && s->context == r->context && s->low == r->low && s->high == r->high &&
                s->end_ns == r->start;

    *s = (struct shown){f->name, r->context, r->low, r->high, same ? s->since_ns : r->start, r->end};
    const struct grosr_pc_function shows = {
        .start_ns = r->start,
        .end_ns = r->end,
        .since_ns = s->since_ns,
        .low = r->low,
        .high = r->high,
        .samples = r->samples,
        .loop_samples = r->loop_samples,
        .memory_samples = r->memory_samples,
        .stall_samples = r->stall_samples,
        .context = r->context,
        .name = inject_text(f->name->brief),
        .full_name = inject_text(f->name->full),
        .file = inject_text(file),
        .first_line = r->first_line,
        .last_line = r->last_line,
        .stall = inject_text(stall),
        .flags = r->flags,
    };
    grosr_pc_function_set(inject_session(), at, &shows);
}

static struct inject_string *stall_name(const struct pc_bin *bin, uint32_t group)
{
    for (uint32_t i = 0; i < bin->stalls; i++)
        if (bin->stall[i].name && bin->stall[i].group == group)
            return bin->stall[i].name;
    return NULL;
}

void pc_add_functions(struct inject_thread *t, const struct pc_bin *bin)
{
    uint32_t barrier = group_of(bin, "barrier");

    for (uint32_t i = 0; t && i < function_count; i++) {
        const struct function *f = &functions[i];
        struct grosr_record_cuda_pc_function r = {
            .head = {0, GROSR_RECORD_CUDA_PC_FUNCTION},
            .start = bin->start_ns,
            .end = bin->end_ns,
            .device = bin->device,
            .context = bin->context,
            .name = inject_string_number(t, f->name->brief),
            .full_name = inject_string_number(t, f->name->full),
            .samples = f->samples,
        };
        if (!f->samples)
            continue;
        find_loop(f, &r);
        if (only_waits(f, barrier))
            r.flags |= GROSR_PC_WAITS;
        struct inject_string *stall = stall_name(bin, count_loop(f, &r));
        struct inject_string *file = find_lines(f, &r);
        r.file = file ? inject_string_number(t, file) : 0;
        r.stall = stall ? inject_string_number(t, stall) : 0;
        const struct grosr_piece piece = {&r, sizeof(r)};
        pc_write(t, bin, &piece, 1);
        show(f, &r, file, stall);
    }
    function_count = place_count = 0;
}
