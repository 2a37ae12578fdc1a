/*
 * Room for what is written after a failure, and the reason, which is written at once (store_parts.h).
 *
 * Room is kept from the beginning: a file without a name, whose space is given back to the disk when it is
 * needed. Where a limit on the size of files is the reason, that does not help; then there is room in the
 * journal, in what the transaction that failed had written, or all of it once its pages are in the database.
 */
#include "store_parts.h"

#include <unistd.h>

#define CHECKPOINT_BUSY_MS 200
#define BUSY_MS            10000

void store_release_reserve(struct grosr_store *s)
{
    if (s->reserve >= 0)
        close(s->reserve);
    s->reserve = -1;
}

void store_make_room(struct grosr_store *s, int tries)
{
    if (tries == 1)
        store_release_reserve(s);
    if (tries < 2)
        return;
    sqlite3_busy_timeout(s->db, CHECKPOINT_BUSY_MS);
    sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
    sqlite3_busy_timeout(s->db, BUSY_MS);
}

int store_try_reason(struct grosr_store *s)
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

    for (int tries = 0; tries < STORE_TRIES && code != SQLITE_OK; tries++) {
        store_make_room(s, tries);
        code = store_try_reason(s);
    }
}
