/*
 * A table of strings (intern.h): open addressing, at most half full.
 */
#include "intern.h"

#include "../base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct grosr_interned {
    uint64_t hash;
    int64_t number;
    size_t bytes;
    char text[];
};

/* FNV-1a, 64 bits. */
static uint64_t hash_of(const char *text, size_t bytes)
{
    uint64_t hash = 14695981039346656037u;

    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
    return hash;
}

/* Where the text is, or would be. */
static struct grosr_interned **find(struct grosr_interned **slot, size_t slots, uint64_t hash,
                                    const char *text, size_t bytes)
{
    size_t at = hash & (slots - 1);

    while (slot[at] &&
           (slot[at]->hash != hash || slot[at]->bytes != bytes || memcmp(slot[at]->text, text, bytes)))
        at = (at + 1) & (slots - 1);
    return &slot[at];
}

static int grow(struct grosr_intern *t)
{
    size_t slots = t->slots ? 2 * t->slots : 256;
    struct grosr_interned **slot = (struct grosr_interned **)calloc(slots, sizeof(struct grosr_interned *));

    if (!slot)
        return grosr_fail(ENOMEM, "out of memory for %zu strings", t->count);
    for (size_t i = 0; i < t->slots; i++)
        if (t->slot[i])
            *find(slot, slots, t->slot[i]->hash, t->slot[i]->text, t->slot[i]->bytes) = t->slot[i];
    free(t->slot);
    t->slot = slot;
    t->slots = slots;
    return 0;
}

int grosr_intern(struct grosr_intern *t, const char *text, size_t bytes, int64_t *number, bool *added)
{
    uint64_t hash = hash_of(text, bytes);

    if (2 * (t->count + 1) > t->slots && grow(t))
        return -ENOMEM;
    struct grosr_interned **at = find(t->slot, t->slots, hash, text, bytes);
    *added = !*at;
    if (!*at) {
        struct grosr_interned *s = (struct grosr_interned *)malloc(sizeof(*s) + bytes);
        if (!s)
            return grosr_fail(ENOMEM, "out of memory for %zu strings", t->count);
        s->hash = hash;
        s->number = (int64_t)++t->count;
        s->bytes = bytes;
        memcpy(s->text, text, bytes);
        *at = s;
    }
    *number = (*at)->number;
    return 0;
}

void grosr_intern_free(struct grosr_intern *t)
{
    for (size_t i = 0; i < t->slots; i++)
        free(t->slot[i]);
    free(t->slot);
    *t = (struct grosr_intern){NULL, 0, 0};
}
