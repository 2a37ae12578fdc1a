/*
 * A session's segment is not trusted: whatever its bytes are, a reader follows no offset out of it,
 * terminates, and produces rows. The input is a segment's file; its magic and version are corrected, since a
 * fuzzer learns nothing from guessing them.
 */
#include "fuzz.h"
#include "scratch.h"

#include "../../tracer/clock/clock.h"
#include "../../tracer/collect/source.h"
#include "../../tracer/diagnose/live.h"
#include "../../tracer/session/wait_facts.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#define EVENTS 65536u /* read from all rings of one segment, at most */

static struct grosr_batch batch;
static struct grosr_store *store;

static void prepare(void)
{
    if (!batch.event) {
        batch.events_max = EVENTS;
        batch.bytes_max = 2 * GROSR_RECORD_MAX;
        batch.runs_max = 8192;
        batch.event = (struct grosr_pair *)malloc(batch.events_max * sizeof(*batch.event));
        batch.run = (struct grosr_run *)malloc(batch.runs_max * sizeof(*batch.run));
        batch.byte = (unsigned char *)malloc(batch.bytes_max);
        if (!batch.event || !batch.run || !batch.byte)
            abort();
    }
    batch.events = batch.runs = batch.samples = batch.heaps = batch.bytes = 0;
    store = scratch_store();
}

static void build(struct grosr_source *s)
{
    struct grosr_ring_counts sum = {0};

    if (grosr_source_begin(s, store))
        return;
    grosr_clock_fetch(&s->clock, s->session);
    for (uint32_t i = 0; i < batch.runs; i++) {
        const struct grosr_run *run = &batch.run[i];
        if (run->ring >= s->session->header.rings)
            grosr_records_add(s->records, run->ring - s->session->header.rings, batch.byte + run->at,
                              run->count);
        else
            grosr_source_build(s, run->ring, run->first, batch.event + run->at, run->count, s->end_ns);
    }
    for (uint32_t i = 0; i < batch.heaps; i++)
        grosr_source_write_heap(s, store, &batch.heap[i]);
    grosr_source_write_counters(s, store, true, &sum);
    grosr_source_finish(s, store);
    grosr_store_commit(store);
}

static void diagnose(const struct grosr_session *session)
{
    struct grosr_findings findings;

    grosr_findings_init(&findings, 1000000000);
    if (!grosr_diagnose_session(session, NULL, &findings))
        grosr_findings_settle(&findings);
    grosr_findings_free(&findings);
}

static void read_session(struct grosr_session *session)
{
    struct grosr_source *s;

    for (uint32_t i = 0; i < session->header.queues; i++)
        grosr_session_queue_oldest(session, i);
    for (uint32_t i = 0; i < 8; i++)
        grosr_session_name(session, i % 3, i);
    for (uint32_t i = 0; i < session->header.workers; i++) {
        struct grosr_wait_facts facts;
        char text[200];
        if (!grosr_wait_facts_read(session, i, &facts))
            continue;
        grosr_wait_facts_describe(&facts, text, sizeof(text));
        if (facts.holder != GROSR_WAIT_NOBODY && facts.holder >= session->header.workers)
            abort();
        grosr_wait_facts_missing(session, &facts, &facts.index, 1);
    }
    diagnose(session);
    if (grosr_source_open(&s, session, true, -1)) {
        grosr_session_close(session);
        return;
    }
    prepare();
    for (int i = 0; i < 64 && !grosr_source_is_over(s, i == 63); i++) {
        grosr_source_drain(s, &batch);
        grosr_source_sample(s, &batch, 1);
    }
    build(s);
    grosr_source_release(s);
    free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct grosr_session_header head;
    struct grosr_session *session;
    char path[64];

    if (size < sizeof(head))
        return 0;
    int fd = memfd_create("segment", MFD_CLOEXEC);
    memcpy(&head, data, sizeof(head));
    head.magic = GROSR_SESSION_MAGIC;
    head.abi = GROSR_SESSION_ABI;
    head.header_bytes = sizeof(head);
    head.segment_bytes = size;
    if (fd < 0 || pwrite(fd, data, size, 0) != (ssize_t)size ||
        pwrite(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head))
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (grosr_session_open_copy(&session, path) == 0)
        read_session(session);
    close(fd);
    return 0;
}
