/*
 * What writing and reading a trace file share.
 */
#ifndef GROSR_STORE_READ_H
#define GROSR_STORE_READ_H

#include <sqlite3.h>

/*
 * Opens a database that others may be using: waits for them instead of failing, from the first statement on.
 * One thread at a time has the connection. SQLite's code; *db is to be closed in any case.
 */
int grosr_sqlite_open(const char *path, sqlite3 **db, int flags);

#endif
