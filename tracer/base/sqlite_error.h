/*
 * The boundary where SQLite's result codes become errno; nothing else converts them. All take codes of
 * failures and return a positive errno; what has no errno of its own is EIO.
 */
#ifndef GROSR_SQLITE_ERROR_H
#define GROSR_SQLITE_ERROR_H

#include <sqlite3.h>

/* Of a result code, extended or not. */
int grosr_sqlite_errno(int code);

/*
 * Of the latest failure of a connection, by what the system said too: a file-size limit and a quota are
 * ENOSPC. NULL, which is what sqlite3_open() leaves when there is no memory, is ENOMEM.
 */
int grosr_sqlite_db_errno(sqlite3 *db);

#endif
