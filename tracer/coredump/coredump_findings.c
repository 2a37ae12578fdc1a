/*
 * What a core dump shows, as findings (coredump.h).
 *
 * A core dump is one moment, and in it warps that wait at a barrier are nothing special. A barrier is a cause
 * only where nobody is left who could still arrive: every warp of the grid that is on the GPU waits at a
 * barrier, and whoever is missing has ended or was never started. One more case counts: nearly all blocks of
 * a grid wait at the grid's barrier, and one (of more than 100, one in a hundred) stands elsewhere.
 * Everything else is a remark.
 */
#include "coredump_parts.h"

#include "../base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEXT         1024
#define MAX_GROUPS   12u /* lines about one grid */
#define MAX_LINES    4u  /* about what a group has in registers */
#define MAX_WARPS    8u  /* that are named */
#define MIN_WAITING  8u  /* blocks at a grid's barrier before one elsewhere is taken for late */
#define LATE_PER_100 1u

static bool at_barrier(enum grosr_core_wait wait)
{
    return wait == GROSR_CORE_WAIT_BLOCK || wait == GROSR_CORE_WAIT_CLUSTER || wait == GROSR_CORE_WAIT_GRID;
}

static uint64_t product(const uint32_t n[3])
{
    uint64_t xy = (uint64_t)n[0] * n[1];

    return n[2] && xy > UINT64_MAX / n[2] ? UINT64_MAX : xy * n[2];
}

/* "block 7 warp 0", "block 7,2,0 warp 0". */
static void warp_name(const struct grosr_core_warp *w, char *text, size_t size)
{
    int at = snprintf(text, size, "block %" PRIu32, w->block[0]);

    if (w->block[1] || w->block[2])
        at += snprintf(text + at, size - (size_t)at, ",%" PRIu32 ",%" PRIu32, w->block[1], w->block[2]);
    if (w->warp != GROSR_CORE_NONE)
        snprintf(text + at, size - (size_t)at, " warp %" PRIu32, w->warp);
}

static bool has_resource(const struct grosr_finding *finding, const char *name)
{
    for (uint32_t i = 0; finding && i < finding->resources; i++)
        if (!strcmp(finding->resource[i], name))
            return true;
    return false;
}

/* What the group has in registers; what it reads in a loop, and a session knows, is a resource. */
static void add_registers(struct grosr_findings *findings, struct grosr_finding *finding,
                          const struct grosr_core *core, const struct grosr_core_group *group)
{
    char *line[MAX_LINES];
    uint32_t lines = grosr_core_match_lines(core, group->first, group->warps, line, MAX_LINES);

    for (uint32_t i = 0; i < lines; i++) {
        grosr_finding_evidence(findings, finding, "there, %s", line[i]);
        free(line[i]);
    }
    const struct grosr_core_warp *w = &core->warp[group->first];
    for (uint32_t i = w->match; i < w->match + w->matches; i++) {
        const struct grosr_core_name *name = &core->name[core->match[i].name];
        if (core->match[i].is_read && name->kind <= GROSR_CORE_BARRIER && !has_resource(finding, name->text))
            grosr_finding_resource(findings, finding, name->text);
    }
}

/* "1,055 of 1,056 warps at foo.cu:57 in f, waiting at a block barrier". */
static void add_group(struct grosr_findings *findings, struct grosr_finding *finding,
                      const struct grosr_core *core, const struct grosr_core_group *group)
{
    const struct grosr_core_warp *w = &core->warp[group->first];
    char place[TEXT], other[TEXT], name[96], of[32], all[32];

    grosr_core_place_text(core, w->place, w->wait, place, sizeof(place));
    warp_name(w, name, sizeof(name));
    if (w->other != GROSR_CORE_NONE)
        grosr_core_place_text(core, w->other, core->place[w->other].wait, other, sizeof(other));
    grosr_finding_evidence(
        findings, finding, "%s of %s warps at %s%s%s%s%s (%s%s on SM %" PRIu32 ")",
        core_count_text(of, group->warps), core_count_text(all, core->grid[group->grid].warps), place,
        w->exception ? ", failed: " : "", w->exception ? grosr_core_exception_name(w->exception) : "",
        w->other != GROSR_CORE_NONE ? "; other lanes of theirs at " : "",
        w->other != GROSR_CORE_NONE ? other : "", group->warps > 1 ? "one is " : "", name, w->sm);
    add_registers(findings, finding, core, group);
}

/* The lines about a grid: its size, its arguments, where its warps stand. */
static void add_grid(struct grosr_findings *findings, struct grosr_finding *finding,
                     const struct grosr_core *core, uint32_t grid)
{
    const struct grosr_core_grid *g = &core->grid[grid];
    char blocks[32], all[32];
    uint32_t shown = 0, groups = 0;

    if (g->misstated)
        grosr_finding_evidence(findings, finding,
                               "a grid whose size is not known, block %" PRIu32 "x%" PRIu32 "x%" PRIu32
                               ": %s block%s on the GPU",
                               g->block[0], g->block[1], g->block[2], core_count_text(blocks, g->blocks),
                               g->blocks == 1 ? " is" : "s are");
    else
        grosr_finding_evidence(findings, finding,
                               "grid %" PRIu32 "x%" PRIu32 "x%" PRIu32 ", block %" PRIu32 "x%" PRIu32
                               "x%" PRIu32 ": %s of %s blocks are on the GPU",
                               g->grid[0], g->grid[1], g->grid[2], g->block[0], g->block[1], g->block[2],
                               core_count_text(blocks, g->blocks), core_count_text(all, product(g->grid)));
    if (*g->arguments)
        grosr_finding_evidence(findings, finding, "arguments: %s", g->arguments);
    for (uint32_t i = 0; i < core->groups; i++) {
        if (core->group[i].grid != grid)
            continue;
        if (groups++ < MAX_GROUPS) {
            add_group(findings, finding, core, &core->group[i]);
            shown += core->group[i].warps;
        }
    }
    if (groups > MAX_GROUPS)
        grosr_finding_evidence(findings, finding, "%s more warps in %" PRIu32 " other places",
                               core_count_text(all, g->warps - shown), groups - MAX_GROUPS);
}

static void name_kernel(struct grosr_findings *findings, struct grosr_finding *finding,
                        const struct grosr_core_grid *grid)
{
    char name[TEXT];

    snprintf(name, sizeof(name), "kernel %s", grid->kernel);
    grosr_finding_worker(findings, finding, name);
}

/* ---- failures ---- */

static void add_failure(struct grosr_findings *findings, const struct grosr_core *core, uint32_t grid)
{
    const struct grosr_core_grid *g = &core->grid[grid];
    const struct grosr_core_group *worst = NULL;
    char place[TEXT], summary[2 * TEXT], name[96];
    uint32_t named = 0;

    for (uint32_t i = 0; i < core->groups; i++)
        if (core->group[i].grid == grid && core->warp[core->group[i].first].exception && !worst)
            worst = &core->group[i];
    const struct grosr_core_warp *w = &core->warp[worst->first];
    grosr_core_spot_text(core, w->place, place, sizeof(place));
    snprintf(summary, sizeof(summary), "kernel %s has failed: %s at %s", g->kernel,
             grosr_core_exception_name(w->exception), place);
    struct grosr_finding *f =
        grosr_findings_add(findings, GROSR_VERDICT_STALLED, "gpu_exception", 0, summary, NULL);
    name_kernel(findings, f, g);
    for (uint32_t i = 0; i < core->warps && named < MAX_WARPS; i++) {
        if (core->warp[i].grid != grid || !core->warp[i].exception)
            continue;
        warp_name(&core->warp[i], name, sizeof(name));
        grosr_finding_worker(findings, f, name);
        named++;
    }
    add_grid(findings, f, core, grid);
}

static void add_fault(struct grosr_findings *findings, const struct grosr_core *core,
                      const struct grosr_core_fault *fault)
{
    char place[TEXT], summary[2 * TEXT];

    grosr_core_spot_text(core, fault->place, place, sizeof(place));
    snprintf(summary, sizeof(summary), "a warp on SM %" PRIu32 " has failed, and has left since: %s at %s",
             fault->sm, grosr_core_exception_name(fault->exception), place);
    grosr_findings_add(findings, GROSR_VERDICT_STALLED, "gpu_exception", 0, summary, NULL);
}

/* ---- barriers ---- */

struct waiting {
    uint32_t waits, elsewhere;            /* warps */
    uint32_t grid_blocks, late_blocks;    /* with all of their warps at the grid's barrier, and others */
    const struct grosr_core_group *first; /* the largest that waits; NULL: none */
};

static struct waiting count_waiting(const struct grosr_core *core, uint32_t grid)
{
    struct waiting c = {0};

    for (uint32_t i = 0; i < core->groups; i++) {
        const struct grosr_core_group *g = &core->group[i];
        if (g->grid != grid)
            continue;
        const struct grosr_core_warp *w = &core->warp[g->first];
        if (at_barrier(w->wait) && !w->exception) {
            c.waits += g->warps;
            c.first = c.first ? c.first : g;
        } else {
            c.elsewhere += g->warps;
            c.late_blocks += g->blocks;
        }
    }
    if (c.first && core->warp[c.first->first].wait == GROSR_CORE_WAIT_GRID)
        c.grid_blocks =
            core->grid[grid].blocks - (c.late_blocks < core->grid[grid].blocks ? c.late_blocks : 0);
    return c;
}

/* A barrier that nobody can complete any more; or one that nearly all wait at for another, which is remarked
 * on: in one picture a block that will never come looks like one that has more to do. */
static bool add_barrier(struct grosr_findings *findings, const struct grosr_core *core, uint32_t grid)
{
    const struct grosr_core_grid *g = &core->grid[grid];
    struct waiting c = count_waiting(core, grid);
    uint64_t all = g->misstated ? g->blocks + 1u : product(g->grid); /* at least */
    char place[TEXT], summary[2 * TEXT], a[32], b[32];

    if (!c.first)
        return false;
    const struct grosr_core_warp *w = &core->warp[c.first->first];
    bool of_grid = w->wait == GROSR_CORE_WAIT_GRID, missing = g->blocks < all;
    bool late = of_grid && c.elsewhere && c.grid_blocks >= MIN_WAITING &&
                c.late_blocks <= (all < 200 ? 1 : all * LATE_PER_100 / 100);
    if (!late && (c.elsewhere || (c.waits < 2 && !(of_grid && missing))))
        return false;
    grosr_core_spot_text(core, w->place, place, sizeof(place));
    if (late)
        snprintf(summary, sizeof(summary),
                 "%s of %s warps of kernel %s wait at its grid barrier, %s, for %s elsewhere",
                 core_count_text(a, c.waits), core_count_text(b, g->warps), g->kernel, place,
                 c.elsewhere == 1 ? "one that stands" : "others that stand");
    else if (of_grid && g->misstated)
        snprintf(summary, sizeof(summary),
                 "%s block%s of kernel %s wait%s at its grid barrier, %s, for others that have ended or were "
                 "never started",
                 core_count_text(a, g->blocks), g->blocks == 1 ? "" : "s", g->kernel,
                 g->blocks == 1 ? "s" : "", place);
    else if (of_grid && missing)
        snprintf(summary, sizeof(summary),
                 "%s block%s of kernel %s wait%s at its grid barrier, %s, for %s that ha%s ended or %s "
                 "never started",
                 core_count_text(a, g->blocks), g->blocks == 1 ? "" : "s", g->kernel,
                 g->blocks == 1 ? "s" : "", place, core_count_text(b, all - g->blocks),
                 all - g->blocks == 1 ? "s" : "ve", all - g->blocks == 1 ? "was" : "were");
    else
        snprintf(summary, sizeof(summary),
                 "all %s warps of kernel %s wait at barriers, most at the %s of %s: nobody is left who could "
                 "arrive",
                 core_count_text(a, c.waits), g->kernel, grosr_core_wait_name(w->wait), place);
    struct grosr_finding *f = grosr_findings_add(
        findings, late ? GROSR_VERDICT_HEALTHY : GROSR_VERDICT_STALLED,
        late ? "barrier_late" : "barrier_skipped", 0, summary,
        late ? NULL
        : of_grid
            ? "Call grid.sync() equally often in every block, and launch no more blocks than fit on the "
              "GPU at once."
            : "Let every warp reach the same barrier, also those that have no work.");
    name_kernel(findings, f, g);
    snprintf(summary, sizeof(summary), "%s at %s", grosr_core_wait_name(w->wait), place);
    grosr_finding_resource(findings, f, summary);
    add_grid(findings, f, core, grid);
    return true;
}

/* ---- the whole ---- */

static void describe(struct grosr_findings *findings, const struct grosr_core *core, const char *path)
{
    char when[64] = "", driver[64] = "", a[32], b[32];
    time_t t = core->timestamp;
    struct tm tm;

    if (core->timestamp && gmtime_r(&t, &tm))
        strftime(when, sizeof(when), ", written %Y-%m-%d %H:%M:%S UTC", &tm);
    if (core->driver_major)
        snprintf(driver, sizeof(driver), ", driver %" PRIu32 ".%" PRIu32, core->driver_major,
                 core->driver_minor);
    free(findings->source);
    free(findings->state);
    findings->state = NULL;
    if (asprintf(&findings->source, "GPU core dump %s (%s%s%s%s)", path,
                 core->devices && *core->device[0].name ? core->device[0].name : "GPU",
                 core->devices > 1 ? " and others" : "", driver, when) < 0)
        findings->source = NULL;
    if (asprintf(&findings->state, "%s warp%s of %s kernel%s on %" PRIu32 " GPU%s at the moment of the dump",
                 core_count_text(a, core->warps), core->warps == 1 ? "" : "s",
                 core_count_text(b, core->grids), core->grids == 1 ? "" : "s", core->devices,
                 core->devices == 1 ? "" : "s") < 0)
        findings->state = NULL;
    findings->otherwise = core->warps ? GROSR_VERDICT_HEALTHY : GROSR_VERDICT_IDLE;
}

int grosr_diagnose_core(const char *path, const struct grosr_core_sessions *sessions,
                        struct grosr_findings *findings)
{
    struct grosr_core *core;
    int err = grosr_core_open(&core, path);

    if (err)
        return err;
    if ((err = grosr_core_match(core, sessions, path))) {
        grosr_core_free(core);
        return err;
    }
    describe(findings, core, path);
    for (uint32_t i = 0; i < core->grids; i++) {
        const struct grosr_core_grid *g = &core->grid[i];
        if (g->exceptions) {
            add_failure(findings, core, i);
        } else if (g->warps && !add_barrier(findings, core, i)) {
            char summary[TEXT], warps[32];
            snprintf(summary, sizeof(summary), "where %s warp%s of kernel %s stood",
                     core_count_text(warps, g->warps), g->warps == 1 ? "" : "s", g->kernel);
            struct grosr_finding *f =
                grosr_findings_add(findings, GROSR_VERDICT_HEALTHY, "warps", 0, summary, "");
            name_kernel(findings, f, g);
            add_grid(findings, f, core, i);
        }
    }
    for (uint32_t i = 0; i < core->faults; i++)
        add_fault(findings, core, &core->fault[i]);
    grosr_core_free(core);
    return findings->source && findings->state ? 0 : grosr_fail(ENOMEM, "out of memory");
}
