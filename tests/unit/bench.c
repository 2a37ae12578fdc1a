/* An experiment's rows say no more than their samples do. */
#include "../tap.h"

#include "../../runtime/bench/bench.h"

#include <math.h>

static struct grosr_bench_report report;

static struct grosr_bench_row *last(void)
{
    return &report.row[report.rows - 1];
}

/* 1, 2, ... n, shuffled. */
static struct grosr_bench_row *row_of(uint32_t n)
{
    static double samples[10000];
    uint64_t state = 7;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = (uint32_t)(tap_random(&state) % (i + 1));
        samples[i] = samples[k];
        samples[k] = i + 1;
    }
    grosr_bench_add(&report, "series", true, 10, samples, n);
    return last();
}

static uint32_t known(const struct grosr_bench_row *r)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < GROSR_BENCH_PERCENTILES; i++)
        n += !isnan(r->percentile[i]);
    return n;
}

static void percentiles(void)
{
    struct grosr_bench_row *r = row_of(10000);

    is(known(r), GROSR_BENCH_PERCENTILES, "10,000 samples have every percentile");
    for (uint32_t i = 0; i < GROSR_BENCH_PERCENTILES; i++)
        is(r->percentile[i], grosr_bench_percentile[i] * 100, "p%g by nearest rank",
           grosr_bench_percentile[i]);
    is(r->lowest, 1, "the lowest");
    is(r->highest, 10000, "the highest");
    r = row_of(1000);
    is(r->percentile[GROSR_BENCH_PERCENTILES - 1], 999, "1,000 have a p99.9");
    r = row_of(999);
    ok(isnan(r->percentile[GROSR_BENCH_PERCENTILES - 1]), "999 have none");
    r = row_of(100);
    is(r->percentile[GROSR_BENCH_P99], 99, "100 have a p99");
    r = row_of(15);
    is(known(r), 5, "15 have p10 to p90");
    is(r->percentile[GROSR_BENCH_P50], 8, "and their median");
    r = row_of(1);
    is(known(r), 1, "one sample has a median");
    is(r->percentile[GROSR_BENCH_P50], 1, "itself");
}

static void rows(void)
{
    double one = 5;

    for (uint32_t i = 0; i < 1000; i++)
        grosr_bench_add_at(&report, "point", false, GROSR_BENCH_SMS, i + 1.0, 100, &one, 1);
    is(report.err, 0, "a sweep of 1,000 points has room");
    is(last()->x, 1000, "each with its place");
    is(last()->axis, GROSR_BENCH_SMS, "on its axis");
    grosr_bench_add(&report, "plain", true, 3, &one, 1);
    ok(isnan(last()->x) && last()->axis == GROSR_BENCH_NO_AXIS, "a plain series has none");
    is(last()->unit, GROSR_BENCH_LATENCY, "and the experiment's unit");
    grosr_bench_add_unknown(&report, "power", true, GROSR_BENCH_WATTS, "no NVML");
    ok(last()->samples == 0 && isnan(last()->percentile[GROSR_BENCH_P50]) && isnan(last()->lowest) &&
           !strcmp(last()->note, "no NVML"),
       "what could not be measured has no values and says why");
}

static void sweep(uint64_t most, const char *want)
{
    uint64_t count[GROSR_BENCH_SWEEP];
    uint32_t n = grosr_bench_sweep(most, count);
    char got[512] = "";

    for (uint32_t i = 0; i < n; i++)
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%" PRIu64, i ? " " : "", count[i]);
    ok(!strcmp(got, want), "a sweep to %" PRIu64 ": %s", most, got);
}

/* The driver and its libraries are absent, or they answer; neither is an error. */
static void nvml(void)
{
    struct grosr_nvml_reading r = grosr_nvml_read(NULL);
    char version[32];

    ok(isnan(r.power_w) && isnan(r.sm_mhz) && r.pcie_width == 0, "no GPU: nothing is known of it");
    ok(!grosr_nvml_find("ffff:ff:1f.0") && grosr_nvml_absent()[0], "a GPU that is not there: %s",
       grosr_nvml_absent());
    grosr_nvml_driver_version(version, sizeof(version));
    ok(strlen(version) < sizeof(version), "driver version '%s'", version);
}

int main(void)
{
    report.unit = GROSR_BENCH_LATENCY;
    percentiles();
    rows();
    grosr_bench_free(&report);
    sweep(10000000, "1000 2000 5000 10000 20000 50000 100000 200000 500000 1000000 2000000 5000000 10000000");
    sweep(12000, "1000 2000 5000 10000 12000");
    sweep(1000, "100 200 500 1000");
    sweep(7, "1 2 5 7");
    sweep(1, "1");
    nvml();
    return tap_done();
}
