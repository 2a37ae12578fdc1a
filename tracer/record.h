/*
 * Records: what a process tells of itself, beside the events of its devices. A record is a header and a body,
 * together `bytes` long, a multiple of 8; strings in it are as long as they say and end in no NUL.
 *
 * Times are CLOCK_MONOTONIC ns. A reader trusts no length in a record (grosr_record_text()).
 */
#ifndef GROSR_RECORD_H
#define GROSR_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GROSR_RECORD_MAX 65536u /* bytes of a record */

enum grosr_record_kind {
    GROSR_RECORD_NOTE = 1, /* struct grosr_record_note: a word to the user */
};

struct grosr_record {
    uint32_t bytes; /* this header included */
    uint32_t kind;  /* enum grosr_record_kind; unknown ones are skipped */
};

struct grosr_record_note {
    struct grosr_record head;
    uint64_t time;
    uint16_t topic_bytes, text_bytes;
    uint32_t unused;
    /* topic, text */
};

#endif
