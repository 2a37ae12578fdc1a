/*
 * What the files that turn records into rows share: records.c calls records_nvtx.c, records_cuda.c,
 * records_pc.c and records_syscall.c, and all of them call records_parts.c. Nobody else includes this.
 */
#ifndef GROSR_RECORDS_PARTS_H
#define GROSR_RECORDS_PARTS_H

#include "../session/record.h"
#include "records.h"

/* A string of which not all parts have come. */
struct grosr_records_part {
    struct grosr_records_part *next;
    uint32_t number, bytes, total, room;
    char *text;
};

/* StringIds.id by a stream's own numbers; 0: unknown. */
struct grosr_records_strings {
    int64_t *id;
    uint32_t room;
    struct grosr_records_part *parts;
    uint32_t incomplete; /* in `parts` */
};

/* Ranges and calls that have begun; records_nvtx.c's, and records_cuda.c's. */
struct grosr_records_nvtx;
struct grosr_records_cuda;

struct grosr_records {
    struct grosr_store *store;
    struct grosr_bases bases;
    struct grosr_clock *clock;
    void (*warned)(const char *text); /* may be NULL */
    uint32_t pid, streams, workers;
    bool reports_gpu;
    struct grosr_records_strings *strings; /* of each stream */
    uint64_t damaged;                      /* records skipped */
    uint64_t latest_ns;                    /* the latest time in a record */
    struct grosr_records_nvtx *nvtx;
    struct grosr_records_cuda *cuda;
    int64_t syscall_name[256]; /* StringIds.id; 0: not yet there */
};

static inline struct grosr_value grosr_integer(int64_t x)
{
    return (struct grosr_value){.type = GROSR_VALUE_INTEGER, .integer = x};
}

static inline struct grosr_value grosr_integer_or_null(int64_t x, bool known)
{
    return (struct grosr_value){.type = known ? GROSR_VALUE_INTEGER : GROSR_VALUE_NULL, .integer = x};
}

/* Up to the first NUL. */
struct grosr_value grosr_text(const char *at, size_t bytes);

/* A CLOCK_MONOTONIC time on the trace's timeline. */
struct grosr_value grosr_records_place(struct grosr_records *r, uint64_t time);

/* globalTid. */
static inline struct grosr_value grosr_records_thread(const struct grosr_records *r, uint32_t tid)
{
    return grosr_integer((int64_t)((uint64_t)r->pid << 24 | (tid & 0xffffff)));
}

/* Notes a string that a stream has numbered. */
int grosr_records_add_string(struct grosr_records *r, uint32_t stream, uint32_t number, const char *at,
                             size_t bytes);

/*
 * Adds the next part of a string, which is noted when it is whole. What has come already is skipped, as is
 * what does not follow it: a part between them was dropped, and the string comes again.
 */
int grosr_records_add_part(struct grosr_records *r, uint32_t stream, const struct grosr_record_part *part,
                           const char *at);

/* Parts of strings, as in grosr_records_save() and _load(). */
void grosr_records_save_parts(const struct grosr_records_strings *s, struct grosr_checkpoint *checkpoint);
int grosr_records_load_parts(struct grosr_records_strings *s, struct grosr_checkpoint *checkpoint);

void grosr_records_free_parts(struct grosr_records_strings *s);

/* The file's number of a stream's string; 0: it is unknown. */
int64_t grosr_records_string(const struct grosr_records *r, uint32_t stream, uint32_t number);

/*
 * Copies the fixed part of a record of `bytes` bytes and finds the string behind it, whose length it says
 * itself. False: it is too short.
 */
#define GROSR_FIXED(to, from, bytes) ((bytes) >= sizeof(to) && memcpy(&(to), from, sizeof(to)))
#define GROSR_HOLDS(to, bytes, text) ((text) <= (bytes) - sizeof(to))

/* ---- NVTX ---- */

int grosr_records_create_nvtx(struct grosr_records *r);

/* Rows of a GROSR_RECORD_NVTX_* record. Damaged ones are counted and skipped. */
int grosr_records_add_nvtx(struct grosr_records *r, uint32_t stream, const unsigned char *at, uint32_t kind,
                           uint32_t bytes);

/* Rows, without an end, of ranges that are open, have none, and began at that time or before it. */
int grosr_records_write_open_nvtx(struct grosr_records *r, uint64_t begun_by_ns);

/* Open ranges, as in grosr_records_save() and _load(). */
void grosr_records_save_nvtx(const struct grosr_records *r, struct grosr_checkpoint *checkpoint);
int grosr_records_load_nvtx(struct grosr_records *r, struct grosr_checkpoint *checkpoint);

void grosr_records_free_nvtx(struct grosr_records *r);

/* ---- CUDA ---- */

/* Rows of a GROSR_RECORD_CUDA_* record. Damaged ones are counted and skipped. */
int grosr_records_add_cuda(struct grosr_records *r, uint32_t stream, const unsigned char *at, uint32_t kind,
                           uint32_t bytes);

/*
 * A row for a call that has not returned (`end` 0), unless it has one, with the number of its name; and the
 * end of that row, if it has none yet, where the record that has it was lost.
 */
int grosr_records_begin_call(struct grosr_records *r, const struct grosr_record_cuda_call *c, int64_t name);
int grosr_records_end_call(struct grosr_records *r, uint32_t tid, uint64_t start_ns, uint64_t end_ns);

/* Calls and kernels that have not ended, as in grosr_records_save() and _load(). */
void grosr_records_save_cuda(const struct grosr_records *r, struct grosr_checkpoint *checkpoint);
int grosr_records_load_cuda(struct grosr_records *r, struct grosr_checkpoint *checkpoint);

void grosr_records_free_cuda(struct grosr_records *r);

/* Rows of a GROSR_RECORD_CUDA_PC* record. Damaged ones are counted and skipped. */
int grosr_records_add_pc(struct grosr_records *r, uint32_t stream, const unsigned char *at, uint32_t kind,
                         uint32_t bytes);

/* ---- system calls ---- */

/* Rows of a GROSR_RECORD_SYSCALLS record. Damaged ones are counted and skipped. */
int grosr_records_add_syscalls(struct grosr_records *r, const unsigned char *at, uint32_t bytes);

#endif
