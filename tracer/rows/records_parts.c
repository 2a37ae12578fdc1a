/*
 * What the kinds of records have in common (records_parts.h): values of columns, and the numbers that a
 * stream gives to its strings.
 */
#include "records_parts.h"

#include "../base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_MAX 4096u /* strings of a stream of which not all parts have come */

struct grosr_value grosr_text(const char *at, size_t bytes)
{
    return (struct grosr_value){.type = GROSR_VALUE_TEXT, .integer = (int64_t)strnlen(at, bytes), .text = at};
}

struct grosr_value grosr_records_place(struct grosr_records *r, uint64_t time)
{
    if (time > r->latest_ns && time < INT64_MAX)
        r->latest_ns = time;
    return grosr_integer(grosr_timeline(&r->bases, time));
}

int64_t grosr_records_string(const struct grosr_records *r, uint32_t stream, uint32_t number)
{
    const struct grosr_records_strings *s = &r->strings[stream];

    return number < s->room ? s->id[number] : 0;
}

int grosr_records_add_string(struct grosr_records *r, uint32_t stream, uint32_t number, const char *at,
                             size_t bytes)
{
    struct grosr_records_strings *s = &r->strings[stream];

    if (number >= s->room) {
        uint32_t room = s->room ? s->room : 64;
        while (room <= number)
            room *= 2;
        int64_t *id = (int64_t *)realloc(s->id, room * sizeof(*id));
        if (!id)
            return grosr_fail(ENOMEM, "out of memory");
        memset(id + s->room, 0, (room - s->room) * sizeof(*id));
        s->id = id;
        s->room = room;
    }
    return grosr_store_string(r->store, at, strnlen(at, bytes), &s->id[number]);
}

/* Room for `bytes` more; what it holds grows with what comes, not with what a record promises. */
static int grow_part(struct grosr_records_part *p, uint32_t bytes)
{
    uint32_t room = p->room ? p->room : GROSR_RECORD_MAX;

    while (room - p->bytes < bytes)
        room *= 2;
    char *text = room > p->room ? (char *)realloc(p->text, room) : p->text;
    if (!text)
        return grosr_fail(ENOMEM, "out of memory");
    p->text = text;
    p->room = room;
    return 0;
}

static void free_part(struct grosr_records_part *p)
{
    free(p->text);
    free(p);
}

static struct grosr_records_part *new_part(struct grosr_records_strings *s, uint32_t number, uint32_t total)
{
    struct grosr_records_part *p = (struct grosr_records_part *)calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->number = number;
    p->total = total;
    p->next = s->parts;
    s->parts = p;
    s->incomplete++;
    return p;
}

int grosr_records_add_part(struct grosr_records *r, uint32_t stream, const struct grosr_record_part *part,
                           const char *at)
{
    struct grosr_records_strings *s = &r->strings[stream];
    struct grosr_records_part **place = &s->parts, *p;

    while ((p = *place) && p->number != part->number)
        place = &p->next;
    if (!p) {
        if (part->offset)
            return 0;
        if (s->incomplete == PARTS_MAX) { /* no writer has so many in hand */
            r->damaged++;
            return 0;
        }
        p = new_part(s, part->number, part->total);
        if (!p)
            return grosr_fail(ENOMEM, "out of memory");
        place = &s->parts;
    }
    if (part->offset != p->bytes || part->text_bytes > p->total - p->bytes)
        return 0;
    int err = grow_part(p, part->text_bytes);
    if (err)
        return err;
    memcpy(p->text + p->bytes, at, part->text_bytes);
    p->bytes += part->text_bytes;
    if (p->bytes < p->total)
        return 0;
    err = grosr_records_add_string(r, stream, p->number, p->text, p->total);
    *place = p->next;
    s->incomplete--;
    free_part(p);
    return err;
}

void grosr_records_save_parts(const struct grosr_records_strings *s, struct grosr_checkpoint *checkpoint)
{
    uint64_t count = 0;

    for (const struct grosr_records_part *p = s->parts; p; p = p->next)
        count++;
    grosr_checkpoint_put(checkpoint, &count, sizeof(count));
    for (const struct grosr_records_part *p = s->parts; p; p = p->next) {
        const uint32_t head[] = {p->number, p->bytes, p->total};
        grosr_checkpoint_put(checkpoint, head, sizeof(head));
        grosr_checkpoint_put(checkpoint, p->text, p->bytes);
    }
}

int grosr_records_load_parts(struct grosr_records_strings *s, struct grosr_checkpoint *checkpoint)
{
    uint32_t head[3];
    int err = 0;

    for (uint64_t n = grosr_checkpoint_get_count(checkpoint, sizeof(head)); !err && n && !checkpoint->failed;
         n--) {
        grosr_checkpoint_get(checkpoint, head, sizeof(head));
        if (head[1] > head[2] || head[2] > GROSR_TEXT_MAX) {
            checkpoint->failed = true;
            return 0;
        }
        struct grosr_records_part *p = new_part(s, head[0], head[2]);
        err = p ? grow_part(p, head[1]) : grosr_fail(ENOMEM, "out of memory");
        if (!err && grosr_checkpoint_get(checkpoint, p->text, head[1]))
            p->bytes = head[1];
    }
    return err;
}

void grosr_records_free_parts(struct grosr_records_strings *s)
{
    for (struct grosr_records_part *p = s->parts, *next; p; p = next) {
        next = p->next;
        free_part(p);
    }
    s->parts = NULL;
    s->incomplete = 0;
}
