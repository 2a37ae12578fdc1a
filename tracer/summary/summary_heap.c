/*
 * Blocks and slabs of GPU memory allocators, from the events that begin and end them (GROSR_HEAP_EVENT),
 * which came in the order of the workers' rings. Here they are read by place and time: at one place a block
 * is allocated and freed alternately, so what follows what tells which belong together, and which event was
 * lost.
 */
#include "summary_parts.h"

#include "../session/heap_counters.h"

static const char BLOCK[] = "block";

/* A row of GROSR_HEAP_EVENT. */
struct event {
    int64_t session, offset, time, kind, bytes, size_class, worker, function, task;
};

static const struct event nobody = {.time = GROSR_NULL,
                                    .bytes = GROSR_NULL,
                                    .size_class = GROSR_NULL,
                                    .worker = GROSR_NULL,
                                    .function = GROSR_NULL,
                                    .task = GROSR_NULL};

/* What blocks occupy, in the session that is being read. */
struct sizes {
    int64_t session, chunk_bytes, slot_bytes[GROSR_HEAP_CLASSES_MAX];
};

struct pass {
    struct summary *summary;
    sqlite3_stmt *in, *out;
    struct sizes sizes;
    bool slabs; /* or blocks */
};

static void read_sizes(struct summary *s, struct sizes *sizes, int64_t session)
{
    int64_t heap = (int64_t)(((uint64_t)session - 1) * GROSR_HEAPS_MAX);
    sqlite3_stmt *chunk = summary_prepare(s, "SELECT chunk_bytes FROM GROSR_HEAP WHERE heap = ?");
    sqlite3_stmt *slot = summary_prepare(s, "SELECT class, slot_bytes FROM GROSR_HEAP_CLASS WHERE heap = ?");

    *sizes = (struct sizes){.session = session, .chunk_bytes = GROSR_NULL};
    for (int i = 0; i < (int)GROSR_HEAP_CLASSES_MAX; i++)
        sizes->slot_bytes[i] = GROSR_NULL;
    sqlite3_bind_int64(chunk, 1, heap);
    sqlite3_bind_int64(slot, 1, heap);
    while (summary_row(s, chunk))
        sizes->chunk_bytes = summary_cell(chunk, 0);
    while (summary_row(s, slot)) {
        int64_t size_class = summary_cell(slot, 0);
        if (size_class >= 0 && size_class < GROSR_HEAP_CLASSES_MAX)
            sizes->slot_bytes[size_class] = summary_cell(slot, 1);
    }
    sqlite3_finalize(chunk);
    sqlite3_finalize(slot);
}

/* The bytes that a block occupies: of a large one, `freed` says it, else they are rounded up to chunks. */
static int64_t reserved_bytes(const struct sizes *sizes, const struct event *begin, const struct event *end)
{
    int64_t size_class = begin->kind ? begin->size_class : end->size_class, chunk = sizes->chunk_bytes;

    if (size_class != GROSR_NULL)
        return size_class >= 0 && size_class < GROSR_HEAP_CLASSES_MAX ? sizes->slot_bytes[size_class]
                                                                      : GROSR_NULL;
    if (end->bytes != GROSR_NULL)
        return end->bytes;
    if (begin->bytes < 0 || chunk <= 0 || begin->bytes > INT64_MAX - chunk)
        return GROSR_NULL;
    return (begin->bytes + chunk - 1) / chunk * chunk;
}

static int64_t known(int64_t value)
{
    return value == GROSR_NULL ? SUMMARY_UNKNOWN : value;
}

/* One block or slab: NULL for an event that is not there. `end_lost`: it has ended nevertheless. */
static void write(struct pass *p, const struct event *begin, const struct event *end, bool end_lost)
{
    const struct event *b = begin ? begin : &nobody, *e = end ? end : &nobody, *any = begin ? begin : end;

    if (p->slabs) {
        summary_insert(p->summary, p->out,
                       (const int64_t[]){any->session, any->size_class, any->offset, b->time, e->time,
                                         end_lost, b->worker, e->worker},
                       8);
        return;
    }
    if (p->sizes.session != any->session)
        read_sizes(p->summary, &p->sizes, any->session);
    summary_insert(p->summary, p->out,
                   (const int64_t[]){any->session, any->offset, any->size_class, b->bytes,
                                     reserved_bytes(&p->sizes, b, e), b->worker, b->function, b->task,
                                     b->time, e->time, end_lost, e->worker, e->function, e->task},
                   14);
    if (begin)
        summary_count(p->summary, BLOCK, known(b->function), known(b->size_class),
                      summary_difference(summary_near(e->time), summary_near(b->time)), b->bytes);
}

static bool begins(const struct event *e)
{
    return e->kind == GROSR_EV_SLAB_ACQUIRE || e->kind == GROSR_EV_LARGE_MALLOC || e->kind == GROSR_EV_MALLOC;
}

static bool next_event(struct pass *p, struct event *e)
{
    if (!summary_row(p->summary, p->in))
        return false;
    *e = (struct event){summary_cell(p->in, 0), summary_cell(p->in, 1), summary_cell(p->in, 2),
                        summary_cell(p->in, 3), summary_cell(p->in, 4), summary_cell(p->in, 5),
                        summary_cell(p->in, 6), summary_cell(p->in, 7), summary_cell(p->in, 8)};
    return true;
}

/*
 * At one time, the event that alternates with the one before it comes first: a clock's step is long enough
 * for a free and the next malloc.
 */
static void order(struct event *first, struct event *second, bool is_open)
{
    if (first->session == second->session && first->offset == second->offset && first->time == second->time &&
        begins(first) == is_open && begins(second) != is_open) {
        struct event e = *first;
        *first = *second;
        *second = e;
    }
}

static void join(struct pass *p)
{
    struct event now, next, open = {.kind = 0};
    bool more = next_event(p, &now), is_open = false;

    while (more) {
        more = next_event(p, &next);
        if (more)
            order(&now, &next, is_open);
        if (begins(&now)) {
            if (is_open)
                write(p, &open, NULL, true);
            open = now;
        } else {
            write(p, is_open ? &open : NULL, &now, false);
        }
        is_open = begins(&now);
        if (is_open && (!more || next.session != now.session || next.offset != now.offset)) {
            write(p, &open, NULL, false);
            is_open = false;
        }
        now = next;
    }
}

#define EVENTS(kinds)                                                                                \
    "SELECT session, offset, time, kind, bytes, class, worker, function, task FROM GROSR_HEAP_EVENT" \
    " WHERE kind " kinds " ORDER BY session, offset, time, rowid"

void summary_heap(struct summary *s)
{
    struct pass blocks = {.summary = s}, slabs = {.summary = s, .slabs = true};

    blocks.in = summary_prepare(s, EVENTS("BETWEEN 28 AND 31"));
    blocks.out = summary_prepare(s, "INSERT INTO GROSR_ALLOCATION VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    join(&blocks);
    slabs.in = summary_prepare(s, EVENTS("IN (26, 27)"));
    slabs.out = summary_prepare(s, "INSERT INTO GROSR_SLAB VALUES (?,?,?,?,?,?,?,?)");
    join(&slabs);
    sqlite3_finalize(blocks.in);
    sqlite3_finalize(blocks.out);
    sqlite3_finalize(slabs.in);
    sqlite3_finalize(slabs.out);
}

static_assert(GROSR_EV_SLAB_ACQUIRE == 26 && GROSR_EV_SLAB_RELEASE == 27 && GROSR_EV_LARGE_MALLOC == 28 &&
                  GROSR_EV_LARGE_FREE == 29 && GROSR_EV_MALLOC == 30 && GROSR_EV_FREE == 31,
              "the kinds that the statements above select");
