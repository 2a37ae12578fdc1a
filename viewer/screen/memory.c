/*
 * The GPU memory allocator, as many of these rows as there is room for:
 *
 *     totals          arena, reserved and requested bytes, blocks, rate; failures
 *     bars            the reserved part of the arena, and both fragmentations
 *     latest error    if there was one
 *     classes         a bar each of the slots in use, those whose slabs hold most first; large blocks are one
 * of them
 */
#include "memory.h"

#include "../cli/text.h"

#include <math.h>
#include <stdio.h>

#define LABEL_COLUMNS 9
#define CLASS_ROWS    6                    /* at most */
#define STALE_NS      UINT64_C(2000000000) /* counters are published 10 times a second */

static const char *bytes(char to[16], uint64_t n)
{
    char count[14];

    snprintf(to, 16, "%sB", text_count(count, sizeof(count), (double)n));
    return to;
}

static enum frame_color level_color(double share)
{
    return share < 0.25 ? FRAME_GOOD : share < 0.5 ? FRAME_WARN : FRAME_BAD;
}

static void draw_totals(struct frame *f, int row, const struct model_heap *m)
{
    const struct grosr_heap_counters *c = &m->count;
    uint64_t failures = grosr_heap_failures(c), bad = grosr_heap_bad_frees(c);
    struct cells_line l = {f, row, 1 + LABEL_COLUMNS, f->width, false};
    char n[16], arena[16];

    cells_text(f, row, 1, FRAME_LABEL, "memory");
    cells_add(&l, FRAME_STRONG, "%s reserved of %s", bytes(n, grosr_heap_reserved_bytes(c)),
              bytes(arena, c->arena_bytes));
    if (failures)
        cells_add(&l, FRAME_BAD, "%s failed", text_count(n, sizeof(n), (double)failures));
    if (bad)
        cells_add(&l, FRAME_BAD, "%s bad frees", text_count(n, sizeof(n), (double)bad));
    cells_add(&l, FRAME_PLAIN, "%s requested", bytes(n, grosr_heap_requested_bytes(c)));
    cells_add(&l, FRAME_PLAIN, "%s live", text_count(n, sizeof(n), (double)grosr_heap_live(c)));
    if (isfinite(m->mallocs_per_s))
        cells_add(&l, FRAME_PLAIN, "%s mallocs/s", text_count(n, sizeof(n), m->mallocs_per_s));
    if (c->flags & GROSR_HEAP_DEBUG)
        cells_add(&l, FRAME_WARN, "debug mode");
    if (m->age_ns > STALE_NS)
        cells_add(&l, FRAME_WARN, "%s ago", text_duration(n, sizeof(n), (double)m->age_ns));
}

/* `label` [||||    ] 12%, as wide as `width`. */
static void draw_share(struct frame *f, int row, int column, int width, const char *label, double share,
                       enum frame_color color)
{
    int bar = column + text_columns(label) + 1;

    cells_text(f, row, column, FRAME_LABEL, label);
    cells_bar(f, row, bar, column + width - 6 - bar, share, color);
    cells_format(f, row, column + width - 6, FRAME_STRONG, "%4d%%", (int)lround(100 * fmin(share, 1)));
}

static void draw_bars(struct frame *f, int row, const struct model_heap *m)
{
    const struct grosr_heap_counters *c = &m->count;
    double internal = grosr_heap_internal_fragmentation(c), external = grosr_heap_external_fragmentation(c);
    double reserved = c->arena_bytes ? (double)grosr_heap_reserved_bytes(c) / (double)c->arena_bytes : 0;
    int width = (f->width - 2) / 3;

    draw_share(f, row, 1, width, "reserved", reserved,
               reserved < 0.7    ? FRAME_GOOD
               : reserved < 0.95 ? FRAME_WARN
                                 : FRAME_BAD);
    draw_share(f, row, 1 + width, width, "internal", internal, level_color(internal));
    draw_share(f, row, 1 + 2 * width, width, "external", external, level_color(external));
}

static void draw_error(struct frame *f, int row, const struct model_heap *m)
{
    uint64_t i = (m->count.errors - 1) % GROSR_HEAP_ERRORS_MAX;
    const struct grosr_heap_error *e = &m->count.error[i];
    struct cells_line l = {f, row, 1, f->width, false};
    char n[16];

    if (e->kind == GROSR_HEAP_NO_MEMORY)
        cells_add(&l, FRAME_BAD, "%s for %s", model_heap_error(e->kind), bytes(n, e->at));
    else
        cells_add(&l, FRAME_BAD, "%s: %s 0x%llx", model_heap_error(e->kind),
                  e->kind == GROSR_HEAP_FREE_FOREIGN ? "address" : "offset", (unsigned long long)e->at);
    cells_add(&l, FRAME_PLAIN, "worker %llu", (unsigned long long)e->worker);
    if (e->task != GROSR_HEAP_NO_TASK)
        cells_add(&l, FRAME_PLAIN, "task %llu", (unsigned long long)e->task);
    if (isfinite(m->error_age_ns[i]))
        cells_add(&l, FRAME_PLAIN, "%s ago", text_duration(n, sizeof(n), m->error_age_ns[i]));
}

static void draw_class(struct frame *f, int row, const char *size, uint64_t used, uint64_t slots,
                       uint64_t held, uint64_t failures)
{
    int held_end = f->width - 1, used_end = held_end - 9, bar = 1 + LABEL_COLUMNS;
    double share = slots ? (double)used / (double)slots : 0;
    char n[16], of[16], text[40];

    cells_text(f, row, 1, failures ? FRAME_BAD : FRAME_PLAIN, size);
    cells_bar(f, row, bar, used_end - 14 - bar, share < 1 ? share : 1, FRAME_GOOD);
    snprintf(text, sizeof(text), "%s/%s", text_count(n, sizeof(n), (double)used),
             text_count(of, sizeof(of), (double)slots));
    cells_right(f, row, used_end, FRAME_STRONG, text);
    cells_right(f, row, held_end, FRAME_PLAIN, bytes(n, held));
}

/* Large blocks stand among the classes, where what they hold puts them: as blocks, all of which are in use.
 */
static int draw_classes(struct frame *f, int row, int rows, const struct model_heap *m)
{
    const struct grosr_heap_counters *c = &m->count;
    uint64_t large = c->large_chunks * c->chunk_bytes;
    uint32_t next = 0;

    for (; rows > 0; rows--, row++) {
        const struct grosr_heap_class *k = next < c->classes ? &c->class_[m->order[next]] : NULL;
        uint64_t held = k ? k->slabs * k->slots * k->slot_bytes : 0;
        char size[24];
        if (!held && !large)
            break;
        if (large > held || !held) {
            draw_class(f, row, "large", c->large.live, c->large.live, large, c->large.failures);
            large = 0;
        } else {
            snprintf(size, sizeof(size), "%llu B", (unsigned long long)k->slot_bytes);
            draw_class(f, row, size, k->used, k->slabs * k->slots, held, k->failures);
            next++;
        }
    }
    return row;
}

int memory_draw(struct frame *f, int row, int rows, const struct model *m)
{
    const struct model_heap *heap = &m->heap;
    int end = row + rows;

    draw_totals(f, row++, heap);
    if (row < end && f->width >= 48)
        draw_bars(f, row++, heap);
    if (row < end && heap->count.errors)
        draw_error(f, row++, heap);
    rows = end - row;
    return f->width >= 40 ? draw_classes(f, row, rows < CLASS_ROWS ? rows : CLASS_ROWS, heap) : row;
}
