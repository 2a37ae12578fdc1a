/*
 * Writes the inputs that fuzzing starts from: seeds tests/fuzz/corpus. Small segments, laid out by hand
 * because a real one has 4,096 clock snapshots; chunks; records; core dumps; and corpus/trace/whole.sql once
 * more, as a database and as rows (trace.c). What is SQL in corpus/trace was written as it is.
 */
#include "../../schema/schema.h"
#include "../../tracer/store/chunk.h"
#include "../../tracer/session/heap_counters.h"
#include "../../tracer/session/outstanding.h"
#include "../../tracer/session/record.h"
#include "../../tracer/session/session.h"
#include "../coredump_writer.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES    65536
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
                                         GROSR_EV_TASK_SUSPEND, GROSR_EV_LOST,       GROSR_EV_HEAP_TASK,
                                         GROSR_EV_MALLOC,       GROSR_EV_FREE,       GROSR_EV_LARGE_MALLOC,
                                         GROSR_EV_SLAB_ACQUIRE, GROSR_EV_HEAP_ERROR};
        uint32_t kind =
            index == WORKERS ? (uint32_t)GROSR_EV_TASK_ENQUEUE : kinds[i % (sizeof(kinds) / sizeof(*kinds))];
        uint64_t payload = kind == GROSR_EV_WAIT_BEGIN || kind == GROSR_EV_WAIT_END
                               ? grosr_payload_wait(GROSR_RES_QUEUE_NOT_EMPTY, 0)
                               : grosr_payload_task(1, i / 3);
        event(&slot[i % CAPACITY], i / CAPACITY + 1, kind, 1000 + 100 * i, payload);
    }
    if (events % 2)
        sys_store_relaxed(&ring->closed_at, events + 1);
}

/* What a process is in: two calls, a launch of each kind in a stream that is captured, texts. */
static void fill_outstanding(struct grosr_session_header *h)
{
    static const char name[] = "\5\0\0\0spin_";

    h->call_slots = 2;
    h->launch_slots = 8;
    h->cuda_streams = 2;
    h->text_bytes = 128;
    take(&h->outstanding_at, sizeof(struct grosr_outstanding));
    struct grosr_call_slot *call = (struct grosr_call_slot *)take(&h->call_slots_at, 2 * sizeof(*call));
    struct grosr_launch_slot *launch =
        (struct grosr_launch_slot *)take(&h->launch_slots_at, 8 * sizeof(*launch));
    struct grosr_cuda_stream *stream =
        (struct grosr_cuda_stream *)take(&h->cuda_streams_at, 2 * sizeof(*stream));
    unsigned char *text = (unsigned char *)take(&h->texts_at, 128);
    struct grosr_outstanding *o = (struct grosr_outstanding *)(void *)(segment + h->outstanding_at);

    memcpy(text + 8, name, sizeof(name));
    dev_store_relaxed(&o->calls_used, 2);
    sys_store_relaxed(&o->alive_ns, UINT64_C(5000000000));
    dev_store_relaxed(&o->event_wait[1].number, 1);
    sys_store_relaxed(&o->event_wait[1].on_place, 7);
    sys_store_relaxed(&o->host_thread[0].sequence, 1);
    sys_store_relaxed(&o->host_thread[0].state, GROSR_HOST_THREAD_MUTEX);
    sys_store_relaxed(&o->host_thread[0].function, 4);
    dev_store_relaxed(&stream[0].key, 9);
    dev_store_relaxed(&stream[0].issued, 7);
    dev_store_relaxed(&stream[0].ended, 1);
    sys_store_relaxed(&stream[0].capture_ns, 1500);
    for (uint32_t i = 0; i < 2; i++) {
        sys_store_relaxed(&call[i].sequence, 1 + 2 * i);
        sys_store_relaxed(&call[i].start_ns, 1000 + i);
        sys_store_relaxed(&call[i].name, 8);
        sys_store_relaxed(&call[i].api, 2 * i);
        sys_store_relaxed(&call[i].wait, 1);
    }
    for (uint32_t i = 1; i < 7; i++) {
        dev_store_relaxed(&o->issued[i % GROSR_LAUNCH_COUNTED], 3);
        dev_store_relaxed(&launch[i].what, (uint64_t)i << 32 | i << 8 | 2);
        sys_store_relaxed(&launch[i].place, i);
        sys_store_relaxed(&launch[i].name, 8);
    }
}

/* Worker 0 waits for a lock that worker 1 holds, which waits at a barrier. */
static void fill_waits(struct grosr_worker_entry *worker, struct grosr_wait_entry *wait)
{
    for (uint32_t i = 0; i < WORKERS; i++) {
        const uint64_t kind = i ? GROSR_WAIT_BARRIER : GROSR_WAIT_LOCK, time = 2000 + i;
        const uint64_t resource = grosr_payload_resource(1, i);
        struct grosr_pair e =
            grosr_event_pack(UINT64_C(1) << GROSR_LAP_SHIFT, GROSR_EV_WAIT_BEGIN, time, resource);
        sys_store_pair_relaxed(&worker[i].state, e.lo, e.hi);
        sys_store_relaxed(&worker[i].sm, i + 1);
        sys_store_relaxed(&wait[i].sequence, UINT64_C(2));
        sys_store_relaxed(&wait[i].stated, kind << GROSR_WAIT_KIND_SHIFT | time);
        sys_store_relaxed(&wait[i].resource, UINT64_C(1) << 32 | i);
        sys_store_relaxed(&wait[i].wanted, UINT64_C(2) * i);
        sys_store_relaxed(&wait[i].seen, i ? UINT64_C(1) : UINT64_C(2) << GROSR_LOCK_HOLDER_SHIFT | 1500);
        sys_store_relaxed(&wait[i].since, time);
    }
}

/* A segment with `events` in each ring; its clock is the host's or has two snapshots. */
static void make(unsigned events, bool host_clock, unsigned queues, unsigned streams, unsigned heaps)
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
    h->heaps = heaps;
    sys_store_relaxed(&h->state, (uint32_t)GROSR_SESSION_CLOSED);
    sys_store_relaxed(&h->device_epoch_ns, 900);

    struct grosr_name *name = (struct grosr_name *)take(&h->names_at, 2 * sizeof(*name));
    sys_store_relaxed(&name[0].space, (uint32_t)GROSR_NAME_FUNCTION);
    snprintf(name[0].text, sizeof(name[0].text), "f");
    sys_store_relaxed(&name[1].space, (uint32_t)GROSR_NAME_QUEUE);
    snprintf(name[1].text, sizeof(name[1].text), "q");
    struct grosr_worker_entry *worker =
        (struct grosr_worker_entry *)take(&h->workers_at, WORKERS * sizeof(*worker));
    struct grosr_wait_entry *wait = (struct grosr_wait_entry *)take(&h->waits_at, WORKERS * sizeof(*wait));
    fill_waits(worker, wait);
    struct grosr_ring *ring = (struct grosr_ring *)take(&h->rings_at, (WORKERS + 1) * sizeof(*ring));
    struct grosr_queue_entry *queue =
        (struct grosr_queue_entry *)take(&h->queues_at, queues * sizeof(*queue));
    struct grosr_snapshot *snap = (struct grosr_snapshot *)take(&h->snapshots_at, 2 * sizeof(*snap));
    struct grosr_stream *stream = (struct grosr_stream *)take(&h->streams_at, streams * sizeof(*stream));

    struct grosr_heap_entry *heap = (struct grosr_heap_entry *)take(&h->heaps_at, heaps * sizeof(*heap));

    for (unsigned i = 0; i < heaps; i++) {
        struct grosr_heap_counters c = {
            .arena_bytes = 1 << 20, .chunk_bytes = 65536, .classes = 1, .slab_chunks = 1};
        c.class_[0] = (struct grosr_heap_class){16, 4096, 1, 1, 5, 9, 4, 100, 0};
        sys_store_relaxed(&heap[i].published, 2);
        memcpy(&heap[i].copy[0], &c, sizeof(c));
    }
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
    if (streams)
        fill_outstanding(h);
    h->segment_bytes = end;
}

static const char *corpus;

static void save(const char *name, const void *bytes, size_t size)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/%s", corpus, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, size, f) != size || fclose(f)) {
        perror(path);
        exit(1);
    }
}

/* ---- chunks ---- */

static void save_chunk(const char *name, const struct grosr_pair *records, uint32_t count)
{
    static unsigned char bytes[sizeof(count) + GROSR_CHUNK_ROOM(600)];

    memcpy(bytes, &count, sizeof(count));
    save(name, bytes, sizeof(count) + grosr_chunk_encode(records, count, bytes + sizeof(count)));
}

/* Lanes that begin and end together; the same with more high bits than the dictionary takes; no order. */
static void chunks(void)
{
    static struct grosr_pair records[600];
    uint64_t time = UINT64_C(0xfffffffff000), odd = 88172645463325252u;

    for (uint32_t i = 0; i < 600; i++, time += i % 64 ? 0 : 320)
        records[i] = grosr_event_pack(0, i / 32 % 2 ? GROSR_EV_TASK_END : GROSR_EV_TASK_BEGIN, time,
                                      grosr_payload_task(1, i / 64 * 32 + i % 32));
    save_chunk("chunk/lanes", records, 600);
    for (uint32_t i = 0; i < 300; i++)
        records[i] =
            grosr_event_pack(0, GROSR_EV_TASK_BEGIN + i % 3, 10 * i, grosr_payload_task(i, 1000 - i));
    save_chunk("chunk/many-kinds", records, 300);
    for (uint32_t i = 0; i < 8; i++) {
        odd = odd * 6364136223846793005u + 1442695040888963407u;
        records[i] = (struct grosr_pair){odd, odd * odd};
    }
    save_chunk("chunk/raw", records, 8);
}

/* ---- records ---- */

static unsigned char stream[4096];
static size_t stream_bytes;

/* A record: its fixed part, whose header is set here, and its texts. */
static void record(uint32_t kind, void *fixed, size_t size, const char *text)
{
    struct grosr_record head = {(uint32_t)((size + strlen(text) + 7) / 8 * 8), kind};

    memcpy(fixed, &head, sizeof(head));
    memset(stream + stream_bytes, 0, head.bytes);
    memcpy(stream + stream_bytes, fixed, size);
    memcpy(stream + stream_bytes + size, text, strlen(text));
    stream_bytes += head.bytes;
}

static void nvtx(uint32_t kind, uint64_t time, uint32_t type, const char *words)
{
    struct grosr_record_nvtx r = {.time = time,
                                  .tid = 5,
                                  .domain = 1,
                                  .range = 9,
                                  .payload = 0x3ff8000000000000u,
                                  .category = 3,
                                  .color = 0xff00ff00u,
                                  .text = *words ? 0 : 1,
                                  .text_bytes = (uint16_t)strlen(words),
                                  .payload_type = (uint16_t)type};
    record(kind, &r, sizeof(r), words);
}

static void nvtx_end(uint32_t kind, uint64_t time)
{
    struct grosr_record_nvtx_end r = {.time = time, .tid = 5, .domain = 1, .range = 9};
    record(kind, &r, sizeof(r), "");
}

/* One of each kind; the first byte leaves most of it to the first stream. */
static void records(void)
{
    struct grosr_record_note note = {.time = 2000, .topic_bytes = 2, .text_bytes = 5};
    struct grosr_record_text words = {.number = 1, .text_bytes = 6};

    stream[0] = 200;
    stream_bytes = 1;
    record(GROSR_RECORD_NOTE, &note, sizeof(note), "a:words");
    record(GROSR_RECORD_TEXT, &words, sizeof(words), "string");
    for (uint32_t kind = GROSR_RECORD_THREAD_NAME; kind <= GROSR_RECORD_NVTX_CATEGORY; kind++) {
        struct grosr_record_name name = {.tid = 5,
                                         .object = kind == GROSR_RECORD_OBJECT_NAME ? GROSR_OBJECT_STREAM : 0,
                                         .domain = 1,
                                         .category = 3,
                                         .handle = 4096,
                                         .number = 7,
                                         .text_bytes = 4};
        record(kind, &name, sizeof(name), "name");
    }
    for (uint32_t type = GROSR_NVTX_NONE; type <= GROSR_NVTX_FLOAT; type++)
        nvtx(GROSR_RECORD_NVTX_MARK, 3000 + type, type, type % 2 ? "mark" : "");
    nvtx(GROSR_RECORD_NVTX_PUSH, 4000, GROSR_NVTX_NONE, "outer");
    nvtx(GROSR_RECORD_NVTX_PUSH, 4100, GROSR_NVTX_NONE, "");
    nvtx_end(GROSR_RECORD_NVTX_POP, 4200);
    nvtx(GROSR_RECORD_NVTX_START, 4300, GROSR_NVTX_NONE, "range");
    nvtx_end(GROSR_RECORD_NVTX_END, 4400);
    nvtx_end(GROSR_RECORD_NVTX_END, 4500); /* before its beginning */
    nvtx(GROSR_RECORD_NVTX_START, 4450, GROSR_NVTX_NONE, "late");
    struct {
        struct grosr_record_syscalls packet;
        struct grosr_record_syscall call[2];
    } calls = {{.issued_ns = 5000, .resumed_ns = 5900, .seen_ns = 5300, .port = 3, .count = 2},
               {{.task = 1, .done_ns = 5500, .result = 64, .handle = 5, .call = 6},
                {.task = 2, .done_ns = 5600, .result = -9, .handle = 6, .call = 4}}};
    record(GROSR_RECORD_SYSCALLS, &calls, sizeof(calls), "");
    save("records/each", stream, stream_bytes);
}

/* ---- traces ---- */

static unsigned char rows[65536];
static size_t row_bytes;

static void put(uint64_t value, size_t bytes)
{
    if (row_bytes + bytes > sizeof(rows))
        abort();
    memcpy(rows + row_bytes, &value, bytes);
    row_bytes += bytes;
}

/* A value as trace.c takes it. */
static void put_value(sqlite3_stmt *row, int column)
{
    int64_t integer = sqlite3_column_int64(row, column);
    int type = sqlite3_column_type(row, column), bytes = sqlite3_column_bytes(row, column);
    double real = sqlite3_column_double(row, column);
    uint64_t bits;

    memcpy(&bits, &real, sizeof(bits));
    if (type == SQLITE_NULL) {
        put(0, 1);
    } else if (type == SQLITE_INTEGER && integer >= 0 && integer < 16) {
        put((uint64_t)integer << 4 | 1, 1);
    } else if (type == SQLITE_INTEGER) {
        bool small = integer >= 0 && integer < 65536;
        put(small ? 7 : 10, 1);
        put((uint64_t)integer, small ? 2 : 8);
    } else if (type == SQLITE_FLOAT) {
        put(12, 1);
        put(bits, 8);
    } else {
        const unsigned char *text = (const unsigned char *)sqlite3_column_blob(row, column);
        put(type == SQLITE_BLOB ? 13 : 14, 1);
        put((uint64_t)bytes, 1);
        for (int i = 0; i < bytes; i++)
            put(text[i], 1);
    }
}

static void run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fprintf(stderr, "seeds: %s\n", sqlite3_errmsg(db));
        exit(1);
    }
}

static void table_rows(sqlite3 *db, const char *table, unsigned number)
{
    char *sql = sqlite3_mprintf("SELECT * FROM \"%w\"", table);
    sqlite3_stmt *row = NULL;

    sqlite3_prepare_v2(db, sql, -1, &row, NULL);
    while (sqlite3_step(row) == SQLITE_ROW) {
        put(number, 1);
        for (int i = 0; i < sqlite3_column_count(row); i++)
            put_value(row, i);
    }
    sqlite3_finalize(row);
    sqlite3_free(sql);
}

static void traces(void)
{
    static char sql[16384];
    char path[1024], pragmas[128];
    sqlite3_stmt *table = NULL;
    sqlite3_int64 size;
    sqlite3 *db = NULL;

    snprintf(path, sizeof(path), "%s/trace/whole.sql", corpus);
    FILE *f = fopen(path, "r");
    if (!f || fread(sql, 1, sizeof(sql) - 1, f) == 0) {
        perror(path);
        exit(1);
    }
    fclose(f);
    snprintf(pragmas, sizeof(pragmas),
             "PRAGMA page_size=512; PRAGMA application_id=%d; PRAGMA user_version=%d", GROSR_APPLICATION_ID,
             GROSR_SCHEMA_VERSION);
    if (sqlite3_open(":memory:", &db) != SQLITE_OK)
        exit(1);
    run(db, pragmas);
    run(db, grosr_sql_tables);
    run(db, sql);
    unsigned char *bytes = sqlite3_serialize(db, "main", &size, 0);
    if (!bytes)
        exit(1);
    save("trace/database", bytes, (size_t)size);
    sqlite3_free(bytes);
    sqlite3_prepare_v2(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid", -1, &table,
                       NULL);
    for (unsigned number = 0; sqlite3_step(table) == SQLITE_ROW; number++)
        table_rows(db, (const char *)sqlite3_column_text(table, 0), number);
    sqlite3_finalize(table);
    sqlite3_close(db);
    save("trace/rows", rows, row_bytes);
}

/* ---- core dumps ---- */

static void save_dump(const char *name, struct bytes file)
{
    save(name, file.at, file.size);
    free(file.at);
}

/* One warp; warps at barriers; two devices, a failure, and what has no module. */
static void dumps(void)
{
    static const unsigned at[] = {52, IMAGE_BARRIER, IMAGE_GRID_SYNC};
    struct dump d = {.registers = 1};
    uint32_t device = dump_device(&d, "GPU"), other = dump_device(&d, "other");

    save_dump("coredump/one", dump_simple(1, 1, at, 1));
    save_dump("coredump/barriers", dump_simple(4, 1, at, 3));
    uint32_t image = dump_image(&d, device, image_make(IMAGE_ADDRESS, 0));
    uint32_t grid = dump_grid(&d, device, image, IMAGE_ADDRESS, 1, 64);
    uint32_t none = dump_grid(&d, other, 7, 0x5000, 1, 32);
    uint32_t sm = dump_sm(&d, device, 3), sm1 = dump_sm(&d, other, 1);
    uint32_t warp = dump_warp(&d, dump_block(&d, sm, grid, 0), 0, 7, 3);
    uint32_t last = dump_warp(&d, dump_block(&d, sm1, none, 0), 0, 1, 1);
    for (uint32_t lane = 0; lane < 3; lane++)
        dump_lane(&d, warp, lane, lane, IMAGE_ADDRESS + 160 * lane);
    dump_lane(&d, last, 0, 0, 0x5010);
    set64(&d, DUMP_WARP, warp, 0, IMAGE_ADDRESS + 400);
    set32(&d, DUMP_WARP, warp, 24, 1);
    set32(&d, DUMP_LANE, 1, 32, 14);
    set32(&d, DUMP_SM, sm1, 8, 12);
    save_dump("coredump/devices", dump_finish(&d));
}

/* A warp that polls, with registers of its lanes and its own, arguments, and memory. */
static void registers(void)
{
    static const uint64_t arguments[2] = {UINT64_C(0x7f3000010000), 3};
    struct dump d = {.memory_at = UINT64_C(0x7f3000010000)};
    uint32_t device = dump_device(&d, "GPU");
    uint32_t image = dump_image(&d, device, image_make(IMAGE_ADDRESS, 1));
    uint32_t grid = dump_grid(&d, device, image, IMAGE_ADDRESS, 1, 32);
    uint32_t warp = dump_whole_warp(&d, dump_block(&d, dump_sm(&d, device, 0), grid, 0), 0, IMAGE_POLL);

    dump_arguments(&d, grid, arguments, sizeof(arguments));
    for (uint32_t lane = 0; lane < 32; lane++) {
        dump_register_pair(&d, DUMP_LANE, lane, 7);
        dump_register_pair(&d, DUMP_LANE, lane, arguments[0]);
        dump_register_pair(&d, DUMP_LANE, lane, IMAGE_TABLE + 4 * lane);
    }
    dump_register_pair(&d, DUMP_WARP, warp, IMAGE_FLAG);
    bytes_add(&d.memory, arguments, sizeof(arguments));
    save_dump("coredump/registers", dump_finish(&d));
}

/* A module of its own, with loops. */
static void image(void)
{
    uint64_t code[IMAGE_INSTRUCTIONS][2];

    for (unsigned i = 0; i < IMAGE_INSTRUCTIONS; i++)
        code[i][0] = IMAGE_NOP, code[i][1] = 0;
    image_branch(code[30], 30, 20);
    image_branch(code[25], 25, 25);
    save_dump("coredump/image", image_of(IMAGE_KERNEL, code, 0, 1));
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: seeds tests/fuzz/corpus\n");
        return 2;
    }
    corpus = argv[1];
    make(0, true, 0, 0, 0);
    save("segment/empty", segment, (size_t)end);
    make(5, true, 1, 0, 0);
    save("segment/few", segment, (size_t)end);
    make(40, false, 1, 0, 0);
    save("segment/lapped", segment, (size_t)end);
    make(9, false, 2, 1, 0);
    save("segment/streams", segment, (size_t)end);
    make(20, true, 1, 0, 1);
    save("segment/heap", segment, (size_t)end);
    chunks();
    records();
    traces();
    dumps();
    registers();
    image();
    return 0;
}
