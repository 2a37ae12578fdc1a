/*
 * Writing protobuf messages.
 *
 * Of the wire format an export needs four things: a varint, eight fixed bytes, a string of bytes, and a
 * message inside a message. That is what is here. protobuf-c would do as well, at the price of a code
 * generator and a library without which nothing is built, on every machine that only wants to run kernels;
 * and it packs whole messages from trees of structs, which a stream of a million small packets would have to
 * build and walk twice. Readers other than ours check what comes out: Google's protobuf and Perfetto's own
 * definitions (tests/cli/export.t).
 *
 * The format: a field is a varint `number << 3 | type` and then, type 0, a varint of 7 bits a byte, lowest
 * first, the top bit set on all bytes but the last; type 1, 8 bytes, little-endian; type 2, a length as a
 * varint and so many bytes, which may be a message. Fields come in any order.
 *
 * Memory: when there is none left, what is written goes nowhere and `failed` is set for good; the caller
 * looks once.
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

/* A message inside: what is written between the two is its content. Opened returns what close wants. */
size_t grosr_protobuf_open(struct grosr_protobuf *p, uint32_t field);
void grosr_protobuf_close(struct grosr_protobuf *p, size_t opened);

#endif
