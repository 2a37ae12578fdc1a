/*
 * The collector's writer: what has been sampled into the file (sampler_parts.h). A counter has its name
 * written with its first value; a value has its time from a session's clock map, or else from when it was
 * read.
 */
#include "sampler_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAR_NS 1000000000 /* a session's clock that is so far off is not that of the samples */

static void name_of(uint32_t slot, char *text, size_t size, const char **unit)
{
    static const char *const values[][2] = {
#define X(member, name, unit) {name, unit},
        GROSR_NVML_VALUES(X)
#undef X
    };
    static const char *const metrics[][2] = {
#define X(metric, unit) {metric, unit},
        GROSR_PM_METRICS(X)
#undef X
    };

    if (slot >= PM_SLOT) {
        snprintf(text, size, "%s", metrics[slot - PM_SLOT][0]);
        *unit = metrics[slot - PM_SLOT][1];
        return;
    }
    snprintf(text, size, "GPU %u %s", slot / SLOTS_PER_GPU, values[slot % SLOTS_PER_GPU][0]);
    *unit = values[slot % SLOTS_PER_GPU][1];
}

/* A sample's host time. */
static uint64_t place(struct grosr_sampler *s, struct grosr_clock *clock, const struct sampler_value *q)
{
    uint64_t host_ns, bound_ns, worst_ns = clock ? clock->worst_ns : 0;

    if (!q->device_ns)
        return q->host_ns;
    bool known = clock && !clock->is_host && grosr_clock_place(clock, q->device_ns, &host_ns, &bound_ns) &&
                 llabs((int64_t)(host_ns - q->host_ns)) < FAR_NS;
    if (clock)
        clock->worst_ns = worst_ns; /* that one is of the session's own times */
    if (known) {
        s->offset = (int64_t)(host_ns - q->device_ns);
        s->placed++;
        s->worst_ns = bound_ns > s->worst_ns ? bound_ns : s->worst_ns;
        return host_ns;
    }
    if (s->placed) /* the session has ended, and its map with it */
        return q->device_ns + (uint64_t)s->offset;
    s->estimated++;
    return q->host_ns;
}

static int write_sample(struct grosr_sampler *s, struct grosr_store *store, const struct grosr_bases *bases,
                        struct grosr_clock *clock, const struct sampler_value *q)
{
    int64_t name = -1 - (int64_t)q->slot;
    const struct grosr_value values[] = {
        {.type = GROSR_VALUE_INTEGER, .integer = grosr_timeline(bases, place(s, clock, q))},
        {.type = GROSR_VALUE_INTEGER, .integer = name},
        {.type = GROSR_VALUE_REAL, .real = q->value}};
    int err = 0;

    if (!s->named[q->slot]) {
        char text[64];
        const char *unit;
        name_of(q->slot, text, sizeof(text), &unit);
        err = grosr_store_name(store, name, bases->session, text, unit);
        s->named[q->slot] = true;
    }
    return err ? err
               : grosr_store_execute(store, "INSERT INTO GROSR_COUNTER (time, name, value) VALUES (?,?,?)",
                                     values, 3, NULL);
}

static int note(struct grosr_store *store, const struct grosr_bases *bases, const char *text)
{
    static const char topic[] = "counters";

    return grosr_store_note(store, grosr_timeline(bases, grosr_host_clock_ns()), bases->session, topic,
                            strlen(topic), text, strlen(text));
}

/* At the end: a note on where the times of PM samples are from. */
static int note_placing(struct grosr_sampler *s, struct grosr_store *store, const struct grosr_bases *bases)
{
    char text[REPORT_BYTES];
    int err = 0;

    if (s->placed) {
        snprintf(text, sizeof(text),
                 "%llu values of SMs have their times from a session's clock, within %.3f us",
                 (unsigned long long)s->placed, (double)s->worst_ns * 1e-3);
        err = note(store, bases, text);
    }
    if (!err && s->estimated) {
        pthread_mutex_lock(&s->lock);
        double late_ms = s->ended ? (double)s->late_ns * 1e-6 : NAN;
        pthread_mutex_unlock(&s->lock);
        snprintf(text, sizeof(text),
                 "%llu values of SMs have the times at which they were read, up to %.1f ms late",
                 (unsigned long long)s->estimated, late_ms);
        err = note(store, bases, text);
    }
    return err;
}

int grosr_sampler_write(struct grosr_sampler *s, struct grosr_store *store, const struct grosr_bases *bases,
                        struct grosr_clock *clock, bool rows, void (*warned)(const char *text))
{
    char text[REPORTS_MAX][REPORT_BYTES];
    struct sampler_value taken[REPORT_BYTES];
    uint32_t reports = sampler_take_reports(s, text), n;
    int err = 0;

    for (uint32_t i = 0; !err && i < reports; i++) {
        if (warned && !(s->sampling.what & GROSR_COUNTERS_DEFAULT))
            warned(text[i]);
        err = note(store, bases, text[i]);
    }
    while (!err && (n = sampler_take(s, taken, sizeof(taken) / sizeof(taken[0]))) > 0)
        for (uint32_t i = 0; rows && !err && i < n; i++)
            err = write_sample(s, store, bases, clock, &taken[i]);
    if (err || !s->stopped || s->placing_noted)
        return err;
    s->placing_noted = true;
    return note_placing(s, store, bases);
}

bool grosr_sampler_has_only_gpu(struct grosr_sampler *s)
{
    pthread_mutex_lock(&s->lock);
    bool only = s->only_gpu;
    pthread_mutex_unlock(&s->lock);
    return only;
}
