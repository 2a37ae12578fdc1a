/*
 * Findings (tracer/findings/findings.h): the kind, the verdict and the sentence of each sort of stuck set,
 * what is left out, and how lists are kept and joined.
 */
#include "../../tracer/findings/findings.h"
#include "../tap.h"

#define S UINT64_C(1000000000)

static const uint64_t now = 100 * S;
static struct grosr_graph *graph;
static struct grosr_findings findings;

static void begin(void)
{
    if (grosr_graph_create(&graph))
        abort();
}

/* Solves the graph and makes its findings, with a threshold of a second. */
static void diagnose(void)
{
    struct grosr_solution solution;

    grosr_findings_free(&findings);
    grosr_findings_init(&findings, S);
    if (grosr_graph_solve(graph, &solution))
        abort();
    grosr_findings_from_graph(&findings, graph, &solution, now);
    if (grosr_findings_settle(&findings))
        abort();
    grosr_solution_free(&solution);
    for (uint32_t i = 0; i < findings.findings; i++)
        printf("# %s: %s\n", findings.finding[i].kind, findings.finding[i].summary);
}

static void end(void)
{
    grosr_graph_free(graph);
    graph = NULL;
}

static uint32_t actor(enum grosr_actor_kind kind, uint64_t id)
{
    char text[64];

    snprintf(text, sizeof(text), "%s %" PRIu64, grosr_actor_kind_name(kind), id);
    return grosr_graph_actor(graph, kind, id, text);
}

static uint32_t worker(uint64_t id)
{
    return actor(GROSR_ACTOR_WORKER, id);
}

static uint32_t thing(enum grosr_graph_resource kind, uint64_t id)
{
    char text[64];

    snprintf(text, sizeof(text), "%s %" PRIu64, grosr_graph_resource_name(kind), id);
    return grosr_graph_resource(graph, kind, id, text);
}

static void waits(uint32_t a, uint32_t resource, double seconds)
{
    grosr_graph_wait(graph, a, resource, 1, 0, now - (uint64_t)(seconds * 1e9));
}

static void holds(uint32_t a, uint32_t resource)
{
    grosr_graph_hold(graph, a, resource, 1, now - 50 * S);
}

static void gone(uint32_t a)
{
    grosr_graph_set_state(graph, a, GROSR_ACTOR_GONE, 1);
}

/* Whether there is one finding, of that verdict, kind and summary. */
static bool found(enum grosr_verdict verdict, const char *kind, const char *summary)
{
    const struct grosr_finding *f = findings.finding;

    return findings.findings == 1 && findings.verdict == verdict && f->verdict == verdict &&
           !strcmp(f->kind, kind) && (!summary || !strcmp(f->summary, summary)) &&
           (*f->advice || verdict == GROSR_VERDICT_HEALTHY);
}

/* ---- cycles ---- */

/* Two actors, each of which waits for a resource of that kind that the other one has or feeds. */
static void make_cycle(enum grosr_graph_resource x, enum grosr_graph_resource y, bool held)
{
    uint32_t a, b;

    begin();
    a = worker(0);
    b = actor(GROSR_ACTOR_KERNEL, 1);
    waits(a, thing(x, 1), 3);
    waits(b, thing(y, 2), 2);
    if (held) {
        holds(b, thing(x, 1));
        holds(a, thing(y, 2));
    } else {
        grosr_graph_feed(graph, b, thing(x, 1));
        grosr_graph_feed(graph, a, thing(y, 2));
    }
    diagnose();
    end();
}

static void test_cycles(void)
{
    static const struct {
        enum grosr_graph_resource x, y;
        bool held;
        const char *kind, *summary;
    } cases[] = {
        {GROSR_WANTED_LOCK, GROSR_WANTED_MUTEX, true, "lock_cycle",
         "worker 0 waits for lock 1, which kernel 1 holds; kernel 1 waits for mutex 2, which worker 0 holds"},
        {GROSR_WANTED_NAMED, GROSR_WANTED_LOCK, true, "lock_cycle", NULL},
        {GROSR_WANTED_NAMED, GROSR_WANTED_WORD, false, "deadlock",
         "worker 0 waits for named 1, which kernel 1 could supply; kernel 1 waits for word 2, which worker 0 "
         "could write"},
        {GROSR_WANTED_CALL, GROSR_WANTED_WORD, false, "call_cycle",
         "worker 0 waits for call 1, behind kernel 1; kernel 1 waits for word 2, which worker 0 could write"},
        {GROSR_WANTED_KERNEL_END, GROSR_WANTED_WORD, false, "call_cycle", NULL},
        {GROSR_WANTED_WORD, GROSR_WANTED_STREAM_ORDER, false, "stream_cycle", NULL},
        {GROSR_WANTED_WORD, GROSR_WANTED_EVENT, false, "stream_cycle", NULL},
        {GROSR_WANTED_CALL, GROSR_WANTED_SM_ROOM, true, "not_resident", NULL},
        {GROSR_WANTED_SM_ROOM, GROSR_WANTED_LOCK, true, "not_resident",
         "worker 0 waits for sm_room 1, which kernel 1 occupies; kernel 1 waits for lock 2, which worker 0 "
         "holds"},
        {GROSR_WANTED_CALL, GROSR_WANTED_HOST_FUNCTION_END, false, "host_function_stuck", NULL},
        {GROSR_WANTED_CALL, GROSR_WANTED_GRAPH_LAUNCH, false, "capture_not_launched", NULL},
        {GROSR_WANTED_MEMORY, GROSR_WANTED_LOCK, true, "memory_deadlock", NULL},
        {GROSR_WANTED_PORT, GROSR_WANTED_LOCK, true, "ports_exhausted", NULL},
        {GROSR_WANTED_QUEUE_ROOM, GROSR_WANTED_LOCK, false, "queue_full_cycle", NULL},
        {GROSR_WANTED_DEPENDENCY, GROSR_WANTED_DEPENDENCY, false, "dependency_cycle", NULL},
        {GROSR_WANTED_BARRIER, GROSR_WANTED_LOCK, false, "barrier_cycle",
         "worker 0 waits for barrier 1, which kernel 1 could reach; kernel 1 waits for lock 2, which worker "
         "0 could give "
         "back"},
        {GROSR_WANTED_REPLY, GROSR_WANTED_WORD, false, "deadlock", NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        make_cycle(cases[i].x, cases[i].y, cases[i].held);
        ok(found(GROSR_VERDICT_DEADLOCK, cases[i].kind, cases[i].summary),
           "a cycle through %s and %s is a %s", grosr_graph_resource_name(cases[i].x),
           grosr_graph_resource_name(cases[i].y), cases[i].kind);
    }
}

static bool names_are(char **name, uint32_t names, const char *wanted)
{
    char text[512] = "";
    size_t used = 0;

    for (uint32_t i = 0; i < names && used < sizeof(text) - 64; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? ", " : "", name[i]);
    if (strcmp(text, wanted))
        printf("# got %s\n", text);
    return !strcmp(text, wanted);
}

static void test_a_cycle_in_full(void)
{
    const struct grosr_finding *f;

    begin();
    for (uint64_t i = 0; i < 3; i++) {
        waits(worker(i), thing(GROSR_WANTED_LOCK, (i + 1) % 3), 2 + (double)i);
        holds(worker(i), thing(GROSR_WANTED_LOCK, i));
    }
    waits(worker(3), thing(GROSR_WANTED_LOCK, 0), 1);
    grosr_graph_actor_fact(graph, worker(1), "worker 1 is in a task");
    grosr_graph_resource_fact(graph, thing(GROSR_WANTED_LOCK, 2), "lock 2 has 1 unit");
    diagnose();
    f = findings.finding;
    ok(found(GROSR_VERDICT_DEADLOCK, "lock_cycle",
             "worker 0 waits for lock 1, which worker 1 holds; worker 1 waits for lock 2, which worker 2 "
             "holds; "
             "worker 2 waits for lock 0, which worker 0 holds"),
       "a cycle of three is said in full");
    ok(names_are(f->worker, f->workers, "worker 0, worker 1, worker 2"), "it names the workers");
    ok(names_are(f->resource, f->resources, "lock 1, lock 0, lock 2"), "what they wait for");
    ok(names_are(f->cycle, f->cycles, "worker 0, lock 1, worker 1, lock 2, worker 2, lock 0"),
       "and the cycle");
    is(f->since_ns, 2 * S, "it has stood since the last of them came");
    ok(!strcmp(f->evidence,
               "worker 3 waits for lock 0, which worker 0 holds\n"
               "worker 0 has waited for lock 1 for 2.0 s\nworker 1 has waited for lock 2 for 3.0 s\n"
               "worker 2 has waited for lock 0 for 4.0 s\nworker 1 has held lock 1 for 50 s\n"
               "worker 0 has held lock 0 for 50 s\nworker 2 has held lock 2 for 50 s\nlock 2 has 1 unit\n"
               "worker 1 is in a task"),
       "the evidence: who waits behind, waits, holds, and facts");
    end();
}

/* Workers wait for a port, which a worker occupies that waits for a reply, from a thread in a pipe. */
static void test_the_chain(void)
{
    uint32_t proxy, reply, port, lock;
    const struct grosr_finding *f;

    begin();
    proxy = actor(GROSR_ACTOR_THREAD, 9);
    reply = thing(GROSR_WANTED_REPLY, 2);
    port = thing(GROSR_WANTED_PORT, 0);
    lock = thing(GROSR_WANTED_LOCK, 7);
    waits(proxy, thing(GROSR_WANTED_CALL, 9), 3.1);
    grosr_graph_feed(graph, proxy, reply);
    grosr_graph_resource_fact(graph, reply, "port 2: read of handle 5");
    waits(worker(0), reply, 3.2);
    holds(worker(0), port);
    for (uint64_t i = 1; i < 6; i++)
        waits(worker(i), port, 3);
    holds(worker(1), lock);
    waits(worker(6), lock, 2);
    for (uint64_t i = 10; i < 16; i++) { /* further than a screen shows */
        holds(worker(i == 10 ? 6 : i - 1), thing(GROSR_WANTED_LOCK, i));
        waits(worker(i), thing(GROSR_WANTED_LOCK, i), 2);
    }
    diagnose();
    f = findings.finding;
    ok(found(GROSR_VERDICT_STALLED, "call_blocked",
             "thread 9 waits for call 9, which nobody is left to bring about"),
       "the root is said");
    ok(!strcmp(
           f->evidence,
           "worker 10 waits for lock 10, which worker 6 holds\n"
           "worker 6 waits for lock 7, which worker 1 holds\n"
           "5 workers (worker 1, worker 2, worker 3 and 2 more) wait for port 0, which worker 0 occupies\n"
           "worker 0 waits for reply 2, which thread 9 could give\nport 2: read of handle 5\n"
           "thread 9 has waited for call 9 for 3.1 s\n5 more wait behind it"),
       "the evidence is the chain, from the symptom to the root");
    end();
}

static void test_how_it_ended(void)
{
    uint32_t proxy;

    begin();
    proxy = actor(GROSR_ACTOR_PROXY, 5);
    waits(worker(0), thing(GROSR_WANTED_REPLY, 1), 2);
    grosr_graph_feed(graph, proxy, thing(GROSR_WANTED_REPLY, 1));
    gone(proxy);
    grosr_graph_set_end(graph, proxy, "it hangs");
    diagnose();
    ok(found(GROSR_VERDICT_STALLED, "dead_proxy",
             "worker 0 waits for reply 1, which proxy 5 would have to give; it hangs"),
       "how somebody ended is said as the source has it");
    end();
}

static void test_large_cycles(void)
{
    begin();
    for (uint64_t i = 0; i < 64; i++) {
        grosr_graph_feed(graph, worker(i), thing(GROSR_WANTED_QUEUE_ROOM, 0));
        waits(worker(i), thing(GROSR_WANTED_QUEUE_ROOM, 0), 5);
    }
    diagnose();
    ok(found(GROSR_VERDICT_DEADLOCK, "queue_full_cycle",
             "64 workers (worker 0, worker 1, worker 2 and 61 more) wait for queue_room 0, which only they "
             "could make"),
       "many who wait for the same are one subject");
    is(findings.finding->workers, 64, "all of them are named in the list");
    ok(strlen(findings.finding->evidence) < 1000, "and the evidence is bounded");
    end();

    begin();
    for (uint64_t i = 0; i < 4; i++) {
        holds(worker(i), thing(GROSR_WANTED_MEMORY, 0));
        waits(worker(i), thing(GROSR_WANTED_MEMORY, 0), 5);
    }
    diagnose();
    ok(found(GROSR_VERDICT_DEADLOCK, "memory_deadlock",
             "4 workers (worker 0, worker 1, worker 2 and 1 more) wait for memory 0, which only they hold"),
       "who wait for memory and hold it all");
    end();

    begin();
    waits(worker(0), thing(GROSR_WANTED_LOCK, 0), 5);
    holds(worker(0), thing(GROSR_WANTED_LOCK, 0));
    diagnose();
    ok(found(GROSR_VERDICT_DEADLOCK, "lock_cycle", "worker 0 waits for lock 0, which it holds itself"),
       "a lock that is held already");
    end();

    begin();
    for (uint64_t i = 0; i < 9; i++) {
        waits(worker(i), thing(GROSR_WANTED_LOCK, (i + 1) % 9), 2);
        holds(worker(i), thing(GROSR_WANTED_LOCK, i));
    }
    diagnose();
    ok(strstr(findings.finding->summary,
              "worker 3 waits for lock 4, which worker 4 holds; and so on through 5 more, "
              "back to worker 0"),
       "a long cycle is cut");
    is(findings.finding->cycles, 18, "and complete in the list");
    end();
}

/* ---- what nobody supplies ---- */

static void test_starved(void)
{
    static const struct {
        enum grosr_graph_resource resource;
        int held_by, fed_by; /* enum grosr_actor_kind: who has ended; 0: nobody */
        const char *kind, *summary;
    } cases[] = {
        {GROSR_WANTED_NAMED, 0, 0, "lost_wakeup",
         "worker 0 waits for named 1, which nobody is left to supply"},
        {GROSR_WANTED_WORD, 0, 0, "lost_wakeup", NULL},
        {GROSR_WANTED_WORD, 0, GROSR_ACTOR_THREAD, "stopped_producer",
         "worker 0 waits for word 1, which thread 5 would have to write; it has ended"},
        {GROSR_WANTED_NAMED, GROSR_ACTOR_WORKER, 0, "lock_abandoned", NULL},
        {GROSR_WANTED_LOCK, GROSR_ACTOR_WORKER, 0, "lock_abandoned",
         "worker 0 waits for lock 1, which worker 5 held and did not give back; it has ended"},
        {GROSR_WANTED_LOCK, 0, 0, "starved", NULL},
        {GROSR_WANTED_QUEUE_TASK, 0, GROSR_ACTOR_WORKER, "stopped_producer", NULL},
        {GROSR_WANTED_QUEUE_ROOM, 0, GROSR_ACTOR_WORKER, "stopped_consumer", NULL},
        {GROSR_WANTED_PORT, GROSR_ACTOR_WORKER, 0, "ports_exhausted", NULL},
        {GROSR_WANTED_PORT, 0, GROSR_ACTOR_PROXY, "dead_proxy", NULL},
        {GROSR_WANTED_REPLY, 0, GROSR_ACTOR_PROXY, "dead_proxy",
         "worker 0 waits for reply 1, which proxy 5 would have to give; it has ended"},
        {GROSR_WANTED_REPLY, 0, 0, "call_not_answered", NULL},
        {GROSR_WANTED_MEMORY, 0, 0, "memory_exhausted", NULL},
        {GROSR_WANTED_DEPENDENCY, 0, 0, "dependency_never_met", NULL},
        {GROSR_WANTED_BARRIER, 0, GROSR_ACTOR_WORKER, "barrier_skipped",
         "worker 0 waits for barrier 1, which worker 5 would have to reach; it has ended"},
        {GROSR_WANTED_SM_ROOM, 0, 0, "not_resident", NULL},
        {GROSR_WANTED_EVENT, 0, 0, "event_never_recorded", NULL},
        {GROSR_WANTED_GRAPH_LAUNCH, 0, 0, "capture_not_launched", NULL},
        {GROSR_WANTED_HOST_FUNCTION_END, 0, 0, "host_function_stuck", NULL},
        {GROSR_WANTED_STREAM_ORDER, 0, GROSR_ACTOR_KERNEL, "starved",
         "worker 0 waits for stream_order 1, behind kernel 5; it has ended"},
        {GROSR_WANTED_CALL, 0, 0, "call_blocked",
         "worker 0 waits for call 1, which nobody is left to bring about"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        begin();
        waits(worker(0), thing(cases[i].resource, 1), 3);
        if (cases[i].held_by) {
            holds(actor((enum grosr_actor_kind)cases[i].held_by, 5), thing(cases[i].resource, 1));
            gone(actor((enum grosr_actor_kind)cases[i].held_by, 5));
        }
        if (cases[i].fed_by) {
            grosr_graph_feed(graph, actor((enum grosr_actor_kind)cases[i].fed_by, 5),
                             thing(cases[i].resource, 1));
            gone(actor((enum grosr_actor_kind)cases[i].fed_by, 5));
        }
        diagnose();
        ok(found(GROSR_VERDICT_STALLED, cases[i].kind, cases[i].summary), "%s%s%s is %s",
           grosr_graph_resource_name(cases[i].resource),
           cases[i].held_by ? " that somebody who ended held" : "",
           cases[i].fed_by ? " that somebody who ended fed" : "", cases[i].kind);
        end();
    }
}

static void test_starved_together(void)
{
    begin();
    for (uint64_t i = 0; i < 64; i++)
        waits(worker(i), thing(GROSR_WANTED_NAMED, i), 3 + (double)i);
    waits(worker(64), thing(GROSR_WANTED_DEPENDENCY, 3), 2);
    diagnose();
    is(findings.findings, 2, "waits for things of one name that nobody supplies are one finding");
    ok(!strcmp(findings.finding[0].summary, "64 workers (worker 0, worker 1, worker 2 and 61 more) wait for "
                                            "named 0, named 1, named 2 and 61 more, "
                                            "which nobody is left to supply"),
       "which counts them");
    is(findings.finding[0].since_ns, 66 * S, "since the first of them came");
    ok(!strcmp(findings.finding[1].kind, "dependency_never_met"), "those for another kind are another");
    end();
}

/* ---- what is left out, and remarks ---- */

static void test_threshold(void)
{
    begin();
    waits(worker(0), thing(GROSR_WANTED_NAMED, 0), 0.9);
    holds(worker(1), thing(GROSR_WANTED_LOCK, 0));
    holds(worker(2), thing(GROSR_WANTED_LOCK, 1));
    waits(worker(1), thing(GROSR_WANTED_LOCK, 1), 9);
    waits(worker(2), thing(GROSR_WANTED_LOCK, 0), 0.9);
    diagnose();
    is(findings.findings, 0, "what has not stood for the threshold is left out");
    is(findings.verdict, GROSR_VERDICT_HEALTHY, "and decides nothing");
    waits(worker(3), thing(GROSR_WANTED_NAMED, 0), 1.1);
    diagnose();
    ok(found(GROSR_VERDICT_STALLED, "lost_wakeup",
             "worker 3 waits for named 0, which nobody is left to supply"),
       "of the starved those who have waited that long count, whoever came since");
    end();

    begin();
    grosr_graph_wait(graph, worker(0), thing(GROSR_WANTED_NAMED, 0), 1, 0, 0);
    grosr_graph_wait(graph, worker(1), thing(GROSR_WANTED_BARRIER, 0), 1, 0, now + S);
    diagnose();
    ok(found(GROSR_VERDICT_STALLED, "lost_wakeup", NULL),
       "an unknown time is old; one that is to come is not");
    ok(findings.finding->since_ns == 0 && !*findings.finding->evidence, "nothing is claimed about it");
    end();
}

static void test_unseen(void)
{
    begin();
    for (uint64_t i = 0; i < 2; i++) {
        grosr_graph_set_state(graph, actor(GROSR_ACTOR_KERNEL, i), GROSR_ACTOR_UNSEEN, 1);
        grosr_graph_feed(graph, actor(GROSR_ACTOR_KERNEL, i), thing(GROSR_WANTED_CALL, 0));
    }
    waits(actor(GROSR_ACTOR_THREAD, 9), thing(GROSR_WANTED_CALL, 0), 3);
    diagnose();
    ok(found(GROSR_VERDICT_HEALTHY, "waits_for_unseen",
             "thread 9 waits for call 0, behind kernel 0; what kernel 0 and kernel 1 do cannot be seen"),
       "waits for who cannot be seen into are one remark, which blames nobody");
    ok(names_are(findings.finding->worker, findings.finding->workers, "thread 9, kernel 0, kernel 1"),
       "and names all");
    end();
}

/* ---- lists ---- */

static void test_lists(void)
{
    struct grosr_findings other;
    struct grosr_finding *f;

    grosr_findings_free(&findings);
    grosr_findings_init(&findings, S);
    findings.otherwise = GROSR_VERDICT_IDLE;
    is(grosr_findings_settle(&findings), 0, "no finding");
    is(findings.verdict, GROSR_VERDICT_IDLE, "leaves what the source says");
    grosr_findings_add(&findings, GROSR_VERDICT_HEALTHY, "remark", 5 * S, "a remark", "");
    grosr_findings_settle(&findings);
    is(findings.verdict, GROSR_VERDICT_IDLE, "and so does a remark");
    grosr_findings_add(&findings, GROSR_VERDICT_SLOW, "slow_lock", 2 * S, "slow", "other advice");
    grosr_findings_add(&findings, GROSR_VERDICT_STALLED, "starved", 3 * S, "three", NULL);
    grosr_findings_add(&findings, GROSR_VERDICT_STALLED, "starved", 9 * S, "nine", NULL);
    grosr_findings_add(&findings, GROSR_VERDICT_DEADLOCK, "deadlock", S - 1, "too young", NULL);
    f = grosr_findings_add(&findings, GROSR_VERDICT_STALLED, "starved", 0, "unknown", NULL);
    for (int i = 0; i < 100; i++)
        grosr_finding_evidence(&findings, f, "line %d", i);
    for (int i = 0; i < 100; i++)
        grosr_finding_worker(&findings, f, "w");
    grosr_finding_evidence(&findings, NULL, "nothing");
    grosr_finding_resource(&findings, NULL, "nothing");
    is(grosr_findings_settle(&findings), 0, "several findings");
    ok(findings.findings == 5 && !strcmp(findings.finding[0].summary, "nine") &&
           !strcmp(findings.finding[1].summary, "three") && !strcmp(findings.finding[2].summary, "unknown") &&
           !strcmp(findings.finding[3].summary, "slow") && !strcmp(findings.finding[4].summary, "a remark"),
       "are ordered by verdict and age, and those too young are left out");
    is(findings.verdict, GROSR_VERDICT_STALLED, "the worst one is the verdict");
    ok(*findings.finding[0].advice && !strcmp(findings.finding[3].advice, "other advice"),
       "advice is that of the list, or the source's own");
    ok(findings.finding[2].workers == 100 && strstr(findings.finding[2].evidence, "line 98\nline 99"),
       "lists grow");

    grosr_findings_init(&other, S);
    grosr_findings_add(&other, GROSR_VERDICT_DEADLOCK, "deadlock", 4 * S, "other", NULL);
    other.source = strdup("process 2");
    other.state = strdup("it waits");
    findings.source = strdup("process 1");
    grosr_findings_merge(&findings, &other);
    ok(other.findings == 0 && !other.finding && !other.source, "merging empties one list");
    ok(!strcmp(findings.source, "process 1; process 2") && !strcmp(findings.state, "it waits"),
       "joins their texts");
    is(findings.otherwise, GROSR_VERDICT_HEALTHY, "is idle only where both are");
    grosr_findings_settle(&findings);
    ok(findings.findings == 6 && findings.verdict == GROSR_VERDICT_DEADLOCK, "and makes one verdict");
    grosr_findings_free(&other);
    grosr_findings_free(&findings);
    other.otherwise = GROSR_VERDICT_IDLE;
    grosr_findings_merge(&findings, &other);
    is(findings.otherwise, GROSR_VERDICT_IDLE, "an empty list takes the other's state over");
}

static void test_kinds(void)
{
    uint32_t count;
    const struct grosr_finding_kind *kind = grosr_finding_kinds(&count);
    bool complete = true;

    for (uint32_t i = 0; i < count; i++) {
        complete =
            complete && *kind[i].text && grosr_finding_kind_find(kind[i].kind, kind[i].verdict) == &kind[i];
        complete = complete && (*kind[i].advice || kind[i].verdict == GROSR_VERDICT_HEALTHY);
    }
    ok(count > 20 && complete,
       "every kind of findings.def is found, once for a verdict, and has a text and advice");
    ok(!grosr_finding_kind_find("nonsense", GROSR_VERDICT_SLOW), "others are not");
    ok(grosr_finding_kind_find("lock_cycle", GROSR_VERDICT_SLOW) != NULL,
       "a kind is found with another verdict too");
    ok(!strcmp(grosr_verdict_name(GROSR_VERDICT_DEADLOCK), "deadlock") &&
           !strcmp(grosr_verdict_name((enum grosr_verdict)99), "unknown"),
       "verdicts have names");
}

int main(void)
{
    grosr_findings_init(&findings, S);
    test_cycles();
    test_a_cycle_in_full();
    test_the_chain();
    test_how_it_ended();
    test_large_cycles();
    test_starved();
    test_starved_together();
    test_threshold();
    test_unseen();
    test_lists();
    test_kinds();
    return tap_done();
}
