/*
 * Records become rows: whatever order two streams are read in, and whatever a record holds.
 */
#include "../fixture.h"

#include "../../tracer/session/record.h"
#include "../../tracer/rows/records.h"

#include <unistd.h>

static char path[] = "/tmp/grosr-records-XXXXXX";

struct bench {
    struct grosr_session *session;
    struct grosr_store *store;
    struct grosr_bases bases;
    struct grosr_clock clock;
    struct grosr_records *records;
};

static void open_bench(struct bench *b)
{
    struct grosr_session_options o = {.device = "process",
                                      .device_name = "test",
                                      .program = "test",
                                      .lanes = 1,
                                      .device_clock_is_host = true,
                                      .host_ring_events = 8,
                                      .streams = 2,
                                      .stream_bytes = 4096};

    b->clock = (struct grosr_clock){.is_host = true};
    if (grosr_session_create(&b->session, &o) || grosr_store_create(&b->store, path) ||
        grosr_store_add_session(b->store, b->session, &b->bases) ||
        grosr_records_create(&b->records, b->session, &b->bases, &b->clock, b->store)) {
        printf("Bail out! %s\n", grosr_error());
        exit(1);
    }
}

static void close_bench(struct bench *b)
{
    is(grosr_records_finish(b->records), 0, "finished");
    grosr_records_free(b->records);
    is(grosr_store_finish(b->store, NULL), 0, "and stored");
    grosr_store_close(b->store);
    grosr_session_close(b->session);
}

/* One number that a query on the file gives. */
static int64_t ask(const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    int64_t answer = -1;

    if (grosr_store_open_read(&db, path) == 0 &&
        sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        answer = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return answer;
}

static void add(struct bench *b, uint32_t stream, const void *record, size_t bytes, const char *text)
{
    unsigned char whole[512] = {0};
    struct grosr_record head;

    memcpy(whole, record, bytes);
    memcpy(whole + bytes, text, strlen(text));
    memcpy(&head, whole, sizeof(head));
    head.bytes = (uint32_t)(bytes + strlen(text) + 7) / 8 * 8;
    memcpy(whole, &head, sizeof(head));
    if (grosr_records_add(b->records, stream, whole, head.bytes))
        ok(false, "added: %s", grosr_error());
}

static void add_event(struct bench *b, uint32_t stream, uint32_t kind, uint64_t time, uint64_t range,
                      uint32_t number, const char *text)
{
    struct grosr_record_nvtx r = {.head = {0, kind},
                                  .time = (uint64_t)b->bases.origin_ns + time,
                                  .tid = 5,
                                  .range = range,
                                  .text = number,
                                  .text_bytes = (uint16_t)strlen(text)};

    add(b, stream, &r, sizeof(r), text);
}

static void add_end(struct bench *b, uint32_t stream, uint32_t kind, uint64_t time, uint32_t tid,
                    uint64_t range)
{
    struct grosr_record_nvtx_end r = {
        .head = {0, kind}, .time = (uint64_t)b->bases.origin_ns + time, .tid = tid, .range = range};

    add(b, stream, &r, sizeof(r), "");
}

static void add_text(struct bench *b, uint32_t stream, uint32_t number, const char *text)
{
    struct grosr_record_text r = {
        .head = {0, GROSR_RECORD_TEXT}, .number = number, .text_bytes = (uint32_t)strlen(text)};

    add(b, stream, &r, sizeof(r), text);
}

static void order(void)
{
    struct bench b;

    open_bench(&b);
    add_end(&b, 1, GROSR_RECORD_NVTX_END, 900, 6, 42);
    add_event(&b, 0, GROSR_RECORD_NVTX_START, 100, 42, 0, "ended before it began");
    add_end(&b, 0, GROSR_RECORD_NVTX_POP, 150, 5, 0); /* nothing to pop */
    add_event(&b, 0, GROSR_RECORD_NVTX_PUSH, 200, 0, 0, "long");
    add_event(&b, 0, GROSR_RECORD_NVTX_PUSH, 3000000000, 0, 0, "short");
    uint64_t origin = (uint64_t)b.bases.origin_ns;
    is(grosr_records_tick(b.records, origin + 3000000100), 0, "a second has passed");
    is(grosr_store_commit(b.store), 0, "committed");
    is(ask("SELECT count(*) FROM NVTX_EVENTS WHERE text = 'long' AND end IS NULL"), 1,
       "what is open for a second is a row");
    is(ask("SELECT count(*) FROM NVTX_EVENTS WHERE text = 'short'"), 0, "a younger range is not yet");
    add_end(&b, 0, GROSR_RECORD_NVTX_POP, 3000000200, 5, 0);
    add_end(&b, 0, GROSR_RECORD_NVTX_POP, 3000000300, 5, 0);
    /* Numbers of strings are each stream's own. */
    add_text(&b, 0, 1, "zero");
    add_text(&b, 1, 1, "one");
    add_text(&b, 1, 2, "zero");
    add_event(&b, 0, GROSR_RECORD_NVTX_MARK, 1, 0, 1, "");
    add_event(&b, 1, GROSR_RECORD_NVTX_MARK, 2, 0, 1, "");
    add_event(&b, 1, GROSR_RECORD_NVTX_MARK, 3, 0, 2, "");
    add_event(&b, 0, GROSR_RECORD_NVTX_MARK, 4, 0, 7, "");
    close_bench(&b);
    is(ask("SELECT end - start FROM NVTX_EVENTS WHERE rangeId = 42"), 800,
       "an end read before the beginning finds it");
    is(ask("SELECT endGlobalTid & 0xffffff FROM NVTX_EVENTS WHERE rangeId = 42"), 6, "and has who ended it");
    is(ask("SELECT count(*) FROM NVTX_EVENTS WHERE text = 'long'"), 1, "a range has one row");
    is(ask("SELECT end FROM NVTX_EVENTS WHERE text = 'long'"), 3000000300, "completed when it ends");
    is(ask("SELECT end FROM NVTX_EVENTS WHERE text = 'short'"), 3000000200, "ranges nest");
    is(ask("SELECT count(*) FROM NVTX_EVENTS WHERE eventType = 34 AND textId IS NULL"), 1,
       "an unknown string has no text");
    is(ask("SELECT count(*) FROM StringIds"), 2, "a string is stored once");
    is(ask("SELECT count(*) FROM NVTX_EVENTS a, NVTX_EVENTS b WHERE a.start = 1 AND b.start = 3 AND "
           "a.textId = b.textId"),
       1, "the same for both streams");
}

static void add_part(struct bench *b, uint32_t number, uint32_t offset, uint32_t total, const char *text)
{
    struct grosr_record_part r = {.head = {0, GROSR_RECORD_TEXT_PART},
                                  .number = number,
                                  .text_bytes = (uint32_t)strlen(text),
                                  .offset = offset,
                                  .total = total};

    add(b, 0, &r, sizeof(r), text);
}

/* Parts of a string, which threads may interleave, and of which some may have been dropped. */
static void parts(void)
{
    struct bench b;

    open_bench(&b);
    add_part(&b, 1, 0, 9, "one");
    add_part(&b, 2, 0, 6, "two");
    add_part(&b, 1, 0, 9, "one"); /* another thread's */
    add_part(&b, 1, 3, 9, "two");
    add_part(&b, 1, 3, 9, "two");
    add_part(&b, 1, 6, 9, "333");
    add_part(&b, 2, 5, 6, "x"); /* a part before it was dropped */
    add_part(&b, 2, 0, 6, "two");
    add_part(&b, 2, 3, 6, "twelve"); /* more than it promised */
    add_part(&b, 3, 3, 6, "the second half alone");
    add_part(&b, 4, 0, UINT32_MAX, "too long");
    add_part(&b, 0, 0, 3, "has no number");
    for (uint32_t i = 1; i <= 4; i++)
        add_event(&b, 0, GROSR_RECORD_NVTX_MARK, i, 0, i, "");
    add_part(&b, 2, 3, 6, "tee");
    add_event(&b, 0, GROSR_RECORD_NVTX_MARK, 5, 0, 2, "");
    add_event(&b, 0, GROSR_RECORD_NVTX_MARK, 6, 0, 0, "");
    add_event(&b, 0, GROSR_RECORD_NVTX_MARK, 7, 0, GROSR_RECORD_NO_TEXT, "");
    close_bench(&b);
    is(ask("SELECT count(*) FROM StringIds WHERE value IN ('onetwo333', 'twotee')"), 2, "parts make strings");
    is(ask("SELECT count(*) FROM StringIds"), 2, "and nothing else");
    is(ask("SELECT group_concat(start, '') FROM ranges WHERE name IS NOT NULL"), 156,
       "which have their names when they are whole; an empty text is one");
    is(ask("SELECT count(*) FROM GROSR_NOTE WHERE text LIKE '2 damaged records%'"), 1,
       "what no writer writes is noted");
}

/* Bytes of any kind are read without harm; that some were damaged is noted. */
static void damaged(void)
{
    struct bench b;
    uint64_t seed = 88172645463325252u;
    unsigned char bytes[256];

    open_bench(&b);
    for (int round = 0; round < 20000; round++) {
        struct grosr_record head = {8 * (uint32_t)(1 + tap_random(&seed) % 31),
                                    (uint32_t)(tap_random(&seed) % 40)};
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = tap_random(&seed) % 3 ? 0 : (unsigned char)tap_random(&seed);
        memcpy(bytes, &head, sizeof(head));
        if (grosr_records_add(b.records, (uint32_t)round % 2, bytes, head.bytes))
            ok(false, "round %d: %s", round, grosr_error());
    }
    close_bench(&b);
    is(ask("SELECT count(*) FROM GROSR_NOTE WHERE topic = 'records' AND text LIKE '%damaged%'"), 1,
       "20,000 random records: that some were damaged is noted");
    ok(ask("SELECT count(*) FROM NVTX_EVENTS") > 200, "those that are whole become rows");
}

/* A program that ends what it never began fills a table of so many and no more; what comes then is a row. */
static void held(void)
{
    struct grosr_record_nvtx_end end = {.head = {sizeof(end), GROSR_RECORD_NVTX_END}, .time = 10, .tid = 1};
    struct grosr_record_nvtx push = {
        .head = {0, GROSR_RECORD_NVTX_PUSH}, .time = 20, .tid = 1, .text_bytes = 4};
    struct grosr_record_nvtx_end pop = {.head = {0, GROSR_RECORD_NVTX_POP}, .time = 30, .tid = 1};
    struct bench b;
    int err = 0;

    open_bench(&b);
    for (end.range = 1; !err && end.range <= 1u << 18; end.range++)
        err = grosr_records_add(b.records, 0, (const unsigned char *)&end, sizeof(end));
    is(err, 0, "262,144 ends without a beginning");
    add(&b, 0, &push, sizeof(push), "more");
    add(&b, 0, &pop, sizeof(pop), "");
    close_bench(&b);
    is(ask("SELECT count(*) FROM NVTX_EVENTS"), 1, "a range after them is a row");
    is(ask("SELECT count(*) FROM NVTX_EVENTS WHERE end IS NULL AND text = 'more'"), 1,
       "and is not held for its end");
}

static struct grosr_record_cuda_kernel kernel_of(const struct bench *b, uint32_t state, uint64_t number,
                                                 uint64_t start, uint64_t end)
{
    return (struct grosr_record_cuda_kernel){.head = {0, GROSR_RECORD_CUDA_KERNEL},
                                             .start = (uint64_t)b->bases.origin_ns + start,
                                             .end = end ? (uint64_t)b->bases.origin_ns + end : 0,
                                             .state = state,
                                             .persistent = number};
}

/* Rows of what has not ended yet, and ends of what has no row. */
static void cuda_ends(void)
{
    struct bench b;

    open_bench(&b);
    struct grosr_record_cuda_kernel k = kernel_of(&b, GROSR_CUDA_KERNEL_ENDS, 9, 10, 20);
    add(&b, 0, &k, sizeof(k), "");
    k = kernel_of(&b, GROSR_CUDA_KERNEL_STARTS, 1, 100, 0);
    add(&b, 0, &k, sizeof(k), "");
    struct grosr_record_cuda_call c = {.head = {0, GROSR_RECORD_CUDA_CALL},
                                       .start = (uint64_t)b.bases.origin_ns + 200,
                                       .tid = 5,
                                       .result = 3};
    add(&b, 0, &c, sizeof(c), "");
    is(grosr_store_commit(b.store), 0, "committed");
    is(ask("SELECT count(*) FROM CUPTI_ACTIVITY_KIND_KERNEL"), 1, "an end without a beginning is no row");
    is(ask("SELECT count(*) FROM CUPTI_ACTIVITY_KIND_KERNEL WHERE persistent = 1 AND end IS NULL"), 1,
       "a persistent kernel is a row before it ends");
    is(ask("SELECT count(*) FROM CUPTI_ACTIVITY_KIND_RUNTIME WHERE end IS NULL AND returnValue IS NULL"), 1,
       "so is a call");
    k = kernel_of(&b, GROSR_CUDA_KERNEL_ENDS, 1, 110, 500);
    add(&b, 1, &k, sizeof(k), "");
    c.end = (uint64_t)b.bases.origin_ns + 600;
    add(&b, 0, &c, sizeof(c), "");
    c.start += 500; /* its record without an end was lost */
    c.end += 500;
    add(&b, 0, &c, sizeof(c), "");
    close_bench(&b);
    is(ask("SELECT count(*) FROM CUPTI_ACTIVITY_KIND_KERNEL"), 1, "a persistent kernel has one row");
    is(ask("SELECT start * 1000 + end FROM CUPTI_ACTIVITY_KIND_KERNEL"), 110500,
       "with the beginning and the end that came last");
    is(ask("SELECT end * 10 + returnValue FROM CUPTI_ACTIVITY_KIND_RUNTIME WHERE start = 200"), 6003,
       "a call is completed with its result");
    is(ask("SELECT end FROM CUPTI_ACTIVITY_KIND_RUNTIME WHERE start = 700"), 1100,
       "the end of a call has its beginning, if that was lost");
    is(ask("SELECT count(*) FROM CUPTI_ACTIVITY_KIND_RUNTIME"), 2, "each call has one row");
}

/* Each kind too short by a word, a state that there is not, a name longer than its record: all are counted.
 */
static void cuda_damaged(void)
{
    static const struct {
        uint32_t kind;
        size_t bytes;
    } kinds[] = {{GROSR_RECORD_CUDA_CALL, sizeof(struct grosr_record_cuda_call)},
                 {GROSR_RECORD_CUDA_KERNEL, sizeof(struct grosr_record_cuda_kernel)},
                 {GROSR_RECORD_CUDA_MEMCPY, sizeof(struct grosr_record_cuda_op)},
                 {GROSR_RECORD_CUDA_MEMSET, sizeof(struct grosr_record_cuda_op)},
                 {GROSR_RECORD_CUDA_SYNC, sizeof(struct grosr_record_cuda_op)},
                 {GROSR_RECORD_CUDA_DEVICE, sizeof(struct grosr_record_cuda_device)},
                 {GROSR_RECORD_CUDA_CONTEXT, sizeof(struct grosr_record_cuda_context)},
                 {GROSR_RECORD_CUDA_GRAPH, sizeof(struct grosr_record_cuda_graph)},
                 {GROSR_RECORD_CUDA_PC, sizeof(struct grosr_record_cuda_pc)},
                 {GROSR_RECORD_CUDA_PC_FUNCTION, sizeof(struct grosr_record_cuda_pc_function)},
                 {GROSR_RECORD_CUDA_PC_BIN, sizeof(struct grosr_record_cuda_pc_bin)}};
    unsigned char zeros[128] = {0};
    struct bench b;

    open_bench(&b);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct grosr_record head = {0, kinds[i].kind};
        memcpy(zeros, &head, sizeof(head));
        add(&b, 0, zeros, kinds[i].bytes - 8, "");
    }
    struct grosr_record_cuda_kernel k = kernel_of(&b, GROSR_CUDA_KERNEL_ENDS + 1, 1, 1, 2);
    add(&b, 0, &k, sizeof(k), "");
    struct grosr_record_cuda_device d = {.head = {0, GROSR_RECORD_CUDA_DEVICE}, .text_bytes = 9};
    add(&b, 0, &d, sizeof(d), "8 bytes.");
    struct grosr_record_cuda_pc pc = {.head = {0, GROSR_RECORD_CUDA_PC}, .count = 2};
    add(&b, 0, &pc, sizeof(pc), "one reason, no 2");
    struct grosr_record_cuda_context whole = {.head = {0, GROSR_RECORD_CUDA_CONTEXT}, .context = 7};
    add(&b, 0, &whole, sizeof(whole), "");
    close_bench(&b);
    is(ask("SELECT count(*) FROM GROSR_NOTE WHERE topic = 'records' AND text LIKE '14 %damaged%'"), 1,
       "damaged records of CUDA are counted");
    is(ask("SELECT (SELECT count(*) FROM CUPTI_ACTIVITY_KIND_RUNTIME) + (SELECT count(*) FROM "
           "CUPTI_ACTIVITY_KIND_KERNEL) + (SELECT count(*) FROM CUPTI_ACTIVITY_KIND_MEMCPY) + (SELECT "
           "count(*) "
           "FROM CUPTI_ACTIVITY_KIND_GRAPH_TRACE) + (SELECT "
           "count(*) "
           "FROM CUPTI_ACTIVITY_KIND_MEMSET) + (SELECT count(*) FROM CUPTI_ACTIVITY_KIND_SYNCHRONIZATION) + "
           "(SELECT count(*) FROM TARGET_INFO_GPU) + (SELECT count(*) FROM GROSR_PC_SAMPLE) + (SELECT "
           "count(*) "
           "FROM GROSR_PC_FUNCTION) + (SELECT count(*) FROM GROSR_PC_BIN)"),
       0, "and skipped");
    is(ask("SELECT contextId FROM TARGET_INFO_CUDA_CONTEXT_INFO"), 7, "what follows them is read");
}

/* Two processes that see two GPUs in opposite orders, and one of them twice: in a session and in a record. */
static void gpus(void)
{
    struct grosr_gpu first = {.id = 0, .sms = 132, .major = 9, .uuid = {1}, .bus = "0000:19:00.0"},
                     second = {
                         .id = 1, .sms = 84, .major = 8, .minor = 6, .uuid = {2}, .bus = "0000:3B:00.0"};
    struct bench b;

    open_bench(&b);
    for (uint32_t pid = 1; pid <= 2; pid++, first.id ^= 1, second.id ^= 1) {
        is(grosr_store_add_gpu(b.store, pid, &first, "H", 1), 0, "a GPU");
        is(grosr_store_add_gpu(b.store, pid, &first, "H", 1), 0, "again");
        is(grosr_store_add_gpu(b.store, pid, &second, "A", 1), 0, "another");
    }
    close_bench(&b);
    is(ask("SELECT count(*) FROM TARGET_INFO_GPU WHERE uuid IS NOT NULL"), 2, "each GPU has one row");
    is(ask("SELECT sum(chipName = 'GH100') = 1 AND count(chipName) = 1 FROM TARGET_INFO_GPU"), 1,
       "the chip is named where only one can be meant");
    is(ask("SELECT group_concat(pid || cudaId || name, ' ') = '10H 11A 20A 21H' FROM (SELECT d.pid, "
           "d.cudaId, "
           "g.name FROM TARGET_INFO_CUDA_DEVICE d JOIN TARGET_INFO_GPU g ON g.id = d.gpuId ORDER BY 1, 2)"),
       1, "each process's numbers lead to the right one");
}

/* A packet of `count` calls, the record of which has `bytes` bytes of them. */
static void add_packet(struct bench *b, uint16_t worker, uint16_t count, size_t bytes,
                       const struct grosr_record_syscall *calls)
{
    uint64_t origin = (uint64_t)b->bases.origin_ns;
    struct {
        struct grosr_record_syscalls packet;
        struct grosr_record_syscall call[4];
    } r = {.packet = {.head = {0, GROSR_RECORD_SYSCALLS},
                      .issued_ns = (origin + 100) & GROSR_TIME_MASK,
                      .resumed_ns = (origin + 900) & GROSR_TIME_MASK,
                      .seen_ns = origin + 300,
                      .port = 7,
                      .worker = worker,
                      .count = count}};

    memcpy(r.call, calls, bytes);
    add(b, 0, &r, sizeof(r.packet) + bytes, "");
}

static void syscalls(void)
{
    struct bench b;

    open_bench(&b);
    uint64_t origin = (uint64_t)b.bases.origin_ns;
    const struct grosr_record_syscall calls[] = {
        {.task = 5, .done_ns = origin + 700, .result = 4096, .handle = 3, .call = 6},
        {.task = 6, .done_ns = origin + 800, .result = -9, .handle = -2, .call = 7},
        {.task = 7, .call = 2},                          /* not answered */
        {.task = 8, .done_ns = origin + 800, .call = 0}, /* no call */
    };
    add_packet(&b, GROSR_RECORD_NO_WORKER, 4, sizeof(calls), calls);
    add_packet(&b, GROSR_RECORD_NO_WORKER, 4, sizeof(calls[0]), calls); /* too short */
    add_packet(&b, GROSR_RECORD_NO_WORKER, UINT16_MAX, sizeof(calls), calls);
    add_packet(&b, 0, 1, sizeof(calls[0]), calls); /* the session has no workers */
    const struct grosr_record_syscall strange = {.done_ns = origin + 800, .result = -38, .call = 255};
    add_packet(&b, GROSR_RECORD_NO_WORKER, 1, sizeof(strange), &strange);
    close_bench(&b);
    is(ask("SELECT count(*) FROM GROSR_SYSCALL"), 4, "a row for each call of a whole packet");
    is(ask("SELECT count(*) FROM syscalls WHERE call = 'pread' AND slot = 7 AND handle = 3 AND start = 100 "
           "AND served = 300"
           " AND replied = 700 AND end = 900 AND bytes = 4096 AND result = 4096 AND worker IS NULL AND task "
           "IS NULL"),
       1, "with its four times");
    is(ask("SELECT count(*) FROM syscalls WHERE call = 'pwrite' AND bytes = 0 AND result = -9 AND session = "
           "1"),
       1, "a failure moves no bytes");
    is(ask("SELECT count(*) FROM syscalls WHERE call = 'openat' AND start = 100 AND replied IS NULL AND end "
           "IS NULL"
           " AND result IS NULL"),
       1, "a call that was not answered has no result");
    is(ask("SELECT count(*) FROM syscalls WHERE call = 'unknown' AND result = -38 AND bytes IS NULL"), 1,
       "a call that does not exist has a row");
    is(ask("SELECT count(*) FROM GROSR_NOTE WHERE topic = 'records' AND text LIKE '3 damaged%'"), 1,
       "what is damaged is counted");
}

int main(void)
{
    int fd = mkstemp(path);

    close(fd);
    order();
    parts();
    damaged();
    held();
    cuda_ends();
    cuda_damaged();
    gpus();
    syscalls();
    unlink(path);
    return tap_done();
}
