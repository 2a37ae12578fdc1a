/* The bytes are those of the protobuf wire format; tests/cli/export.t reads whole exports with other parsers.
 */
#include "../tap.h"

#include "../../tracer/export/protobuf.h"

static struct grosr_protobuf p;

/* Whether exactly these bytes have been written; then starts afresh. */
static bool wrote(const char *bytes, size_t count)
{
    bool same = !p.failed && p.used == count && !memcmp(p.bytes, bytes, count);

    p.used = 0;
    return same;
}

#define WROTE(text) wrote(text, sizeof(text) - 1)

static void numbers(void)
{
    grosr_protobuf_varint(&p, 1, 0);
    ok(WROTE("\x08\x00"), "0");
    grosr_protobuf_varint(&p, 1, 127);
    ok(WROTE("\x08\x7f"), "127: one byte");
    grosr_protobuf_varint(&p, 1, 128);
    ok(WROTE("\x08\x80\x01"), "128: two");
    grosr_protobuf_varint(&p, 16, 300);
    ok(WROTE("\x80\x01\xac\x02"), "a field number above 15 takes two bytes");
    grosr_protobuf_varint(&p, 2, (uint64_t)-1);
    ok(WROTE("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "-1: ten bytes");
    grosr_protobuf_fixed64(&p, 47, UINT64_C(0x0123456789abcdef));
    ok(WROTE("\xf9\x02\xef\xcd\xab\x89\x67\x45\x23\x01"), "fixed64, little-endian");
    grosr_protobuf_double(&p, 5, -2.5);
    ok(WROTE("\x29\x00\x00\x00\x00\x00\x00\x04\xc0"), "a double");
}

static void texts(void)
{
    grosr_protobuf_text(&p, 2, "");
    ok(WROTE("\x12\x00"), "an empty text");
    grosr_protobuf_text(&p, 2, "na\xc3\xafve\n\x01\"");
    ok(WROTE("\x12\x09na\xc3\xafve\n\x01\""), "UTF-8 and controls stay");
    grosr_protobuf_text(&p, 2, "a\xff\xc3(\xed\xa0\x80");
    ok(WROTE("\x12\x11"
             "a\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"),
       "bytes that are not UTF-8 become U+FFFD, one each");
}

/* The length of a message, with as many bytes as it takes, is in front of it whatever that moves. */
static void nesting(void)
{
    static const size_t lengths[] = {0, 1, 127, 128, 16383, 16384, 2097152};
    size_t outer, inner;

    outer = grosr_protobuf_open(&p, 1);
    grosr_protobuf_varint(&p, 3, 5);
    inner = grosr_protobuf_open(&p, 4);
    grosr_protobuf_text(&p, 1, "x");
    grosr_protobuf_close(&p, inner);
    grosr_protobuf_varint(&p, 6, 7);
    grosr_protobuf_close(&p, outer);
    ok(WROTE("\x0a\x09\x18\x05\x22\x03\x0a\x01x\x30\x07"), "a message in a message");

    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        char *text = (char *)calloc(1, lengths[i] + 1);
        uint64_t length = 0;
        size_t at = 1;
        memset(text, 'y', lengths[i]);
        grosr_protobuf_text(&p, 1, text);
        for (int shift = 0; at < p.used; shift += 7) {
            length |= (uint64_t)(p.bytes[at] & 0x7f) << shift;
            if (p.bytes[at++] < 0x80)
                break;
        }
        ok(length == lengths[i] && p.used == at + length && !memcmp(p.bytes + at, text, lengths[i]),
           "%zu bytes", lengths[i]);
        p.used = 0;
        free(text);
    }
}

int main(void)
{
    numbers();
    texts();
    nesting();
    free(p.bytes);
    return tap_done();
}
