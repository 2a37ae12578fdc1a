/* What a segment says of a bounded wait: decoded, in words, and not to be mixed up with another wait's. */
#include "../fixture.h"

#include "../../tracer/session/wait_facts.h"

#include <string.h>

#define WORKERS 4u
#define LAP     UINT64_C(9)
#define NAME    2u
#define BEGAN   UINT64_C(4000)

static struct grosr_session *session;

static void put_state(uint32_t worker, uint32_t kind, uint64_t time, uint64_t payload)
{
    struct grosr_pair w = grosr_event_pack(LAP << GROSR_LAP_SHIFT, kind, time, payload);
    sys_store_pair_relaxed(&grosr_session_worker(session, worker)->state, w.lo, w.hi);
}

static void put_facts(uint32_t worker, uint64_t kind, uint32_t holder, uint64_t wanted, uint64_t seen)
{
    struct grosr_wait_entry *e = grosr_session_wait(session, worker);

    sys_store_relaxed(&e->stated, kind << GROSR_WAIT_KIND_SHIFT | BEGAN);
    sys_store_relaxed(&e->resource,
                      (uint64_t)holder << GROSR_WAIT_HOLDER_SHIFT | (uint64_t)NAME << 32 | worker);
    sys_store_relaxed(&e->address, UINT64_C(0x7f0000001000));
    sys_store_relaxed(&e->wanted, wanted);
    sys_store_relaxed(&e->seen, seen);
    sys_store_relaxed(&e->since, (UINT64_C(7) << GROSR_KIND_SHIFT) + BEGAN);
    sys_store_relaxed(&e->updated, (UINT64_C(7) << GROSR_KIND_SHIFT) + BEGAN + 500);
    sys_store_relaxed(&e->sequence, UINT64_C(2));
    put_state(worker, GROSR_EV_WAIT_BEGIN, BEGAN, grosr_payload_resource(NAME, worker));
}

static void of_word(uint64_t until, uint64_t wanted, const char *text)
{
    struct grosr_wait_facts f;
    char said[128] = "";

    put_facts(1, GROSR_WAIT_WORD | until << (GROSR_WAIT_UNTIL_SHIFT - GROSR_WAIT_KIND_SHIFT), 0, wanted, 3);
    ok(grosr_wait_facts_read(session, 1, &f), "a wait for a word");
    ok(f.kind == GROSR_WAIT_WORD && f.until == (enum grosr_wait_until)until && f.wanted == wanted &&
           f.seen == 3,
       "what it is and is to be");
    ok(f.name == NAME && f.index == 1 && f.address == UINT64_C(0x7f0000001000), "which, and where");
    ok(f.holder == GROSR_WAIT_NOBODY && !f.held, "which nobody holds");
    ok(f.since >> GROSR_KIND_SHIFT == 7 && f.updated == f.since + 500,
       "since when, by all bits of the clock");
    grosr_wait_facts_describe(&f, said, sizeof(said));
    ok(!strcmp(said, text), "%s", said);
}

static void words(void)
{
    struct grosr_wait_facts f;

    of_word(GROSR_EQUAL, 4, "the word at 0x7f0000001000 is 3, and is to be 4");
    of_word(GROSR_NOT_EQUAL, 3, "the word at 0x7f0000001000 is 3, and is not to be 3");
    of_word(GROSR_AT_LEAST, 9, "the word at 0x7f0000001000 is 3, and is to be at least 9");
    ok(grosr_wait_facts_read(session, 1, &f) && f.bits == 32 && !f.system, "of 32 bits, the GPU's own");
    sys_store_relaxed(&grosr_session_wait(session, 1)->stated,
                      sys_load_relaxed(&grosr_session_wait(session, 1)->stated) | GROSR_WAIT_WIDE |
                          GROSR_WAIT_SYSTEM);
    ok(grosr_wait_facts_read(session, 1, &f) && f.bits == 64 && f.system, "of 64, shared with the CPU");
}

static void of_lock(uint64_t word, uint32_t holder, bool held, const char *text)
{
    struct grosr_wait_facts f;
    char said[128] = "";

    put_facts(1, GROSR_WAIT_LOCK, 0, 0, word);
    ok(grosr_wait_facts_read(session, 1, &f), "a wait for a lock");
    ok(f.holder == holder && f.held == held, "by whom it is held");
    is(f.holder_since, word & GROSR_TIME_MASK, "since when");
    grosr_wait_facts_describe(&f, said, sizeof(said));
    ok(!strcmp(said, text), "%s", said);
}

static void locks(void)
{
    of_lock(UINT64_C(4) << GROSR_LOCK_HOLDER_SHIFT | 1234, 3, true,
            "the lock at 0x7f0000001000 is held by worker 3");
    of_lock((uint64_t)GROSR_LOCK_UNKNOWN << GROSR_LOCK_HOLDER_SHIFT | 1234, GROSR_WAIT_NOBODY, true,
            "the lock at 0x7f0000001000 is held by somebody who is not recorded");
    of_lock(UINT64_C(77) << GROSR_LOCK_HOLDER_SHIFT, GROSR_WAIT_NOBODY, true,
            "the lock at 0x7f0000001000 is held by somebody who is not recorded");
    of_lock(0, GROSR_WAIT_NOBODY, false, "the lock at 0x7f0000001000 is free");
}

static void barriers(void)
{
    struct grosr_wait_facts f;
    uint32_t missing[WORKERS] = {9, 9, 9, 9};
    char said[160] = "";

    put_facts(1, GROSR_WAIT_MBARRIER, 0, 1, 0);
    ok(grosr_wait_facts_read(session, 1, &f) && f.kind == GROSR_WAIT_MBARRIER, "a phase of an mbarrier");
    grosr_wait_facts_describe(&f, said, sizeof(said));
    ok(!strcmp(said,
               "the mbarrier at 0x7f0000001000 of shared memory has not completed its phase of parity 1"),
       "%s", said);

    /* Worker 3 has not begun. */
    put_facts(0, GROSR_WAIT_BARRIER, 3, 4, 2);
    put_facts(1, GROSR_WAIT_BARRIER, 3, 4, 2);
    put_state(2, GROSR_EV_WORKER_START, 1, 0);
    ok(grosr_wait_facts_read(session, 1, &f) && f.kind == GROSR_WAIT_BARRIER, "a barrier");
    ok(f.seen == 2 && f.wanted == 4 && f.holder == 2, "of which half have arrived");
    grosr_wait_facts_describe(&f, said, sizeof(said));
    ok(!strcmp(said, "2 of 4 have arrived at the barrier at 0x7f0000001000, worker 2 has not"), "%s", said);
    is(grosr_wait_facts_missing(session, &f, missing, WORKERS), 1, "one runs and has not arrived");
    is(missing[0], 2, "worker 2");
    is(missing[1], 9, "and no more are named");
    put_state(3, GROSR_EV_TASK_BEGIN, 1, 0);
    is(grosr_wait_facts_missing(session, &f, missing, 1), 2, "two, of which there is room for one");
    put_state(2, GROSR_EV_WORKER_STOP, 1, 0);
    is(grosr_wait_facts_missing(session, &f, missing, 1), 1, "who has stopped is not waited for");
    is(missing[0], 3, "but worker 3");
}

/* What is not there, or not of the wait that the state word tells of. */
static void none(void)
{
    struct grosr_wait_facts f = {.name = 77};
    struct grosr_wait_entry *e = grosr_session_wait(session, 1);

    ok(!grosr_wait_facts_read(session, 1, &f), "a worker that was never seen");
    put_state(1, GROSR_EV_WAIT_BEGIN, BEGAN, grosr_payload_resource(NAME, 1));
    ok(!grosr_wait_facts_read(session, 1, &f), "a wait that is no bounded one");
    put_facts(1, GROSR_WAIT_WORD | (uint64_t)GROSR_EQUAL << 8, 0, 4, 3);
    put_state(1, GROSR_EV_WAIT_END, BEGAN, grosr_payload_resource(NAME, 1));
    ok(!grosr_wait_facts_read(session, 1, &f), "one that has ended");
    put_state(1, GROSR_EV_WAIT_BEGIN, BEGAN + 1, grosr_payload_resource(NAME, 1));
    ok(!grosr_wait_facts_read(session, 1, &f), "another wait for the same");
    put_state(1, GROSR_EV_WAIT_BEGIN, BEGAN, grosr_payload_resource(NAME, 2));
    ok(!grosr_wait_facts_read(session, 1, &f), "or at that time");
    put_state(1, GROSR_EV_WAIT_BEGIN, BEGAN, grosr_payload_wait(GROSR_RES_QUEUE_NOT_FULL, 4));
    ok(!grosr_wait_facts_read(session, 1, &f), "a wait for room");
    put_state(1, GROSR_EV_WAIT_BEGIN, BEGAN, grosr_payload_resource(NAME, 1));
    sys_store_relaxed(&e->sequence, UINT64_C(3));
    ok(!grosr_wait_facts_read(session, 1, &f), "facts that are being replaced");
    put_facts(1, 0, 0, 4, 3);
    ok(!grosr_wait_facts_read(session, 1, &f), "of no kind");
    put_facts(1, 5, 0, 4, 3);
    ok(!grosr_wait_facts_read(session, 1, &f), "of a kind there is not");
    put_facts(1, GROSR_WAIT_WORD, 0, 4, 3);
    ok(!grosr_wait_facts_read(session, 1, &f), "a word that may be anything");
    is(f.name, 77, "are no facts, and what was there stays");
}

int main(void)
{
    session = fixture_session_named(WORKERS, 64, GROSR_OVERFLOW_OVERWRITE, 4);
    none();
    words();
    locks();
    barriers();
    grosr_session_close(session);
    return tap_done();
}
