/*
 * What the kinds of records have in common (records_parts.h): values of columns, and the numbers that a
 * stream gives to its strings.
 */
#include "records_parts.h"

#include "../base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
