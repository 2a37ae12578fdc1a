/*
 * The room of kernels on the GPU (foreign_parts.h): how many of a kernel's blocks fit at once, and whether
 * those that run leave room for another kernel. By what the driver says of a block (session/outstanding.h),
 * with each share of an SM rounded down and the blocks of a kernel spread evenly over the SMs, as the
 * hardware spreads them over a GPU that is empty.
 */
#include "foreign_parts.h"

#include <inttypes.h>
#include <stdio.h>

#define HEADS_MAX 64u                  /* kernels that are the first of their streams */
#define LATE_NS   UINT64_C(2000000000) /* what the driver said so long ago says nothing of now */

uint64_t foreign_blocks(const struct foreign_launch *l)
{
    return (uint64_t)l->grid[0] * l->grid[1] * l->grid[2];
}

uint64_t foreign_fitting(const struct foreign_launch *l)
{
    return l->kind == GROSR_LAUNCH_KERNEL ? (uint64_t)l->room.sms * l->room.blocks : 0;
}

bool foreign_room_text(const struct foreign_launch *l, char *to, size_t size)
{
    if (!foreign_fitting(l) || foreign_blocks(l) <= foreign_fitting(l))
        return false;
    snprintf(to, size,
             "of its %" PRIu64 " blocks %" PRIu64 " fit on the GPU at once (%" PRIu32 " on each of %" PRIu32
             " SMs): the others begin when these end, so no block may wait for all of them",
             foreign_blocks(l), foreign_fitting(l), l->room.blocks, l->room.sms);
    return true;
}

/* ---- who has the room ---- */

/* Whether the first of a stream runs, and has not just ended without a record. */
static bool is_known_to_run(const struct foreign *f, const struct foreign_launch *l)
{
    const struct foreign_stream *s = &f->stream[l->stream];

    return l->flags & GROSR_LAUNCH_PERSISTENT || foreign_samples(f, l) ||
           (s->count == 1 && s->busy_ns > l->issued_ns && s->busy_ns + LATE_NS > f->now_ns);
}

/* Kernels that are the first of the context's streams and were launched before one, in their order. */
static uint32_t find_earlier(const struct foreign *f, const struct foreign_launch *l, uint32_t *head)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < f->streams; i++) {
        const struct foreign_launch *h = f->stream[i].count ? &f->launch[f->stream[i].at] : NULL;
        if (!h || h == l || f->stream[i].context != f->stream[l->stream].context ||
            h->room.sms != l->room.sms || !h->first || !h->stays || foreign_began(f, h) >= l->issued_ns ||
            !foreign_runs(f, f->stream[i].at) || !is_known_to_run(f, h))
            continue;
        if (n == HEADS_MAX)
            return 0;
        uint32_t at = n++;
        for (; at && f->launch[head[at - 1]].issued_ns > h->issued_ns; at--)
            head[at] = head[at - 1];
        head[at] = f->stream[i].at;
    }
    return n;
}

/* The part of an SM of which there is too little for a block; GROSR_ROOM_PARTS: it has room. */
static enum grosr_room_part missing(const uint32_t *taken, const struct foreign_launch *l)
{
    unsigned part = 0;

    while (part < GROSR_ROOM_PARTS &&
           (!l->room.share[part] || taken[part] + l->room.share[part] <= GROSR_ROOM_WHOLE))
        part++;
    return (enum grosr_room_part)part;
}

uint32_t foreign_per_sm(const struct foreign_launch *l)
{
    uint64_t blocks = foreign_blocks(l), fit = foreign_fitting(l);

    return (uint32_t)((blocks < fit ? blocks : fit) / l->room.sms);
}

static unsigned percent(uint32_t share)
{
    return (unsigned)(((uint64_t)share * 100 + GROSR_ROOM_WHOLE / 2) / GROSR_ROOM_WHOLE);
}

/* Samples of a kernel show that it runs, unless they may be of another one of that name. */
static bool is_sampled(const struct foreign *f, const struct foreign_launch *l,
                       const struct foreign_launch *other)
{
    const struct foreign_pc *p = foreign_samples(f, l);

    return p && p->samples.full_name == l->name_id && other->name_id != l->name_id;
}

bool foreign_has_no_room(const struct foreign *f, uint32_t launch, struct foreign_crowd *crowd)
{
    const struct foreign_launch *l = &f->launch[launch];
    uint32_t head[HEADS_MAX], taken[GROSR_ROOM_PARTS] = {0}, most = 0;

    if (!foreign_fitting(l) || l->stream == FOREIGN_NONE || launch != f->stream[l->stream].at || !l->first ||
        !l->stays || !foreign_runs(f, launch))
        return false;
    uint32_t n = find_earlier(f, l, head), kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct foreign_launch *h = &f->launch[head[i]];
        if (missing(taken, h) != GROSR_ROOM_PARTS) /* it waits for room itself */
            continue;
        for (int k = 0; k < GROSR_ROOM_PARTS; k++)
            taken[k] += foreign_per_sm(h) * h->room.share[k];
        head[kept++] = head[i];
    }
    enum grosr_room_part part = missing(taken, l);
    if (part == GROSR_ROOM_PARTS)
        return false;
    for (uint32_t i = 0; i < kept; i++) {
        const struct foreign_launch *h = &f->launch[head[i]];
        uint32_t share = foreign_per_sm(h) * h->room.share[part];
        if (share <= most)
            continue;
        most = share;
        crowd->kernel = head[i];
    }
    if (is_sampled(f, l, most ? &f->launch[crowd->kernel] : l))
        return false;
    crowd->part = part;
    crowd->taken_pct = percent(taken[part]);
    crowd->wanted_pct = percent(l->room.share[part]);
    return most != 0;
}
