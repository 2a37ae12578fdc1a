/*
 * Records into rows (records.h): each record is checked for its size and dispatched by its kind. Strings,
 * names and notes are handled here, the rest in records_nvtx.c, records_cuda.c, records_pc.c and
 * records_syscall.c, which do not depend on each other.
 */
#include "records_parts.h"

#include "../base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STRINGS_MAX (1u << 20)  /* numbers of a stream's strings */
#define TIMEOUT_NS  1000000000u /* a range that has been open for so long has a row without an end */

/* ---- names and notes ---- */

static int add_thread_name(struct grosr_records *r, uint32_t stream, const struct grosr_record_name *n,
                           const char *at)
{
    static const char forget[] = "DELETE FROM ThreadNames WHERE globalTid = ?";
    static const char sql[] = "INSERT INTO ThreadNames (nameId, globalTid) VALUES (?, ?)";
    const struct grosr_value who = grosr_records_thread(r, n->tid);
    int64_t id = n->text ? grosr_records_string(r, stream, n->text) : 0;
    int err = n->text ? 0 : grosr_store_string(r->store, at, strnlen(at, n->text_bytes), &id);

    if (!err && !id) /* of a string that was dropped */
        return 0;
    if (!err)
        err = grosr_store_execute(r->store, forget, &who, 1, NULL);
    if (err)
        return err;
    const struct grosr_value values[] = {grosr_integer(id), who};
    return grosr_store_execute(r->store, sql, values, 2, NULL);
}

static int add_object_name(struct grosr_records *r, uint32_t stream, const struct grosr_record_name *n,
                           const char *at)
{
    static const char sql[] = "INSERT INTO GROSR_CUDA_NAME (kind, handle, id, name, globalTid)"
                              " VALUES (?,?,?,coalesce((SELECT value FROM StringIds WHERE id = ?), ?),?)";
    static const char *const kinds[] = {"", "device", "context", "stream", "event"};

    if (n->object < GROSR_OBJECT_DEVICE || n->object > GROSR_OBJECT_EVENT) {
        r->damaged++;
        return 0;
    }
    const struct grosr_value values[] = {grosr_text(kinds[n->object], strlen(kinds[n->object])),
                                         grosr_integer((int64_t)n->handle),
                                         grosr_integer_or_null(n->number, n->number >= 0),
                                         grosr_integer(grosr_records_string(r, stream, n->text)),
                                         grosr_text(at, n->text_bytes),
                                         grosr_records_thread(r, n->tid)};
    return grosr_store_execute(r->store, sql, values, 6, NULL);
}

static int add_note(struct grosr_records *r, const struct grosr_record_note *n, const char *at)
{
    char words[1200];

    if (r->warned && n->topic_bytes == 5 && (!memcmp(at, "cupti", 5) || !memcmp(at, "names", 5))) {
        snprintf(words, sizeof(words), "process %u: %.*s", r->pid,
                 (int)(n->text_bytes < 1100 ? n->text_bytes : 1100), at + n->topic_bytes);
        r->warned(words);
    }
    return grosr_store_note(r->store, grosr_records_place(r, n->time).integer, r->bases.session, at,
                            strnlen(at, n->topic_bytes), at + n->topic_bytes,
                            strnlen(at + n->topic_bytes, n->text_bytes));
}

/* ---- records ---- */

static int add_record(struct grosr_records *r, uint32_t stream, const unsigned char *at, uint32_t kind,
                      uint32_t bytes)
{
    union {
        struct grosr_record_note note;
        struct grosr_record_text text;
        struct grosr_record_part part;
        struct grosr_record_name name;
    } is;

    switch (kind) {
    case GROSR_RECORD_NOTE:
        if (!GROSR_FIXED(is.note, at, bytes) ||
            !GROSR_HOLDS(is.note, bytes, (uint32_t)is.note.topic_bytes + is.note.text_bytes))
            break;
        return add_note(r, &is.note, (const char *)at + sizeof(is.note));
    case GROSR_RECORD_TEXT:
        if (!GROSR_FIXED(is.text, at, bytes) || !GROSR_HOLDS(is.text, bytes, is.text.text_bytes) ||
            !is.text.number || is.text.number >= STRINGS_MAX)
            break;
        return grosr_records_add_string(r, stream, is.text.number, (const char *)at + sizeof(is.text),
                                        is.text.text_bytes);
    case GROSR_RECORD_TEXT_PART:
        if (!GROSR_FIXED(is.part, at, bytes) || !GROSR_HOLDS(is.part, bytes, is.part.text_bytes) ||
            !is.part.number || is.part.number >= STRINGS_MAX || is.part.total > GROSR_TEXT_MAX)
            break;
        return grosr_records_add_part(r, stream, &is.part, (const char *)at + sizeof(is.part));
    case GROSR_RECORD_THREAD_NAME:
    case GROSR_RECORD_OBJECT_NAME:
        if (!GROSR_FIXED(is.name, at, bytes) || !GROSR_HOLDS(is.name, bytes, is.name.text_bytes))
            break;
        at += sizeof(is.name);
        return kind == GROSR_RECORD_THREAD_NAME ? add_thread_name(r, stream, &is.name, (const char *)at)
                                                : add_object_name(r, stream, &is.name, (const char *)at);
    case GROSR_RECORD_NVTX_DOMAIN:
    case GROSR_RECORD_NVTX_CATEGORY:
    case GROSR_RECORD_NVTX_MARK:
    case GROSR_RECORD_NVTX_PUSH:
    case GROSR_RECORD_NVTX_POP:
    case GROSR_RECORD_NVTX_START:
    case GROSR_RECORD_NVTX_END:
        return grosr_records_add_nvtx(r, stream, at, kind, bytes);
    case GROSR_RECORD_CUDA_PC:
    case GROSR_RECORD_CUDA_PC_FUNCTION:
    case GROSR_RECORD_CUDA_PC_BIN:
        return grosr_records_add_pc(r, stream, at, kind, bytes);
    case GROSR_RECORD_SYSCALLS:
        return grosr_records_add_syscalls(r, at, bytes);
    default: /* of CUDA, or of a later version */
        return grosr_records_add_cuda(r, stream, at, kind, bytes);
    }
    r->damaged++;
    return 0;
}

int grosr_records_create(struct grosr_records **out, const struct grosr_session *session,
                         const struct grosr_bases *bases, struct grosr_clock *clock,
                         struct grosr_store *store)
{
    struct grosr_records *r = (struct grosr_records *)calloc(1, sizeof(*r));

    if (r)
        r->strings =
            (struct grosr_records_strings *)calloc(session->header.streams + 1u, sizeof(*r->strings));
    if (!r || !r->strings || grosr_records_create_nvtx(r)) {
        if (r)
            free(r->strings);
        free(r);
        return grosr_fail(ENOMEM, "out of memory");
    }
    r->store = store;
    r->bases = *bases;
    r->clock = clock;
    r->latest_ns = session->header.start_mono_ns;
    r->pid = session->header.pid;
    r->streams = session->header.streams;
    r->workers = session->header.workers;
    *out = r;
    return 0;
}

void grosr_records_warn(struct grosr_records *r, void (*warned)(const char *text))
{
    r->warned = warned;
}

bool grosr_records_reports_gpu(const struct grosr_records *r)
{
    return r->reports_gpu;
}

int grosr_records_add(struct grosr_records *r, uint32_t stream, const unsigned char *bytes, size_t count)
{
    int err = 0;

    for (size_t at = 0; !err && count - at >= sizeof(struct grosr_record);) {
        struct grosr_record head;
        memcpy(&head, bytes + at, sizeof(head));
        if (head.bytes < sizeof(head) || head.bytes > count - at || stream >= r->streams)
            return grosr_fail(EPROTO, "not a whole record");
        err = add_record(r, stream, bytes + at, head.kind, head.bytes);
        at += head.bytes;
    }
    return err;
}

int grosr_records_tick(struct grosr_records *r, uint64_t now_ns)
{
    return now_ns >= TIMEOUT_NS ? grosr_records_write_open_nvtx(r, now_ns - TIMEOUT_NS) : 0;
}

int grosr_records_finish(struct grosr_records *r)
{
    int err = grosr_records_write_open_nvtx(r, UINT64_MAX);

    if (!err && r->damaged) {
        char words[96];
        snprintf(words, sizeof(words), "%llu damaged records were skipped", (unsigned long long)r->damaged);
        err = grosr_store_note(r->store, grosr_records_place(r, r->latest_ns).integer, r->bases.session,
                               "records", 7, words, strlen(words));
        r->damaged = 0;
    }
    return err;
}

void grosr_records_save(const struct grosr_records *r, struct grosr_checkpoint *checkpoint)
{
    for (uint32_t i = 0; i < r->streams; i++) {
        uint64_t room = r->strings[i].room;
        grosr_checkpoint_put(checkpoint, &room, sizeof(room));
        grosr_checkpoint_put(checkpoint, r->strings[i].id, room * sizeof(*r->strings[i].id));
        grosr_records_save_parts(&r->strings[i], checkpoint);
    }
    grosr_records_save_nvtx(r, checkpoint);
    grosr_records_save_cuda(r, checkpoint);
}

int grosr_records_load(struct grosr_records *r, struct grosr_checkpoint *checkpoint)
{
    for (uint32_t i = 0; i < r->streams; i++) {
        struct grosr_records_strings *s = &r->strings[i];
        uint64_t room = grosr_checkpoint_get_count(checkpoint, sizeof(*s->id));
        s->id = room ? (int64_t *)malloc(room * sizeof(*s->id)) : NULL;
        if (room && !s->id)
            return grosr_fail(ENOMEM, "out of memory");
        s->room = (uint32_t)room;
        grosr_checkpoint_get(checkpoint, s->id, room * sizeof(*s->id));
        int err = grosr_records_load_parts(s, checkpoint);
        if (err)
            return err;
    }
    int err = grosr_records_load_nvtx(r, checkpoint);
    return err ? err : grosr_records_load_cuda(r, checkpoint);
}

void grosr_records_free(struct grosr_records *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->streams; i++) {
        free(r->strings[i].id);
        grosr_records_free_parts(&r->strings[i]);
    }
    grosr_records_free_nvtx(r);
    grosr_records_free_cuda(r);
    free(r->strings);
    free(r);
}
