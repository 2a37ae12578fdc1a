/*
 * What writing and reading a trace file share.
 */
#ifndef GROSR_STORE_READ_H
#define GROSR_STORE_READ_H

#include <sqlite3.h>

/*
 * Opens a database that others may be using: from the first statement on, waits for their locks instead of
 * failing. One thread at a time may use the connection. Returns SQLite's code; *db must be closed in any
 * case.
 */
int grosr_sqlite_open(const char *path, sqlite3 **db, int flags);

#endif
