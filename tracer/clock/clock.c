/*
 * The map from the device's clock to the host's (clock.h). The round trips it is made from are in
 * clock_trip.c.
 *
 * Points and lines are computed in differences: a double has 53 bits, the clocks use 61.
 */
#include "clock.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define SECOND_NS   UINT64_C(1000000000)
#define MERGE_NS    UINT64_C(64000000)   /* no two lines within this, if one does */
#define AGE_SHIFT   13                   /* points of age a are thinned out to a / 2^13 */
#define START_NS    (2 * SECOND_NS)      /* poor points at a piece's start wait so long for better ones */
#define LONGEST_NS  (UINT64_C(16) << 30) /* a longer round trip tells nothing */
#define RATE_NS     SECOND_NS            /* the rate beyond a point is taken from points so far apart */
#define RATE_POINTS 256                  /* or from so many */

#define TOLERANCE_NS 32    /* by so much the bound may grow to save a point */
#define MAX_DRIFT    1e-3  /* of any clock against another: quartz within 200 ppm, NTP within 500 */
#define WANDER       1e-6  /* of an instant's rate from the mean rate */
#define WANDER_S     1e-16 /* and for each ns of the interval */
#define STEP_NS      32    /* of %globaltimer on Hopper; a clock is not believed to be finer */
#define MAX_STEP_NS  2048  /* nor coarser: older chips step by 1 us */

void grosr_clock_init(struct grosr_clock *c, const struct grosr_session *s)
{
    *c = (struct grosr_clock){.is_host = s->header.device_clock_is_host != 0};
}

void grosr_clock_free(struct grosr_clock *c)
{
    free(c->point);
    *c = (struct grosr_clock){.is_host = c->is_host};
}

/* ---- lines ---- */

/* The later time less the earlier one, as a number that can be computed with. */
static double since(uint64_t later, uint64_t earlier)
{
    return (double)(int64_t)(later - earlier);
}

static double wander(double length)
{
    return WANDER + WANDER_S * length;
}

/* What both the event's stamp and the snapshots' may be behind by, together: a step of the device's clock. */
static double step_ns(const struct grosr_clock *c)
{
    if (c->divisor_ns == 0 || c->divisor_ns > MAX_STEP_NS)
        return MAX_STEP_NS;
    return c->divisor_ns < STEP_NS ? STEP_NS : (double)c->divisor_ns;
}

/* The line through a and b, a the earlier. */
static struct grosr_clock_line join(const struct grosr_clock_point *a, const struct grosr_clock_point *b)
{
    double length = since(b->device_ns, a->device_ns);

    return (struct grosr_clock_line){
        .from = a->device_ns,
        .until = b->device_ns,
        .device_ns = a->device_ns,
        .host_ns = a->host_ns,
        .drift = since(b->host_ns - a->host_ns, b->device_ns - a->device_ns) / length,
        .bound = a->bound_ns,
        .slope = (b->bound_ns - a->bound_ns) / length,
        .curve = 2 * wander(length) / length,
        .length = length,
    };
}

/* The line beyond the point `edge`, on the side where there is no other of its piece; `back`: before it. */
static struct grosr_clock_line beyond(const struct grosr_clock *c, uint32_t edge, bool back)
{
    const struct grosr_clock_point *e = &c->point[edge];
    struct grosr_clock_line l = {
        .device_ns = e->device_ns, .host_ns = e->host_ns, .bound = e->bound_ns, .curve = -WANDER_S};
    double error = MAX_DRIFT;
    uint32_t far = edge;

    for (int i = 0;
         i < RATE_POINTS && llabs((int64_t)(c->point[far].device_ns - e->device_ns)) < (int64_t)RATE_NS;
         i++) {
        if (back ? far + 1 == c->count || c->point[far + 1].first : c->point[far].first)
            break;
        far = back ? far + 1 : far - 1;
    }
    if (far != edge) {
        struct grosr_clock_line known = back ? join(e, &c->point[far]) : join(&c->point[far], e);
        error = (e->bound_ns + c->point[far].bound_ns + step_ns(c)) / known.length + wander(known.length);
        l.drift = known.drift;
    }
    if (!(error < MAX_DRIFT && fabs(l.drift) < 2 * MAX_DRIFT)) {
        error = MAX_DRIFT;
        l.drift = 0;
    }
    l.slope = back ? -error : error;
    return l;
}

/* The bound at `x` from the line's origin, without the clock's step. */
static double bound_at(const struct grosr_clock_line *l, double x)
{
    return l->bound + x * (l->slope + (l->length - x) * l->curve);
}

static uint64_t host_at(const struct grosr_clock_line *l, uint64_t t)
{
    return l->host_ns + (t - l->device_ns) + (uint64_t)(int64_t)(since(t, l->device_ns) * l->drift);
}

/* ---- points ---- */

/*
 * Takes for p's interval what it has in common with that of a line there; nothing, if the clock's step alone
 * lets the two meet.
 */
static void narrow(struct grosr_clock_point *p, const struct grosr_clock_line *l)
{
    double middle = since(host_at(l, p->device_ns), p->host_ns);
    double half = bound_at(l, since(p->device_ns, l->device_ns));
    double low = fmax(-p->bound_ns, middle - half), high = fmin(p->bound_ns, middle + half);

    if (!(low < high))
        return;
    p->host_ns += (uint64_t)(int64_t)((low + high) / 2);
    p->bound_ns = (high - low) / 2 + 1; /* the middle is rounded */
}

/* Whether a line passes through p's interval. */
static bool passes(const struct grosr_clock_line *l, const struct grosr_clock_point *p)
{
    return fabs(since(host_at(l, p->device_ns), p->host_ns)) <= p->bound_ns;
}

/*
 * Drops the points before `p`, which is going to be the next one of their piece, that are poor beside it or
 * too many, if the line from the one before them to p passes through all of them and is as good.
 */
static void drop_superfluous(struct grosr_clock *c, const struct grosr_clock_point *p)
{
    uint32_t keep = c->count - 1, out;

    while (!c->point[keep].first && (c->point[keep].bound_ns > 2 * p->bound_ns ||
                                     p->device_ns - c->point[keep - 1].device_ns <= MERGE_NS))
        keep--;
    struct grosr_clock_line l = join(&c->point[keep], p);
    for (uint32_t i = keep + 1; i < c->count; i++)
        if (!passes(&l, &c->point[i]))
            return;
    out = keep + 1;
    for (uint32_t i = keep + 1; i < c->count; i++)
        if (bound_at(&l, since(c->point[i].device_ns, l.device_ns)) > c->point[i].bound_ns + TOLERANCE_NS)
            c->point[out++] = c->point[i];
    c->count = out;
}

/* A piece may begin with poor points, which no line joins to better ones before. Those behind help too. */
static void narrow_start(struct grosr_clock *c)
{
    uint32_t good = c->piece, last = c->count - 1;

    if (c->point[last].device_ns - c->point[good].device_ns > START_NS)
        return;
    while (c->point[good].bound_ns > 2 * c->point[last].bound_ns)
        good++;
    if (good == c->piece || good == last)
        return;
    struct grosr_clock_line l = beyond(c, good, true);
    for (uint32_t i = c->piece; i < good; i++)
        if (c->point[i].bound_ns > 2 * bound_at(&l, since(c->point[i].device_ns, l.device_ns)))
            narrow(&c->point[i], &l);
}

/* Forgets the first `n` points. */
static void forget(struct grosr_clock *c, uint32_t n)
{
    uint32_t out = 0;

    for (uint32_t i = n; i < c->count; i++)
        c->point[i - n] = c->point[i];
    c->count -= n;
    c->point[0].first = true;
    c->piece = c->piece > n ? c->piece - n : 0;
    for (uint32_t k = 0; k < c->epochs; k++) {
        uint32_t end = k + 1 < c->epochs ? c->epoch[k + 1] : c->count + n;
        if (end > n)
            c->epoch[out++] = c->epoch[k] > n ? c->epoch[k] - n : 0;
    }
    c->epochs = out;
}

/* Makes room: the older points are, the further apart they stay. */
static void thin_out(struct grosr_clock *c)
{
    uint32_t out = 1, epoch = 1, before = c->count;

    for (uint32_t i = 1; i < before; i++) {
        const struct grosr_clock_point *last = &c->point[out - 1], *p = &c->point[i], *next = p + 1;
        uint64_t apart = (c->point[before - 1].host_ns - p->host_ns) >> AGE_SHIFT;
        if (i + 1 < before && !p->first && !next->first &&
            next->device_ns - last->device_ns <= (apart > MERGE_NS ? apart : MERGE_NS)) {
            struct grosr_clock_line l = join(last, next);
            if (passes(&l, p))
                continue;
        }
        if (epoch < c->epochs && c->epoch[epoch] == i)
            c->epoch[epoch++] = out;
        if (p->first)
            c->piece = out;
        c->point[out++] = *p;
    }
    c->count = out;
    if (out > before / 8 * 7)
        forget(c, before / 4);
}

static int make_room(struct grosr_clock *c)
{
    if (c->count == GROSR_CLOCK_POINTS)
        thin_out(c);
    if (c->count < c->room)
        return 0;
    uint32_t room = c->room ? 2 * c->room : 64;
    struct grosr_clock_point *more = (struct grosr_clock_point *)realloc(c->point, room * sizeof(*c->point));
    if (!more)
        return -ENOMEM;
    c->point = more;
    c->room = room;
    return 0;
}

static uint64_t greatest_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The device's clock has jumped back before `p`: what it has shown until then it may show again. */
static void begin_epoch(struct grosr_clock *c, const struct grosr_clock_point *p)
{
    const struct grosr_clock_point *last = &c->point[c->count - 1];
    uint64_t until = last->device_ns + (p->host_ns - last->host_ns); /* if it went back just before p */

    if (c->epochs == GROSR_CLOCK_EPOCHS)
        forget(c, c->epoch[1]);
    if (until > c->shared_ns)
        c->shared_ns = until;
    c->epoch[c->epochs++] = c->count;
}

int grosr_clock_add(struct grosr_clock *c, const struct grosr_clock_trip *trip)
{
    uint64_t length = trip->after_ns - trip->before_ns;
    struct grosr_clock_point p = {trip->device_ns, trip->before_ns + length / 2, (double)(length + 1) / 2,
                                  false};

    if (trip->before_ns > trip->after_ns || length > LONGEST_NS || trip->before_ns < c->latest_ns ||
        trip->after_ns >= GROSR_CLOCK_END || trip->device_ns >= GROSR_CLOCK_END)
        return 0;
    if (make_room(c))
        return -ENOMEM;
    c->latest_ns = trip->after_ns;
    if (c->count == 0 || p.bound_ns < c->best_bound_ns)
        c->best_bound_ns = p.bound_ns;
    if (c->count == 0) {
        c->epochs = 1;
        p.first = true;
    } else if (p.device_ns <= c->point[c->count - 1].device_ns) {
        begin_epoch(c, &p);
        p.first = true;
    } else {
        struct grosr_clock_line l = beyond(c, c->count - 1, false);
        double half = bound_at(&l, since(p.device_ns, l.device_ns));
        if (c->divisor_ns == 0 || c->divisor_ns > STEP_NS)
            c->divisor_ns = greatest_divisor(p.device_ns - l.device_ns, c->divisor_ns);
        double off = since(host_at(&l, p.device_ns), p.host_ns);
        p.first = fabs(off) > half + p.bound_ns + step_ns(c);
        if (p.first && off < 0)
            begin_epoch(c, &p);
        if (!p.first && p.bound_ns > 2 * half)
            narrow(&p, &l);
        if (!p.first)
            drop_superfluous(c, &p);
    }
    if (p.first)
        c->piece = c->count;
    c->point[c->count++] = p;
    narrow_start(c);
    c->line = (struct grosr_clock_line){0};
    return 1;
}

/* ---- placing ---- */

/* A place and its bound, from `low` to `high` of a host time `at`. */
struct place {
    uint64_t at;
    double low, high;
};

static struct place place_on(const struct grosr_clock_line *l, uint64_t t)
{
    double half = bound_at(l, since(t, l->device_ns));
    return (struct place){host_at(l, t), -half, half};
}

/* Widens `a` so that it covers `b`. */
static void cover(struct place *a, const struct place *b)
{
    double off = since(b->at, a->at);

    a->low = fmin(a->low, off + b->low);
    a->high = fmax(a->high, off + b->high);
}

/*
 * In the gap before a jump the clock went on as before and then as after it, no one knows from when on; but
 * nothing in the gap was before the point at its start or after the one at its end.
 */
static struct place place_in_gap(const struct grosr_clock *c, uint32_t before, uint64_t t)
{
    const struct grosr_clock_point *a = &c->point[before], *b = a + 1;
    struct grosr_clock_line l = beyond(c, before, false), m = beyond(c, before + 1, true);
    struct place p = {a->host_ns, INFINITY, -INFINITY}, q = place_on(&l, t), r = place_on(&m, t);

    cover(&p, &q);
    cover(&p, &r);
    p.low = fmax(p.low, -a->bound_ns);
    p.high = fmin(p.high, since(b->host_ns, a->host_ns) + b->bound_ns);
    return p;
}

/* The last of the points first .. end - 1 whose device time is not after t; `first` if there is none. */
static uint32_t find_point(const struct grosr_clock *c, uint32_t first, uint32_t end, uint64_t t)
{
    uint32_t low = first, high = end;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (c->point[middle].device_ns <= t)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static uint32_t epoch_end(const struct grosr_clock *c, uint32_t epoch)
{
    return epoch + 1 < c->epochs ? c->epoch[epoch + 1] : c->count;
}

/* Where a time of an epoch belongs, and on which line; that is empty in a gap. */
static struct place place_in_epoch(const struct grosr_clock *c, uint32_t epoch, uint64_t t,
                                   struct grosr_clock_line *line)
{
    uint32_t first = c->epoch[epoch], end = epoch_end(c, epoch), i = find_point(c, first, end, t);

    *line = (struct grosr_clock_line){0};
    if (t < c->point[first].device_ns) {
        *line = beyond(c, first, true);
        line->until = c->point[first].device_ns;
    } else if (i + 1 == end) {
        *line = beyond(c, i, false);
        line->from = c->point[i].device_ns;
        line->until = UINT64_MAX;
    } else if (c->point[i + 1].first) {
        return place_in_gap(c, i, t);
    } else {
        *line = join(&c->point[i], &c->point[i + 1]);
    }
    return place_on(line, t);
}

/* A time that the device's clock may have shown in several epochs: placed in the latest, covering the others.
 */
static struct place place_in_any(const struct grosr_clock *c, uint64_t t)
{
    struct grosr_clock_line line;
    struct place p = {0, 0, 0};
    bool placed = false;

    for (uint32_t k = c->epochs; k-- > 0;) {
        uint32_t first = c->epoch[k], last = epoch_end(c, k) - 1;
        /* An epoch may have begun, or gone on, all through the gap between its neighbour and it. */
        uint64_t early = k ? c->point[first].host_ns - c->point[first - 1].host_ns : GROSR_CLOCK_END;
        uint64_t late =
            k + 1 < c->epochs ? c->point[last + 1].host_ns - c->point[last].host_ns : GROSR_CLOCK_END;
        if (t + early < c->point[first].device_ns || t > c->point[last].device_ns + late)
            continue;
        struct place q = place_in_epoch(c, k, t, &line);
        if (placed) {
            cover(&p, &q);
            p.high = fmax(-p.low, p.high); /* it stays where it is */
            p.low = -p.high;
        } else {
            p = q;
        }
        placed = true;
    }
    return placed ? p : place_in_epoch(c, c->epochs - 1, t, &line);
}

/* Half a place to whole ns, and what the clock's step adds to it. */
static uint64_t whole_bound(const struct grosr_clock *c, double half)
{
    half += step_ns(c) + 1;
    return half < (double)GROSR_CLOCK_END ? (uint64_t)(int64_t)half : GROSR_CLOCK_END;
}

/* The middle of a place, and how far it reaches. */
static void round_place(const struct grosr_clock *c, const struct place *p, uint64_t *host_ns,
                        uint64_t *bound_ns)
{
    double middle = (p->low + p->high) / 2;

    *host_ns = p->at + (fabs(middle) < (double)GROSR_CLOCK_END ? (uint64_t)(int64_t)middle : 0);
    *bound_ns = whole_bound(c, (p->high - p->low) / 2);
}

bool grosr_clock_place(struct grosr_clock *c, uint64_t t, uint64_t *host_ns, uint64_t *bound_ns)
{
    struct place p;

    if (c->is_host) {
        *host_ns = t;
        *bound_ns = 0;
        return true;
    }
    if (c->count == 0)
        return false;
    if (t >= c->line.from && t < c->line.until) { /* nearly always */
        *host_ns = host_at(&c->line, t);
        *bound_ns = whole_bound(c, bound_at(&c->line, since(t, c->line.device_ns)));
    } else if (c->epochs > 1 && t <= c->shared_ns) {
        p = place_in_any(c, t);
        round_place(c, &p, host_ns, bound_ns);
    } else {
        p = place_in_epoch(c, c->epochs - 1, t, &c->line);
        round_place(c, &p, host_ns, bound_ns);
        if (c->epochs > 1 && c->line.from <= c->shared_ns)
            c->line.from = c->shared_ns + 1;
    }
    if (*bound_ns > c->worst_ns)
        c->worst_ns = *bound_ns;
    return true;
}

bool grosr_clock_judge(const struct grosr_clock *c, const struct grosr_clock_trip *trip,
                       struct grosr_clock_fit *fit)
{
    uint32_t epoch = 0, i;
    struct grosr_clock_line line;

    if (c->count == 0)
        return false;
    while (epoch + 1 < c->epochs && c->point[c->epoch[epoch + 1]].host_ns <= trip->after_ns)
        epoch++;
    struct place p = place_in_epoch(c, epoch, trip->device_ns, &line);
    round_place(c, &p, &fit->host_ns, &fit->bound_ns);
    i = find_point(c, c->epoch[epoch], epoch_end(c, epoch), trip->device_ns);
    fit->used = c->point[i].device_ns == trip->device_ns && c->point[i].host_ns >= trip->before_ns &&
                c->point[i].host_ns <= trip->after_ns;
    fit->jump = fit->used && i && c->point[i].first;
    fit->drift_ppb = fabs(line.slope) < MAX_DRIFT && line.until
                         ? llround(-line.drift / (1 + line.drift) * 1e9)
                         : INT64_MIN;
    return true;
}

bool grosr_clock_covers(const struct grosr_clock *c, uint64_t host_ns)
{
    if (c->is_host)
        return true;
    for (uint32_t i = c->count; i-- > 0 && c->point[i].host_ns >= host_ns;)
        if (c->point[i].bound_ns <= 2 * c->best_bound_ns)
            return true;
    return false;
}

bool grosr_clock_near(const struct grosr_clock *c, uint64_t host_ns, uint64_t *device_ns)
{
    if (c->is_host)
        *device_ns = host_ns;
    else if (c->count)
        *device_ns = c->point[c->count - 1].device_ns + (host_ns - c->point[c->count - 1].host_ns);
    return c->is_host || c->count;
}

uint64_t grosr_clock_extend(uint64_t low, unsigned bits, uint64_t near_ns)
{
    unsigned shift = 64 - bits;
    int64_t difference = (int64_t)((low - near_ns) << shift) >> shift;
    return near_ns + (uint64_t)difference;
}
