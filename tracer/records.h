/*
 * Turning the records of a session's streams (record.h) into rows.
 */
#ifndef GROSR_RECORDS_H
#define GROSR_RECORDS_H

#include "store.h"

struct grosr_records;

/* session and store are borrowed. */
int grosr_records_create(struct grosr_records **records, const struct grosr_session *session,
                         const struct grosr_bases *bases, struct grosr_store *store);

/* Whole records, as grosr_stream_read() gives them. What they hold is not trusted. */
int grosr_records_add(struct grosr_records *records, uint32_t stream, const unsigned char *bytes,
                      size_t count);

/* Rows for what has begun and not ended. After it only grosr_records_free(). */
int grosr_records_finish(struct grosr_records *records);

void grosr_records_free(struct grosr_records *records);

#endif
