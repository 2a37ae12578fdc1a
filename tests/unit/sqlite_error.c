/*
 * SQLite's failures become errno: of every code that means one, and as SQLite reports them when the disk is
 * full, a file may not grow, another connection writes, or there is no such folder.
 */
#include "../../tracer/base/sqlite_error.h"

#include "../tap.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static char path[64];

static void codes(void)
{
    is(grosr_sqlite_errno(SQLITE_FULL), ENOSPC, "full");
    is(grosr_sqlite_errno(SQLITE_NOMEM), ENOMEM, "no memory");
    is(grosr_sqlite_errno(SQLITE_IOERR_NOMEM), EIO, "an I/O error of any kind");
    is(grosr_sqlite_errno(SQLITE_CANTOPEN_ISDIR), EACCES, "an extended code of what cannot be opened");
    is(grosr_sqlite_errno(SQLITE_READONLY_DBMOVED), EACCES, "an extended code of what is read only");
    is(grosr_sqlite_errno(SQLITE_PERM), EACCES, "not permitted");
    is(grosr_sqlite_errno(SQLITE_BUSY_SNAPSHOT), EBUSY, "an extended code of what is busy");
    is(grosr_sqlite_errno(SQLITE_LOCKED), EBUSY, "locked");
    is(grosr_sqlite_errno(SQLITE_CORRUPT), EIO, "damaged");
    is(grosr_sqlite_errno(SQLITE_ERROR), EIO, "any other");
}

static sqlite3 *open_new(void)
{
    sqlite3 *db = NULL;

    unlink(path);
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(db, "CREATE TABLE t (x)", NULL, NULL, NULL) != SQLITE_OK)
        ok(false, "a database is made: %s", sqlite3_errmsg(db));
    return db;
}

static void opening(void)
{
    sqlite3 *db;

    ok(sqlite3_open_v2("/no/such/folder/x.db", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
           SQLITE_OK,
       "a database in a folder that does not exist is not opened");
    is(grosr_sqlite_db_errno(db), ENOENT, "and the errno is the system's");
    sqlite3_close(db);
    is(grosr_sqlite_db_errno(NULL), ENOMEM, "no connection: there was no memory for one");
}

static void writing(void)
{
    static const char big[] = "INSERT INTO t VALUES (zeroblob(1000000))";
    struct rlimit limit;
    sqlite3 *db = open_new(), *other;

    sqlite3_exec(db, "PRAGMA max_page_count = 4", NULL, NULL, NULL);
    ok(sqlite3_exec(db, big, NULL, NULL, NULL) != SQLITE_OK, "more than a database may have is not written");
    is(grosr_sqlite_db_errno(db), ENOSPC, "it is full");
    sqlite3_close(db);

    db = open_new();
    sqlite3_open(path, &other);
    sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    ok(sqlite3_exec(db, "INSERT INTO t VALUES (1)", NULL, NULL, NULL) != SQLITE_OK,
       "another connection writes");
    is(grosr_sqlite_db_errno(db), EBUSY, "it is busy");
    sqlite3_close(other);
    sqlite3_close(db);

    db = open_new();
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 65536;
    setrlimit(RLIMIT_FSIZE, &limit);
    ok(sqlite3_exec(db, big, NULL, NULL, NULL) != SQLITE_OK, "more than a file may have is not written");
    is(grosr_sqlite_db_errno(db), ENOSPC, "to the user that is a full disk");
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
    sqlite3_close(db);
}

int main(void)
{
    snprintf(path, sizeof(path), "/tmp/grosr-sqlite-error-%d.db", (int)getpid());
    codes();
    opening();
    writing();
    unlink(path);
    return tap_done();
}
