/*
 * Reading bounded waits' facts (wait_facts.h).
 */
#include "wait_facts.h"

#include "worker_state.h"

#include <stdio.h>

#define READS_MAX 8 /* of a worker that keeps replacing them */

/* The words of an entry, but for its sequence number. */
struct words {
    uint64_t stated, resource, address, wanted, seen, since, updated;
};

/* False: they are not there, or are just replaced. */
static bool load(const struct grosr_wait_entry *e, struct words *w)
{
    uint64_t sequence = sys_load_acquire(&e->sequence); /* before the loads of stated and updated */

    w->stated = sys_load_acquire(&e->stated);     /* before the load of sequence */
    w->resource = sys_load_acquire(&e->resource); /* before the load of sequence */
    w->address = sys_load_acquire(&e->address);   /* before the load of sequence */
    w->wanted = sys_load_acquire(&e->wanted);     /* before the load of sequence */
    w->seen = sys_load_acquire(&e->seen);         /* before the load of sequence */
    w->since = sys_load_acquire(&e->since);       /* before the load of sequence */
    w->updated = sys_load_acquire(&e->updated);   /* before the load of sequence */
    return sequence && sequence % 2 == 0 && sys_load_relaxed(&e->sequence) == sequence;
}

/* Whether the words are of the wait that the state word is of. */
static bool is_of(const struct words *w, const struct grosr_worker_state *state)
{
    return state->activity == GROSR_WAITING && state->resource == GROSR_RES_NAMED &&
           (w->stated & GROSR_TIME_MASK) == state->since &&
           (w->resource & ((UINT64_C(1) << GROSR_WAIT_HOLDER_SHIFT) - 1)) == state->index;
}

static uint32_t worker_of(const struct grosr_session *session, uint64_t number)
{
    return number && number <= session->header.workers ? (uint32_t)number - 1 : GROSR_WAIT_NOBODY;
}

/* False: no recorder writes such words. */
static bool decode(const struct grosr_session *session, const struct words *w, struct grosr_wait_facts *f)
{
    uint32_t kind = (uint32_t)(w->stated >> GROSR_WAIT_KIND_SHIFT) & 0xffu;
    uint32_t until = (uint32_t)(w->stated >> GROSR_WAIT_UNTIL_SHIFT) & 0xfu;

    if (kind < GROSR_WAIT_WORD || kind > GROSR_WAIT_BARRIER ||
        (kind == GROSR_WAIT_WORD && (until < GROSR_EQUAL || until > GROSR_AT_LEAST)))
        return false;
    *f = (struct grosr_wait_facts){
        .kind = (enum grosr_wait_kind)kind,
        .name = (uint32_t)(w->resource >> 32) & 0xffffu,
        .index = (uint32_t)w->resource,
        .address = w->address,
        .seen = w->seen,
        .wanted = w->wanted,
        .until = (enum grosr_wait_until)until,
        .bits = w->stated & GROSR_WAIT_WIDE ? 64 : 32,
        .system = (w->stated & GROSR_WAIT_SYSTEM) != 0,
        .holder = worker_of(session, w->resource >> GROSR_WAIT_HOLDER_SHIFT),
        .since = w->since,
        .updated = w->updated,
    };
    if (kind == GROSR_WAIT_LOCK) {
        f->held = w->seen != 0;
        f->holder_since = w->seen & GROSR_TIME_MASK;
        f->holder = worker_of(session, w->seen >> GROSR_LOCK_HOLDER_SHIFT);
    }
    return true;
}

bool grosr_wait_facts_read(const struct grosr_session *session, uint32_t worker,
                           struct grosr_wait_facts *facts)
{
    for (int i = 0; i < READS_MAX; i++) {
        struct grosr_worker_state before, after;
        struct words w;
        if (!grosr_worker_read(session, worker, &before, NULL) || before.activity != GROSR_WAITING)
            return false;
        bool whole = load(grosr_session_wait(session, worker), &w);
        if (!grosr_worker_read(session, worker, &after, NULL))
            return false;
        if (after.word.lo != before.word.lo || after.word.hi != before.word.hi)
            continue;
        if (whole)
            return is_of(&w, &before) && decode(session, &w, facts);
    }
    return false;
}

uint32_t grosr_wait_facts_missing(const struct grosr_session *session, const struct grosr_wait_facts *facts,
                                  uint32_t *workers, uint32_t room)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < session->header.workers; i++) {
        struct grosr_worker_state state;
        struct grosr_wait_facts other;
        if (!grosr_worker_read(session, i, &state, NULL) || state.activity == GROSR_NOT_STARTED ||
            state.activity == GROSR_STOPPED)
            continue;
        if (grosr_wait_facts_read(session, i, &other) && other.kind == GROSR_WAIT_BARRIER &&
            other.address == facts->address)
            continue;
        if (n < room)
            workers[n] = i;
        n++;
    }
    return n;
}

static const char *until_text(enum grosr_wait_until until)
{
    return until == GROSR_EQUAL       ? "is to be"
           : until == GROSR_NOT_EQUAL ? "is not to be"
                                      : "is to be at least";
}

void grosr_wait_facts_describe(const struct grosr_wait_facts *f, char *text, size_t bytes)
{
    const unsigned long long address = f->address, seen = f->seen, wanted = f->wanted;
    char who[48] = "";

    switch (f->kind) {
    case GROSR_WAIT_WORD:
        snprintf(text, bytes, "the word at 0x%llx is %llu, and %s %llu", address, seen, until_text(f->until),
                 wanted);
        break;
    case GROSR_WAIT_LOCK:
        if (f->holder != GROSR_WAIT_NOBODY)
            snprintf(who, sizeof(who), "held by worker %u", f->holder);
        snprintf(text, bytes, "the lock at 0x%llx is %s", address,
                 *who      ? who
                 : f->held ? "held by somebody who is not recorded"
                           : "free");
        break;
    case GROSR_WAIT_MBARRIER:
        snprintf(text, bytes,
                 "the mbarrier at 0x%llx of shared memory has not completed its phase of parity %llu",
                 address, wanted);
        break;
    case GROSR_WAIT_BARRIER:
        if (f->holder != GROSR_WAIT_NOBODY)
            snprintf(who, sizeof(who), ", worker %u has not", f->holder);
        snprintf(text, bytes, "%llu of %llu have arrived at the barrier at 0x%llx%s", seen, wanted, address,
                 who);
        break;
    }
}
