#include "checkpoint.h"

#include <stdlib.h>
#include <string.h>

void grosr_checkpoint_put(struct grosr_checkpoint *s, const void *from, size_t bytes)
{
    if (!s->failed && s->room - s->size < bytes) {
        size_t room = 2 * s->room + bytes + 4096;
        unsigned char *more = (unsigned char *)realloc(s->bytes, room);
        s->failed = !more;
        if (more) {
            s->bytes = more;
            s->room = room;
        }
    }
    if (s->failed || !bytes)
        return;
    memcpy(s->bytes + s->size, from, bytes);
    s->size += bytes;
}

bool grosr_checkpoint_get(struct grosr_checkpoint *s, void *to, size_t bytes)
{
    s->failed |= s->size - s->at < bytes;
    if (s->failed) {
        memset(to, 0, bytes);
        return false;
    }
    if (bytes)
        memcpy(to, s->bytes + s->at, bytes);
    s->at += bytes;
    return true;
}

uint64_t grosr_checkpoint_get_count(struct grosr_checkpoint *s, size_t size)
{
    uint64_t count;

    grosr_checkpoint_get(s, &count, sizeof(count));
    if (count > (s->size - s->at) / size) {
        s->failed = true;
        return 0;
    }
    return count;
}

void grosr_checkpoint_free(struct grosr_checkpoint *s)
{
    free(s->bytes);
    *s = (struct grosr_checkpoint){.bytes = NULL};
}
