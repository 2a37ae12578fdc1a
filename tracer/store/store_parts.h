/*
 * What the parts of the store (store*.c) share: its state, and running statements with one sticky error
 * (store_sql.c). Nobody else includes this.
 */
#ifndef GROSR_STORE_PARTS_H
#define GROSR_STORE_PARTS_H

#include "intern.h"
#include "pending.h"
#include "store.h"
#include "store_file.h"

#include <limits.h>

#define STORE_STATEMENTS 32 /* of grosr_store_execute() */

/* Numbers kept for each session: its functions have 15 bits (except GROSR_TASK_NOTHING), its names 16. */
#define FUNCTION_SPACE 65536
#define NAME_SPACE     65536

struct grosr_store {
    sqlite3 *db;
    char *path; /* as it was given */
    struct store_file file;
    struct grosr_pending table[GROSR_TABLES];
    sqlite3_stmt *loss, *put_chunk, *first_chunk, *drop_chunk, *oldest_chunk;
    struct {
        const char *sql;
        sqlite3_stmt *statement;
    } cache[STORE_STATEMENTS];
    struct grosr_store_window *window; /* store_window.c; NULL: nothing has been deleted */
    struct grosr_intern strings;
    uint8_t *room;                      /* a chunk is packed here */
    uint64_t chunk_events, chunk_bytes; /* all that were ever packed, and the bytes that they took */
    struct grosr_bases next;            /* of the next session */
    char moved_to[PATH_MAX]; /* where the file is, if it was moved; "": where it was, or not known */
    int reserve;             /* a file that keeps room for what follows a failure; -1: none */
    off_t reserve_bytes;
    grosr_store_last *write_last; /* grosr_store_set_last(); NULL: nothing */
    int error;                    /* sticky: the first write error */
    bool last;                    /* something is written nevertheless (store_failure.c) */
    char reason[512];             /* of the error */
};

/*
 * Keeps the first failure and ends all writing: rolls the open transaction back, and writes the reason. Its
 * negative errno. store_failed: SQLite's latest.
 */
int store_give_up(struct grosr_store *store, int error, const char *why);
int store_failed(struct grosr_store *store);

/*
 * Keeps room on the disk for what is written after a failure, and for a session of so many rings more
 * (store_failure.c). Makes room for it: nothing is done for try 0, the most for the last. Writes the reason
 * of a failure, once and with STORE_TRIES; an SQLite code. Gives the room back (store_room.c).
 */
#define STORE_TRIES 3
int store_reserve(struct grosr_store *store, uint32_t rings);
void store_make_room(struct grosr_store *store, int tries);
int store_try_reason(struct grosr_store *store);
void store_put_reason(struct grosr_store *store);
void store_release_reserve(struct grosr_store *store);

/*
 * 0 for SQLITE_OK, else as store_failed(). SQLITE_NOMEM may also come from a malloc() of ours, which the
 * connection does not know about.
 */
int store_check(struct grosr_store *store, int code);

/* Each returns 0, or the kept error, or its own. */
int store_sql(struct grosr_store *store, const char *sql);
int store_step(struct grosr_store *store, sqlite3_stmt *statement); /* and resets */
int store_prepare(struct grosr_store *store, const char *sql, sqlite3_stmt **statement);

/* GROSR_NULL becomes NULL. */
void store_bind(sqlite3_stmt *statement, int column, int64_t value);

/* Runs a statement once. Text arguments go to the columns after the integers. */
int store_once(struct grosr_store *store, const char *sql, const int64_t *ints, int n_ints,
               const char *const *texts, int n_texts);

int store_set_meta(struct grosr_store *store, const char *key, const char *value);

/* The process of a session and its device, for other clients (store_gpu.c). */
int store_add_device(struct grosr_store *store, const struct grosr_session_header *header);

/* Opens a file that is locked, which the store then owns, for writing, and begins a transaction; prepares the
 * statements that are run often. */
int store_open(struct grosr_store **store, const char *path, struct store_file *file);
int store_prepare_all(struct grosr_store *store);

/* Notes in GROSR_META how many events have been packed, and the bytes that they took (store_chunks.c). */
int store_write_chunk_totals(struct grosr_store *store);

/*
 * Leaves a whole trace as one plain file. -ESTALE: the file was moved or deleted while it was written; where
 * the trace is now is in grosr_error(). _close_moved: what is left to be done once SQLite has closed it.
 */
int store_settle(struct grosr_store *store);
void store_close_moved(struct grosr_store *store);

/* Frees the marks and statements of store_window.c. */
void store_close_window(struct grosr_store *store);

#endif
