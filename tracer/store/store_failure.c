/*
 * What is written after a failure (store.h) beside the reason: each session's counters, when it ends.
 */
#include "store_parts.h"

#include "../base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define RESERVE_BYTES   65536 /* for the first session; and for each more, */
#define RESERVE_SESSION 16384
#define RESERVE_RING    128

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
    if (!err && store_try_reason(s) != SQLITE_OK)
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
    for (int tries = 0; tries < STORE_TRIES && err; tries++) {
        store_make_room(s, tries);
        err = write_last(s, write, context);
    }
    return err;
}
