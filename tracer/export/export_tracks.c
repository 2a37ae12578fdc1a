#include "export_tracks.h"

#include "../base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Viewers keep no deeper stacks than a few hundred; what would be deeper goes to a further lane. */
#define DEPTH_MAX 100

/* Limits overlapping slices of one track, of which a damaged trace may have millions. */
#define LANES_MAX 4096

struct lane {
    struct grosr_export_track track;
    int depth;
    int64_t end[DEPTH_MAX]; /* of the slices open, innermost last */
};

struct grosr_export_lanes {
    struct grosr_export_key key;
    struct grosr_export_lanes *next; /* of the same bucket */
    char *name, *unit, *about;
    size_t lanes;
    struct lane **lane; /* at least one */
};

struct grosr_export_tracks {
    struct grosr_export_writer *writer;
    uint32_t made;
    size_t count, buckets;
    struct grosr_export_lanes **bucket;
};

static size_t hash(const struct grosr_export_key *key)
{
    const int64_t parts[] = {(int64_t)key->what, key->a, key->b, key->c, key->d};
    uint64_t h = 0;

    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        h = (h ^ (uint64_t)parts[i]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    return (size_t)h;
}

static bool same(const struct grosr_export_key *x, const struct grosr_export_key *y)
{
    return x->what == y->what && x->a == y->a && x->b == y->b && x->c == y->c && x->d == y->d;
}

struct grosr_export_tracks *grosr_export_tracks_new(struct grosr_export_writer *writer)
{
    struct grosr_export_tracks *t = (struct grosr_export_tracks *)calloc(1, sizeof(*t));

    if (t)
        t->writer = writer;
    return t;
}

static void free_lanes(struct grosr_export_lanes *l)
{
    for (size_t i = 0; i < l->lanes; i++) {
        if (i > 0) /* the first lane's name is the track's */
            free((char *)l->lane[i]->track.name);
        free(l->lane[i]);
    }
    free(l->lane);
    free(l->name);
    free(l->unit);
    free(l->about);
    free(l);
}

void grosr_export_tracks_free(struct grosr_export_tracks *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->buckets; i++)
        for (struct grosr_export_lanes *l = t->bucket[i], *next; l; l = next) {
            next = l->next;
            free_lanes(l);
        }
    free(t->bucket);
    free(t);
}

struct grosr_export_lanes *grosr_export_find(struct grosr_export_tracks *t,
                                             const struct grosr_export_key *key)
{
    if (!t->buckets)
        return NULL;
    for (struct grosr_export_lanes *l = t->bucket[hash(key) & (t->buckets - 1)]; l; l = l->next)
        if (same(&l->key, key))
            return l;
    return NULL;
}

/* Twice as many buckets as there are tracks. */
static bool grow(struct grosr_export_tracks *t)
{
    size_t buckets = t->buckets ? 2 * t->buckets : 64;

    if (2 * t->count < t->buckets)
        return true;
    struct grosr_export_lanes **bucket =
        (struct grosr_export_lanes **)calloc(buckets, sizeof(struct grosr_export_lanes *));
    if (!bucket)
        return false;
    for (size_t i = 0; i < t->buckets; i++)
        for (struct grosr_export_lanes *l = t->bucket[i], *next; l; l = next) {
            size_t at = hash(&l->key) & (buckets - 1);
            next = l->next;
            l->next = bucket[at];
            bucket[at] = l;
        }
    free(t->bucket);
    t->bucket = bucket;
    t->buckets = buckets;
    return true;
}

static struct lane *add_lane(struct grosr_export_tracks *t, struct grosr_export_lanes *l,
                             const struct grosr_export_track *track)
{
    struct lane **more = (struct lane **)realloc(l->lane, (l->lanes + 1) * sizeof(struct lane *));
    struct lane *lane = (struct lane *)malloc(sizeof(*lane));

    if (more)
        l->lane = more;
    if (!more || !lane) {
        free(lane);
        return NULL;
    }
    lane->track = *track;
    lane->track.number = ++t->made;
    lane->depth = 0;
    l->lane[l->lanes++] = lane;
    t->writer->calls->track(t->writer, &lane->track);
    return lane;
}

struct grosr_export_lanes *grosr_export_add(struct grosr_export_tracks *t, const struct grosr_export_key *key,
                                            const struct grosr_export_track *track)
{
    struct grosr_export_lanes *l = (struct grosr_export_lanes *)calloc(1, sizeof(*l));
    struct grosr_export_track copy = *track;

    if (!l || !grow(t))
        goto out;
    l->key = *key;
    copy.name = l->name = strdup(track->name);
    if (!l->name || (track->unit && !(copy.unit = l->unit = strdup(track->unit))) ||
        (track->about && !(copy.about = l->about = strdup(track->about))) || !add_lane(t, l, &copy))
        goto out;
    size_t at = hash(key) & (t->buckets - 1);
    l->next = t->bucket[at];
    t->bucket[at] = l;
    t->count++;
    return l;
out:
    if (l)
        free_lanes(l);
    grosr_fail(ENOMEM, "out of memory");
    return NULL;
}

const struct grosr_export_track *grosr_export_first_lane(const struct grosr_export_lanes *l)
{
    return &l->lane[0]->track;
}

/* Writes the ends up to `time`, innermost first. */
static void end_until(struct grosr_export_tracks *t, struct lane *lane, int64_t time)
{
    while (lane->depth && lane->end[lane->depth - 1] <= time &&
           lane->end[lane->depth - 1] != GROSR_EXPORT_OPEN) {
        lane->depth--;
        t->writer->calls->slice_end(t->writer, &lane->track, lane->end[lane->depth]);
    }
}

static struct lane *further_lane(struct grosr_export_tracks *t, struct grosr_export_lanes *l)
{
    struct grosr_export_track track = l->lane[0]->track;
    char *name = NULL;

    if (asprintf(&name, "%s (%zu)", l->name, l->lanes + 1) < 0)
        return NULL;
    track.parent = &l->lane[0]->track;
    track.kind = GROSR_EXPORT_TRACK;
    track.name = name;
    track.about = NULL;
    track.rank = (int32_t)l->lanes;
    struct lane *lane = add_lane(t, l, &track);
    if (!lane)
        free(name);
    return lane;
}

int grosr_export_slice(struct grosr_export_tracks *t, struct grosr_export_lanes *l,
                       struct grosr_export_event *event, int64_t end)
{
    struct lane *lane = NULL;

    for (size_t i = 0; i < l->lanes; i++) {
        lane = l->lane[i];
        end_until(t, lane, event->time);
        if (lane->depth == 0 || (lane->depth < DEPTH_MAX && lane->end[lane->depth - 1] >= end))
            break;
        lane = NULL;
    }
    if (!lane && l->lanes == LANES_MAX) { /* no lane left: its start becomes an instant */
        event->track = grosr_export_first_lane(l);
        t->writer->calls->instant(t->writer, event);
        return 0;
    }
    if (!lane && !(lane = further_lane(t, l)))
        return grosr_fail(ENOMEM, "out of memory");
    lane->end[lane->depth++] = end;
    event->track = &lane->track;
    t->writer->calls->slice_begin(t->writer, event, end);
    return 0;
}

void grosr_export_ends(struct grosr_export_tracks *t)
{
    for (size_t i = 0; i < t->buckets; i++)
        for (struct grosr_export_lanes *l = t->bucket[i]; l; l = l->next)
            for (size_t k = 0; k < l->lanes; k++)
                end_until(t, l->lane[k], GROSR_EXPORT_OPEN);
}
