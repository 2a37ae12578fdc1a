/*
 * The tracks of an export: their names and their hierarchy.
 *
 *     process
 *       session N            a group: a runtime or an instrumented kernel
 *         host, host: waits  submissions; waits of its threads
 *         notes, counters
 *         system calls, port N
 *         SM N               a group
 *           worker N         runs, waits, idle times, ranges; what happened at a point in time
 *             holds, further lanes, slices whose end was lost
 *       thread N             API calls, NVTX
 *       NVTX ranges
 *       GPU N                a group
 *         context N, stream N
 *         context N: synchronization
 */
#include "export_walk.h"

#include <inttypes.h>
#include <stdlib.h>

/* Beyond these, which no machine has, a worker's SM is not looked up and SMs are not ordered. */
#define WORKERS_MAX (1 << 20)
#define SMS_MAX     (1 << 20)

static struct grosr_export_lanes *add_track(struct grosr_walk *w, const struct grosr_export_key *key,
                                            struct grosr_export_lanes *parent,
                                            struct grosr_export_track *track)
{
    struct grosr_export_lanes *lanes = NULL;

    if (parent) {
        track->parent = grosr_export_first_lane(parent);
        track->pid = track->parent->pid;
    }
    if (!w->error)
        lanes = grosr_export_add(w->tracks, key, track);
    if (!lanes)
        grosr_walk_no_memory(w);
    return lanes;
}

static struct grosr_export_lanes *process_track(struct grosr_walk *w, int64_t pid)
{
    const struct grosr_export_key key = {GROSR_AT_PROCESS, pid, 0, 0, 0};
    struct grosr_export_track track = {.kind = GROSR_EXPORT_PROCESS, .pid = pid, .name = "process"};
    struct grosr_export_lanes *lanes = grosr_export_find(w->tracks, &key);

    if (lanes)
        return lanes;
    sqlite3_stmt *row =
        grosr_walk_ask(w, "SELECT program FROM GROSR_SESSION WHERE pid = ? ORDER BY session", pid, 0);
    if (row && grosr_column_text(row, 0))
        track.name = grosr_column_text(row, 0);
    lanes = add_track(w, &key, NULL, &track);
    sqlite3_finalize(row);
    return lanes;
}

static struct grosr_export_lanes *session_track(struct grosr_walk *w, int64_t session)
{
    const struct grosr_export_key key = {GROSR_AT_SESSION, session, 0, 0, 0};
    struct grosr_export_lanes *lanes = grosr_export_find(w->tracks, &key);
    int64_t pid = 0;
    char name[256];

    if (lanes)
        return lanes;
    snprintf(name, sizeof(name), "session %" PRId64, session);
    sqlite3_stmt *row =
        grosr_walk_ask(w,
                       "SELECT pid, device || ': ' || device_name || ', ' || sms || ' SMs, ' || lanes ||"
                       " ' lanes a warp' FROM GROSR_SESSION WHERE session = ?",
                       session, 0);
    struct grosr_export_track track = {.kind = GROSR_EXPORT_GROUP, .name = name};
    if (row) {
        pid = sqlite3_column_int64(row, 0);
        track.about = grosr_column_text(row, 1);
    }
    track.implied = w->sessions <= 1;
    track.rank = (int32_t)session;
    struct grosr_export_lanes *process = process_track(w, pid);
    lanes = process ? add_track(w, &key, process, &track) : NULL;
    sqlite3_finalize(row);
    return lanes;
}

/* In a session everything else comes before the SMs. */
enum {
    RANK_HOST,
    RANK_HOST_WAITS,
    RANK_HOST_UNENDED,
    RANK_NOTES,
    RANK_SYSCALLS,
    RANK_CLOCK,
    RANK_QUEUES,
    RANK_HEAPS,
    RANK_COUNTERS,
    RANK_SMS
};

static struct grosr_export_lanes *sm_track(struct grosr_walk *w, int64_t session, int64_t sm)
{
    const struct grosr_export_key key = {GROSR_AT_SM, session, sm, 0, 0};
    struct grosr_export_lanes *lanes = grosr_export_find(w->tracks, &key), *parent;
    struct grosr_export_track track = {.kind = GROSR_EXPORT_GROUP, .rank = INT32_MAX};
    char name[64] = "SM not known";

    if (lanes || !(parent = session_track(w, session)))
        return lanes;
    if (sm != GROSR_NULL) {
        snprintf(name, sizeof(name), "SM %" PRId64, sm);
        track.rank = sm >= 0 && sm < SMS_MAX ? (int32_t)(RANK_SMS + sm) : INT32_MAX - 1;
    }
    track.name = name;
    return add_track(w, &key, parent, &track);
}

static const struct grosr_export_worker *find_worker(const struct grosr_walk *w, int64_t worker)
{
    static const struct grosr_export_worker unknown = {1, GROSR_NULL, INT64_MIN, INT64_MIN};

    return worker >= 0 && (uint64_t)worker < w->workers ? &w->worker[worker] : &unknown;
}

struct grosr_export_lanes *grosr_place_worker(struct grosr_walk *w, enum grosr_export_what what,
                                              int64_t worker)
{
    const struct grosr_export_key key = {what, 0, worker, 0, 0};
    struct grosr_export_lanes *lanes = grosr_export_find(w->tracks, &key), *parent;
    struct grosr_export_track track = {.kind = GROSR_EXPORT_TRACK};
    const struct grosr_export_worker *facts = find_worker(w, worker);
    char name[96];

    if (lanes)
        return lanes;
    parent = what == GROSR_AT_WORKER ? sm_track(w, facts->session, facts->sm)
                                     : grosr_place_worker(w, GROSR_AT_WORKER, worker);
    if (!parent)
        return NULL;
    snprintf(name, sizeof(name), "worker %" PRId64 "%s", worker,
             what == GROSR_AT_HOLDS     ? ": holds"
             : what == GROSR_AT_UNENDED ? ": end not recorded"
                                        : "");
    track.name = name;
    track.rank = what == GROSR_AT_WORKER  ? (int32_t)worker
                 : what == GROSR_AT_HOLDS ? INT32_MAX - 1
                                          : INT32_MAX;
    return add_track(w, &key, parent, &track);
}

struct grosr_export_lanes *grosr_place_plain(struct grosr_walk *w, enum grosr_export_what what, int64_t a)
{
    static const struct {
        const char *name;
        int32_t rank;
    } plain[] = {
        [GROSR_AT_HOST] = {"host", RANK_HOST},
        [GROSR_AT_HOST_WAITS] = {"host: waits", RANK_HOST_WAITS},
        [GROSR_AT_HOST_UNENDED] = {"host: waits, end not recorded", RANK_HOST_UNENDED},
        [GROSR_AT_NOTES] = {"notes", RANK_NOTES},
        [GROSR_AT_NVTX_RANGES] = {"NVTX ranges", 0},
    };
    const struct grosr_export_key key = {what, a, 0, 0, 0};
    struct grosr_export_lanes *lanes = grosr_export_find(w->tracks, &key), *parent;
    struct grosr_export_track track = {
        .kind = GROSR_EXPORT_TRACK, .name = plain[what].name, .rank = plain[what].rank};

    if (lanes)
        return lanes;
    parent = what == GROSR_AT_NVTX_RANGES ? process_track(w, a) : session_track(w, a);
    return parent ? add_track(w, &key, parent, &track) : NULL;
}

struct grosr_export_lanes *grosr_place_port(struct grosr_walk *w, int64_t session, int64_t port)
{
    const struct grosr_export_key key = {GROSR_AT_SYSCALLS, session, port, 0, 0};
    struct grosr_export_lanes *lanes = grosr_export_find(w->tracks, &key), *parent;
    struct grosr_export_track track = {.kind = GROSR_EXPORT_TRACK, .rank = RANK_SYSCALLS};
    char name[64];

    if (lanes || !(parent = session_track(w, session)))
        return lanes;
    snprintf(name, sizeof(name), "system calls, port %" PRId64, port);
    track.name = name;
    return add_track(w, &key, parent, &track);
}

struct grosr_export_lanes *grosr_place_thread(struct grosr_walk *w, int64_t pid, int64_t thread)
{
    const struct grosr_export_key key = {GROSR_AT_THREAD, pid, thread, 0, 0};
    struct grosr_export_lanes *lanes = grosr_export_find(w->tracks, &key), *parent;
    struct grosr_export_track track = {.kind = GROSR_EXPORT_THREAD, .tid = thread & 0xffffff};
    char name[64];

    if (lanes || !(parent = process_track(w, pid)))
        return lanes;
    snprintf(name, sizeof(name), "thread %" PRId64, track.tid);
    sqlite3_stmt *row = grosr_walk_ask(
        w, "SELECT s.value FROM ThreadNames t JOIN StringIds s ON s.id = t.nameId WHERE t.globalTid = ?",
        thread, 0);
    track.name = row && grosr_column_text(row, 0) ? grosr_column_text(row, 0) : name;
    track.rank = (int32_t)track.tid;
    lanes = add_track(w, &key, parent, &track);
    sqlite3_finalize(row);
    return lanes;
}

static struct grosr_export_lanes *gpu_track(struct grosr_walk *w, int64_t pid, int64_t device)
{
    const struct grosr_export_key key = {GROSR_AT_GPU, pid, device, 0, 0};
    struct grosr_export_lanes *lanes = grosr_export_find(w->tracks, &key), *parent;
    struct grosr_export_track track = {.kind = GROSR_EXPORT_GROUP, .rank = (int32_t)device};
    char name[256] = "GPU not known";

    if (lanes || !(parent = process_track(w, pid)))
        return lanes;
    sqlite3_stmt *row = grosr_walk_ask(
        w,
        "SELECT g.name FROM TARGET_INFO_CUDA_DEVICE d JOIN TARGET_INFO_GPU g ON g.id = d.gpuId AND g.uuid IS"
        " d.uuid WHERE d.cudaId = ? AND d.pid = ?",
        device, pid);
    if (device != GROSR_NULL)
        snprintf(name, sizeof(name), "GPU %" PRId64, device);
    track.name = name;
    track.about = row ? grosr_column_text(row, 0) : NULL;
    lanes = add_track(w, &key, parent, &track);
    sqlite3_finalize(row);
    return lanes;
}

struct grosr_export_lanes *grosr_place_gpu(struct grosr_walk *w, const struct grosr_export_key *key)
{
    struct grosr_export_lanes *lanes = grosr_export_find(w->tracks, key), *parent;
    struct grosr_export_track track = {.kind = GROSR_EXPORT_TRACK};
    char name[128], context[48] = "context not known";

    if (lanes || !(parent = gpu_track(w, key->a, key->b)))
        return lanes;
    if (key->c != GROSR_NULL)
        snprintf(context, sizeof(context), "context %" PRId64, key->c);
    if (key->what == GROSR_AT_SYNCS) {
        snprintf(name, sizeof(name), "%s: synchronization", context);
        track.rank = INT32_MAX;
    } else {
        sqlite3_stmt *row = grosr_walk_ask(
            w, "SELECT nullStreamId FROM TARGET_INFO_CUDA_CONTEXT_INFO WHERE contextId = ? AND processId = ?",
            key->c, key->a);
        snprintf(name, sizeof(name), "%s, stream %" PRId64 "%s", context, key->d,
                 row && grosr_column(row, 0) == key->d ? " (default)" : "");
        track.rank = (int32_t)key->d;
        sqlite3_finalize(row);
    }
    track.name = name;
    return add_track(w, key, parent, &track);
}

struct grosr_export_lanes *grosr_place_counter(struct grosr_walk *w, const struct grosr_export_view *s,
                                               int64_t session)
{
    const struct grosr_export_key key = {s->what, session, grosr_column(s->rows, GROSR_COLUMN_B),
                                         grosr_column(s->rows, GROSR_COLUMN_C), 0};
    struct grosr_export_lanes *lanes = grosr_export_find(w->tracks, &key), *parent;
    struct grosr_export_track track = {.kind = GROSR_EXPORT_COUNTER,
                                       .name = grosr_column_text(s->rows, GROSR_COLUMN_NAME)};

    if (lanes || !(parent = session_track(w, session)))
        return lanes;
    if (!track.name)
        track.name = "counter";
    track.unit = grosr_column_text(s->rows, GROSR_COLUMNS + 1);
    track.rank = s->what == GROSR_AT_CLOCK   ? RANK_CLOCK
                 : s->what == GROSR_AT_QUEUE ? RANK_QUEUES
                 : s->what == GROSR_AT_HEAP  ? RANK_HEAPS
                                             : RANK_COUNTERS;
    return add_track(w, &key, parent, &track);
}

bool grosr_place_is_open(const struct grosr_walk *w, int64_t worker, const struct grosr_export_view *s)
{
    const struct grosr_export_worker *facts = find_worker(w, worker);
    bool wait = s->what == GROSR_AT_HOST_WAITS;

    return s->start >= facts->last_task && (!wait || s->start >= facts->last_wait);
}

static void take_place(struct grosr_walk *w, int64_t worker, sqlite3_stmt *row)
{
    w->worker[worker].session = grosr_column(row, 1);
    w->worker[worker].sm = grosr_column(row, 2);
    grosr_place_worker(w, GROSR_AT_WORKER, worker);
}

static void take_last_task(struct grosr_walk *w, int64_t worker, sqlite3_stmt *row)
{
    w->worker[worker].last_task = grosr_column(row, 1);
}

static void take_last_wait(struct grosr_walk *w, int64_t worker, sqlite3_stmt *row)
{
    w->worker[worker].last_wait = grosr_column(row, 1);
}

/* Calls take() for each row whose first column is a worker. */
static void each_worker(struct grosr_walk *w, const char *sql,
                        void (*take)(struct grosr_walk *w, int64_t worker, sqlite3_stmt *row))
{
    sqlite3_stmt *rows = NULL;
    int step = SQLITE_ERROR;

    if (w->error)
        return;
    if (sqlite3_prepare_v2(w->db, sql, -1, &rows, NULL) == SQLITE_OK)
        while ((step = sqlite3_step(rows)) == SQLITE_ROW && !w->error) {
            int64_t worker = sqlite3_column_int64(rows, 0);
            if (worker >= 0 && (uint64_t)worker < w->workers)
                take(w, worker, rows);
        }
    if (step != SQLITE_DONE)
        grosr_walk_sql_failed(w);
    sqlite3_finalize(rows);
}

void grosr_place_workers(struct grosr_walk *w)
{
    sqlite3_stmt *row = grosr_walk_ask(w, "SELECT max(worker) + 1 FROM GROSR_WORKER", 0, 0);
    int64_t count = row ? sqlite3_column_int64(row, 0) : 0;

    sqlite3_finalize(row);
    if (w->error || count <= 0)
        return;
    if (count > WORKERS_MAX)
        count = WORKERS_MAX;
    w->worker = (struct grosr_export_worker *)malloc((size_t)count * sizeof(*w->worker));
    if (!w->worker) {
        grosr_walk_no_memory(w);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        w->worker[i] = *find_worker(w, -1);
    w->workers = (size_t)count;
    each_worker(w, "SELECT worker, session, sm FROM GROSR_WORKER ORDER BY session, sm, worker", take_place);
    each_worker(w, "SELECT worker, max(start) FROM GROSR_TASK WHERE worker IS NOT NULL GROUP BY worker",
                take_last_task);
    each_worker(w, "SELECT worker, max(start) FROM GROSR_WAIT WHERE worker IS NOT NULL GROUP BY worker",
                take_last_wait);
}
