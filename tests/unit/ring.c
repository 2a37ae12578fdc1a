/* What the writer emits the reader gets, in order, and every loss is counted exactly, under each overflow
 * policy. */
#include "../fixture.h"

#include "../../tracer/session/emit.h"
#include "../../tracer/session/ring.h"

#include <pthread.h>
#include <unistd.h>

#define KIND GROSR_EV_LEVEL

static struct grosr_session *session;
static struct grosr_emitter emitter;
static struct grosr_emit_ring emit_ring;
static struct grosr_ring_reader reader;
static uint64_t next_payload;

static void open_ring(uint32_t capacity, enum grosr_overflow overflow, bool collector)
{
    session = fixture_session(1, capacity, overflow);
    struct grosr_trace trace = grosr_session_trace(session, session->base);
    if (collector)
        grosr_session_set_collector(session, (uint32_t)getpid());
    grosr_emit_open(&emitter, &emit_ring, &trace, 0);
    grosr_ring_reader_open(&reader, session, 0);
    next_payload = 0;
}

static void emit(uint32_t n)
{
    while (n--)
        grosr_emit_at(&emitter, KIND, next_payload++, 1000);
}

/* Reads all there is. Returns the records; *gaps: payloads missing from the sequence, told by LOST markers or
 * jumps. */
static uint64_t expected_payload;
static uint32_t read_all(uint64_t *marked, uint64_t *jumped)
{
    struct grosr_pair r[64];
    uint64_t first, position = reader.position;
    uint32_t n, total = 0;

    *marked = *jumped = 0;
    while ((n = grosr_ring_read(&reader, r, 64, &first))) {
        if (first != position) {
            *jumped += first - position;
            expected_payload += first - position;
        }
        for (uint32_t i = 0; i < n; i++) {
            if (grosr_event_kind(r[i]) == GROSR_EV_LOST) {
                *marked += grosr_event_payload(r[i]);
                expected_payload += grosr_event_payload(r[i]);
                continue;
            }
            if (grosr_event_payload(r[i]) != expected_payload++)
                return UINT32_MAX;
            total++;
        }
        position = first + n;
    }
    return total;
}

static void check_books(const char *what)
{
    struct grosr_ring_counts n;

    grosr_emit_close(&emitter);
    grosr_ring_count(session, 0, &n);
    ok(n.closed && n.written == next_payload && n.written == n.read + n.dropped + n.overwritten,
       "%s: written %" PRIu64 " = read %" PRIu64 " + dropped %" PRIu64 " + overwritten %" PRIu64, what,
       n.written, n.read, n.dropped, n.overwritten);
    ok(grosr_ring_at_end(&reader), "%s: the reader is at the end", what);
    grosr_session_close(session);
    expected_payload = 0;
}

static void no_loss(void)
{
    uint64_t marked, jumped, seed = 1, total = 0;
    struct grosr_ring_counts n;

    open_ring(13, GROSR_OVERFLOW_DROP, true); /* not a power of two */
    is(read_all(&marked, &jumped), 0, "an empty ring has nothing");
    emit(5);
    grosr_ring_count(session, 0, &n);
    ok(!n.closed && n.written == 5 && n.read == 0, "the books of a running writer count what is there");
    is(read_all(&marked, &jumped), 5, "five in, five out");
    for (int i = 0; i < 2000; i++) { /* more than 256 laps */
        uint32_t k = (uint32_t)(tap_random(&seed) % 14);
        emit(k);
        total += read_all(&marked, &jumped);
    }
    is(total + 5, next_payload, "thousands in, in bursts up to the capacity, thousands out, in order");
    check_books("no loss");
}

static void drops(void)
{
    uint64_t marked, jumped, n;

    open_ring(16, GROSR_OVERFLOW_DROP, true);
    emit(100);
    is(read_all(&marked, &jumped), 16, "a full ring keeps the oldest");
    is(marked, 0, "the loss is not told yet");
    emit(100);
    n = read_all(&marked, &jumped);
    ok(n + marked > 0 && n < 100, "it goes on when there is room: %" PRIu64 " more, %" PRIu64 " lost", n,
       marked);
    ok(marked >= 84, "the marker tells how many are missing at its place");
    for (int i = 0; i < 5000; i++) {
        emit(37);
        if (read_all(&marked, &jumped) == UINT32_MAX || jumped)
            break;
    }
    is(jumped, 0, "nothing is ever overwritten");
    check_books("drop");
}

static void overwrites(void)
{
    uint64_t marked, jumped, total = 0, lost = 0;

    open_ring(16, GROSR_OVERFLOW_AUTO, false);
    emit(1000);
    uint32_t n = read_all(&marked, &jumped);
    ok(n <= 16 && n >= 12 && n + jumped == 1000, "the newest %u stay, %" PRIu64 " are counted as overwritten",
       n, jumped);
    for (int i = 0; i < 3000; i++) {
        emit((uint32_t)i % 50);
        n = read_all(&marked, &jumped);
        if (n == UINT32_MAX)
            break;
        total += n;
        lost += jumped;
    }
    ok(n != UINT32_MAX && lost && total,
       "lapped again and again: %" PRIu64 " read, %" PRIu64 " lost, in order", total, lost);
    emit(16 * 300); /* further behind than a lap number tells */
    n = read_all(&marked, &jumped);
    ok(n <= 16 && n + jumped == 16 * 300, "300 laps at once are counted exactly");
    check_books("overwrite");
}

static void late_collector(void)
{
    uint64_t marked, jumped;

    open_ring(16, GROSR_OVERFLOW_AUTO, false);
    emit(40);
    grosr_session_set_collector(session, (uint32_t)getpid());
    emit(40);
    uint32_t n = read_all(&marked, &jumped);
    ok(n != UINT32_MAX && n + jumped + marked <= 80, "a collector that comes late finds order");
    emit(64);
    n = read_all(&marked, &jumped);
    ok(n != UINT32_MAX, "and goes on");
    check_books("late collector");
}

static void *write_blocked(void *arg)
{
    (void)arg;
    emit(1000);
    return NULL;
}

static void blocks(void)
{
    uint64_t marked, jumped, total = 0;
    pthread_t writer;

    open_ring(8, GROSR_OVERFLOW_BLOCK, true);
    pthread_create(&writer, NULL, write_blocked, NULL);
    while (total < 1000) {
        uint32_t n = read_all(&marked, &jumped);
        if (n == UINT32_MAX || marked || jumped)
            break;
        total += n;
    }
    is(total, 1000, "a blocking writer loses nothing through a ring of 8");
    pthread_join(writer, NULL);
    check_books("block");

    open_ring(8, GROSR_OVERFLOW_BLOCK, false);
    emit(100);
    is(emit_ring.dropped, 92, "without a collector it drops instead of hanging");
    is(read_all(&marked, &jumped), 8, "and keeps the oldest");
    check_books("block without collector");
}

int main(void)
{
    no_loss();
    drops();
    overwrites();
    late_collector();
    blocks();
    return tap_done();
}
