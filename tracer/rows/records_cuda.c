/*
 * CUDA records (record.h), which come from CUPTI, into the tables that an export of Nsight Systems has. A
 * call that has not returned and a persistent kernel have a first record without an end: it becomes a row at
 * once, which waits in a hash table until the record with the end completes it.
 */
#include "records_parts.h"

#include "../base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024u
#define WAITING_MAX \
    (1u << 18) /* rows that are held; no program has more under way, and their ends are not seen */

/* A row that waits for its end. */
struct waiting {
    struct waiting *next;
    uint64_t key; /* calls: tid; kernels: the number of the launch, with KERNEL */
    uint64_t start;
    int64_t row;
};

#define KERNEL (UINT64_C(1) << 63)

struct grosr_records_cuda {
    uint32_t held;
    struct waiting *waiting[BUCKETS];
};

static struct waiting **bucket_of(struct grosr_records *r, uint64_t key)
{
    if (!r->cuda)
        r->cuda = (struct grosr_records_cuda *)calloc(1, sizeof(*r->cuda));
    return r->cuda ? &r->cuda->waiting[(key * 0x9e3779b97f4a7c15u) >> 54] : NULL;
}

static int put(struct grosr_records *r, uint64_t key, uint64_t start, int64_t row)
{
    struct waiting **bucket = bucket_of(r, key);
    if (bucket && r->cuda->held >= WAITING_MAX)
        return 0;
    struct waiting *w = bucket ? (struct waiting *)malloc(sizeof(*w)) : NULL;

    if (!w)
        return grosr_fail(ENOMEM, "out of memory");
    r->cuda->held++;
    *w = (struct waiting){*bucket, key, start, row};
    *bucket = w;
    return 0;
}

/* The row that was put; 0: there is none. */
static int64_t take(struct grosr_records *r, uint64_t key, uint64_t start)
{
    for (struct waiting **at = bucket_of(r, key); at && *at; at = &(*at)->next) {
        struct waiting *w = *at;
        if (w->key == key && w->start == start) {
            int64_t row = w->row;
            r->cuda->held--;
            *at = w->next;
            free(w);
            return row;
        }
    }
    return 0;
}

static bool has(struct grosr_records *r, uint64_t key, uint64_t start)
{
    for (struct waiting **at = bucket_of(r, key); at && *at; at = &(*at)->next)
        if ((*at)->key == key && (*at)->start == start)
            return true;
    return false;
}

static struct grosr_value place_or_null(struct grosr_records *r, uint64_t time)
{
    return time ? grosr_records_place(r, time) : grosr_integer_or_null(0, false);
}

static struct grosr_value process(const struct grosr_records *r)
{
    return grosr_integer((int64_t)((uint64_t)r->pid << 24));
}

static struct grosr_value node(uint64_t graph_node)
{
    return grosr_integer_or_null((int64_t)graph_node, graph_node != 0);
}

/* ---- calls ---- */

static int insert_call(struct grosr_records *r, const struct grosr_record_cuda_call *c, int64_t name)
{
    static const char insert[] = "INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME (start, end, eventClass, globalTid,"
                                 " correlationId, nameId, returnValue) VALUES (?,?,?,?,?,?,?)";
    int64_t row;
    const struct grosr_value values[] = {grosr_records_place(r, c->start),
                                         place_or_null(r, c->end),
                                         grosr_integer(c->api != 0),
                                         grosr_records_thread(r, c->tid),
                                         grosr_integer_or_null(c->correlation, c->correlation != 0),
                                         grosr_integer(name),
                                         grosr_integer_or_null(c->result, c->end != 0)};
    int err = grosr_store_execute(r->store, insert, values, 7, &row);

    return err || c->end ? err : put(r, c->tid, c->start, row);
}

static int end_call(struct grosr_records *r, int64_t row, uint64_t end_ns, struct grosr_value result)
{
    static const char update[] =
        "UPDATE CUPTI_ACTIVITY_KIND_RUNTIME SET end = ?, returnValue = ? WHERE rowid = ?";
    const struct grosr_value values[] = {grosr_records_place(r, end_ns), result, grosr_integer(row)};

    return grosr_store_execute(r->store, update, values, 3, NULL);
}

int grosr_records_begin_call(struct grosr_records *r, const struct grosr_record_cuda_call *c, int64_t name)
{
    return has(r, c->tid, c->start) ? 0 : insert_call(r, c, name);
}

int grosr_records_end_call(struct grosr_records *r, uint32_t tid, uint64_t start_ns, uint64_t end_ns)
{
    int64_t row = take(r, tid, start_ns);

    return row ? end_call(r, row, end_ns, grosr_integer_or_null(0, false)) : 0;
}

/* A call that lasted may have a row: pending_rows.c begins one while it is pending. */
static int add_call(struct grosr_records *r, uint32_t stream, const struct grosr_record_cuda_call *c)
{
    int64_t row = r->cuda && r->cuda->held ? take(r, c->tid, c->start) : 0;

    return row ? end_call(r, row, c->end, grosr_integer(c->result))
               : insert_call(r, c, grosr_records_string(r, stream, c->name));
}

/* ---- kernels ---- */

static int end_persistent(struct grosr_records *r, const struct grosr_record_cuda_kernel *k, int64_t row)
{
    static const char update[] = "UPDATE CUPTI_ACTIVITY_KIND_KERNEL SET start = ?, end = ? WHERE rowid = ?";
    const struct grosr_value values[] = {grosr_records_place(r, k->start), place_or_null(r, k->end),
                                         grosr_integer(row)};

    return grosr_store_execute(r->store, update, values, 3, NULL);
}

static int add_kernel(struct grosr_records *r, uint32_t stream, const struct grosr_record_cuda_kernel *k)
{
    static const char insert[] =
        "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL (start, end, deviceId, contextId, streamId, correlationId,"
        " globalPid, demangledName, shortName, mangledName, registersPerThread, gridX, gridY, gridZ, blockX,"
        " blockY, blockZ, staticSharedMemory, dynamicSharedMemory, localMemoryPerThread, gridId, graphNodeId,"
        " persistent) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
    bool persistent = k->state != GROSR_CUDA_KERNEL_RAN;
    int64_t row, mangled = grosr_records_string(r, stream, k->mangled_name);
    int err;

    if (k->state == GROSR_CUDA_KERNEL_ENDS) {
        row = take(r, k->persistent | KERNEL, 0);
        return row ? end_persistent(r, k, row) : 0;
    }
    const struct grosr_value values[] = {
        grosr_records_place(r, k->start),
        place_or_null(r, k->end),
        grosr_integer(k->device),
        grosr_integer(k->context),
        grosr_integer(k->stream),
        grosr_integer_or_null(k->correlation, k->correlation != 0),
        process(r),
        grosr_integer(grosr_records_string(r, stream, k->full_name)),
        grosr_integer(grosr_records_string(r, stream, k->name)),
        grosr_integer_or_null(mangled, mangled != 0),
        grosr_integer_or_null(k->registers_per_thread, !persistent || k->registers_per_thread),
        grosr_integer(k->grid[0]),
        grosr_integer(k->grid[1]),
        grosr_integer(k->grid[2]),
        grosr_integer(k->block[0]),
        grosr_integer(k->block[1]),
        grosr_integer(k->block[2]),
        grosr_integer_or_null(k->static_shared_bytes, !persistent || k->static_shared_bytes),
        grosr_integer(k->dynamic_shared_bytes),
        grosr_integer_or_null(k->local_bytes, !persistent),
        grosr_integer_or_null(k->grid_id, !persistent),
        node(k->graph_node),
        grosr_integer(persistent),
    };
    err = grosr_store_execute(r->store, insert, values, sizeof(values) / sizeof(values[0]), &row);
    return err || !persistent ? err : put(r, k->persistent | KERNEL, 0, row);
}

/* ---- copies, fills, synchronization ---- */

/* ENUM_CUDA_MEM_KIND has CUPTI's numbers less one; what CUPTI does not know, 0, comes last. */
static int64_t memory_kind(uint32_t kind)
{
    return kind ? (int64_t)kind - 1 : 7;
}

static int add_op(struct grosr_records *r, const struct grosr_record_cuda_op *o)
{
    static const char memcpy_sql[] =
        "INSERT INTO CUPTI_ACTIVITY_KIND_MEMCPY (start, end, deviceId, contextId, streamId, correlationId,"
        " globalPid, bytes, graphNodeId, copyKind, srcKind, dstKind) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)";
    static const char memset_sql[] =
        "INSERT INTO CUPTI_ACTIVITY_KIND_MEMSET (start, end, deviceId, contextId, streamId, correlationId,"
        " globalPid, bytes, graphNodeId, value, memKind) VALUES (?,?,?,?,?,?,?,?,?,?,?)";
    static const char sync_sql[] =
        "INSERT INTO CUPTI_ACTIVITY_KIND_SYNCHRONIZATION (start, end, deviceId, contextId, streamId,"
        " correlationId, globalPid, syncType, eventId) VALUES (?,?,?,?,?,?,?,?,?)";
    bool sync = o->head.kind == GROSR_RECORD_CUDA_SYNC, copy = o->head.kind == GROSR_RECORD_CUDA_MEMCPY;
    struct grosr_value values[12] = {
        grosr_records_place(r, o->start),
        grosr_records_place(r, o->end),
        grosr_integer_or_null(o->device, !sync),
        grosr_integer(o->context),
        /* CUPTI_SYNCHRONIZATION_INVALID_VALUE: of no one stream */
        grosr_integer_or_null(o->stream, !sync || o->stream != UINT32_MAX),
        grosr_integer_or_null(o->correlation, o->correlation != 0),
        process(r),
    };

    if (sync) {
        values[7] = grosr_integer(o->kind);
        values[8] = grosr_integer_or_null(o->value, o->value != UINT32_MAX);
        return grosr_store_execute(r->store, sync_sql, values, 9, NULL);
    }
    values[7] = grosr_integer((int64_t)o->bytes);
    values[8] = node(o->graph_node);
    values[9] = grosr_integer(copy ? o->kind : o->value);
    values[10] = grosr_integer(memory_kind(copy ? o->from : o->to));
    values[11] = grosr_integer(memory_kind(o->to));
    return grosr_store_execute(r->store, copy ? memcpy_sql : memset_sql, values, copy ? 12 : 11, NULL);
}

/* ---- graphs ---- */

static int add_graph(struct grosr_records *r, uint32_t stream, const struct grosr_record_cuda_graph *g)
{
    static const char sql[] =
        "INSERT INTO CUPTI_ACTIVITY_KIND_GRAPH_TRACE (start, end, deviceId, contextId, streamId,"
        " correlationId, globalPid, graphId, nameId) VALUES (?,?,?,?,?,?,?,?,?)";
    int64_t name = g->name ? grosr_records_string(r, stream, g->name) : 0;
    const struct grosr_value values[] = {
        grosr_records_place(r, g->start),
        grosr_records_place(r, g->end),
        grosr_integer_or_null(g->device, g->device < INT32_MAX),
        grosr_integer_or_null(g->context, g->context < INT32_MAX),
        grosr_integer(g->stream),
        grosr_integer_or_null(g->correlation, g->correlation != 0),
        process(r),
        grosr_integer(g->graph),
        grosr_integer_or_null(name, name != 0),
    };

    return grosr_store_execute(r->store, sql, values, sizeof(values) / sizeof(values[0]), NULL);
}

/* ---- facts ---- */

static int add_device(struct grosr_records *r, const struct grosr_record_cuda_device *d, const char *name)
{
    struct grosr_gpu gpu = d->gpu;

    gpu.bus[sizeof(gpu.bus) - 1] = 0;
    return grosr_store_add_gpu(r->store, r->pid, &gpu, name, d->text_bytes);
}

static int add_context(struct grosr_records *r, const struct grosr_record_cuda_context *c)
{
    static const char sql[] = "INSERT INTO TARGET_INFO_CUDA_CONTEXT_INFO (contextId, deviceId, nullStreamId,"
                              " processId) VALUES (?,?,?,?)";
    const struct grosr_value values[] = {grosr_integer(c->context), grosr_integer(c->device),
                                         grosr_integer(c->null_stream), grosr_integer(r->pid)};

    return grosr_store_execute(r->store, sql, values, 4, NULL);
}

int grosr_records_add_cuda(struct grosr_records *r, uint32_t stream, const unsigned char *at, uint32_t kind,
                           uint32_t bytes)
{
    union {
        struct grosr_record_cuda_call call;
        struct grosr_record_cuda_kernel kernel;
        struct grosr_record_cuda_op op;
        struct grosr_record_cuda_graph graph;
        struct grosr_record_cuda_device device;
        struct grosr_record_cuda_context context;
    } is;

    switch (kind) {
    case GROSR_RECORD_CUDA_CALL:
        if (GROSR_FIXED(is.call, at, bytes))
            return add_call(r, stream, &is.call);
        break;
    case GROSR_RECORD_CUDA_KERNEL:
        if (GROSR_FIXED(is.kernel, at, bytes) && is.kernel.state <= GROSR_CUDA_KERNEL_ENDS)
            return add_kernel(r, stream, &is.kernel);
        break;
    case GROSR_RECORD_CUDA_MEMCPY:
    case GROSR_RECORD_CUDA_MEMSET:
    case GROSR_RECORD_CUDA_SYNC:
        if (GROSR_FIXED(is.op, at, bytes))
            return add_op(r, &is.op);
        break;
    case GROSR_RECORD_CUDA_GRAPH:
        if (GROSR_FIXED(is.graph, at, bytes))
            return add_graph(r, stream, &is.graph);
        break;
    case GROSR_RECORD_CUDA_DEVICE:
        r->reports_gpu = true;
        if (GROSR_FIXED(is.device, at, bytes) && GROSR_HOLDS(is.device, bytes, is.device.text_bytes))
            return add_device(r, &is.device, (const char *)at + sizeof(is.device));
        break;
    case GROSR_RECORD_CUDA_CONTEXT:
        if (GROSR_FIXED(is.context, at, bytes))
            return add_context(r, &is.context);
        break;
    default: /* of a later version */
        return 0;
    }
    r->damaged++;
    return 0;
}

void grosr_records_save_cuda(const struct grosr_records *r, struct grosr_checkpoint *checkpoint)
{
    uint64_t count = r->cuda ? r->cuda->held : 0, reports_gpu = r->reports_gpu;

    grosr_checkpoint_put(checkpoint, &reports_gpu, sizeof(reports_gpu));
    grosr_checkpoint_put(checkpoint, &count, sizeof(count));
    for (uint32_t i = 0; r->cuda && i < BUCKETS; i++)
        for (const struct waiting *w = r->cuda->waiting[i]; w; w = w->next) {
            grosr_checkpoint_put(checkpoint, &w->key, sizeof(w->key));
            grosr_checkpoint_put(checkpoint, &w->start, sizeof(w->start));
            grosr_checkpoint_put(checkpoint, &w->row, sizeof(w->row));
        }
}

int grosr_records_load_cuda(struct grosr_records *r, struct grosr_checkpoint *checkpoint)
{
    uint64_t reports_gpu = 0;
    int err = 0;

    grosr_checkpoint_get(checkpoint, &reports_gpu, sizeof(reports_gpu));
    r->reports_gpu = reports_gpu != 0;
    for (uint64_t n = grosr_checkpoint_get_count(checkpoint, 3 * sizeof(uint64_t));
         !err && !checkpoint->failed && n > 0; n--) {
        uint64_t key, start;
        int64_t row;
        grosr_checkpoint_get(checkpoint, &key, sizeof(key));
        grosr_checkpoint_get(checkpoint, &start, sizeof(start));
        grosr_checkpoint_get(checkpoint, &row, sizeof(row));
        err = put(r, key, start, row);
    }
    return err;
}

void grosr_records_free_cuda(struct grosr_records *r)
{
    for (uint32_t i = 0; r->cuda && i < BUCKETS; i++)
        for (struct waiting *w = r->cuda->waiting[i], *next; w; w = next) {
            next = w->next;
            free(w);
        }
    free(r->cuda);
    r->cuda = NULL;
}
