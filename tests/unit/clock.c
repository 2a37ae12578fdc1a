/*
 * Device times land on the host's clock within the bound that is stated for them, against simulated clocks of
 * which the truth is known: delays with heavy tails, one way longer than the other, a bus that is full for
 * seconds, drift that wanders, clocks that jump forth and back.
 *
 * A scenario runs as a session does: bursts of round trips 10 ms apart, the shortest of each a snapshot.
 * Events are placed live, between the two latest snapshots and beyond the last one, and again at the end.
 * Delays are those of an H100: a round trip takes 1.5 us at least and 2.5 in the median.
 */
#include "../fixture.h"

#include "../../tracer/clock/clock.h"

#include <math.h>
#include <time.h>

#define BASE_NS    UINT64_C(5000000000000) /* the host's clock when a session starts */
#define PLACED_MAX 2000000
#define SECOND     1e9
#define PERIOD_NS  10e6

/* Times of the host are ns since BASE_NS. */
struct world {
    const char *name;
    double seconds;
    double offset_ns, drift_ppm;
    double wander_ppm_s;           /* the fastest that a slow sine makes the drift change */
    double rate_at_s, rate_ppm;    /* from then on so much more */
    double jump_at_s, jump_ns;     /* and this */
    double step_ns;                /* of the device's clock; 0: 32 */
    double there_ns, back_ns;      /* the least delays; 0: 750 */
    double full_from_s, full_to_s; /* the bus is full */
    uint64_t seed;
};

struct verdict {
    uint32_t placed, broken;
    double error_p50, error_p99, bound_p50, bound_p99, bound_max, share_p99;
};

static double random_one(struct world *w)
{
    return ((double)(tap_random(&w->seed) >> 11) + 0.5) / 9007199254740992.0;
}

/* What the device's clock shows at a host time. */
static uint64_t device_at(const struct world *w, double h)
{
    double omega = 2 * M_PI / 60e9, step = w->step_ns > 0 ? w->step_ns : 32;
    double d = w->offset_ns + h * w->drift_ppm * 1e-6;

    d += w->wander_ppm_s * 1e-15 / omega / omega * (1 - cos(omega * h));
    if (w->rate_ppm != 0 && h > w->rate_at_s * SECOND)
        d += (h - w->rate_at_s * SECOND) * w->rate_ppm * 1e-6;
    if (w->jump_ns != 0 && h > w->jump_at_s * SECOND)
        d += w->jump_ns;
    uint64_t t = BASE_NS + (uint64_t)(int64_t)floor(h + d);
    return t - t % (uint64_t)step;
}

static double delay(struct world *w, double least, double now)
{
    double d = (least > 0 ? least : 750) + 350 / sqrt(random_one(w)) - 350; /* the tail has no variance */

    if (now > w->full_from_s * SECOND && now < w->full_to_s * SECOND)
        d += 1500 + 4000 * random_one(w);
    return d < 5e6 ? d : 5e6;
}

/* A snapshot as grosr_clock_snapshot() takes it. Returns when it was over. */
static double take(struct world *w, double now, double *best, struct grosr_clock_trip *trip)
{
    double shortest = INFINITY;

    for (int i = 0; i < 64; i++) {
        double there = delay(w, w->there_ns, now), back = delay(w, w->back_ns, now), length = there + back;
        if (length < shortest) {
            shortest = length;
            *trip = (struct grosr_clock_trip){BASE_NS + (uint64_t)now, BASE_NS + (uint64_t)ceil(now + length),
                                              device_at(w, now + there)};
        }
        *best = fmin(*best, length);
        now += length + 20;
        if (i >= 4 && shortest <= *best * 1.25)
            break;
    }
    return now;
}

static float errors[PLACED_MAX], bounds[PLACED_MAX], shares[PLACED_MAX];

static void place(struct grosr_clock *c, const struct world *w, double h, struct verdict *v)
{
    uint64_t placed, bound;

    if (v->placed == PLACED_MAX || !grosr_clock_place(c, device_at(w, h), &placed, &bound))
        return;
    double error = fabs((double)(int64_t)(placed - BASE_NS) - h);
    errors[v->placed] = (float)error;
    bounds[v->placed] = (float)bound;
    shares[v->placed] = (float)(error / (double)bound);
    v->placed++;
    v->broken += error > (double)bound;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double percentile(float *values, uint32_t n, double p)
{
    qsort(values, n, sizeof(*values), by_value);
    return n ? (double)values[(uint32_t)((n - 1) * p)] : NAN;
}

static struct verdict simulate(const struct world *given, struct grosr_clock *c)
{
    struct world world = *given, *w = &world;
    struct grosr_clock_trip trip;
    struct verdict v = {0};
    double best = INFINITY, now = 0, before = 0, last = 0;

    w->seed = w->seed ? w->seed : 88172645463325252u;
    *c = (struct grosr_clock){0};
    while (now < w->seconds * SECOND) {
        double begun = now;
        now = take(w, now, &best, &trip);
        if (grosr_clock_add(c, &trip) != 1)
            printf("# a true snapshot was refused\n");
        for (int i = 0; i < 8 && last > 0; i++)
            place(c, w, before + (last - before) * random_one(w), &v);
        before = last;
        last = begun;
        now += PERIOD_NS * (1 + 0.2 * random_one(w));
        /* What lies behind the latest snapshot, unless the clock jumps there. */
        bool jumps = w->jump_ns != 0 && w->jump_at_s * SECOND > begun && w->jump_at_s * SECOND < now;
        for (int i = 0; i < 4 && last > 0 && !jumps; i++)
            place(c, w, begun + (now - begun) * random_one(w), &v);
    }
    for (int i = 0; i < 20000; i++)
        place(c, w, last * random_one(w), &v);
    v.error_p50 = percentile(errors, v.placed, 0.5);
    v.error_p99 = percentile(errors, v.placed, 0.99);
    v.bound_p50 = percentile(bounds, v.placed, 0.5);
    v.bound_p99 = percentile(bounds, v.placed, 0.99);
    v.bound_max = percentile(bounds, v.placed, 1);
    v.share_p99 = percentile(shares, v.placed, 0.99);
    if (w->name)
        printf(
            "# %-38s error p50 %4.0f p99 %5.0f, bound p50 %5.0f p99 %6.0f most %9.0f ns, used p99 %3.0f%%, "
            "%u of %u broken, %u points\n",
            w->name, v.error_p50, v.error_p99, v.bound_p50, v.bound_p99, v.bound_max, 100 * v.share_p99,
            v.broken, v.placed, c->count);
    return v;
}

/* The promise: at most one in a thousand outside its bound; 0 where nothing goes beyond what is assumed. */
static void holds(const struct world *w, double error_p99, double bound_p99, double bound_max)
{
    struct grosr_clock c;
    struct verdict v = simulate(w, &c);

    ok(v.placed > 20000 && v.broken == 0, "%s: every placed time is within its bound", w->name);
    ok(v.error_p99 <= error_p99, "%s: 99 %% are within %.0f ns", w->name, error_p99);
    ok(v.bound_p99 <= bound_p99, "%s: and say so, by a bound within %.0f ns", w->name, bound_p99);
    ok(v.bound_max <= bound_max, "%s: all within %.0f ns", w->name, bound_max);
    is(c.epochs, w->jump_ns < 0 ? 2 : 1, "%s: it has jumped back if it has", w->name);
    grosr_clock_free(&c);
}

static void scenarios(void)
{
    const struct world quiet = {.name = "quiet", .seconds = 20, .offset_ns = 748000, .drift_ppm = 21};
    struct world w;

    holds(&quiet, 250, 1000, 8000);
    w = quiet, w.name = "500 ppm, 3 s behind", w.offset_ns = -3e9, w.drift_ppm = 500;
    holds(&w, 250, 1000, 8000);
    w = quiet, w.name = "-500 ppm, a day ahead", w.offset_ns = 86400e9, w.drift_ppm = -500;
    holds(&w, 250, 1000, 8000);
    w = quiet, w.name = "one way twice the other", w.there_ns = 1000, w.back_ns = 500;
    holds(&w, 500, 1000, 8000);
    w = quiet, w.name = "drift that wanders, 0.1 ppm/s", w.wander_ppm_s = 0.1, w.seconds = 60;
    holds(&w, 250, 1000, 8000);
    w = quiet, w.name = "a full bus for 3 s", w.full_from_s = 8, w.full_to_s = 11, w.wander_ppm_s = 0.1;
    holds(&w, 500, 6000, 8000);
    w = quiet, w.name = "a full bus at the start", w.full_from_s = -1, w.full_to_s = 0.5;
    holds(&w, 500, 4000, 15000);
    w = quiet, w.name = "a clock of 1 us steps", w.step_ns = 1000;
    holds(&w, 1000, 2000, 8000);
    w = quiet, w.name = "50 us forth", w.jump_at_s = 10, w.jump_ns = 50e3;
    holds(&w, 250, 1000, 30e3);
    w = quiet, w.name = "3 s forth", w.jump_at_s = 10, w.jump_ns = 3e9;
    holds(&w, 250, 1000, 11e6);
    w = quiet, w.name = "50 us back", w.jump_at_s = 10, w.jump_ns = -50e3;
    holds(&w, 250, 1000, 60e3);
    /* Three of 20 s are on both sides: their bound must reach the other. */
    w = quiet, w.name = "3 s back", w.jump_at_s = 10, w.jump_ns = -3e9;
    holds(&w, 3.001e9, 3.002e9, 3.002e9);
    /* NTP does that, and it is more than the map assumes. */
    w = quiet, w.name = "the rate changes by 50 ppm", w.rate_at_s = 10.004, w.rate_ppm = 50;
    holds(&w, 250, 1000, 8000);
}

/*
 * What is assumed of the rate is what the bound rests on where brackets are narrow and far apart: two of
 * 100 ns, a second apart, between which the rate changes by 2 ppm.
 */
static void far_apart(void)
{
    const struct world w = {.drift_ppm = 20, .rate_at_s = 0.5, .rate_ppm = 2, .step_ns = 1};
    struct grosr_clock c = {0};
    struct verdict between = {0}, beyond = {0};

    static const double at[] = {0, 100007, SECOND};
    for (int i = 0; i < 3; i++) {
        uint64_t h = BASE_NS + (uint64_t)at[i];
        struct grosr_clock_trip trip = {h - 50, h + 50, device_at(&w, at[i])};
        grosr_clock_add(&c, &trip);
    }
    for (double h = 0; h < SECOND; h += 1e6)
        place(&c, &w, h, &between);
    is(between.broken, 0, "two points a second apart: every time between is within its bound");
    double error = percentile(errors, between.placed, 1), bound = percentile(bounds, between.placed, 1);
    ok(error > 400 && bound < 800, "the rate changes half way: %.0f ns off at most, of %.0f stated", error,
       bound);
    for (double h = SECOND; h < 2 * SECOND; h += 1e6)
        place(&c, &w, h, &beyond);
    is(beyond.broken, 0, "and beyond them, where the rate is 1 ppm off");
    ok(percentile(errors, beyond.placed, 1) > 900 && percentile(bounds, beyond.placed, 1) < 1600,
       "by a bound that grows with the distance");
    grosr_clock_free(&c);
}

/* A snapshot as a clock of 20 ppm gives it, of a round trip that takes so long, after an eighth of which the
 * device answers. */
static void take_one(struct grosr_clock *c, const struct world *w, double h, double length)
{
    h += floor(fmod(h * 0.618, 1009)); /* no two differences have a divisor: the step is 1 */
    struct grosr_clock_trip trip = {BASE_NS + (uint64_t)(h - length / 8),
                                    BASE_NS + (uint64_t)(h + length * 7 / 8), device_at(w, h)};
    if (grosr_clock_add(c, &trip) != 1)
        printf("# a true snapshot was refused\n");
}

/* The bound at a host time, which must be true. */
static double bound_of(struct grosr_clock *c, const struct world *w, double h)
{
    uint64_t host, bound;

    if (!grosr_clock_place(c, device_at(w, h), &host, &bound) ||
        fabs((double)(int64_t)(host - BASE_NS) - h) > (double)bound)
        return INFINITY;
    return (double)bound;
}

/* Round trips in which somebody slept: what is known from others still holds. */
static void poor(void)
{
    const struct world w = {.drift_ppm = 20, .step_ns = 1};
    struct grosr_clock c = {0};

    take_one(&c, &w, 1e7, 5e6);
    ok(bound_of(&c, &w, 1e7) > 2.5e6, "a first round trip of 5 ms says little");
    for (double h = 2e7; h < 1e9; h += 1e7)
        take_one(&c, &w, h, 1500);
    ok(bound_of(&c, &w, 1e7) < 2000, "those that follow say more");
    take_one(&c, &w, 1e9, 5e6);
    ok(bound_of(&c, &w, 1e9) < 2000, "and the next that takes 5 ms takes nothing away");
    take_one(&c, &w, 1.02e9, 1500);
    ok(bound_of(&c, &w, 1e9) < 900, "less so once the one behind it is good");
    grosr_clock_free(&c);
}

/*
 * NTP may bend the rate by 14 ppm: too little for a jump, but no line is drawn past brackets that show it.
 * Here they are narrow.
 */
static void bend(void)
{
    double most = 0;
    uint32_t jumps = 0, points = 0;

    for (double at = 0.5; at < 0.56; at += 0.01) {
        const struct world w = {.drift_ppm = 20, .rate_at_s = at, .rate_ppm = 14, .step_ns = 1};
        struct grosr_clock c = {0};
        for (double h = 1e7; h < SECOND; h += 1e7)
            take_one(&c, &w, h, 100);
        for (double h = 1e7; h < 0.99 * SECOND; h += 1e6)
            most = fmax(most, bound_of(&c, &w, h));
        for (uint32_t i = 1; i < c.count; i++)
            jumps += c.point[i].first;
        points += c.count;
        grosr_clock_free(&c);
    }
    ok(most < 250 && jumps == 0 && points < 6 * 40, "a rate that changes by 14 ppm: within %.0f ns, all true",
       most);
}

/* Times on both sides of the end of what an epoch shares with the one before. */
static void shared_times(void)
{
    const struct world w = {.drift_ppm = 20, .jump_at_s = 0.505, .jump_ns = -1e8, .step_ns = 1};
    struct grosr_clock c = {0};
    uint64_t host, bound[4];

    for (double h = 1e7; h < SECOND; h += 1e7)
        take_one(&c, &w, h, 100);
    for (int i = 0; i < 4; i++)
        grosr_clock_place(&c, c.shared_ns + (i % 2 ? 0 : 1000), &host, &bound[i]);
    ok(bound[0] < 300 && bound[2] < 300 && bound[1] > 9e7 && bound[3] > 9e7,
       "a clock set back: what it showed twice is told from what it showed once");
    ok(bound_of(&c, &w, 3.9e8) < 300, "also on the other side");
    ok(bound_of(&c, &w, 4.5e8) < 1.01e8, "and the bound reaches the earlier time");
    grosr_clock_free(&c);
}

/* Many sessions, short, of all kinds of clocks. */
static void sessions(void)
{
    uint64_t seed = 4711;
    uint32_t placed = 0, broken = 0;

    for (int i = 0; i < 60; i++) {
        struct world w = {.seconds = 0.3, .seed = tap_random(&seed)};
        struct grosr_clock c;
        w.offset_ns = (random_one(&w) - 0.5) * 8e9;
        w.drift_ppm = (random_one(&w) - 0.5) * 1000;
        w.there_ns = 200 + 2000 * random_one(&w);
        w.back_ns = 200 + 2000 * random_one(&w);
        w.full_from_s = 0.3 * random_one(&w);
        w.full_to_s = 0.4 * random_one(&w);
        w.jump_at_s = 0.6 * random_one(&w);
        w.jump_ns = i % 3 ? 0 : (random_one(&w) - 0.5) * 1e8;
        struct verdict v = simulate(&w, &c);
        placed += v.placed;
        broken += v.broken;
        if (v.broken)
            printf("# session %d: jump %.0f at %.4f s, %u broken, %u points, %u epochs, full %.3f to %.3f\n",
                   i, w.jump_ns, w.jump_at_s, v.broken, c.count, c.epochs, w.full_from_s, w.full_to_s);
        grosr_clock_free(&c);
    }
    ok(placed > 1000000 && broken * 1000 <= placed,
       "of %u times in all kinds of short sessions %u broke their bound", placed, broken);
}

/* A day of snapshots fits, and its morning is still known. */
static void a_day(void)
{
    struct world w = {.name = "a day", .offset_ns = 748000, .drift_ppm = 21, .wander_ppm_s = 0.1, .seed = 3};
    struct grosr_clock c = {0};
    struct verdict young = {0}, old = {0};
    double most = 0;

    for (double now = 0; now < 86400e9; now += 100e6) {
        double there = delay(&w, 0, 0), back = delay(&w, 0, 0);
        struct grosr_clock_trip trip = {BASE_NS + (uint64_t)now, BASE_NS + (uint64_t)ceil(now + there + back),
                                        device_at(&w, now + there)};
        if (grosr_clock_add(&c, &trip) != 1)
            break;
        most = fmax(most, c.count);
    }
    for (int i = 0; i < 20000; i++)
        place(&c, &w, 600e9 * random_one(&w), &old);
    double of_old = percentile(bounds, old.placed, 0.99);
    for (int i = 0; i < 20000; i++)
        place(&c, &w, 86390e9 - 600e9 * random_one(&w), &young);
    double of_young = percentile(bounds, young.placed, 0.99);
    printf("# a day: %u points (%.0f at most); bound p99 of the first 10 minutes %.0f, of the last %.0f ns\n",
           c.count, most, of_old, of_young);
    ok(most <= GROSR_CLOCK_POINTS && c.count > 10000, "a day of snapshots: at most %u points",
       GROSR_CLOCK_POINTS);
    is(old.broken + young.broken, 0, "a day: nothing breaks its bound");
    ok(of_old < 20000 && of_young < 2000, "a day: the last minutes are known well, the first ones less");
    grosr_clock_free(&c);
}

/* Snapshots that no clock gave, from a segment that anybody may have written. */
static void nonsense(void)
{
    const struct grosr_clock_trip good = {BASE_NS, BASE_NS + 1500, BASE_NS + 748000};
    const struct {
        const char *name;
        struct grosr_clock_trip trip;
    } refused[] = {
        {"the same again", good},
        {"an earlier one", {BASE_NS - 5000, BASE_NS - 3500, BASE_NS + 743000}},
        {"over before it began", {BASE_NS + 9000, BASE_NS + 8000, BASE_NS + 756000}},
        {"of twenty seconds", {BASE_NS + 9000, BASE_NS + UINT64_C(20000000000), BASE_NS + 756000}},
        {"at the end of time", {UINT64_MAX - 1500, UINT64_MAX, BASE_NS + 756000}},
        {"of the longest clock", {BASE_NS + 9000, BASE_NS + 9500, UINT64_MAX}},
    };
    struct grosr_clock c = {0};
    uint64_t seed = 99, host, bound, past = good.after_ns;
    struct grosr_clock_fit fit;

    ok(!grosr_clock_place(&c, 5, &host, &bound) && !grosr_clock_judge(&c, &good, &fit) &&
           !grosr_clock_near(&c, 5, &host),
       "nothing is known without a snapshot");
    is(grosr_clock_add(&c, &good), 1, "a first snapshot");
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        is(grosr_clock_add(&c, &refused[i].trip), 0, "a snapshot is refused: %s", refused[i].name);
        ok(grosr_clock_judge(&c, &refused[i].trip, &fit) && (i == 0 || !fit.used), "and is not used");
    }
    grosr_clock_place(&c, good.device_ns, &host, &bound);
    ok(host == BASE_NS + 750 && bound >= 750, "the map is as it was");

    for (int i = 0; i < 300000; i++) {
        uint64_t r = tap_random(&seed), far = UINT64_C(1) << (r % 50), length = UINT64_C(1) << (r >> 8) % 36;
        struct grosr_clock_trip trip = {past, past + tap_random(&seed) % length,
                                        tap_random(&seed) >> (r >> 16) % 40};
        if (grosr_clock_add(&c, &trip))
            past = trip.after_ns + tap_random(&seed) % far % 1000000000000;
        grosr_clock_place(&c, tap_random(&seed) >> (r >> 24) % 64, &host, &bound);
        grosr_clock_judge(&c, &trip, &fit);
    }
    ok(c.count > 1 && c.count <= GROSR_CLOCK_POINTS && c.epochs <= GROSR_CLOCK_EPOCHS,
       "noise: %u points, %u epochs", c.count, c.epochs);
    ok(c.worst_ns > 1000000, "and the bounds say what it is worth");
    grosr_clock_free(&c);
}

/* The 48 bits of an event are extended right, just before and after they wrap, from as far as is promised. */
static void wraps(void)
{
    const uint64_t wrap = UINT64_C(3) << 48, most = (UINT64_C(1) << 47) - 1, mask = GROSR_TIME_MASK;
    struct world w = {.offset_ns = (double)(wrap - BASE_NS) - 2e8, .drift_ppm = 21, .seed = 6};
    struct grosr_clock c = {0};
    struct grosr_clock_trip trip;
    uint64_t host, bound, near_ns = 0;
    double best = INFINITY, now = 0;
    int wrong = 0;

    for (int i = -3; i <= 3; i++) {
        uint64_t t = wrap + (uint64_t)(int64_t)i;
        wrong += grosr_clock_extend(t & mask, 48, t - most) != t;
        wrong += grosr_clock_extend(t & mask, 48, t + most) != t;
        wrong += grosr_clock_extend(t & mask, 48, t) != t;
        wrong += grosr_clock_extend(t & mask, 48, t + most + 2) == t; /* beyond: one lap off */
    }
    is(wrong, 0, "at the wrap of 48 bits, from 39 hours before and after");
    while (now < 0.4 * SECOND) {
        now = take(&w, now, &best, &trip) + PERIOD_NS;
        grosr_clock_add(&c, &trip);
    }
    for (double h = 0; h < 0.4 * SECOND; h += 1e5) {
        grosr_clock_near(&c, BASE_NS + (uint64_t)now, &near_ns);
        uint64_t t = device_at(&w, h);
        wrong += grosr_clock_extend(t & mask, 48, near_ns) != t;
        wrong += !grosr_clock_place(&c, t, &host, &bound) ||
                 llabs((int64_t)(host - BASE_NS - (uint64_t)h)) > (int64_t)bound;
    }
    ok(wrong == 0 && device_at(&w, 0) < wrap && device_at(&w, now) > wrap, "a session across the wrap");
    grosr_clock_free(&c);
}

/* What the collector relies on. */
static void in_use(void)
{
    struct world w = {.offset_ns = 748000, .drift_ppm = 21, .full_from_s = 0.1, .full_to_s = 0.2, .seed = 8};
    struct grosr_clock c = {0};
    struct grosr_clock_trip trip[40];
    struct grosr_clock_fit fit;
    uint64_t host, bound;
    double best = INFINITY, now = 0;
    int used = 0, outside = 0, drifts = 0;

    for (int i = 0; i < 40; i++) {
        now = take(&w, now, &best, &trip[i]) + PERIOD_NS;
        grosr_clock_add(&c, &trip[i]);
    }
    ok(grosr_clock_covers(&c, BASE_NS) && !grosr_clock_covers(&c, BASE_NS + (uint64_t)now),
       "what the last snapshot covers");
    for (int i = 0; i < 40; i++) {
        grosr_clock_judge(&c, &trip[i], &fit);
        used += fit.used;
        outside +=
            fit.host_ns + fit.bound_ns < trip[i].before_ns || fit.host_ns > trip[i].after_ns + fit.bound_ns;
        drifts += llabs(fit.drift_ppb - 21000) < 3000 && !fit.jump;
    }
    ok(used == (int)c.count && used >= 3 && used < 40, "a snapshot is used if it is a point: %d of 40", used);
    is(outside, 0, "the map passes every bracket");
    ok(drifts >= 38, "and tells the drift, %d times of 40", drifts);

    c.worst_ns = 0;
    grosr_clock_place(&c, trip[20].device_ns, &host, &bound);
    is(c.worst_ns, bound, "the greatest bound is kept");
    grosr_clock_place(&c, trip[39].device_ns + 60000000000, &host, &bound);
    ok(bound > 60000 && c.worst_ns == bound, "a minute after the last snapshot: %" PRIu64 " ns", bound);

    struct timespec from, to;
    uint64_t sum = 0, t = trip[0].device_ns, last = trip[39].device_ns;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < 4000000; i++) {
        grosr_clock_place(&c, t, &host, &bound);
        sum += host;
        t = t + 100 < last ? t + 100 : trip[0].device_ns;
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("# %.1f ns a placement (%d)\n",
           ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) / 4e6,
           (int)(sum & 1));
    grosr_clock_free(&c);

    c = (struct grosr_clock){.is_host = true};
    ok(grosr_clock_place(&c, 12345, &host, &bound) && host == 12345 && bound == 0,
       "the host device's clock is the host's");
}

/* Snapshots of a damaged segment that no clock can have shown are left out, and the others are not. */
static void impossible(void)
{
    struct grosr_session *s = fixture_session(1, 64, GROSR_OVERFLOW_OVERWRITE);
    uint64_t start = s->header.start_mono_ns, max = UINT64_MAX, top = UINT64_C(1) << 63;
    const struct grosr_clock_trip trips[] = {
        {start + 100, start + 200, 5000}, /* the first true one */
        {start + 300, start + 400, top},  /* the device's time is SQL's NULL as a signed number */
        {start + 300, start + 400, max},    {start + 400, start + 300, 5200}, /* over before it began */
        {start - 1, start + 400, 5200},                                       /* before the session */
        {start + 300, max - 5, 5200},       {top, top + 100, 5200},
        {start + 1100, start + 1200, 6000}, /* the second true one */
    };
    enum { TRIPS = sizeof(trips) / sizeof(*trips) };
    struct grosr_clock c;
    struct grosr_clock_trip seen;
    int possible = 0;

    for (int i = 0; i < TRIPS; i++) {
        struct grosr_snapshot *snap = grosr_session_snapshot(s, (uint64_t)i);
        sys_store_relaxed(&snap->host_before_ns, trips[i].before_ns);
        sys_store_relaxed(&snap->host_after_ns, trips[i].after_ns);
        sys_store_relaxed(&snap->device_ns, trips[i].device_ns);
    }
    sys_store_release(&grosr_session_live(s)->snapshots_taken, (uint64_t)TRIPS);
    for (uint64_t i = 0; i < TRIPS; i++)
        possible += grosr_clock_read(s, i, &seen);
    is(possible, 2, "of eight snapshots two are possible");
    s->copy = true; /* as `grosr recover` reads it */
    grosr_clock_init(&c, s);
    is(grosr_clock_fetch(&c, s), 2, "and these make the map");
    is(c.taken, TRIPS, "all have been looked at");
    grosr_clock_free(&c);
    s->copy = false;
    grosr_session_close(s);
}

int main(void)
{
    scenarios();
    far_apart();
    poor();
    bend();
    shared_times();
    sessions();
    a_day();
    nonsense();
    wraps();
    in_use();
    impossible();
    return tap_done();
}
