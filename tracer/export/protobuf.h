/*
 * Writing protobuf messages: the four parts of the wire format that an export needs, which are a varint,
 * eight fixed bytes, a string of bytes, and a message inside a message. protobuf-c would do as well, but
 * would add a code generator and a library to every build; and it packs whole messages from trees of structs,
 * which would be built and walked twice for each of a million small packets. Google's protobuf and Perfetto's
 * own definitions check the result (tests/cli/export.t).
 *
 * The format: a field is a varint `number << 3 | type` and then, type 0, a varint of 7 bits a byte, lowest
 * first, the top bit set on all bytes but the last; type 1, 8 bytes, little-endian; type 2, a length as a
 * varint and so many bytes, which may be a message. Fields come in any order.
 *
 * When there is no memory left, `failed` is set for good and writing has no effect; the caller checks it
 * once.
 */
#ifndef GROSR_PROTOBUF_H
#define GROSR_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct grosr_protobuf {
    unsigned char *bytes; /* the caller frees it, and may set `used` to 0 between messages */
    size_t used, room;
    bool failed;
};

void grosr_protobuf_varint(struct grosr_protobuf *p, uint32_t field, uint64_t value);
void grosr_protobuf_fixed64(struct grosr_protobuf *p, uint32_t field, uint64_t value);
void grosr_protobuf_double(struct grosr_protobuf *p, uint32_t field, double value);

/* A text: bytes that are not UTF-8, which readers refuse, become U+FFFD. */
void grosr_protobuf_text(struct grosr_protobuf *p, uint32_t field, const char *text);

/* A message inside: what is written between the two calls is its content. close() takes what open() returned.
 */
size_t grosr_protobuf_open(struct grosr_protobuf *p, uint32_t field);
void grosr_protobuf_close(struct grosr_protobuf *p, size_t opened);

#endif
