#include "durations.h"

#include "../base/sql_null.h"

#include <errno.h>
#include <stdlib.h>

#define SIZE_FIRST ((size_t)1 << 12)

int durations_bin(int64_t ns)
{
    if (ns < 16)
        return ns < 0 ? 0 : (int)ns;
    int shift = 59 - __builtin_clzll((unsigned long long)ns); /* leaves 16 to 31 */
    return shift * 16 + (int)(ns >> shift);
}

static size_t hash(const char *measure, int64_t what, int64_t which, int64_t bin)
{
    uint64_t h = (uint64_t)(uintptr_t)measure;

    h = (h ^ (uint64_t)what) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 29 ^ (uint64_t)which) * 0xbf58476d1ce4e5b9u;
    h = (h ^ h >> 32 ^ (uint64_t)bin) * 0x94d049bb133111ebu;
    return (size_t)(h ^ h >> 31);
}

/* Its slot, or the free one where it belongs. */
static struct duration *find(const struct durations *d, const char *measure, int64_t what, int64_t which,
                             int64_t bin)
{
    for (size_t i = hash(measure, what, which, bin);; i++) {
        struct duration *slot = &d->slots[i & (d->size - 1)];
        if (!slot->measure ||
            (slot->bin == bin && slot->which == which && slot->what == what && slot->measure == measure))
            return slot;
    }
}

static int grow(struct durations *d)
{
    struct durations more = {.used = d->used, .size = d->size ? 2 * d->size : SIZE_FIRST};

    more.slots = (struct duration *)calloc(more.size, sizeof(*more.slots));
    if (!more.slots)
        return -ENOMEM;
    for (size_t i = 0; i < d->size; i++) {
        const struct duration *slot = &d->slots[i];
        if (slot->measure)
            *find(&more, slot->measure, slot->what, slot->which, slot->bin) = *slot;
    }
    free(d->slots);
    *d = more;
    return 0;
}

int durations_count(struct durations *d, const char *measure, int64_t what, int64_t which, int64_t ns,
                    int64_t part)
{
    int64_t bin = ns == GROSR_NULL ? GROSR_DURATION_UNKNOWN : durations_bin(ns);

    if (what == GROSR_NULL)
        what = GROSR_DURATION_UNKNOWN;
    if (which == GROSR_NULL)
        which = GROSR_DURATION_UNKNOWN;
    if (d->used * 4 >= d->size * 3 && grow(d)) /* a quarter stays free */
        return -ENOMEM;
    struct duration *slot = find(d, measure, what, which, bin);
    if (!slot->measure) {
        *slot = (struct duration){.measure = measure, .what = what, .which = which, .bin = bin};
        slot->max_ns = ns == GROSR_NULL ? 0 : ns;
        d->used++;
    }
    slot->n++;
    slot->part = durations_sum(slot->part, part == GROSR_NULL ? 0 : part);
    if (ns != GROSR_NULL) {
        slot->total_ns = durations_sum(slot->total_ns, ns);
        slot->max_ns = ns > slot->max_ns ? ns : slot->max_ns;
    }
    return 0;
}

const struct duration *durations_next(const struct durations *d, const struct duration *last)
{
    for (size_t i = last ? (size_t)(last - d->slots) + 1 : 0; i < d->size; i++)
        if (d->slots[i].measure)
            return &d->slots[i];
    return NULL;
}

void durations_free(struct durations *d)
{
    free(d->slots);
    *d = (struct durations){0};
}
