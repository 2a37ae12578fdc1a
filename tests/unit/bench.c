/* An experiment's rows say no more than their samples do; whose result was wrong, or whose error ended it, is
 * reported. */
#include "../tap.h"

#include "../../runtime/bench/bench.h"
#include "../../runtime/bench/bench_alloc_rig.h"
#include "../../tracer/base/error.h"
#include "../../viewer/command/bench_print.h"

#include <errno.h>
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

/* ---- wrong results and errors ---- */

static void wrong_text(uint32_t i, const char *want)
{
    char got[512] = "";

    if (i < report.wrongs)
        grosr_bench_wrong_text(got, sizeof(got), &report.wrong[i]);
    ok(!strcmp(got, want), "%s", want);
    if (strcmp(got, want))
        printf("# got %s\n", got);
}

static void wrong_results(void)
{
    const struct grosr_result right = {7, 0}, failed = {7, -105}, early = {99, 0};

    grosr_bench_begin(&report, "GROSR, a tree", false);
    grosr_bench_round(&report, 2, 3);
    ok(grosr_bench_check_result(&report, 1, 7, &right) && report.errors == 0 && report.wrongs == 0,
       "a right result is no news");
    ok(!grosr_bench_check_result(&report, 4, 8, &right), "a wrong value");
    grosr_bench_round(&report, 3, 3);
    ok(!grosr_bench_check_result(&report, 5, 7, &failed), "a right value with a status is wrong");
    grosr_bench_begin(&report, "one shared queue, a tree", true);
    grosr_bench_round(&report, 14, 3);
    ok(!grosr_bench_check_result(&report, 0, 7, &failed), "a baseline's");
    grosr_bench_begin_at(&report, "GROSR, spinning", false, GROSR_BENCH_SMS, 4);
    ok(grosr_bench_check_spin(&report, 0, 99, &early), "as long as asked for");
    ok(!grosr_bench_check_spin(&report, 1, 100, &early), "too short");
    grosr_bench_begin_at(&report, "GROSR, spinning", false, GROSR_BENCH_SMS, 8);
    ok(!grosr_bench_check_spin(&report, 2, 100, &early), "at another point of the sweep");
    ok(!grosr_bench_check(&report, "thread", 3, UINT64_MAX, 1), "another kind of result");
    ok(!grosr_bench_check_min(&report, "rows", GROSR_BENCH_NO_INDEX, 9, 8), "one without an index");

    is(report.errors, 7, "all are counted");
    is(report.wrongs, 6, "for each series, point and kind");
    is(report.wrong[0].count, 2, "by series");
    is(grosr_bench_wrong_of(&report, false), 6, "GROSR's");
    is(grosr_bench_wrong_of(&report, true), 1, "and the baselines'");
    wrong_text(0, "series 'GROSR, a tree', warm-up 3: task 4: expected 8, seen 7");
    wrong_text(1,
               "baseline 'one shared queue, a tree', repetition 12: task 0: expected 7, seen 7, status -105");
    wrong_text(2, "series 'GROSR, spinning' at sms 4: ns of task 1: expected at least 100, seen 99");
    wrong_text(3, "series 'GROSR, spinning' at sms 8: ns of task 2: expected at least 100, seen 99");
    wrong_text(4, "series 'GROSR, spinning' at sms 8: thread 3: expected 18446744073709551615, seen 1");
    wrong_text(5, "series 'GROSR, spinning' at sms 8: rows: expected at least 9, seen 8");
    for (uint32_t i = 0; i < 100; i++) {
        grosr_bench_begin_at(&report, "many", true, GROSR_BENCH_TASKS, i + 1.0);
        grosr_bench_check(&report, "task", i, 1, 0);
    }
    is(report.wrongs, 106, "100 points more have room");
    is(grosr_bench_wrong_of(&report, true), 101, "and are told apart");
}

/* An experiment of which a baseline has a wrong result, and then GROSR or another baseline fails. */
static bool baseline_fails;

static int broken(const struct grosr_bench_options *o, struct grosr_bench_report *r)
{
    double one = 5;

    (void)o;
    grosr_bench_begin(r, "first baseline", true);
    grosr_bench_round(r, 1, 0);
    grosr_bench_check(r, "task", 17, 68, 9);
    grosr_bench_add(r, "first baseline", true, 1, &one, 1);
    grosr_bench_begin(r, baseline_fails ? "second baseline" : "GROSR", baseline_fails);
    grosr_bench_round(r, 0, 2);
    return grosr_fail(ENOBUFS, "no frames");
}

static void printed(const char *text, const char *part)
{
    ok(strstr(text, part) != NULL, "%s", part);
    if (!strstr(text, part))
        printf("# not in %s\n", text);
}

static void failures(void)
{
    static const struct grosr_bench bench = {"broken", "fails", GROSR_BENCH_LATENCY, 1, 1, 1, broken};
    volatile sig_atomic_t stop = 0;
    const struct grosr_bench_options options = {.device = "host", .stop = &stop};

    for (int i = 0; i < 2; i++) {
        struct grosr_bench_report r;
        char *json = NULL, *text = NULL;
        size_t bytes;
        FILE *out;

        baseline_fails = i == 1;
        is(grosr_bench_run(&bench, &options, &r), -ENOBUFS, "the experiment fails");
        printed(grosr_error(), baseline_fails ? "baseline 'second baseline', warm-up 1: no frames"
                                              : "series 'GROSR', warm-up 1: no frames");
        is(r.rows, 1, "what was measured before is there");
        out = open_memstream(&json, &bytes);
        is(bench_print_json(out, &bench, &r), 0, "as JSON");
        fclose(out);
        printed(json, "\"errors\": 1");
        printed(
            json,
            "\"wrong_results\": [{\"series\": \"first baseline\", \"baseline\": true, \"axis\": null, "
            "\"x\": null, \"warm_up\": false, \"round\": 2, \"count\": 1, \"what\": \"task\", \"index\": 17, "
            "\"expected\": 68, \"minimum\": false, \"seen\": 9, \"status\": 0}]");
        printed(json, baseline_fails ? "\"failure\": {\"series\": \"second baseline\", \"baseline\": true,"
                                     : "\"failure\": {\"series\": \"GROSR\", \"baseline\": false,");
        printed(json, "\"warm_up\": true, \"round\": 1, \"error\": \"no frames\"}");
        out = open_memstream(&text, &bytes);
        is(bench_print_table(out, &bench, &r), 0, "as text");
        fclose(out);
        printed(text, "wrong results: 1, the first: baseline 'first baseline', repetition 2: task 17: "
                      "expected 68, seen 9");
        free(json);
        free(text);
        grosr_bench_free(&r);
    }
}

/* ---- ratios ---- */

static void pairs(void)
{
    static const struct grosr_bench bench = {"pairs", "", GROSR_BENCH_THROUGHPUT, 1, 1, 1, NULL};
    struct grosr_bench_report r = {.unit = GROSR_BENCH_THROUGHPUT};
    double first = 5, second = 20, other = 80;
    char *json = NULL;
    size_t bytes;

    grosr_bench_add(&r, "GROSR, first", false, 1, &first, 1);
    r.pair = 7;
    grosr_bench_add(&r, "GROSR, second", false, 2, &second, 1);
    grosr_bench_add(&r, "baseline of the second", true, 4, &other, 1);
    r.pair = 8;
    grosr_bench_add(&r, "baseline alone", true, 4, &other, 1);
    r.pair = 0;
    grosr_bench_add(&r, "baseline", true, 4, &other, 1);
    FILE *out = open_memstream(&json, &bytes);
    bench_print_json(out, &bench, &r);
    fclose(out);
    static const char *const wanted[] = {"1", "null", "2", "null", "4"};
    const char *at = json;
    for (int i = 0; i < 5; i++) {
        char want[40];
        snprintf(want, sizeof(want), "\"to_grosr\": %s,", wanted[i]);
        at = strstr(at, "\"to_grosr\"");
        ok(at && !strncmp(at, want, strlen(want)), "row %d: %s", i, want);
        at = at ? at + 1 : "";
    }
    free(json);
    grosr_bench_free(&r);
}

/* ---- the experiment alloc: its checks find what is wrong ---- */

static struct grosr_bench_alloc_rig rig;

/* Wrong results of a kind since the last time, of which the report is cleared. */
static uint64_t wrong_of(const char *what)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < rig.report->wrongs; i++)
        n += strcmp(rig.report->wrong[i].what, what) ? 0 : rig.report->wrong[i].count;
    return n;
}

static void clear_wrong(void)
{
    rig.report->wrongs = 0;
    rig.report->errors = 0;
}

static void kernel(enum grosr_bench_alloc_kernel k)
{
    double ns = 0;
    is(grosr_bench_alloc_run(&rig, k, &ns), 0, "kernel %d runs", (int)k);
    ok(ns > 0, "and takes its time");
}

static void alloc_checks(void)
{
    struct grosr_bench_report r = {.unit = GROSR_BENCH_THROUGHPUT};
    double range, requested;

    grosr_find_device("host", &r.device);
    is(grosr_bench_alloc_open(&rig, &r, 2, false, 1 << 20, 1000), 0, "a rig with an arena of 1 MiB");
    rig.args.threads = 100;
    rig.args.size = 200;
    kernel(GROSR_BENCH_ALLOC_MALLOC);
    kernel(GROSR_BENCH_ALLOC_CHECK);
    is(grosr_bench_alloc_check_places(&rig, &range, &requested), 0, "places");
    is(requested, 100 * 200, "what was asked for");
    ok(range >= requested && range <= 1 << 20, "and where it is");
    is(r.errors, 0, "all is well");

    void *lost = rig.args.block[3];
    rig.args.block[3] = (char *)rig.args.block[2] + 16;
    grosr_bench_alloc_check_places(&rig, NULL, NULL);
    is(wrong_of("overlapping block of thread"), 1, "a block inside another is found");
    rig.args.block[3] = (char *)rig.heap.heap.arena + (1 << 20) - 100;
    grosr_bench_alloc_check_places(&rig, NULL, NULL);
    is(wrong_of("block outside the arena, of thread"), 1, "one that is partly outside");
    rig.args.block[3] = lost;
    ((uint32_t *)lost)[49]++;
    kernel(GROSR_BENCH_ALLOC_CHECK);
    is(wrong_of("damaged blocks"), 1, "and one that was written to");
    rig.args.block[3] = rig.args.block[2];
    kernel(GROSR_BENCH_ALLOC_FREE);
    is(wrong_of("refused frees"), 1, "a block that is freed twice");
    clear_wrong();
    grosr_bench_alloc_check_empty(&rig);
    is(wrong_of("blocks that are left"), 1, "and one that is never");
    is(wrong_of("errors of the heap"), 1, "an error that the heap has noted");

    bool fresh;
    clear_wrong();
    is(grosr_bench_alloc_renew(&rig, &fresh), 0, "a new heap");
    grosr_bench_alloc_check_empty(&rig);
    is(r.errors, 0, "has none of it");
    rig.args.threads = 1000;
    rig.args.size = 8192;
    kernel(GROSR_BENCH_ALLOC_MALLOC);
    is(rig.tally[GROSR_BENCH_FAILED], 1000 - 128, "requests that get nothing are counted");
    is(wrong_of("requests without memory"), 1, "and reported");
    grosr_bench_alloc_close(&rig);
    grosr_bench_free(&r);
}

int main(void)
{
    report.unit = GROSR_BENCH_LATENCY;
    percentiles();
    rows();
    wrong_results();
    grosr_bench_free(&report);
    failures();
    pairs();
    alloc_checks();
    sweep(10000000, "1000 2000 5000 10000 20000 50000 100000 200000 500000 1000000 2000000 5000000 10000000");
    sweep(12000, "1000 2000 5000 10000 12000");
    sweep(1000, "100 200 500 1000");
    sweep(7, "1 2 5 7");
    sweep(1, "1");
    nvml();
    return tap_done();
}
