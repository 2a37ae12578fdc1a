/*
 * What the files of a session's segment share: session.c (accessors, names, the end), session_open.c
 * (finding, mapping and checking a segment), session_create.c (making one). Each calls only those before it.
 */
#ifndef GROSR_SESSION_PARTS_H
#define GROSR_SESSION_PARTS_H

#include "session.h"

#define SHM_DIR "/dev/shm"

void session_segment_name(char *name, size_t size, uint32_t pid, uint32_t index);

/*
 * What a name in SHM_DIR says: a session's segment; or, for a moment, the segment of one that waited for
 * `collector` to record it and was closed unrecorded (grosr_session_unlink()).
 */
bool session_parse_name(const char *name, struct grosr_session_id *id);
bool session_parse_unrecorded(const char *name, struct grosr_session_id *id, uint32_t *collector);

/* Fills an entry of the name table; readers may look. */
void session_set_name(struct grosr_name *name, uint32_t space, uint32_t id, const char *text,
                      const char *unit);

/* Copies the constant parts of the rings, queues and streams. The header's copy is there and valid. */
int session_copy_layouts(struct grosr_session *session);

/* Puts a mapped session into the table of those that grosr_session_guard() looks after, and takes it out. */
void session_guard_add(struct grosr_session *session);
void session_guard_remove(const struct grosr_session *session);

/* Frees the struct and its copies; the mapping has gone. */
void session_free(struct grosr_session *session);

#endif
