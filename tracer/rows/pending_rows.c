/*
 * Rows of what a traced process is in (pending_rows.h). Each look reads the tables of the segment, compares
 * what it finds with the rows that there are, and adds and deletes the difference.
 */
#include "pending_parts.h"

#include "../base/error.h"
#include "records_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_TIMEOUT_NS UINT64_C(1000000000) /* for the record of a call that has returned */

static const char *const kinds[] = {"",      "kernel",     "memcpy",     "memset", "host function",
                                    "graph", "wait value", "write value"};

static_assert(sizeof(kinds) / sizeof(kinds[0]) == GROSR_LAUNCH_KINDS, "a word for each kind");

int grosr_pending_rows_create(struct grosr_pending_rows **out, const struct grosr_session *session,
                              const struct grosr_bases *bases, struct grosr_store *store,
                              struct grosr_records *records)
{
    struct grosr_pending_rows *p = (struct grosr_pending_rows *)calloc(1, sizeof(*p));

    if (p)
        p->first = (struct first *)calloc(session->header.cuda_streams + 1u, sizeof(*p->first));
    if (!p || !p->first) {
        free(p);
        return grosr_fail(ENOMEM, "out of memory");
    }
    p->session = session;
    p->bases = *bases;
    p->store = store;
    p->records = records;
    *out = p;
    return 0;
}

void grosr_pending_rows_warn(struct grosr_pending_rows *p, void (*warned)(const char *text))
{
    p->warned = warned;
}

void grosr_pending_rows_free(struct grosr_pending_rows *p)
{
    if (!p)
        return;
    free(p->found);
    free(p->first);
    free(p->held);
    free(p->returned);
    free(p);
}

/* ---- finding ---- */

static struct found *add_found(struct grosr_pending_rows *p, enum found_type type, uint64_t start_ns,
                               uint64_t key)
{
    if (p->count == p->room) {
        uint32_t room = p->room ? 2 * p->room : 64;
        struct found *more = (struct found *)realloc(p->found, room * sizeof(*more));
        if (!more)
            return NULL;
        p->found = more;
        p->room = room;
    }
    struct found *f = &p->found[p->count++];
    memset(f, 0, sizeof(*f));
    f->key[0] = (uint64_t)type << 56 | (start_ns & ((UINT64_C(1) << 56) - 1));
    f->key[1] = key;
    f->type = type;
    f->stream = GROSR_NO_STREAM;
    return f;
}

static bool is_young(uint64_t start_ns, uint64_t now_ns, uint64_t min_age_ns)
{
    return start_ns > now_ns || now_ns - start_ns < min_age_ns;
}

static int find_calls(struct grosr_pending_rows *p, uint64_t now_ns, uint64_t min_age_ns)
{
    struct grosr_call c;

    for (uint32_t i = 0, n = grosr_outstanding_calls(p->session); i < n; i++) {
        if (!grosr_call_read(p->session, i, &c) || is_young(c.start_ns, now_ns, min_age_ns))
            continue;
        struct found *f = add_found(p, FOUND_CALL, c.start_ns, (uint64_t)c.tid << 32 | c.correlation);
        if (!f)
            return grosr_fail(ENOMEM, "out of memory");
        f->call = c;
    }
    return 0;
}

static int find_captures(struct grosr_pending_rows *p, uint64_t now_ns, uint64_t min_age_ns)
{
    struct grosr_cuda_stream_state s;

    for (uint32_t i = 0; i < p->session->header.cuda_streams; i++) {
        if (!grosr_cuda_stream_read(p->session, i, &s) || !s.capture_ns ||
            is_young(s.capture_ns, now_ns, min_age_ns))
            continue;
        struct found *f = add_found(p, FOUND_CAPTURE, s.capture_ns, (uint64_t)i << 32 | (uint32_t)s.captured);
        if (!f)
            return grosr_fail(ENOMEM, "out of memory");
        f->capture = s;
        f->stream = i;
    }
    return 0;
}

static bool is_kernel(const struct grosr_launch *l)
{
    return l->kind == GROSR_LAUNCH_KERNEL || l->kind == GROSR_LAUNCH_GRAPH;
}

static bool is_counted(const struct grosr_launch *l)
{
    return is_kernel(l) && !(l->flags & (GROSR_LAUNCH_PERSISTENT | GROSR_LAUNCH_UNRECORDED));
}

/* All launches, however young, and those of kernels that have ended and have no record. */
static int find_launches(struct grosr_pending_rows *p)
{
    struct grosr_launch l;

    p->kernels = 0;
    for (uint32_t i = 0; i < p->session->header.launch_slots; i++) {
        if (!grosr_launch_read(p->session, i, &l) || (l.ended && !is_counted(&l)))
            continue;
        struct found *f =
            add_found(p, FOUND_LAUNCH, l.issued_ns, (uint64_t)l.correlation << 32 | l.part << 8 | l.kind);
        if (!f)
            return grosr_fail(ENOMEM, "out of memory");
        f->launch = l;
        f->stream = l.stream;
        p->kernels += is_kernel(&l) && !l.ended;
    }
    return 0;
}

/* Which launches are the first of their streams, and since when they have been. */
static void find_firsts(struct grosr_pending_rows *p, uint64_t now_ns)
{
    uint32_t streams = p->session->header.cuda_streams;

    for (uint32_t i = 0; i < streams; i++)
        p->first[i].place = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        const struct found *f = &p->found[i];
        if (f->type != FOUND_LAUNCH || f->launch.ended || f->stream >= streams)
            continue;
        struct first *first = &p->first[f->stream];
        if (!first->place || f->launch.place < first->place)
            first->place = f->launch.place;
    }
    for (uint32_t i = 0; i < p->count; i++) {
        struct found *f = &p->found[i];
        if (f->type != FOUND_LAUNCH || f->launch.ended)
            continue;
        f->first = f->stream >= streams || f->launch.place == p->first[f->stream].place;
        if (!f->first || f->stream >= streams || p->first[f->stream].key == f->key[1])
            continue;
        p->first[f->stream].key = f->key[1];
        p->first[f->stream].since_ns = now_ns;
    }
}

/* ---- rows ---- */

static struct grosr_value no_value(void)
{
    return grosr_integer_or_null(0, false);
}

/* The number of a name in StringIds. */
static int string_of(struct grosr_pending_rows *p, uint32_t text, int64_t *id)
{
    char name[GROSR_TEXT_KEPT_MAX + 1];
    size_t bytes = grosr_outstanding_text(p->session, text, name);

    *id = 0;
    return bytes ? grosr_store_string(p->store, name, strnlen(name, bytes), id) : 0;
}

static struct grosr_value word(const char *text)
{
    return text ? grosr_text(text, strlen(text)) : no_value();
}

static struct grosr_value extent(char *to, size_t size, const uint32_t *of)
{
    return grosr_text(to, (size_t)snprintf(to, size, "%ux%ux%u", of[0], of[1], of[2]));
}

enum {
    SESSION,
    KIND,
    START,
    TID,
    NAME,
    FULL,
    CORRELATION,
    CONTEXT,
    STREAM,
    PLACE,
    WAITS,
    HANDLE,
    BYTES,
    KERNELS,
    GRID,
    BLOCK,
    PERSISTENT,
    COLUMNS
};

static int insert(struct grosr_pending_rows *p, const struct grosr_value *values, int64_t *row)
{
    static const char sql[] =
        "INSERT INTO GROSR_PENDING (session, kind, start, tid, nameId, fullNameId, correlationId, contextId,"
        " streamId, place, waitsFor, handle, bytes, kernels, grid, block, persistent)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

    return grosr_store_execute(p->store, sql, values, COLUMNS, row);
}

static int add_call(struct grosr_pending_rows *p, const struct found *f, struct grosr_value *v,
                    struct held *h)
{
    static const char *const waits[GROSR_CALL_WAITS] = {NULL, "stream", "event", "device"};
    const struct grosr_call *c = &f->call;
    struct grosr_cuda_stream_state s;
    int64_t name;
    int err = string_of(p, c->name, &name);

    v[KIND] = word(c->api == GROSR_CALL_TRACER ? "tracer" : "call");
    v[NAME] = grosr_integer_or_null(name, name != 0);
    v[TID] = grosr_integer(c->tid);
    v[CORRELATION] = grosr_integer_or_null(c->correlation, c->correlation != 0);
    v[WAITS] = word(waits[c->wait]);
    v[HANDLE] = grosr_integer_or_null((int64_t)c->handle, c->handle != 0);
    if (c->stream != GROSR_NO_STREAM && grosr_cuda_stream_read(p->session, c->stream, &s)) {
        v[STREAM] = grosr_integer(s.id);
        v[CONTEXT] = grosr_integer(s.context);
    }
    if (err || c->api == GROSR_CALL_TRACER || !name)
        return err;
    h->tid = c->tid;
    h->start_ns = c->start_ns;
    const struct grosr_record_cuda_call record = {.start = c->start_ns,
                                                  .tid = c->tid,
                                                  .correlation = c->correlation,
                                                  .api = c->api == GROSR_CALL_DRIVER};
    return grosr_records_begin_call(p->records, &record, name);
}

/* The word that a stream waits for, or writes, in place of a name; bytes: of the word. */
static int add_word(struct grosr_pending_rows *p, const struct grosr_launch *l, const struct grosr_word *w,
                    struct grosr_value *v)
{
    char text[GROSR_WORD_TEXT];
    int64_t name;

    grosr_word_text(text, sizeof(text), w, l->kind == GROSR_LAUNCH_WRITE);
    int err = grosr_store_string(p->store, text, strlen(text), &name);
    v[NAME] = grosr_integer(name);
    v[HANDLE] = grosr_integer_or_null((int64_t)w->address, w->address != 0);
    v[BYTES] = grosr_integer_or_null(w->width, w->width && w->condition != GROSR_WORD_SEMAPHORE);
    if (l->kind == GROSR_LAUNCH_WAIT)
        v[WAITS] = word(w->condition == GROSR_WORD_SEMAPHORE  ? "semaphore"
                        : l->flags & GROSR_LAUNCH_HOST_WORD   ? "host word"
                        : l->flags & GROSR_LAUNCH_DEVICE_WORD ? "device word"
                                                              : "word");
    return err;
}

static int add_launch(struct grosr_pending_rows *p, const struct found *f, struct grosr_value *v,
                      char texts[2][48])
{
    const struct grosr_launch *l = &f->launch;
    struct grosr_cuda_stream_state s;
    struct grosr_word w;
    int64_t name, full;
    int err = string_of(p, l->name, &name);

    if (!err)
        err = string_of(p, l->full_name, &full);
    if (err)
        return err;
    v[KIND] = word(kinds[l->kind]);
    v[NAME] = grosr_integer_or_null(name, name != 0);
    v[FULL] = grosr_integer_or_null(full, full != 0);
    v[TID] = grosr_integer(l->tid);
    v[CORRELATION] = grosr_integer(l->correlation);
    v[BYTES] = grosr_integer_or_null((int64_t)l->bytes, l->bytes != 0);
    v[KERNELS] = grosr_integer_or_null((int64_t)l->kernels, l->kernels != 0);
    if (l->kind >= GROSR_LAUNCH_COUNTED) { /* these are an address and a value */
        v[BYTES] = v[KERNELS] = no_value();
        if (grosr_launch_word(l, &w) && (err = add_word(p, l, &w, v)))
            return err;
    }
    if (f->stream != GROSR_NO_STREAM && grosr_cuda_stream_read(p->session, f->stream, &s)) {
        v[STREAM] = grosr_integer(s.id);
        v[CONTEXT] = grosr_integer(s.context);
        v[PLACE] = grosr_integer_or_null((int64_t)l->place, l->place != 0);
    }
    if (l->kind == GROSR_LAUNCH_KERNEL) {
        v[GRID] = extent(texts[0], sizeof(texts[0]), l->grid);
        v[BLOCK] = extent(texts[1], sizeof(texts[1]), l->block);
    }
    v[PERSISTENT] = grosr_integer((l->flags & GROSR_LAUNCH_PERSISTENT) != 0);
    return 0;
}

static int add_capture(struct grosr_pending_rows *p, const struct found *f, struct grosr_value *v)
{
    const struct grosr_cuda_stream_state *s = &f->capture;
    int64_t name;
    int err = string_of(p, s->captured_name, &name);

    v[KIND] = word("capture");
    v[NAME] = grosr_integer_or_null(name, name != 0);
    v[CONTEXT] = grosr_integer(s->context);
    v[STREAM] = grosr_integer(s->id);
    v[HANDLE] = grosr_integer((int64_t)s->handle);
    v[KERNELS] = grosr_integer((int64_t)s->captured);
    return err;
}

static int add_row(struct grosr_pending_rows *p, const struct found *f, struct held *h)
{
    struct grosr_value v[COLUMNS];
    char texts[2][48];
    int err;

    for (int i = 0; i < COLUMNS; i++)
        v[i] = no_value();
    *h = (struct held){.key = {f->key[0], f->key[1]}};
    v[SESSION] = grosr_integer(p->bases.session);
    v[PERSISTENT] = grosr_integer(0);
    if (f->type == FOUND_CALL) {
        v[START] = grosr_records_place(p->records, f->call.start_ns);
        err = add_call(p, f, v, h);
    } else if (f->type == FOUND_LAUNCH) {
        v[START] = grosr_records_place(p->records, f->launch.issued_ns);
        err = add_launch(p, f, v, texts);
    } else {
        v[START] = grosr_records_place(p->records, f->capture.capture_ns);
        err = add_capture(p, f, v);
    }
    return err ? err : insert(p, v, &h->row);
}

/* A call has returned: its record is on its way, unless there was no room for it. */
static int note_returned(struct grosr_pending_rows *p, const struct held *h, uint64_t now_ns)
{
    if (p->returned_count == p->returned_room) {
        uint32_t room = p->returned_room ? 2 * p->returned_room : 16;
        struct held *more = (struct held *)realloc(p->returned, room * sizeof(*more));
        if (!more)
            return grosr_fail(ENOMEM, "out of memory");
        p->returned = more;
        p->returned_room = room;
    }
    p->returned[p->returned_count] = *h;
    p->returned[p->returned_count++].key[0] = now_ns; /* when it was seen to have returned */
    return 0;
}

/* Ends the rows of calls whose records were lost: when they were seen to have returned. */
static int end_returned(struct grosr_pending_rows *p, uint64_t now_ns, uint64_t timeout_ns)
{
    uint32_t kept = 0;
    int err = 0;

    for (uint32_t i = 0; i < p->returned_count; i++) {
        struct held h = p->returned[i];
        if (now_ns - h.key[0] < timeout_ns)
            p->returned[kept++] = h;
        else if (!err)
            err = grosr_records_end_call(p->records, h.tid, h.start_ns, h.key[0]);
    }
    p->returned_count = kept;
    return err;
}

static int drop_row(struct grosr_pending_rows *p, const struct held *h, uint64_t now_ns)
{
    static const char sql[] = "DELETE FROM GROSR_PENDING WHERE rowid = ?";
    const struct grosr_value row = grosr_integer(h->row);
    int err = grosr_store_execute(p->store, sql, &row, 1, NULL);

    return err || !h->tid ? err : note_returned(p, h, now_ns);
}

static int compare_keys(const uint64_t *a, const uint64_t *b)
{
    return a[0] != b[0] ? (a[0] < b[0] ? -1 : 1) : a[1] != b[1] ? (a[1] < b[1] ? -1 : 1) : 0;
}

static int compare_found(const void *a, const void *b)
{
    return compare_keys(((const struct found *)a)->key, ((const struct found *)b)->key);
}

/* Those of which rows are made come first, and of these the oldest. */
static int compare_need(const void *a, const void *b)
{
    const struct found *x = (const struct found *)a, *y = (const struct found *)b;
    bool x_launch = x->type == FOUND_LAUNCH, y_launch = y->type == FOUND_LAUNCH;

    if (x_launch != y_launch)
        return x_launch ? 1 : -1;
    if (!x_launch)
        return compare_found(a, b);
    if (x->launch.ended != y->launch.ended)
        return x->launch.ended ? 1 : -1;
    if (x->first != y->first)
        return x->first ? -1 : 1;
    return x->launch.issued_ns != y->launch.issued_ns ? (x->launch.issued_ns < y->launch.issued_ns ? -1 : 1)
                                                      : compare_found(a, b);
}

/* Chooses what has rows: calls, captures, and the launches that are old enough, at most `max` of them. */
static uint32_t choose(struct grosr_pending_rows *p, uint64_t now_ns, uint64_t min_age_ns, uint32_t max)
{
    uint32_t n = 0, launches = 0;

    if (p->count)
        qsort(p->found, p->count, sizeof(*p->found), compare_need);
    for (uint32_t i = 0; i < p->count && launches < max; i++) {
        const struct found *f = &p->found[i];
        if (f->type == FOUND_LAUNCH && (f->launch.ended || is_young(f->launch.issued_ns, now_ns, min_age_ns)))
            continue;
        launches += f->type == FOUND_LAUNCH;
        struct found swap = p->found[n];
        p->found[n++] = *f;
        p->found[i] = swap;
    }
    return n;
}

/* Makes the rows those of the first n found. */
static int write_rows(struct grosr_pending_rows *p, uint32_t n, uint64_t now_ns, bool *changed)
{
    struct held *held = n ? (struct held *)malloc(n * sizeof(*held)) : NULL;
    uint32_t count = 0, h = 0;
    int err = 0;

    if (n && !held)
        return grosr_fail(ENOMEM, "out of memory");
    if (n)
        qsort(p->found, n, sizeof(*p->found), compare_found);
    for (uint32_t i = 0; !err && (i < n || h < p->held_count);) {
        int order = i == n ? 1 : h == p->held_count ? -1 : compare_keys(p->found[i].key, p->held[h].key);
        *changed |= order != 0;
        if (order > 0)
            err = drop_row(p, &p->held[h++], now_ns);
        else if (order < 0)
            err = add_row(p, &p->found[i++], &held[count++]);
        else
            held[count++] = p->held[h++], i++;
    }
    free(p->held);
    p->held = held;
    p->held_count = count;
    return err;
}

/* ---- counters ---- */

static int write_counters(struct grosr_pending_rows *p)
{
    static const char sql[] =
        "INSERT OR REPLACE INTO GROSR_LAUNCHES (session, kind, issued, recorded) VALUES (?,?,?,?)";
    const struct grosr_outstanding *o = grosr_session_outstanding(p->session);
    uint64_t recorded[GROSR_LAUNCH_COUNTED], issued[GROSR_LAUNCH_COUNTED], hash = 1;
    int err = 0;

    for (int i = GROSR_LAUNCH_KERNEL; i < GROSR_LAUNCH_COUNTED; i++) {
        uint64_t missing = i == GROSR_LAUNCH_KERNEL ? grosr_outstanding_kernels(p->session) : 0;
        recorded[i] = dev_load_relaxed(&o->recorded[i]);
        issued[i] = dev_load_relaxed(&o->issued[i]);
        if (i == GROSR_LAUNCH_KERNEL)
            recorded[i] = issued[i] > missing ? issued[i] - missing : 0;
        hash = (hash ^ recorded[i]) * 0x9e3779b97f4a7c15u;
        hash = (hash ^ issued[i]) * 0x9e3779b97f4a7c15u;
    }
    if (hash == p->counters)
        return 0;
    p->counters = hash;
    for (int i = GROSR_LAUNCH_KERNEL; !err && i < GROSR_LAUNCH_COUNTED; i++) {
        const struct grosr_value values[] = {
            grosr_integer(p->bases.session), word(kinds[i]), grosr_integer((int64_t)issued[i]),
            grosr_integer_or_null((int64_t)recorded[i], i != GROSR_LAUNCH_HOST_FUNCTION)};
        if (issued[i])
            err = grosr_store_execute(p->store, sql, values, 4, NULL);
    }
    return err;
}

/* ---- looks ---- */

/* What an earlier collector of this session left: it is found again, if it is still so. */
static int forget_earlier(struct grosr_pending_rows *p)
{
    static const char sql[] = "DELETE FROM GROSR_PENDING WHERE session = ?";
    const struct grosr_value session = grosr_integer(p->bases.session);

    if (p->begun)
        return 0;
    p->begun = true;
    return grosr_store_execute(p->store, sql, &session, 1, NULL);
}

static int look(struct grosr_pending_rows *p, uint64_t now_ns, uint64_t min_age_ns, uint32_t max,
                bool *changed)
{
    int err = forget_earlier(p);

    p->count = 0;
    if (!err)
        err = find_calls(p, now_ns, min_age_ns);
    if (!err)
        err = find_captures(p, now_ns, min_age_ns);
    if (!err)
        err = find_launches(p);
    if (err)
        return err;
    find_firsts(p, now_ns);
    err = write_rows(p, choose(p, now_ns, min_age_ns, max), now_ns, changed);
    return err ? err : write_counters(p);
}

int grosr_pending_rows_look(struct grosr_pending_rows *p, uint64_t now_ns, bool *changed)
{
    if (!grosr_session_outstanding(p->session))
        return 0;
    int err = look(p, now_ns, GROSR_PENDING_NS, GROSR_PENDING_ROWS_MAX, changed);
    if (!err)
        err = end_returned(p, now_ns, RECORD_TIMEOUT_NS);
    return err ? err : pending_report(p, now_ns);
}

int grosr_pending_rows_finish(struct grosr_pending_rows *p, uint64_t end_ns, enum grosr_pending_end end)
{
    bool in_order = end == GROSR_PENDING_CLOSED || end == GROSR_PENDING_DETACHED, changed = false;

    if (!grosr_session_outstanding(p->session))
        return 0;
    int err = look(p, end_ns, in_order ? GROSR_PENDING_NS : 0, UINT32_MAX, &changed);
    if (!err)
        err = end_returned(p, end_ns, 0);
    return err ? err : pending_report_end(p, end_ns, end);
}
