/*
 * NVTX records into rows (records.h).
 *
 * A range that has begun and not ended is kept in a table of lists, newest first: the range that a pop ends
 * is the first of its thread and domain in its list. A range's end may be read before its beginning when two
 * threads, and so two streams, record it; the end then waits in the table for the beginning.
 *
 * A range is in the table, or its row is final, never both; that of a range for which the table had no room
 * has no end. A range in the table may have a row already, without an end (grosr_records_write_open_nvtx()).
 */
#include "records_parts.h"

#include "../base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS  8192u
#define OPEN_MAX (1u << 18) /* ranges held; no program has more open, and their ends are not seen */

/* NVTX_EVENTS.eventType, as Nsight Systems numbers them. */
enum { EVENT_CATEGORY = 33, EVENT_MARK = 34, EVENT_PUSH_POP = 59, EVENT_START_END = 60, EVENT_DOMAIN = 75 };

/* A range that has begun, or the end of one that has not. */
struct open {
    struct open *next;
    int64_t row;                /* rowid; 0: it has none yet */
    struct grosr_record_nvtx r; /* PUSH or START; of an end without a beginning: END, its range, time, tid */
    char text[];
};

struct grosr_records_nvtx {
    struct open *open[BUCKETS];
    uint32_t held; /* in them */
};

/* ---- what is open ---- */

static bool is_pushed(uint32_t kind)
{
    return kind == GROSR_RECORD_NVTX_PUSH;
}

static struct open **bucket_of(struct grosr_records *r, bool pushed, uint64_t key)
{
    return &r->nvtx->open[((key + pushed) * 0x9e3779b97f4a7c15u) >> 51];
}

static uint64_t key_of(bool pushed, uint32_t tid, uint32_t domain, uint64_t range)
{
    return pushed ? (uint64_t)tid << 32 | domain : range;
}

/* Takes out the newest that matches: of `kind`, and the thread and domain, or the range. */
static struct open *take(struct grosr_records *r, uint32_t kind, uint64_t key)
{
    struct open **at = bucket_of(r, is_pushed(kind), key), *found;

    for (; (found = *at); at = &found->next)
        if (found->r.head.kind == kind &&
            key_of(is_pushed(kind), found->r.tid, found->r.domain, found->r.range) == key)
            break;
    if (found) {
        *at = found->next;
        r->nvtx->held--;
    }
    return found;
}

static int put(struct grosr_records *r, const struct grosr_record_nvtx *begin, const char *at)
{
    bool pushed = is_pushed(begin->head.kind);
    struct open *o = (struct open *)malloc(sizeof(*o) + begin->text_bytes);
    struct open **bucket = bucket_of(r, pushed, key_of(pushed, begin->tid, begin->domain, begin->range));

    if (!o)
        return grosr_fail(ENOMEM, "out of memory");
    o->row = 0;
    o->r = *begin;
    memcpy(o->text, at, begin->text_bytes);
    o->next = *bucket;
    *bucket = o;
    r->nvtx->held++;
    return 0;
}

/* ---- rows ---- */

enum { PAYLOADS = 6 };

/* The column that the payload's type has; the others stay NULL. */
static void set_payload(struct grosr_value *column, const struct grosr_record_nvtx *e)
{
    int64_t bits = (int64_t)e->payload;
    uint32_t low = (uint32_t)e->payload;
    float single;
    double full;

    memset(column, 0, PAYLOADS * sizeof(*column));
    switch (e->payload_type) {
    case GROSR_NVTX_UINT64:
        column[0] = grosr_integer(bits);
        break;
    case GROSR_NVTX_INT64:
        column[1] = grosr_integer(bits);
        break;
    case GROSR_NVTX_DOUBLE:
        memcpy(&full, &bits, sizeof(full));
        column[2] = (struct grosr_value){.type = GROSR_VALUE_REAL, .real = full};
        break;
    case GROSR_NVTX_UINT32:
        column[3] = grosr_integer(low);
        break;
    case GROSR_NVTX_INT32:
        column[4] = grosr_integer((int32_t)low);
        break;
    case GROSR_NVTX_FLOAT:
        memcpy(&single, &low, sizeof(single));
        column[5] = (struct grosr_value){.type = GROSR_VALUE_REAL, .real = (double)single};
        break;
    default:
        break;
    }
}

/* Who ended a range, if not the thread that began it. */
static struct grosr_value ender(const struct grosr_records *r, const struct grosr_record_nvtx *begin,
                                const struct grosr_record_nvtx_end *end)
{
    struct grosr_value v = grosr_records_thread(r, end->tid);

    if (end->tid == begin->tid)
        v.type = GROSR_VALUE_NULL;
    return v;
}

/* Its text is the record's own, and not a string's number: an empty one, too, if it was given one. */
static bool has_own_text(const struct grosr_record_nvtx *e)
{
    return e->head.bytes != 0;
}

/* Writes the row of a mark or a range, whose `text` is a StringIds.id here. `end`: NULL while it is open. */
static int write_event(struct grosr_records *r, const struct grosr_record_nvtx *e, const char *at,
                       const struct grosr_record_nvtx_end *end, int64_t *row)
{
    static const char sql[] =
        "INSERT INTO NVTX_EVENTS (start, end, eventType, rangeId, category, color, text, textId, globalTid,"
        " endGlobalTid, domainId, uint64Value, int64Value, doubleValue, uint32Value, int32Value, floatValue)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
    const struct grosr_value null = {.type = GROSR_VALUE_NULL};
    bool started = e->head.kind == GROSR_RECORD_NVTX_START;
    int type = e->head.kind == GROSR_RECORD_NVTX_MARK ? EVENT_MARK
               : started                              ? EVENT_START_END
                                                      : EVENT_PUSH_POP;
    struct grosr_value values[11 + PAYLOADS] = {
        grosr_records_place(r, e->time),
        end ? grosr_records_place(r, end->time) : null,
        grosr_integer(type),
        grosr_integer_or_null((int64_t)e->range, started),
        grosr_integer_or_null(e->category, e->category != 0),
        grosr_integer_or_null(e->color, e->color != 0),
        has_own_text(e) ? grosr_text(at, e->text_bytes) : null,
        grosr_integer_or_null(e->text, e->text != 0),
        grosr_records_thread(r, e->tid),
        end ? ender(r, e, end) : null,
        grosr_integer(e->domain),
    };

    set_payload(&values[11], e);
    return grosr_store_execute(r->store, sql, values, 11 + PAYLOADS, row);
}

/* Completes a range, which leaves the table. */
static int close_range(struct grosr_records *r, struct open *o, const struct grosr_record_nvtx_end *end)
{
    static const char sql[] = "UPDATE NVTX_EVENTS SET end = ?, endGlobalTid = ? WHERE rowid = ?";
    int err;

    if (o->row) {
        const struct grosr_value values[] = {grosr_records_place(r, end->time), ender(r, &o->r, end),
                                             grosr_integer(o->row)};
        err = grosr_store_execute(r->store, sql, values, 3, NULL);
    } else {
        err = write_event(r, &o->r, o->text, end, NULL);
    }
    free(o);
    return err;
}

static int add_event(struct grosr_records *r, uint32_t stream, struct grosr_record_nvtx *e, const char *at)
{
    /* From here on head.bytes is whether the text is its own, and `text` the file's number of the string. */
    e->head.bytes = e->text == 0;
    e->text = (uint32_t)grosr_records_string(r, stream, e->text);
    if (e->head.kind == GROSR_RECORD_NVTX_MARK)
        return write_event(r, e, at, NULL, NULL);
    if (e->head.kind == GROSR_RECORD_NVTX_START) {
        struct open *ended = take(r, GROSR_RECORD_NVTX_END, e->range);
        if (ended) {
            struct grosr_record_nvtx_end end = {.time = ended->r.time, .tid = ended->r.tid};
            free(ended);
            return write_event(r, e, at, &end, NULL);
        }
    }
    return r->nvtx->held < OPEN_MAX ? put(r, e, at) : write_event(r, e, at, NULL, NULL);
}

static int end_range(struct grosr_records *r, const struct grosr_record_nvtx_end *end)
{
    bool pushed = end->head.kind == GROSR_RECORD_NVTX_POP;
    struct open *o = take(r, pushed ? GROSR_RECORD_NVTX_PUSH : GROSR_RECORD_NVTX_START,
                          key_of(pushed, end->tid, end->domain, end->range));

    if (o)
        return close_range(r, o, end);
    if (pushed || r->nvtx->held == OPEN_MAX) /* its beginning was dropped, or was before a fork */
        return 0;
    struct grosr_record_nvtx early = {
        .head = {0, GROSR_RECORD_NVTX_END}, .time = end->time, .tid = end->tid, .range = end->range};
    return put(r, &early, "");
}

static int add_nvtx_name(struct grosr_records *r, uint32_t stream, const struct grosr_record_name *n,
                         const char *at)
{
    static const char sql[] =
        "INSERT INTO NVTX_EVENTS (eventType, category, text, globalTid, domainId, textId)"
        " VALUES (?,?,?,?,?,?)";
    const struct grosr_value text = grosr_text(at, n->text_bytes);
    int64_t id = grosr_records_string(r, stream, n->text);
    bool domain = n->head.kind == GROSR_RECORD_NVTX_DOMAIN;
    const struct grosr_value values[] = {grosr_integer(domain ? EVENT_DOMAIN : EVENT_CATEGORY),
                                         grosr_integer_or_null(n->category, !domain),
                                         n->text ? grosr_integer_or_null(0, false) : text,
                                         grosr_records_thread(r, n->tid),
                                         grosr_integer(n->domain),
                                         grosr_integer_or_null(id, id != 0)};

    return grosr_store_execute(r->store, sql, values, 6, NULL);
}

int grosr_records_add_nvtx(struct grosr_records *r, uint32_t stream, const unsigned char *at, uint32_t kind,
                           uint32_t bytes)
{
    union {
        struct grosr_record_name name;
        struct grosr_record_nvtx nvtx;
        struct grosr_record_nvtx_end end;
    } is;

    switch (kind) {
    case GROSR_RECORD_NVTX_DOMAIN:
    case GROSR_RECORD_NVTX_CATEGORY:
        if (GROSR_FIXED(is.name, at, bytes) && GROSR_HOLDS(is.name, bytes, is.name.text_bytes))
            return add_nvtx_name(r, stream, &is.name, (const char *)at + sizeof(is.name));
        break;
    case GROSR_RECORD_NVTX_MARK:
    case GROSR_RECORD_NVTX_PUSH:
    case GROSR_RECORD_NVTX_START:
        if (GROSR_FIXED(is.nvtx, at, bytes) && GROSR_HOLDS(is.nvtx, bytes, is.nvtx.text_bytes))
            return add_event(r, stream, &is.nvtx, (const char *)at + sizeof(is.nvtx));
        break;
    default:
        if (GROSR_FIXED(is.end, at, bytes))
            return end_range(r, &is.end);
        break;
    }
    r->damaged++;
    return 0;
}

int grosr_records_write_open_nvtx(struct grosr_records *r, uint64_t begun_by_ns)
{
    int err = 0;

    for (uint32_t i = 0; i < BUCKETS; i++)
        for (struct open *o = r->nvtx->open[i]; !err && o; o = o->next)
            if (!o->row && o->r.head.kind != GROSR_RECORD_NVTX_END && o->r.time <= begun_by_ns)
                err = write_event(r, &o->r, o->text, NULL, &o->row);
    return err;
}

/* ---- creating, the checkpoint ---- */

int grosr_records_create_nvtx(struct grosr_records *r)
{
    r->nvtx = (struct grosr_records_nvtx *)calloc(1, sizeof(*r->nvtx));
    return r->nvtx ? 0 : grosr_fail(ENOMEM, "out of memory");
}

void grosr_records_save_nvtx(const struct grosr_records *r, struct grosr_checkpoint *checkpoint)
{
    uint64_t count = r->nvtx->held;

    grosr_checkpoint_put(checkpoint, &count, sizeof(count));
    for (uint32_t i = 0; i < BUCKETS; i++)
        for (const struct open *o = r->nvtx->open[i]; o; o = o->next) {
            grosr_checkpoint_put(checkpoint, &o->row, sizeof(o->row));
            grosr_checkpoint_put(checkpoint, &o->r, sizeof(o->r));
            grosr_checkpoint_put(checkpoint, o->text, o->r.text_bytes);
        }
}

static int load_open(struct grosr_records *r, struct open ***end, struct grosr_checkpoint *checkpoint)
{
    struct grosr_record_nvtx begin;
    int64_t row;

    grosr_checkpoint_get(checkpoint, &row, sizeof(row));
    grosr_checkpoint_get(checkpoint, &begin, sizeof(begin));
    struct open *o = (struct open *)malloc(sizeof(*o) + begin.text_bytes);
    if (!o)
        return grosr_fail(ENOMEM, "out of memory");
    o->next = NULL;
    o->row = row;
    o->r = begin;
    grosr_checkpoint_get(checkpoint, o->text, begin.text_bytes);
    bool pushed = is_pushed(begin.head.kind);
    struct open **bucket = bucket_of(r, pushed, key_of(pushed, begin.tid, begin.domain, begin.range));
    r->nvtx->held++;
    *(*bucket ? *end : bucket) = o; /* a bucket's come one after the other, in their order */
    *end = &o->next;
    return 0;
}

int grosr_records_load_nvtx(struct grosr_records *r, struct grosr_checkpoint *checkpoint)
{
    struct open **end = NULL;
    int err = 0;

    for (uint64_t n = grosr_checkpoint_get_count(checkpoint, sizeof(int64_t));
         !err && !checkpoint->failed && n > 0; n--)
        err = load_open(r, &end, checkpoint);
    return err;
}

void grosr_records_free_nvtx(struct grosr_records *r)
{
    for (uint32_t i = 0; r->nvtx && i < BUCKETS; i++)
        for (struct open *o = r->nvtx->open[i], *next; o; o = next) {
            next = o->next;
            free(o);
        }
    free(r->nvtx);
    r->nvtx = NULL;
}
