/*
 * What a traced process is in: written in callbacks, read by whoever has the segment. What was launched is
 * there until its record comes or its stream shows that it has ended; what there is no room for is counted;
 * and whatever the segment holds, a reader stays inside it.
 */
#include "../fixture.h"

#include "../../tracer/rows/pending_rows.h"
#include "../../tracer/session/outstanding.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/grosr-outstanding-XXXXXX";

static struct grosr_session_options options(void)
{
    return (struct grosr_session_options){.device = "process",
                                          .device_name = "test",
                                          .program = "test",
                                          .lanes = 1,
                                          .device_clock_is_host = true,
                                          .host_ring_events = 8,
                                          .streams = 1,
                                          .stream_bytes = 4096,
                                          .call_slots = 4,
                                          .launch_slots = 64,
                                          .cuda_streams = 8,
                                          .text_bytes = 4096};
}

static struct grosr_session *make(void)
{
    const struct grosr_session_options o = options();
    struct grosr_session *s;

    if (grosr_session_create(&s, &o)) {
        printf("Bail out! %s\n", grosr_error());
        exit(1);
    }
    return s;
}

static void tables(void)
{
    struct grosr_session_options o = options();
    struct grosr_session *s;

    o.launch_slots = 48;
    is(grosr_session_create(&s, &o), -EINVAL, "launch slots are a power of two");
    o.launch_slots = 0;
    is(grosr_session_create(&s, &o), -EINVAL, "without them there is nothing of it");
    o.call_slots = o.cuda_streams = 0;
    o.text_bytes = 0;
    is(grosr_session_create(&s, &o), 0, "a session may have none");
    ok(!grosr_session_outstanding(s), "then there are no counters");
    is(grosr_outstanding_calls(s), 0, "no calls");
    is(grosr_outstanding_kernels(s), 0, "and no kernels");
    is(grosr_outstanding_add_text(s, "x", 1), 0, "nothing is written");
    struct grosr_launch l = {.kind = GROSR_LAUNCH_KERNEL, .correlation = 1, .stream = GROSR_NO_STREAM};
    is(grosr_launch_begin(s, &l), GROSR_NO_SLOT, "neither a launch");
    grosr_launch_returned(s, GROSR_NO_SLOT, &l, 1, true);
    grosr_launch_recorded(s, GROSR_LAUNCH_KERNEL, 1, 1);
    grosr_launch_over(s, 1);
    is(grosr_cuda_stream_find(s, 77), GROSR_NO_STREAM, "nor a stream");
    is(grosr_cuda_stream_add(s, 77, 1, 1, 1), GROSR_NO_STREAM, "of which none is made");
    const struct grosr_call c = {.start_ns = 1};
    grosr_call_enter(s, 0, &c);
    grosr_call_leave(s, 0);
    grosr_session_close(s);
}

static void texts(void)
{
    struct grosr_session *s = make();
    char text[GROSR_TEXT_KEPT_MAX + 1], longer[3000];
    uint32_t a = grosr_outstanding_add_text(s, "kernel", 6), b = grosr_outstanding_add_text(s, "other", 5);

    is(grosr_outstanding_text(s, a, text), 6, "a text has its length");
    ok(!strcmp(text, "kernel"), "and is what was added");
    is(grosr_outstanding_text(s, b, text), 5, "so is the next");
    is(grosr_outstanding_text(s, 0, text), 0, "0 is no text");
    memset(longer, 'x', sizeof(longer));
    uint32_t c = grosr_outstanding_add_text(s, longer, sizeof(longer));
    is(grosr_outstanding_text(s, c, text), GROSR_TEXT_KEPT_MAX, "of a long one the beginning is kept");
    is(grosr_outstanding_add_text(s, longer, sizeof(longer)), 0, "when they are full, there is no text");
    is(dev_load_relaxed(&grosr_session_outstanding(s)->texts_full), 1, "which is counted");
    uint32_t length = UINT32_MAX;
    memcpy(s->base + s->header.texts_at + a, &length, sizeof(length));
    is(grosr_outstanding_text(s, a, text), 0, "a length that leaves the segment is not followed");
    is(grosr_outstanding_text(s, a + 1, text), 0, "nor a reference to no text's beginning");
    is(grosr_outstanding_text(s, 4096, text), 0, "nor one to their end");
    is(grosr_outstanding_text(s, UINT32_MAX - 7, text), 0, "nor one far behind it");
    grosr_session_close(s);
}

static void calls(void)
{
    struct grosr_session *s = make();
    struct grosr_call c = {.start_ns = 7,
                           .handle = 8,
                           .name = 16,
                           .api = GROSR_CALL_DRIVER,
                           .tid = 9,
                           .correlation = 10,
                           .wait = GROSR_CALL_WAITS_STREAM,
                           .stream = 3},
                      found;

    is(grosr_outstanding_calls(s), 0, "no slot is in use");
    ok(!grosr_call_read(s, 2, &found), "a thread that has called nothing is in no call");
    grosr_call_enter(s, 2, &c);
    is(grosr_outstanding_calls(s), 3, "slots up to a thread's may be");
    ok(grosr_call_read(s, 2, &found) && !memcmp(&found, &c, sizeof(c)), "a call is as it was entered");
    grosr_call_set_stream(s, 2, 5);
    ok(grosr_call_read(s, 2, &found) && found.stream == 5, "its stream may become known");
    grosr_call_leave(s, 2);
    ok(!grosr_call_read(s, 2, &found), "when it is left there is none");
    grosr_call_leave(s, 2);
    ok(!grosr_call_read(s, 2, &found), "to leave twice changes nothing");
    grosr_call_enter(s, 2, &c);
    grosr_call_enter(s, 2, &c);
    ok(grosr_call_read(s, 2, &found), "a thread that took the slot of one that was cancelled is in its own");
    grosr_call_enter(s, 4, &c);
    is(grosr_outstanding_calls(s), 3, "a thread beyond the table has no slot");
    c.stream = 8;
    grosr_call_enter(s, 2, &c);
    ok(grosr_call_read(s, 2, &found) && found.stream == GROSR_NO_STREAM,
       "a stream that there is not is none");
    grosr_session_close(s);
}

static struct grosr_launch launch(uint32_t kind, uint32_t correlation, uint32_t stream)
{
    return (struct grosr_launch){.kind = kind, .correlation = correlation, .stream = stream, .issued_ns = 5};
}

/* Begins a launch and ends its call; its slot. */
static uint32_t make_launch(struct grosr_session *s, uint32_t kind, uint32_t correlation, uint32_t stream)
{
    struct grosr_launch l = launch(kind, correlation, stream);
    uint32_t slot = grosr_launch_begin(s, &l);

    grosr_launch_returned(s, slot, &l, 10, true);
    return slot;
}

/* How many there are, and how many of them are not known to have ended. */
static unsigned count(const struct grosr_session *s, bool ended_too)
{
    struct grosr_launch l;
    unsigned n = 0;

    for (uint32_t i = 0; i < s->header.launch_slots; i++)
        n += grosr_launch_read(s, i, &l) && (ended_too || !l.ended);
    return n;
}

static void launches(void)
{
    struct grosr_session *s = make();
    struct grosr_outstanding *o = grosr_session_outstanding(s);
    uint32_t stream = grosr_cuda_stream_add(s, 1000, 0x20, 1, 8);
    struct grosr_launch l = launch(GROSR_LAUNCH_KERNEL, 41, stream), found;

    l.grid[0] = 4, l.block[2] = 6, l.shared_bytes = 7, l.tid = 8, l.name = 16, l.full_name = 24;
    uint32_t slot = grosr_launch_begin(s, &l);
    is(l.place, 1, "the first launch of a stream has place 1");
    ok(l.flags & GROSR_LAUNCH_ORDERED, "nothing before it is on its way");
    ok(grosr_launch_read(s, slot, &found) && found.correlation == 41 && found.place == 1 && found.tid == 8 &&
           found.issued_ns == 5 && found.name == 16 && found.full_name == 24 && found.grid[0] == 4 &&
           found.block[2] == 6 && found.shared_bytes == 7 && found.stream == stream && !found.ended,
       "it is as it was begun");
    is(grosr_outstanding_kernels(s), 1, "and outstanding before its call returns");
    is(grosr_cuda_stream_covered(s, stream, UINT64_MAX), 0, "until then nobody has waited for it");
    grosr_launch_returned(s, slot, &l, 10, true);
    is(grosr_cuda_stream_covered(s, stream, 10), 0, "nor who has called before that");
    is(grosr_cuda_stream_covered(s, stream, 11), 1, "but who calls after it");
    make_launch(s, GROSR_LAUNCH_KERNEL, 42, stream);
    make_launch(s, GROSR_LAUNCH_KERNEL, 43, stream);
    is(count(s, false), 3, "three");
    grosr_launch_recorded(s, GROSR_LAUNCH_KERNEL, 42, 99);
    is(count(s, true), 2, "the record of the second");
    is(count(s, false), 1, "shows that the first has ended too");
    is(sys_load_relaxed(&o->record_ns), 99, "it came then");
    is(grosr_outstanding_kernels(s), 2, "whose record is missing still");
    grosr_cuda_stream_raise_ended(s, stream, 3);
    grosr_cuda_stream_raise_ended(s, stream, 2);
    is(count(s, false), 0, "a wait for the stream shows that all have, whatever is said later");
    grosr_launch_recorded(s, GROSR_LAUNCH_KERNEL, 41, 100);
    grosr_launch_recorded(s, GROSR_LAUNCH_KERNEL, 43, 100);
    is(grosr_outstanding_kernels(s), 0, "all records have come");
    grosr_launch_recorded(s, GROSR_LAUNCH_KERNEL, 43, 100);
    is(dev_load_relaxed(&o->unmatched), 1, "one of a launch that is not known is counted");

    l = launch(GROSR_LAUNCH_KERNEL, 50, stream);
    slot = grosr_launch_begin(s, &l);
    grosr_launch_returned(s, slot, &l, 20, false);
    is(count(s, true), 0, "a launch that is refused is none");
    is(grosr_outstanding_kernels(s), 0, "and not counted");
    is(dev_load_relaxed(&o->issued[GROSR_LAUNCH_KERNEL]), 3, "as one that was issued");

    make_launch(s, GROSR_LAUNCH_MEMCPY, 60, stream);
    make_launch(s, GROSR_LAUNCH_HOST_FUNCTION, 61, stream);
    grosr_launch_recorded(s, GROSR_LAUNCH_MEMCPY, 60, 30);
    grosr_launch_recorded(s, GROSR_LAUNCH_MEMCPY, 60, 30);
    is(count(s, false), 1, "a copy ends with its first record; what is behind it does not");
    is(grosr_outstanding_kernels(s), 0, "and is no kernel");
    make_launch(s, GROSR_LAUNCH_KERNEL, 62, GROSR_NO_STREAM);
    is(count(s, false), 2, "a launch in a stream without an entry is there too");
    grosr_launch_recorded(s, GROSR_LAUNCH_KERNEL, 62, 31);
    is(count(s, false), 1, "until its record comes");
    grosr_session_close(s);
}

/* Two threads launch into one stream: which comes first is not known. */
/* Operations of a stream on words: of a call that makes several, each has a slot and a place. */
static void words(void)
{
    struct grosr_session *s = make();
    uint32_t stream = grosr_cuda_stream_add(s, 1000, 0x20, 1, 8), slot[3];
    struct grosr_outstanding *o = grosr_session_outstanding(s);
    struct grosr_cuda_stream_state state;
    struct grosr_launch l, found;
    struct grosr_word w = {.address = 0x7f0000001000, .value = UINT64_C(0x500000007), .width = 4}, seen;
    char text[GROSR_WORD_TEXT];

    for (uint32_t i = 0; i < 3; i++) {
        l = launch(i == 1 ? GROSR_LAUNCH_WRITE : GROSR_LAUNCH_WAIT, 41, stream);
        l.part = i;
        l.flags = GROSR_LAUNCH_UNRECORDED | GROSR_LAUNCH_HOST_WORD;
        w.address += 4;
        grosr_launch_set_word(&l, &w);
        slot[i] = grosr_launch_begin(s, &l);
        is(l.place, i + 1, "an operation has a place of its own");
    }
    ok(slot[0] != slot[1] && slot[1] != slot[2] && slot[0] != slot[2], "and a slot");
    ok(grosr_launch_read(s, slot[1], &found) && found.correlation == 41 && found.part == 1 &&
           grosr_launch_word(&found, &seen) && seen.address == 0x7f0000001008 && seen.value == 7 &&
           seen.width == 4 && seen.condition == GROSR_WORD_AT_LEAST && found.flags & GROSR_LAUNCH_HOST_WORD,
       "which has its word");
    is(count(s, false), 3, "three");
    is(grosr_outstanding_kernels(s) + dev_load_relaxed(&o->unslotted), 0,
       "none is counted, as none has a record");
    for (uint32_t i = 0; i < 3; i++) {
        l.part = i;
        l.kind = i == 1 ? GROSR_LAUNCH_WRITE : GROSR_LAUNCH_WAIT;
        grosr_launch_returned(s, slot[i], &l, 10, i != 1);
    }
    is(count(s, false), 2, "one that is refused is none");
    make_launch(s, GROSR_LAUNCH_KERNEL, 42, stream);
    grosr_launch_recorded(s, GROSR_LAUNCH_KERNEL, 42, 99);
    is(count(s, false), 0, "the record of a kernel behind them shows that they have ended");
    ok(grosr_cuda_stream_read(s, stream, &state) && !state.word_place, "no word was looked at");
    grosr_cuda_stream_saw(s, stream, 3, GROSR_WORD_NOT | GROSR_WORD_VALUE, 6);
    ok(grosr_cuda_stream_read(s, stream, &state) && state.word_place == 3 && state.word_value == 6 &&
           state.word_flags == (GROSR_WORD_NOT | GROSR_WORD_VALUE),
       "what was seen of one");
    ok(!strcmp(grosr_word_text(text, sizeof(text), &seen, false), "the word at 0x7f0000001008 is >= 7"),
       "as a text, of a wait");
    ok(!strcmp(grosr_word_text(text, sizeof(text), &seen, true), "7 to the word at 0x7f0000001008"),
       "of a write");
    seen.condition = GROSR_WORD_SEMAPHORE;
    ok(!strcmp(grosr_word_text(text, sizeof(text), &seen, false),
               "the external semaphore 0x7f0000001008 is signalled (value 7)"),
       "of a semaphore");
    seen.width = 0;
    ok(!strcmp(grosr_word_text(text, sizeof(text), &seen, false), "several words are as they are to be"),
       "of more than are known");
    l = launch(GROSR_LAUNCH_KERNEL, 50, stream);
    ok(!grosr_launch_word(&l, &seen), "a kernel has none");
    grosr_session_close(s);
}

static void unordered(void)
{
    struct grosr_session *s = make();
    uint32_t stream = grosr_cuda_stream_add(s, 1000, 0x20, 1, 8);
    struct grosr_launch a = launch(GROSR_LAUNCH_KERNEL, 1, stream),
                        b = launch(GROSR_LAUNCH_KERNEL, 2, stream);
    uint32_t slot_a = grosr_launch_begin(s, &a), slot_b = grosr_launch_begin(s, &b);

    ok(!(b.flags & GROSR_LAUNCH_ORDERED), "the second begins while the first is on its way");
    grosr_launch_returned(s, slot_b, &b, 10, true);
    is(grosr_cuda_stream_covered(s, stream, UINT64_MAX), 0, "a wait may have missed the first");
    grosr_launch_returned(s, slot_a, &a, 11, true);
    grosr_launch_recorded(s, GROSR_LAUNCH_KERNEL, 2, 20);
    is(count(s, false), 1, "the second's record says nothing of the first");
    grosr_session_close(s);
}

static void graphs(void)
{
    struct grosr_session *s = make();
    struct grosr_outstanding *o = grosr_session_outstanding(s);
    uint32_t stream = grosr_cuda_stream_add(s, 1000, 0x20, 1, 8);
    struct grosr_launch l = launch(GROSR_LAUNCH_GRAPH, 5, stream), found;

    l.kernels = 3;
    uint32_t slot = grosr_launch_begin(s, &l);
    grosr_launch_returned(s, slot, &l, 10, true);
    is(grosr_outstanding_kernels(s), 3, "a graph's kernels are outstanding with it");
    grosr_launch_recorded(s, GROSR_LAUNCH_KERNEL, 5, 20);
    grosr_launch_recorded(s, GROSR_LAUNCH_MEMCPY, 5, 20);
    ok(grosr_launch_read(s, slot, &found) && found.recorded == 1, "of its nodes the kernels count");
    grosr_launch_recorded(s, GROSR_LAUNCH_KERNEL, 5, 21);
    is(count(s, false), 1, "until the last");
    grosr_launch_recorded(s, GROSR_LAUNCH_KERNEL, 5, 22);
    is(count(s, true), 0, "it has ended");
    is(grosr_outstanding_kernels(s), 0, "and so have they");
    is(dev_load_relaxed(&o->recorded[GROSR_LAUNCH_GRAPH]), 1, "it counts as one graph");

    l = launch(GROSR_LAUNCH_GRAPH, 6, stream); /* of which the number of kernels is not known */
    slot = grosr_launch_begin(s, &l);
    grosr_launch_returned(s, slot, &l, 30, true);
    grosr_launch_recorded(s, GROSR_LAUNCH_KERNEL, 6, 31);
    is(count(s, false), 1, "a graph of unknown size ends when its stream shows it");
    is(grosr_outstanding_kernels(s), 0, "and counts for none");
    grosr_cuda_stream_raise_ended(s, stream, 2);
    is(count(s, false), 0, "by a wait");

    l = launch(GROSR_LAUNCH_GRAPH, 8, stream);
    l.kernels = 3;
    l.flags = GROSR_LAUNCH_WHOLE;
    slot = grosr_launch_begin(s, &l);
    grosr_launch_returned(s, slot, &l, 32, true);
    is(grosr_outstanding_kernels(s), 1, "a graph that is recorded as a whole has one record");
    ok(grosr_launch_read(s, slot, &found) && found.kernels == 3, "though it has more kernels");
    grosr_launch_recorded(s, GROSR_LAUNCH_KERNEL, 8, 33);
    is(count(s, false), 0, "with which it has ended");
    is(grosr_outstanding_kernels(s), 0, "and is no longer outstanding");

    l = launch(GROSR_LAUNCH_KERNEL, 7, stream);
    l.flags = GROSR_LAUNCH_PERSISTENT;
    slot = grosr_launch_begin(s, &l);
    grosr_launch_returned(s, slot, &l, 40, true);
    is(grosr_outstanding_kernels(s), 0, "a persistent kernel has no record to wait for");
    is(count(s, false), 1, "but is outstanding");
    grosr_launch_over(s, 7);
    is(count(s, false), 0, "until it has ended");
    grosr_session_close(s);
}

/* More launches than slots, streams than entries. */
static void full(void)
{
    struct grosr_session *s = make();
    struct grosr_outstanding *o = grosr_session_outstanding(s);
    uint32_t stream = grosr_cuda_stream_add(s, 1000, 0x20, 1, 8), without = 0;

    for (uint32_t i = 1; i <= 200; i++)
        without += make_launch(s, GROSR_LAUNCH_KERNEL, i, stream) == GROSR_NO_SLOT;
    ok(without >= 200 - 64 && without < 200, "200 launches, 64 slots: %u have none", without);
    is(dev_load_relaxed(&o->unslotted), without, "which are counted");
    for (uint32_t i = 1; i <= 200; i++)
        grosr_launch_recorded(s, GROSR_LAUNCH_KERNEL, i, i);
    is(grosr_outstanding_kernels(s), 0, "their records count all the same");
    for (uint32_t i = 201; i <= 300; i++)
        make_launch(s, GROSR_LAUNCH_KERNEL, i, stream);
    grosr_cuda_stream_raise_ended(s, stream, 300);
    uint32_t slot = make_launch(s, GROSR_LAUNCH_KERNEL, 301, stream);
    ok(slot != GROSR_NO_SLOT, "one that has ended gives its slot away");
    is(count(s, false), 1, "and is forgotten");
    is(grosr_outstanding_kernels(s), 101, "but not that its record is missing");

    uint32_t made = 1;
    for (uint64_t key = 2000; key < 2020; key++)
        made += grosr_cuda_stream_add(s, key, key, 1, 9) != GROSR_NO_STREAM;
    is(made, 8, "as many streams as there are entries");
    is(dev_load_relaxed(&o->streams_full), 13, "the others are counted");
    grosr_cuda_stream_remove(s, 1000);
    is(grosr_cuda_stream_find(s, 1000), GROSR_NO_STREAM, "a stream that is gone is not found");
    is(grosr_cuda_stream_add(s, 3000, 1, 1, 1), GROSR_NO_STREAM,
       "and keeps its entry while something runs in it");
    grosr_cuda_stream_raise_ended(s, stream, 301);
    is(grosr_cuda_stream_add(s, 3000, 1, 1, 1), stream, "then another has it");
    is(make_launch(s, GROSR_LAUNCH_KERNEL, 400, stream) != GROSR_NO_SLOT && count(s, false) == 1, 1,
       "whose launches have not ended");
    grosr_session_close(s);
}

static void captures(void)
{
    struct grosr_session *s = make();
    uint32_t stream = grosr_cuda_stream_add(s, 1000, 0x20, 3, 8);
    struct grosr_cuda_stream_state state;

    grosr_cuda_stream_capture(s, stream, 1, 50);
    grosr_cuda_stream_captured(s, stream, 16);
    grosr_cuda_stream_captured(s, stream, 24);
    ok(grosr_cuda_stream_read(s, stream, &state) && state.capture_ns == 50 && state.captured == 2 &&
           state.captured_name == 24 && state.context == 3 && state.id == 8 && state.handle == 0x20,
       "a capture: since when, how many launches, the latest");
    grosr_cuda_stream_capture_end(s, stream);
    ok(grosr_cuda_stream_read(s, stream, &state) && !state.capture_ns, "and its end");
    ok(!grosr_cuda_stream_read(s, 8, &state), "a stream that there is not is not read");
    grosr_session_close(s);
}

/* ---- segments that nobody wrote ---- */

/* Writes the session's segment to a file and opens that as a copy. */
static int open_changed(struct grosr_session **copy, const struct grosr_session *s)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);

    if (fd < 0 || write(fd, s->base, s->bytes) != (ssize_t)s->bytes)
        ok(false, "a copy is made");
    close(fd);
    return grosr_session_open_copy(copy, path);
}

static void damaged(void)
{
    struct grosr_session *s = make(), *copy;
    struct grosr_session_header *h = grosr_session_live(s), good = *h;

    is(open_changed(&copy, s), 0, "a copy is opened");
    grosr_session_close(copy);
    const struct {
        const char *what;
        size_t at;
        uint64_t value;
        size_t bytes;
    } changes[] = {
        {"launch slots that are no power of two", offsetof(struct grosr_session_header, launch_slots), 63, 4},
        {"too many launch slots", offsetof(struct grosr_session_header, launch_slots), 1u << 31, 4},
        {"too many call slots", offsetof(struct grosr_session_header, call_slots), UINT32_MAX, 4},
        {"too many streams", offsetof(struct grosr_session_header, cuda_streams), UINT32_MAX, 4},
        {"calls without launches", offsetof(struct grosr_session_header, launch_slots), 0, 4},
        {"texts without end", offsetof(struct grosr_session_header, text_bytes), UINT64_MAX, 8},
        {"counters outside", offsetof(struct grosr_session_header, outstanding_at), UINT64_MAX - 127, 8},
        {"launches outside", offsetof(struct grosr_session_header, launch_slots_at), s->bytes, 8},
        {"calls off their lines", offsetof(struct grosr_session_header, call_slots_at), 8, 8},
        {"streams over the header", offsetof(struct grosr_session_header, cuda_streams_at), 0, 8},
        {"texts over launches", offsetof(struct grosr_session_header, texts_at), good.launch_slots_at, 8},
    };
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        memcpy((unsigned char *)h + changes[i].at, &changes[i].value, changes[i].bytes);
        is(open_changed(&copy, s), -EPROTO, "refused: %s", changes[i].what);
        memcpy((unsigned char *)h + changes[i].at, (unsigned char *)&good + changes[i].at, changes[i].bytes);
    }
    is(open_changed(&copy, s), 0, "as it was, it is opened again");
    grosr_session_close(copy);
    grosr_session_close(s);
}

static int64_t ask(const char *file, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    int64_t answer = -1;

    if (grosr_store_open_read(&db, file) == 0 &&
        sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        answer = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return answer;
}

/* Any bytes in all tables: rows are made, and each of the slots is one at most. */
static void garbage(void)
{
    struct grosr_session *s = make();
    const struct grosr_session_header *h = &s->header;
    char file[] = "/tmp/grosr-outstanding-db-XXXXXX";
    struct grosr_store *store;
    struct grosr_bases bases;
    struct grosr_clock clock = {.is_host = true};
    struct grosr_records *records;
    struct grosr_pending_rows *rows;
    uint64_t random = 5;
    bool changed = false;

    close(mkstemp(file));
    unlink(file);
    if (grosr_store_create(&store, file) || grosr_store_add_session(store, s, &bases) ||
        grosr_records_create(&records, s, &bases, &clock, store) ||
        grosr_pending_rows_create(&rows, s, &bases, store, records)) {
        printf("Bail out! %s\n", grosr_error());
        exit(1);
    }
    for (int round = 0; round < 50; round++) {
        for (uint64_t i = h->outstanding_at; i < h->texts_at + h->text_bytes; i += 8) {
            uint64_t x = tap_random(&random);
            x = round % 3 ? x : x % 4; /* small numbers make more sense */
            memcpy(s->base + i, &x, sizeof(x));
        }
        for (uint32_t i = 0; i < h->launch_slots; i++) /* launches, of kinds that there are and are not */
            dev_store_relaxed(&((struct grosr_launch_slot *)(void *)(s->base + h->launch_slots_at) + i)->what,
                              tap_random(&random) << 32 | (i % 8) << 8 | 2);
        if (grosr_pending_rows_look(rows, tap_random(&random) >> (round % 2 ? 1 : 30), &changed))
            ok(false, "round %d: %s", round, grosr_error());
    }
    ok(changed, "rows were made");
    is(grosr_pending_rows_finish(rows, UINT64_MAX / 2, GROSR_PENDING_DIED), 0, "and the last");
    grosr_pending_rows_free(rows);
    grosr_records_free(records);
    is(grosr_store_finish(store, NULL), 0, "and stored");
    grosr_store_close(store);
    int64_t found = ask(file, "SELECT count(*) FROM GROSR_PENDING");
    ok(found > 0 && found <= 64 + 4 + 8, "at most one for each slot: %d", (int)found);
    is(ask(file, "SELECT count(*) FROM pending"), found, "and the view has them");
    unlink(file);
    grosr_session_close(s);
}

/* ---- the room of kernels ---- */

static void rooms(void)
{
    struct grosr_session *s = make();
    const uint32_t block[3] = {1024, 1, 1}, other[3] = {512, 2, 1};
    const struct grosr_room room = {.sms = 132, .blocks = 2, .share = {16384, 1, 0, 32768}},
                            later = {.sms = 4, .blocks = 1};
    uint64_t key = grosr_room_key(8, block, 0, 1);

    is(grosr_room_read(s, key).sms, 0, "nothing is known of a kernel's room");
    grosr_room_add(s, key, &room);
    grosr_room_add(s, key, &later);
    struct grosr_room found = grosr_room_read(s, key);
    ok(found.sms == 132 && found.blocks == 2 && !memcmp(found.share, room.share, sizeof(room.share)),
       "what was found first stays");
    is(grosr_room_read(s, grosr_room_key(8, block, 1024, 1)).sms, 0,
       "with more shared memory it is not known");
    is(grosr_room_read(s, grosr_room_key(8, other, 0, 1)).sms, 0, "nor with another block");
    is(grosr_room_read(s, grosr_room_key(8, block, 0, 2)).sms, 0, "nor in another context");
    is(grosr_room_read(s, grosr_room_key(16, block, 0, 1)).sms, 0, "nor of another kernel");
    is(grosr_room_read(s, 0).sms, 0, "nor of one without a name");
    for (uint32_t i = 0; i < 2 * GROSR_ROOM_SLOTS; i++)
        grosr_room_add(s, grosr_room_key(8 * (i + 2), block, 0, 1), &room);
    is(grosr_room_read(s, key).sms, 132, "a full table keeps what it has");
    grosr_session_close(s);
}

int main(void)
{
    rooms();
    close(mkstemp(path));
    tables();
    texts();
    calls();
    launches();
    words();
    unordered();
    graphs();
    full();
    captures();
    damaged();
    garbage();
    unlink(path);
    return tap_done();
}
