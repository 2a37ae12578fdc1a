/*
 * Writes the inputs that fuzzing starts from: seeds FOLDER. Small segments, laid out by hand because a real
 * one has 4,096 clock snapshots.
 */
#include "../../tracer/record.h"
#include "../../tracer/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES    16384
#define WORKERS  2u
#define CAPACITY 16u

static _Alignas(128) unsigned char segment[BYTES];
static uint64_t end;

static void *take(uint64_t *at, size_t bytes)
{
    end = (end + 127) / 128 * 128;
    *at = end;
    end += bytes;
    if (end > BYTES)
        abort();
    return segment + *at;
}

static void event(sys128 *slot, uint64_t lap, uint32_t kind, uint64_t time, uint64_t payload)
{
    struct grosr_pair e = grosr_event_pack(lap << GROSR_LAP_SHIFT, kind, time, payload);
    sys_store_pair_relaxed(slot, e.lo, e.hi);
}

static void fill_ring(struct grosr_ring *ring, uint32_t index, unsigned events)
{
    sys128 *slot = (sys128 *)take(&ring->slots_at, (CAPACITY + 1) * sizeof(sys128));

    ring->capacity = CAPACITY;
    ring->worker = index < WORKERS ? index : GROSR_RING_HOST;
    for (unsigned i = 0; i < events; i++) {
        static const uint32_t kinds[] = {GROSR_EV_WORKER_START, GROSR_EV_TASK_BEGIN, GROSR_EV_TASK_END,
                                         GROSR_EV_WAIT_BEGIN,   GROSR_EV_WAIT_END,   GROSR_EV_TASK_SPAWN,
                                         GROSR_EV_TASK_SUSPEND, GROSR_EV_LOST};
        uint32_t kind = index == WORKERS ? (uint32_t)GROSR_EV_TASK_ENQUEUE : kinds[i % 8];
        uint64_t payload = kind == GROSR_EV_WAIT_BEGIN || kind == GROSR_EV_WAIT_END
                               ? grosr_payload_wait(GROSR_RES_QUEUE_NOT_EMPTY, 0)
                               : grosr_payload_task(1, i / 3);
        event(&slot[i % CAPACITY], i / CAPACITY + 1, kind, 1000 + 100 * i, payload);
    }
    if (events % 2)
        sys_store_relaxed(&ring->closed_at, events + 1);
}

/* A segment with `events` in each ring; its clock is the host's or has two snapshots. */
static void make(unsigned events, bool host_clock, unsigned queues, unsigned streams)
{
    struct grosr_session_header *h = (struct grosr_session_header *)(void *)segment;

    memset(segment, 0, sizeof(segment));
    end = sizeof(*h);
    h->magic = GROSR_SESSION_MAGIC;
    h->abi = GROSR_SESSION_ABI;
    h->header_bytes = sizeof(*h);
    h->pid = 1;
    h->start_mono_ns = 500;
    snprintf(h->device, sizeof(h->device), "host");
    h->sms = 1;
    h->device_clock_is_host = host_clock;
    h->names = 2;
    h->workers = WORKERS;
    h->rings = WORKERS + 1;
    h->queues = queues;
    h->snapshots = 2;
    h->streams = streams;
    sys_store_relaxed(&h->state, (uint32_t)GROSR_SESSION_CLOSED);
    sys_store_relaxed(&h->device_epoch_ns, 900);

    struct grosr_name *name = (struct grosr_name *)take(&h->names_at, 2 * sizeof(*name));
    sys_store_relaxed(&name[0].space, (uint32_t)GROSR_NAME_FUNCTION);
    snprintf(name[0].text, sizeof(name[0].text), "f");
    sys_store_relaxed(&name[1].space, (uint32_t)GROSR_NAME_QUEUE);
    snprintf(name[1].text, sizeof(name[1].text), "q");
    take(&h->workers_at, WORKERS * sizeof(struct grosr_worker_entry));
    struct grosr_ring *ring = (struct grosr_ring *)take(&h->rings_at, (WORKERS + 1) * sizeof(*ring));
    struct grosr_queue_entry *queue =
        (struct grosr_queue_entry *)take(&h->queues_at, queues * sizeof(*queue));
    struct grosr_snapshot *snap = (struct grosr_snapshot *)take(&h->snapshots_at, 2 * sizeof(*snap));
    struct grosr_stream *stream = (struct grosr_stream *)take(&h->streams_at, streams * sizeof(*stream));

    for (unsigned i = 0; i < 2 && !host_clock; i++) {
        sys_store_relaxed(&snap[i].host_before_ns, 10000 * i + 1000);
        sys_store_relaxed(&snap[i].host_after_ns, 10000 * i + 1200);
        sys_store_relaxed(&snap[i].device_ns, 10000 * i + 1050);
    }
    sys_store_relaxed(&h->snapshots_taken, host_clock ? 0 : 2);
    for (uint32_t i = 0; i <= WORKERS; i++)
        fill_ring(&ring[i], i, events + i);
    for (unsigned i = 0; i < queues; i++) {
        queue[i].capacity = 8;
        queue[i].ports = 1;
        queue[i].chunk = 4;
        queue[i].chunks = 4;
        take(&queue[i].ports_at, sizeof(struct grosr_queue_port));
        take(&queue[i].chunk_times_at, 4 * sizeof(sys64));
        sys_store_relaxed(&queue[i].enqueued, 5);
    }
    for (unsigned i = 0; i < streams; i++) {
        struct grosr_record_note note = {{sizeof(note) + 8, GROSR_RECORD_NOTE}, 2000, 2, 5, 0};
        unsigned char *bytes = (unsigned char *)take(&stream[i].bytes_at, 4096);
        stream[i].capacity = 4096;
        memcpy(bytes, &note, sizeof(note));
        memcpy(bytes + sizeof(note), "a:words", 7);
        sys_store_relaxed(&stream[i].written_to, note.head.bytes);
        sys_store_relaxed(&stream[i].written, 1);
    }
    h->segment_bytes = end;
}

static int save(const char *folder, const char *name)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(segment, 1, (size_t)end, f) != end || fclose(f)) {
        perror(path);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    int failed = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: seeds FOLDER\n");
        return 2;
    }
    make(0, true, 0, 0);
    failed |= save(argv[1], "empty");
    make(5, true, 1, 0);
    failed |= save(argv[1], "few");
    make(40, false, 1, 0);
    failed |= save(argv[1], "lapped");
    make(9, false, 2, 1);
    failed |= save(argv[1], "streams");
    return failed;
}
