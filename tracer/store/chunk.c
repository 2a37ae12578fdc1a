/*
 * The format of a chunk (chunk.h), little-endian:
 *
 *     0   1   format: 1 raw, 2 packed
 *     raw:
 *     1   16 * count    the records (event.h), lap 0
 *     packed:
 *     1   1   shift: times are multiples of 2^shift ns apart (5 on a GPU whose clock steps by 32 ns)
 *     2   2   entries in the dictionary, 1 .. 255
 *     4   4   bytes of the tokens as they are stored; fewer than count: by LZ4
 *     8   8   time of the first record
 *     16  4 * entries   the dictionary, an entry: low class, time class (a byte: 8 * low + time),
 *                       high (2 bytes), kind (1 byte)
 *         ...           the tokens, one byte a record
 *         ...           the data
 *     -8  8             zeroes, so that any field of the data is read by one load of 8 bytes
 *
 * A record's payload is split into `low`, the 40 bits of a task's number in most kinds, and `high`, the 16
 * bits above. Its token gives its kind, its high bits, and by class how many bytes of the data are its time
 * (a difference to the record before) and its low bits (a difference to a prediction). Lanes that begin and
 * end together, in order of their tasks, need no data at all. Token 255, when the dictionary is full: the
 * record follows whole.
 *
 * The prediction: an end is that of the task that began first of those that have begun and not ended; for any
 * other kind, the latest record's low bits, or with class 1 one more.
 *
 * Alternatives, measured on records of the workloads arith, spawn and pipeline, 16,384 a chunk, CPU time of
 * one EPYC core, ns and bytes an event: LZ4 of the raw records 20 ns, 10 B; zstd -1 of them 37 to 42 ns, 3.9
 * to 4.6 B; this without LZ4 6 ns, 2.2 to 2.6 B; LZ4 of the tokens 0.7 to 1.0 ns more, 1.4 to 1.7 B, which
 * SQLite saves again by writing less; LZ4 of the data as well 3.5 ns more, 1.1 to 1.2 B; zstd -1 of both 7 to
 * 8 ns more, 0.7 to 0.8 B, which it does not save.
 */
#include "chunk.h"

#include <errno.h>
#include <lz4.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "chunks are written in the byte order of the machine");

enum { FORMAT_RAW = 1, FORMAT_PACKED = 2 };

#define HEADER_BYTES 16u
#define ENTRY_BYTES  4u
#define ENTRIES_MAX  255u
#define WHOLE        255u /* the token of a record that follows whole */
#define SLACK_BYTES  8u

#define LOW_BITS GROSR_TASK_ID_BITS
#define LOW_MASK GROSR_TASK_ID_MASK

/* Classes of fields, by their bytes of data. */
enum { TIME_SAME, TIME_8, TIME_16, TIME_24, TIME_48, TIME_CLASSES };
enum { LOW_SAME, LOW_NEXT, LOW_8, LOW_16, LOW_40, LOW_CLASSES };
static const uint8_t time_bytes[TIME_CLASSES] = {0, 1, 2, 3, 6};
static const uint8_t low_bytes[LOW_CLASSES] = {0, 0, 1, 2, 5};

/* ---- prediction, shared by encoder and decoder ---- */

#define BEGUN 64u /* tasks remembered, more than a warp has lanes */

enum role { OTHER, BEGINS, ENDS };

static enum role role_of(uint32_t kind)
{
    return kind == GROSR_EV_TASK_BEGIN || kind == GROSR_EV_TASK_RESUME  ? BEGINS
           : kind == GROSR_EV_TASK_END || kind == GROSR_EV_TASK_SUSPEND ? ENDS
                                                                        : OTHER;
}

struct model {
    uint64_t latest[256];  /* low bits, of each kind */
    uint64_t begun[BEGUN]; /* tasks, in order: those from `head` to `tail` have not ended */
    uint32_t head, tail;
};

static inline uint64_t predict(const struct model *m, uint32_t kind)
{
    return role_of(kind) == ENDS && m->head != m->tail ? m->begun[m->head % BEGUN] : m->latest[kind];
}

static inline void learn(struct model *m, uint32_t kind, uint64_t low, bool predicted)
{
    enum role role = role_of(kind);

    m->latest[kind] = low;
    if (role == BEGINS)
        m->begun[m->tail++ % BEGUN] = low;
    else if (role == ENDS && m->head != m->tail)
        m->head = predicted ? m->head + 1 : m->tail; /* the order was lost: start again */
}

/* ---- encoding ---- */

#define SLOTS_LOG2 10u
#define SLOTS      (1u << SLOTS_LOG2)
#define NO_KEY     UINT32_MAX /* a free slot: no token has such classes */

/* Hash table of tokens by entry: open addressing, at most a quarter full. */
struct dictionary {
    uint32_t key[SLOTS];
    uint8_t token[SLOTS];
    uint32_t entries, entry[ENTRIES_MAX];
};

static inline uint32_t find_token(struct dictionary *d, uint32_t key)
{
    uint32_t slot = key * UINT32_C(2654435761) >> (32 - SLOTS_LOG2);

    while (d->key[slot] != key) {
        if (d->key[slot] == NO_KEY) {
            if (d->entries == ENTRIES_MAX)
                return WHOLE;
            d->key[slot] = key;
            d->token[slot] = (uint8_t)d->entries;
            d->entry[d->entries++] = key;
            break;
        }
        slot = (slot + 1) % SLOTS;
    }
    return d->token[slot];
}

static struct grosr_pair without_lap(struct grosr_pair e)
{
    return (struct grosr_pair){e.lo & ~(UINT64_C(0xff) << GROSR_LAP_SHIFT), grosr_event_payload(e)};
}

static size_t encode_raw(const struct grosr_pair *records, uint32_t count, uint8_t *out)
{
    out[0] = FORMAT_RAW;
    for (uint32_t i = 0; i < count; i++) {
        struct grosr_pair e = without_lap(records[i]);
        memcpy(out + 1 + i * sizeof(e), &e, sizeof(e));
    }
    return 1 + count * sizeof(*records);
}

/* The number of low zero bits that all differences between the records' times have. */
static unsigned common_shift(const struct grosr_pair *records, uint32_t count)
{
    uint64_t bits = UINT64_C(1) << (GROSR_KIND_SHIFT - 1);

    for (uint32_t i = 0; i < count; i++)
        bits |= records[i].lo ^ records[0].lo;
    return (unsigned)__builtin_ctzll(bits);
}

/* Writes tokens and data of the records; returns the end of the data. */
static uint8_t *pack(const struct grosr_pair *records, uint32_t count, unsigned shift, struct dictionary *d,
                     uint8_t *tokens, uint8_t *data)
{
    const uint64_t time_mask = GROSR_TIME_MASK >> shift;
    uint64_t before = grosr_event_time(records[0]) >> shift;
    struct model m;

    memset(&m, 0, sizeof(m));
    for (uint32_t i = 0; i < count; i++) {
        uint64_t time = grosr_event_time(records[i]) >> shift, payload = grosr_event_payload(records[i]);
        uint64_t low = payload & LOW_MASK, passed = (time - before) & time_mask;
        uint32_t kind = grosr_event_kind(records[i]), high = (uint32_t)(payload >> LOW_BITS);
        uint64_t change = (low - predict(&m, kind)) & LOW_MASK;
        uint64_t zigzag = (change << 1 ^ (UINT64_C(0) - (change >> (LOW_BITS - 1)))) & LOW_MASK;
        uint32_t time_class = (passed != 0) + (passed > 0xff) + (passed > 0xffff) + (passed > 0xffffff);
        uint32_t low_class =
            change < 2 ? (uint32_t)change : (uint32_t)LOW_8 + (zigzag > 0xff) + (zigzag > 0xffff);
        uint32_t token = find_token(d, kind << 24 | high << 8 | low_class << 3 | time_class);
        tokens[i] = (uint8_t)token;
        if (token != WHOLE) {
            memcpy(data, &passed, 8);
            data += time_bytes[time_class];
            memcpy(data, &zigzag, 8);
            data += low_bytes[low_class];
        } else {
            struct grosr_pair e = without_lap(records[i]);
            memcpy(data, &e, sizeof(e));
            data += sizeof(*records);
        }
        before = time;
        learn(&m, kind, low, change == 0);
    }
    memset(data, 0, SLACK_BYTES);
    return data + SLACK_BYTES;
}

size_t grosr_chunk_encode(const struct grosr_pair *records, uint32_t count, void *room)
{
    /* Each part is built at its largest possible offset, then moved down to its place. */
    uint8_t *out = (uint8_t *)room, *stored = out + HEADER_BYTES + ENTRIES_MAX * ENTRY_BYTES;
    uint8_t *data = stored + LZ4_COMPRESSBOUND(count), *tokens = out + GROSR_CHUNK_ROOM(count) - count;
    unsigned shift = common_shift(records, count);
    uint64_t first_ns = grosr_event_time(records[0]);
    struct dictionary d;
    size_t data_bytes, dictionary_bytes;
    uint32_t token_bytes;
    uint16_t entries;

    memset(d.key, 0xff, sizeof(d.key));
    d.entries = 0;
    data_bytes = (size_t)(pack(records, count, shift, &d, tokens, data) - data);
    token_bytes = (uint32_t)LZ4_compress_default((const char *)tokens, (char *)stored, (int)count,
                                                 LZ4_COMPRESSBOUND((int)count));
    if (token_bytes == 0 || token_bytes >= count) {
        memcpy(stored, tokens, count);
        token_bytes = count;
    }
    entries = (uint16_t)d.entries;
    dictionary_bytes = entries * ENTRY_BYTES;
    if (HEADER_BYTES + dictionary_bytes + token_bytes + data_bytes > count * sizeof(*records))
        return encode_raw(records, count, out);
    out[0] = FORMAT_PACKED;
    out[1] = (uint8_t)shift;
    memcpy(out + 2, &entries, 2);
    memcpy(out + 4, &token_bytes, 4);
    memcpy(out + 8, &first_ns, 8);
    out += HEADER_BYTES;
    memcpy(out, d.entry, dictionary_bytes);
    memmove(out + dictionary_bytes, stored, token_bytes);
    memmove(out + dictionary_bytes + token_bytes, data, data_bytes);
    return HEADER_BYTES + dictionary_bytes + token_bytes + data_bytes;
}

/* ---- decoding ---- */

static int decode_raw(const uint8_t *bytes, size_t size, struct grosr_pair *records, uint32_t count)
{
    if (size != count * sizeof(*records))
        return -EINVAL;
    memcpy(records, bytes, size);
    for (uint32_t i = 0; i < count; i++)
        records[i] = without_lap(records[i]);
    return 0;
}

/* A decoded entry of the dictionary. */
struct decoded_entry {
    uint64_t kind_high;           /* the kind in the low byte, the high bits above it */
    uint64_t time_mask, low_mask; /* of the bytes loaded */
    uint32_t time_bytes, low_bytes;
    uint64_t one; /* 1: one more than predicted */
};

/* -EINVAL: its classes do not exist. */
static int decode_entry(const uint8_t *in, struct decoded_entry *m)
{
    uint32_t time_class = in[0] & 7, low_class = in[0] >> 3;
    uint16_t high;

    if (time_class >= TIME_CLASSES || low_class >= LOW_CLASSES)
        return -EINVAL;
    memcpy(&high, in + 1, sizeof(high));
    m->kind_high = in[3] | (uint64_t)high << 8;
    m->time_bytes = time_bytes[time_class];
    m->low_bytes = low_bytes[low_class];
    m->time_mask = (UINT64_C(1) << 8 * m->time_bytes) - 1;
    m->low_mask = (UINT64_C(1) << 8 * m->low_bytes) - 1;
    m->one = low_class == LOW_NEXT;
    return 0;
}

/*
 * The records of tokens and data. The tokens may be in the last bytes of `records`: each token is read before
 * a record overwrites it.
 */
static int unpack(const uint8_t *tokens, const uint8_t *data, size_t data_bytes,
                  const struct decoded_entry *dictionary, uint64_t first_ns, unsigned shift,
                  struct grosr_pair *records, uint32_t count)
{
    const uint8_t *end = data + data_bytes - SLACK_BYTES;
    uint64_t time = first_ns & GROSR_TIME_MASK;
    struct model m;

    memset(&m, 0, sizeof(m));
    for (uint32_t i = 0; i < count; i++) {
        const struct decoded_entry *entry = &dictionary[tokens[i]];
        uint64_t passed, zigzag, low, predicted;
        uint32_t kind;
        if (tokens[i] == WHOLE) {
            struct grosr_pair e;
            if ((size_t)(end - data) < sizeof(e))
                return -EINVAL;
            memcpy(&e, data, sizeof(e));
            data += sizeof(e);
            records[i] = without_lap(e);
            kind = grosr_event_kind(e);
            time = grosr_event_time(e);
            low = e.hi & LOW_MASK;
            predicted = predict(&m, kind);
        } else {
            /* No byte beyond `end` is used, though a load may extend SLACK_BYTES past it. */
            if ((size_t)(end - data) < entry->time_bytes + entry->low_bytes)
                return -EINVAL;
            memcpy(&passed, data, 8);
            memcpy(&zigzag, data + entry->time_bytes, 8);
            data += entry->time_bytes + entry->low_bytes;
            zigzag &= entry->low_mask;
            kind = entry->kind_high & 0xff;
            time = (time + ((passed & entry->time_mask) << shift)) & GROSR_TIME_MASK;
            predicted = predict(&m, kind);
            low = (predicted + (zigzag >> 1 ^ (UINT64_C(0) - (zigzag & 1))) + entry->one) & LOW_MASK;
            records[i].lo = (uint64_t)kind << GROSR_KIND_SHIFT | time;
            records[i].hi = entry->kind_high >> 8 << LOW_BITS | low;
        }
        learn(&m, kind, low, low == predicted);
    }
    return data == end ? 0 : -EINVAL;
}

int grosr_chunk_decode(const void *bytes, size_t size, struct grosr_pair *records, uint32_t count)
{
    const uint8_t *in = (const uint8_t *)bytes;
    struct decoded_entry dictionary[ENTRIES_MAX + 1];
    uint32_t token_bytes;
    uint64_t first_ns;
    uint16_t entries;
    unsigned shift;

    if (size == 0 || count == 0 || count > GROSR_CHUNK_EVENTS_MAX)
        return -EINVAL;
    if (in[0] == FORMAT_RAW)
        return decode_raw(in + 1, size - 1, records, count);
    if (in[0] != FORMAT_PACKED || size < HEADER_BYTES || in[1] >= GROSR_KIND_SHIFT)
        return -EINVAL;
    shift = in[1];
    memcpy(&entries, in + 2, sizeof(entries));
    memcpy(&token_bytes, in + 4, sizeof(token_bytes));
    memcpy(&first_ns, in + 8, sizeof(first_ns));
    size -= HEADER_BYTES;
    in += HEADER_BYTES;
    if (entries > ENTRIES_MAX || token_bytes > count || size < entries * ENTRY_BYTES + SLACK_BYTES ||
        size - entries * ENTRY_BYTES - SLACK_BYTES < token_bytes)
        return -EINVAL;
    for (uint32_t i = 0; i < entries; i++)
        if (decode_entry(in + i * ENTRY_BYTES, &dictionary[i]))
            return -EINVAL;
    size -= entries * ENTRY_BYTES + token_bytes;
    in += entries * ENTRY_BYTES;
    const uint8_t *tokens = in, *data = in + token_bytes;
    if (token_bytes < count) {
        char *place = (char *)(records + count) - count;
        if (LZ4_decompress_safe((const char *)in, place, (int)token_bytes, (int)count) != (int)count)
            return -EINVAL;
        tokens = (const uint8_t *)place;
    }
    for (uint32_t i = 0; i < count; i++)
        if (tokens[i] >= entries && tokens[i] != WHOLE)
            return -EINVAL;
    return unpack(tokens, data, size, dictionary, first_ns, shift, records, count);
}
