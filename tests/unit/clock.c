/* Device times land on the host's clock, with drift, through noise, before the first and after the last
 * snapshot. */
#include "../tap.h"

#include "../../tracer/clock.h"

/* The truth of a made-up device: 748 us apart and 21 ppm fast. */
static uint64_t truth(uint64_t host_ns)
{
    return host_ns + 748000 + (uint64_t)(int64_t)((double)(int64_t)(host_ns - UINT64_C(1000000000)) * 21e-6);
}

static int64_t error_at(struct grosr_clock *c, uint64_t host_ns)
{
    uint64_t placed;
    if (!grosr_clock_place(c, truth(host_ns), &placed))
        return INT64_MAX;
    return (int64_t)(placed - host_ns);
}

static void add(struct grosr_clock *c, uint64_t host_ns, uint64_t bound_ns, int64_t noise_ns)
{
    struct grosr_clock_point p = {truth(host_ns + (uint64_t)noise_ns), host_ns, bound_ns};
    grosr_clock_add(c, &p);
}

static int64_t worst(struct grosr_clock *c, uint64_t from, uint64_t to)
{
    int64_t most = 0;
    for (uint64_t t = from; t < to; t += 100000) {
        int64_t e = error_at(c, t);
        most = llabs(e) > most ? llabs(e) : most;
    }
    return most;
}

int main(void)
{
    struct grosr_clock c = {0};
    const uint64_t s = 1000000000;
    uint64_t host, seed = 7;

    ok(!grosr_clock_place(&c, 5, &host), "nothing is known without a snapshot");
    add(&c, s, 500, 0);
    is(error_at(&c, s), 0, "one snapshot: exact at its place");
    ok(llabs(error_at(&c, s + 1000000)) <= 22, "one snapshot: off by the drift 1 ms later");
    for (uint64_t t = 10; t <= 1000; t += 10)
        add(&c, s + t * 1000000, 500, 0);
    ok(worst(&c, s, 2 * s) <= 2, "snapshots every 10 ms: within 2 ns over a second");
    ok(worst(&c, 2 * s, 2 * s + 50000000) <= 50, "50 ms after the last: within 50 ns");
    ok(llabs(error_at(&c, s - 10000000)) <= 50, "10 ms before the first: within 50 ns");

    struct grosr_clock_point same = c.point[c.count - 1];
    uint32_t count = c.count;
    grosr_clock_add(&c, &same);
    is(c.count, count, "a snapshot that is not later than the last is ignored");
    grosr_clock_free(&c);

    /* A congested bus: good round trips at both ends, bad ones between. */
    c = (struct grosr_clock){0};
    add(&c, s, 700, 100);
    for (uint64_t t = 10; t < 400; t += 10)
        add(&c, s + t * 1000000, 9000, (int64_t)(tap_random(&seed) % 8000) - 4000);
    ok(worst(&c, s, s + 390000000) > 1000, "long round trips alone are off by more than 1 us");
    add(&c, s + 400000000, 700, -100);
    ok(worst(&c, s, s + 400000000) <= 150, "a short one behind them puts them right");
    ok(c.count <= 3, "and replaces those it explains");
    grosr_clock_free(&c);

    /* A clock that jumps is followed: points that contradict are kept. */
    c = (struct grosr_clock){0};
    for (uint64_t t = 0; t < 100; t += 10)
        add(&c, s + t * 1000000, 500, 0);
    for (uint64_t t = 100; t < 200; t += 10)
        add(&c, s + t * 1000000, 500, 50000);
    is(error_at(&c, s + 50000000), 0, "before a jump: exact");
    is(error_at(&c, s + 150000000), -50000, "after a jump: as the snapshots say");
    grosr_clock_free(&c);

    c = (struct grosr_clock){.is_host = true};
    ok(grosr_clock_place(&c, 12345, &host) && host == 12345, "the host device's clock is the host's");
    return tap_done();
}
