/*
 * Summaries of CUDA activity and NVTX: kernels, the gaps between them, launch latencies, ranges.
 */
#include "summary_parts.h"

#include <stdlib.h>
#include <string.h>

#define TEXTS_MAX 65536 /* distinct texts of NVTX ranges that are counted separately */

/* What `what`, `which` and `part` mean is in grosr-schema(5), SUMMARIES. */
static const char KERNEL[] = "kernel", KERNEL_NAME[] = "kernel_name", KERNEL_GAP[] = "kernel_gap",
                  LAUNCH[] = "launch";

/* A stream, and when what has run on it so far ended. */
struct stream {
    int64_t device, context, stream, until; /* device: globalPid | deviceId */
};

static struct stream *stream_of(struct summary *s, struct stream **streams, int *n, const struct stream *key)
{
    for (int i = *n; i-- > 0;) {
        struct stream *k = &(*streams)[i];
        if (k->stream == key->stream && k->context == key->context && k->device == key->device)
            return k;
    }
    struct stream *more = (struct stream *)realloc(*streams, (size_t)(*n + 1) * sizeof(*more));
    if (!more) {
        summary_failed(s, SQLITE_NOMEM);
        return NULL;
    }
    *streams = more;
    more[*n] = *key;
    return &more[(*n)++];
}

static void count_kernels(struct summary *s)
{
    sqlite3_stmt *q = summary_prepare(
        s,
        "SELECT globalPid | deviceId, contextId, streamId, start, end, demangledName, persistent, shortName"
        " FROM CUPTI_ACTIVITY_KIND_KERNEL ORDER BY start");
    struct stream *streams = NULL;
    int n = 0;

    while (summary_row(s, q)) {
        int64_t device = summary_cell(q, 0), start = summary_time(q, 3), end = summary_time(q, 4);
        const struct stream key = {device, summary_cell(q, 1), summary_cell(q, 2), GROSR_NULL};
        summary_count(s, KERNEL, summary_cell(q, 5), device, summary_difference(end, start), 0);
        summary_count(s, KERNEL_NAME, summary_cell(q, 5), summary_cell(q, 7), 0, 0);
        if (summary_cell(q, 6))
            continue; /* it runs while others start and end: no gap is beside it */
        struct stream *on = stream_of(s, &streams, &n, &key);
        if (!on)
            break;
        if (on->until != GROSR_NULL)
            summary_count(s, KERNEL_GAP, device, key.stream, start > on->until ? start - on->until : 0, 0);
        if (on->until == GROSR_NULL || end == GROSR_NULL || end > on->until)
            on->until = end;
    }
    free(streams);
    sqlite3_finalize(q);
}

/*
 * From the start of the API call to the start of the kernel: a merge join of both in the order of correlation
 * ids. A runtime call and the driver call inside it may have the same id; the earlier start counts.
 */
static void count_launches(struct summary *s)
{
    sqlite3_stmt *kernel = summary_prepare(
        s, "SELECT correlationId, globalPid, start, demangledName, globalPid | deviceId"
           " FROM CUPTI_ACTIVITY_KIND_KERNEL WHERE correlationId IS NOT NULL AND NOT persistent"
           " ORDER BY correlationId, globalPid");
    sqlite3_stmt *call = summary_prepare(
        s, "SELECT correlationId, globalTid >> 24 << 24, start FROM CUPTI_ACTIVITY_KIND_RUNTIME"
           " WHERE correlationId IS NOT NULL ORDER BY correlationId, globalTid, start");
    int64_t id = 0, process = 0, begin = GROSR_NULL;
    bool more = summary_row(s, call);

    while (summary_row(s, kernel)) {
        while (more && (summary_cell(call, 0) < summary_cell(kernel, 0) ||
                        (summary_cell(call, 0) == summary_cell(kernel, 0) &&
                         summary_cell(call, 1) <= summary_cell(kernel, 1)))) {
            bool same =
                begin != GROSR_NULL && summary_cell(call, 0) == id && summary_cell(call, 1) == process;
            if (!same || summary_time(call, 2) < begin)
                begin = summary_time(call, 2);
            id = summary_cell(call, 0);
            process = summary_cell(call, 1);
            more = summary_row(s, call);
        }
        if (begin != GROSR_NULL && id == summary_cell(kernel, 0) && process == summary_cell(kernel, 1))
            summary_count(s, LAUNCH, summary_cell(kernel, 3), summary_cell(kernel, 4),
                          summary_difference(summary_time(kernel, 2), begin), 0);
    }
    sqlite3_finalize(kernel);
    sqlite3_finalize(call);
}

/* Numbers for the texts of NVTX ranges: a hash table. */
struct texts {
    char **text;      /* by number */
    uint32_t *slots;  /* number + 1; 0: free */
    uint32_t n, size; /* size: 0 or a power of two */
};

static uint32_t hash_text(const char *text)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 16777619u;
    return h;
}

static bool grow_texts(struct texts *t)
{
    uint32_t size = t->size ? 2 * t->size : 256;
    uint32_t *slots = (uint32_t *)calloc(size, sizeof(*slots));
    char **text = slots ? (char **)realloc(t->text, size * sizeof(*text)) : NULL;

    if (!text) {
        free(slots);
        return false;
    }
    for (uint32_t number = 0; number < t->n; number++) {
        uint32_t i = hash_text(text[number]) & (size - 1);
        while (slots[i])
            i = (i + 1) & (size - 1);
        slots[i] = number + 1;
    }
    free(t->slots);
    t->slots = slots;
    t->text = text;
    t->size = size;
    return true;
}

/* The number of a text. Programs may put a counter into it: after TEXTS_MAX, new texts count as unknown. */
static int64_t number_of_text(struct summary *s, struct texts *t, const char *text)
{
    if (!text)
        return SUMMARY_UNKNOWN;
    if (t->n * 2 >= t->size && !grow_texts(t)) {
        summary_failed(s, SQLITE_NOMEM);
        return SUMMARY_UNKNOWN;
    }
    uint32_t i = hash_text(text) & (t->size - 1);
    for (; t->slots[i]; i = (i + 1) & (t->size - 1))
        if (strcmp(t->text[t->slots[i] - 1], text) == 0)
            return t->slots[i] - 1;
    if (t->n == TEXTS_MAX)
        return SUMMARY_UNKNOWN;
    t->text[t->n] = strdup(text);
    if (!t->text[t->n]) {
        summary_failed(s, SQLITE_NOMEM);
        return SUMMARY_UNKNOWN;
    }
    t->slots[i] = ++t->n;
    return t->n - 1;
}

static void count_nvtx(struct summary *s)
{
    sqlite3_stmt *q = summary_prepare(
        s, "SELECT (coalesce(globalTid, 0) >> 24 << 24) | domainId, end - start, coalesce(text, value)"
           " FROM NVTX_EVENTS LEFT JOIN StringIds ON id = textId"
           " WHERE eventType IN (59, 60)");
    struct texts texts = {.n = 0};

    while (summary_row(s, q)) {
        int64_t text = number_of_text(s, &texts, (const char *)sqlite3_column_text(q, 2));
        summary_count(s, "nvtx", text, summary_cell(q, 0), summary_cell(q, 1), 0);
    }
    sqlite3_finalize(q);
    q = summary_prepare(s, "INSERT INTO GROSR_RANGE_TEXT VALUES (?1,?2)");
    for (uint32_t i = 0; i < texts.n; i++) {
        if (q)
            sqlite3_bind_text(q, 2, texts.text[i], -1, SQLITE_STATIC);
        summary_insert(s, q, (const int64_t[]){i}, 1);
        free(texts.text[i]);
    }
    sqlite3_finalize(q);
    free(texts.text);
    free(texts.slots);
}

void summary_cuda(struct summary *s)
{
    count_kernels(s);
    count_launches(s);
    count_nvtx(s);
}
