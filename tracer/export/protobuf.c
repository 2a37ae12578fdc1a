#include "protobuf.h"

#include "../base/utf8.h"

#include <stdlib.h>
#include <string.h>

enum { TYPE_VARINT, TYPE_FIXED64, TYPE_BYTES };

#define VARINT_MAX 10

/* Makes room for `more` bytes. */
static bool reserve(struct grosr_protobuf *p, size_t more)
{
    size_t room = p->room ? p->room : 256;

    if (p->failed || more <= p->room - p->used)
        return !p->failed;
    while (room - p->used < more)
        room *= 2;
    unsigned char *bytes = (unsigned char *)realloc(p->bytes, room);
    if (!bytes) {
        p->failed = true;
        return false;
    }
    p->bytes = bytes;
    p->room = room;
    return true;
}

static void put_varint(struct grosr_protobuf *p, uint64_t value)
{
    if (!reserve(p, VARINT_MAX))
        return;
    for (; value >= 0x80; value >>= 7)
        p->bytes[p->used++] = (unsigned char)(value | 0x80);
    p->bytes[p->used++] = (unsigned char)value;
}

static void put_bytes(struct grosr_protobuf *p, const void *bytes, size_t count)
{
    if (!reserve(p, count))
        return;
    memcpy(p->bytes + p->used, bytes, count);
    p->used += count;
}

static void put_key(struct grosr_protobuf *p, uint32_t field, uint32_t type)
{
    put_varint(p, (uint64_t)field << 3 | type);
}

void grosr_protobuf_varint(struct grosr_protobuf *p, uint32_t field, uint64_t value)
{
    put_key(p, field, TYPE_VARINT);
    put_varint(p, value);
}

void grosr_protobuf_fixed64(struct grosr_protobuf *p, uint32_t field, uint64_t value)
{
    unsigned char bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
    put_key(p, field, TYPE_FIXED64);
    put_bytes(p, bytes, sizeof(bytes));
}

void grosr_protobuf_double(struct grosr_protobuf *p, uint32_t field, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    grosr_protobuf_fixed64(p, field, bits);
}

void grosr_protobuf_text(struct grosr_protobuf *p, uint32_t field, const char *text)
{
    size_t left = strlen(text), opened = grosr_protobuf_open(p, field);

    while (left) {
        uint32_t c;
        size_t length = grosr_utf8_decode(text, left, &c);
        if (c == GROSR_UTF8_INVALID)
            put_bytes(p, GROSR_UTF8_REPLACEMENT, strlen(GROSR_UTF8_REPLACEMENT));
        else
            put_bytes(p, text, length);
        text += length;
        left -= length;
    }
    grosr_protobuf_close(p, opened);
}

size_t grosr_protobuf_open(struct grosr_protobuf *p, uint32_t field)
{
    put_key(p, field, TYPE_BYTES);
    put_varint(p, 0); /* the length, which nearly always has one byte */
    return p->used;
}

void grosr_protobuf_close(struct grosr_protobuf *p, size_t opened)
{
    size_t length = p->failed ? 0 : p->used - opened, extra = 0;

    for (size_t rest = length >> 7; rest; rest >>= 7)
        extra++;
    if (!reserve(p, extra))
        return;
    memmove(p->bytes + opened + extra, p->bytes + opened, length);
    p->used = opened - 1;
    put_varint(p, length);
    p->used += length;
}
