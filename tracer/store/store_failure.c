/*
 * What is written after a failure (store.h): the reason at once, and each session's counters when it ends.
 *
 * Room for it is kept from the beginning: a file without a name, whose space is given back to the disk when
 * it is needed. Where a limit on the size of files is the reason, that does not help; then there is room in
 * the journal, in what the transaction that failed had written, or all of it once its pages are in the
 * database.
 */
#include "store_parts.h"

#include "../base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESERVE_BYTES      65536 /* for the first session; and for each more, */
#define RESERVE_SESSION    16384
#define RESERVE_RING       128
#define CHECKPOINT_BUSY_MS 200
#define BUSY_MS            10000

int store_reserve(struct grosr_store *s, uint32_t rings)
{
    int error;

    if (s->reserve < 0) {
        char folder[PATH_MAX];
        snprintf(folder, sizeof(folder), "%s", s->file.path);
        *strrchr(folder, '/') = 0;
        s->reserve = open(*folder ? folder : "/", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        s->reserve_bytes = RESERVE_BYTES;
    }
    s->reserve_bytes += RESERVE_SESSION + RESERVE_RING * (off_t)rings;
    error = s->reserve < 0 ? 0 : posix_fallocate(s->reserve, 0, s->reserve_bytes);
    if (error != ENOSPC && error != EDQUOT) /* not every file system can do this */
        return 0;
    return store_give_up(s, ENOSPC, "the disk is full");
}

static void release_reserve(struct grosr_store *s)
{
    if (s->reserve >= 0)
        close(s->reserve);
    s->reserve = -1;
}

/* Makes room: at the first try nothing is done for it. */
static void make_room(struct grosr_store *s, int tries)
{
    if (tries == 1)
        release_reserve(s);
    if (tries < 2)
        return;
    sqlite3_busy_timeout(s->db, CHECKPOINT_BUSY_MS);
    sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
    sqlite3_busy_timeout(s->db, BUSY_MS);
}

#define TRIES 3

static int put_reason(struct grosr_store *s)
{
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(s->db, "INSERT OR REPLACE INTO GROSR_META VALUES ('collector_error', ?)",
                                  -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_bind_text(statement, 1, s->reason, -1, SQLITE_STATIC);
    if (code == SQLITE_OK)
        sqlite3_step(statement);
    code = sqlite3_finalize(statement);
    return code;
}

void store_put_reason(struct grosr_store *s)
{
    int code = SQLITE_FULL;

    for (int tries = 0; tries < TRIES && code != SQLITE_OK; tries++) {
        make_room(s, tries);
        code = put_reason(s);
    }
}

/* Runs `write` in a transaction of its own, although the store has failed. */
static int write_last(struct grosr_store *s, grosr_store_writer *write, void *context)
{
    int error = s->error, err;

    for (int i = 0; i < GROSR_TABLES; i++)
        s->table[i].rows = 0;
    s->error = 0;
    s->last = true;
    err = store_sql(s, "BEGIN");
    if (!err)
        err = write(s, context);
    if (!err && put_reason(s) != SQLITE_OK)
        err = store_failed(s);
    if (!err)
        err = store_sql(s, "COMMIT");
    s->last = false;
    s->error = error;
    return err;
}

int grosr_store_write_last(struct grosr_store *s, int error, const char *reason, grosr_store_writer *write,
                           void *context)
{
    int err = -ENOSPC;

    if (!s->error) { /* what failed was not the store */
        s->error = error;
        snprintf(s->reason, sizeof(s->reason), "%s", reason);
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    }
    for (int tries = 0; tries < TRIES && err; tries++) {
        make_room(s, tries);
        err = write_last(s, write, context);
    }
    return err;
}

void store_close_failed(struct grosr_store *s)
{
    release_reserve(s);
}
