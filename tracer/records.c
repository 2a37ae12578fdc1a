/*
 * Records to rows (records.h).
 */
#include "records.h"

#include "error.h"
#include "record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct grosr_records {
    struct grosr_bases base;
    struct grosr_store *store;
};

int grosr_records_create(struct grosr_records **out, const struct grosr_session *session,
                         const struct grosr_bases *bases, struct grosr_store *store)
{
    struct grosr_records *r = (struct grosr_records *)calloc(1, sizeof(*r));

    (void)session;
    if (!r)
        return grosr_fail(ENOMEM, "out of memory");
    r->base = *bases;
    r->store = store;
    *out = r;
    return 0;
}

static int add_note(struct grosr_records *r, const unsigned char *record, size_t bytes)
{
    struct grosr_record_note note;

    if (bytes < sizeof(note))
        return 0;
    memcpy(&note, record, sizeof(note));
    if (bytes - sizeof(note) < (size_t)note.topic_bytes + note.text_bytes)
        return 0;
    const char *topic = (const char *)record + sizeof(note);
    return grosr_store_note(r->store, grosr_timeline(&r->base, note.time), r->base.session, topic,
                            note.topic_bytes, topic + note.topic_bytes, note.text_bytes);
}

int grosr_records_add(struct grosr_records *r, uint32_t stream, const unsigned char *bytes, size_t count)
{
    int err = 0;

    (void)stream;
    for (size_t at = 0; !err && count - at >= sizeof(struct grosr_record);) {
        struct grosr_record head;
        memcpy(&head, bytes + at, sizeof(head));
        if (head.bytes < sizeof(head) || head.bytes > count - at)
            break;
        if (head.kind == GROSR_RECORD_NOTE)
            err = add_note(r, bytes + at, head.bytes);
        at += head.bytes;
    }
    return err;
}

int grosr_records_finish(struct grosr_records *r)
{
    (void)r;
    return 0;
}

void grosr_records_free(struct grosr_records *r)
{
    free(r);
}
