/*
 * Streams: records come out whole and in order, around the end and under contention; what has no room is
 * counted; what no writer writes is not followed.
 */
#include "../fixture.h"

#include "../../tracer/session/stream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BYTES   8192
#define THREADS 4
#define EACH    20000

static struct grosr_session *make(uint32_t streams)
{
    struct grosr_session_options o = {.device = "process",
                                      .device_name = "test",
                                      .program = "test",
                                      .lanes = 1,
                                      .device_clock_is_host = true,
                                      .host_ring_events = 8,
                                      .overflow = GROSR_OVERFLOW_AUTO,
                                      .streams = streams,
                                      .stream_bytes = BYTES};
    struct grosr_session *s = NULL;

    if (grosr_session_create(&s, &o)) {
        printf("Bail out! %s\n", grosr_error());
        exit(1);
    }
    return s;
}

struct numbered {
    struct grosr_record head;
    uint64_t number;
};

static bool write_numbered(struct grosr_stream_writer *w, uint32_t kind, uint64_t number, size_t text_bytes)
{
    static const char text[GROSR_RECORD_MAX] = {'x'};
    struct numbered r = {{0, kind}, number};
    const struct grosr_piece pieces[] = {{&r, sizeof(r)}, {text, text_bytes}};

    return grosr_stream_write(w, pieces, 2);
}

static void order(void)
{
    struct grosr_session *s = make(2), *view;
    struct grosr_stream_writer w;
    struct grosr_stream_reader r;
    static unsigned char to[GROSR_RECORD_MAX];
    uint64_t wrote = 0, read = 0;
    bool right = true;

    is(grosr_session_open(&view, (uint32_t)getpid(), 0), 0, "a session of streams alone");
    is(view->header.workers, 0, "has no workers");
    grosr_stream_writer_open(&w, s, 1);
    grosr_stream_reader_open(&r, view, 1);
    is(grosr_stream_read(&r, to, sizeof(to)), 0, "nothing yet");
    for (int round = 0; round < 1000; round++) {
        for (unsigned i = 0; i < 7; i++)
            wrote += write_numbered(&w, 9, wrote, (wrote * 13) % 90);
        size_t n = grosr_stream_read(&r, to, sizeof(to));
        for (size_t at = 0; at < n;) {
            struct numbered got;
            memcpy(&got, to + at, sizeof(got));
            right &= got.number == read && got.head.kind == 9 &&
                     got.head.bytes == (sizeof(got) + (read * 13) % 90 + 7) / 8 * 8;
            at += got.head.bytes;
            read++;
        }
    }
    ok(right, "records of all lengths come out whole and in order, 60 times around");
    is(read, 7000, "all of them");
    ok(grosr_stream_at_end(&r), "and then there are no more");

    while (write_numbered(&w, 9, 0, 1000))
        wrote++;
    is(wrote, 7008, "a full stream drops");
    is(sys_load_relaxed(&r.stream->dropped), 1, "and counts it");
    is(sys_load_relaxed(&r.stream->written), 7008, "and what it kept");
    is(grosr_stream_read(&r, to, sizeof(to)), 8 * 1016, "which can be read");
    ok(write_numbered(&w, 9, 0, 1000), "then there is room again");
    ok(!write_numbered(&w, 9, 0, GROSR_RECORD_MAX), "a record of more than the most is dropped");
    is(sys_load_relaxed(&r.stream->dropped), 2, "and counted");
    struct grosr_stream_reader later;
    grosr_stream_reader_open(&later, view, 1);
    is(grosr_stream_read(&later, to, sizeof(to)), 1016, "a later reader goes on where the first stopped");
    is(later.read, 7009, "with its books");
    grosr_session_close(view);
    grosr_session_close(s);
}

static struct grosr_stream_writer shared;

static void *produce(void *arg)
{
    for (uint64_t i = 0; i < EACH; i++)
        write_numbered(&shared, (uint32_t)(uintptr_t)arg, i, i % 50);
    return NULL;
}

static void contention(void)
{
    struct grosr_session *s = make(1);
    struct grosr_stream_reader r;
    pthread_t thread[THREADS];
    uint64_t next[THREADS] = {0};
    static unsigned char to[GROSR_RECORD_MAX];
    bool right = true, running = true;

    grosr_stream_writer_open(&shared, s, 0);
    grosr_stream_reader_open(&r, s, 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, produce, (void *)i);
    while (running) {
        running =
            sys_load_relaxed(&r.stream->written) + sys_load_relaxed(&r.stream->dropped) < THREADS * EACH;
        size_t n = grosr_stream_read(&r, to, sizeof(to));
        for (size_t at = 0; at < n;) {
            struct numbered got;
            memcpy(&got, to + at, sizeof(got));
            right &= got.head.kind < THREADS && got.number >= next[got.head.kind % THREADS];
            next[got.head.kind % THREADS] = got.number + 1;
            at += got.head.bytes;
        }
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    while (grosr_stream_read(&r, to, sizeof(to)))
        ;
    ok(right, "%d threads: each one's records stay in order", THREADS);
    is(r.read + sys_load_relaxed(&r.stream->dropped), THREADS * EACH, "read + dropped is what was told");
    grosr_session_close(s);
}

/* A stream is not trusted: bytes of any kind are read without harm, and not for ever. */
static void damaged(void)
{
    struct grosr_session *s = make(1);
    struct grosr_stream *stream = grosr_session_stream(s, 0);
    unsigned char *bytes = s->base + s->stream[0].bytes_at;
    static unsigned char to[GROSR_RECORD_MAX];
    struct grosr_stream_reader r;
    uint64_t seed = 88172645463325252u;
    unsigned refused = 0, whole = 0;

    for (int round = 0; round < 2000; round++) {
        for (size_t i = 0; i < 512; i++) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            bytes[i] = (unsigned char)(i % 8 == 0 ? seed % 64 / 8 * 8 : i % 8 < 4 ? 0 : seed);
        }
        sys_store_relaxed(&stream->read_to, 0);
        sys_store_relaxed(&stream->written_to, seed % 5 ? seed % 512 : seed);
        grosr_stream_reader_open(&r, s, 0);
        for (size_t n; (n = grosr_stream_read(&r, to, sizeof(to)));)
            for (size_t at = 0; at < n; whole++) {
                struct grosr_record head;
                memcpy(&head, to + at, sizeof(head));
                at += head.bytes;
            }
        refused += r.broken;
        if (!grosr_stream_at_end(&r))
            ok(false, "a damaged stream that never ends");
    }
    ok(refused > 1000 && whole > 1000, "2,000 damaged streams: %u refused, %u records before that", refused,
       whole);
    grosr_session_close(s);
}

static void bad_options(void)
{
    struct grosr_session_options o = {.host_ring_events = 8, .streams = 1, .stream_bytes = 5000};
    struct grosr_session *s;

    is(grosr_session_create(&s, &o), -EINVAL, "a stream of 5,000 bytes is refused");
    o.stream_bytes = 4096;
    o.streams = GROSR_STREAMS_MAX + 1;
    is(grosr_session_create(&s, &o), -EINVAL, "too many streams too");
    o.streams = 0;
    is(grosr_session_create(&s, &o), -EINVAL, "and neither workers nor streams");
}

int main(void)
{
    order();
    contention();
    damaged();
    bad_options();
    return tap_done();
}
