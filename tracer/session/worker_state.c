/*
 * Decoding workers' state words (worker_state.h).
 */
#include "worker_state.h"

#define READS_MAX 8 /* of a worker that keeps moving */

static void decode_wait(struct grosr_worker_state *s, uint64_t payload)
{
    s->resource = (uint32_t)(payload >> GROSR_WAIT_RES_BITS);
    s->index = payload & ((UINT64_C(1) << GROSR_WAIT_RES_BITS) - 1);
    s->activity = s->resource == GROSR_RES_QUEUE_NOT_EMPTY ? GROSR_SEEKING : GROSR_WAITING;
}

bool grosr_worker_decode(struct grosr_pair word, struct grosr_worker_state *state)
{
    struct grosr_worker_state s = {.word = word, .since = grosr_event_time(word)};
    uint64_t payload = grosr_event_payload(word);

    if (grosr_event_lap(word) < 0)
        return false;
    switch (grosr_event_kind(word)) {
    case 0:
        s.activity = GROSR_NOT_STARTED;
        break;
    case GROSR_EV_TASK_BEGIN:
    case GROSR_EV_TASK_RESUME:
        s.activity = GROSR_IN_TASK;
        s.function = (uint32_t)(payload >> GROSR_TASK_ID_BITS);
        s.task = payload & GROSR_TASK_ID_MASK;
        break;
    case GROSR_EV_WAIT_BEGIN:
        decode_wait(&s, payload);
        break;
    case GROSR_EV_IDLE_BEGIN:
    case GROSR_EV_IDLE_END: /* the wait's own end follows */
        s.activity = grosr_event_kind(word) == GROSR_EV_IDLE_BEGIN ? GROSR_IDLE : GROSR_SEEKING;
        s.resource = GROSR_RES_QUEUE_NOT_EMPTY;
        break;
    case GROSR_EV_WORKER_STOP:
        s.activity = GROSR_STOPPED;
        break;
    default:
        s.activity = GROSR_RUNNING;
        break;
    }
    *state = s;
    return true;
}

bool grosr_worker_read(const struct grosr_session *session, uint32_t worker, struct grosr_worker_state *state,
                       struct grosr_worker_counts *counts)
{
    const struct grosr_worker_entry *entry = grosr_session_worker(session, worker);
    bool known = false;

    for (int i = 0; i < READS_MAX; i++) {
        /* The counts are those of the state if the same word stands there after them. */
        struct grosr_pair word =
            sys_load_pair_acquire(&entry->state); /* before the loads of counts and spawns */
        if (counts) {
            /* Both stand before the load of state that checks them. */
            struct grosr_pair run = sys_load_pair_acquire(&entry->counts);
            struct grosr_pair spawns = sys_load_pair_acquire(&entry->spawns); /* before the load of state */
            *counts = (struct grosr_worker_counts){run.lo, run.hi, spawns.lo, spawns.hi};
        }
        if (!grosr_worker_decode(word, state))
            continue;
        known = true;
        if (!counts || sys_load_pair_relaxed(&entry->state).lo == word.lo)
            break;
    }
    return known;
}

uint32_t grosr_worker_sm(const struct grosr_session *session, uint32_t worker)
{
    return sys_load_relaxed(&grosr_session_worker(session, worker)->sm) - 1;
}
