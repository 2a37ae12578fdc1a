/*
 * A trace file from anybody: the SQL that it brings does not run, its tables are tables or it is refused, and
 * what is in it changes neither the number of rows that a query takes nor what is written besides them.
 */
#include "../../tracer/base/error.h"
#include "../../tracer/export/export.h"
#include "../../tracer/store/store.h"
#include "../../tracer/summary/summary.h"
#include "../tap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];

/* A trace of this version, upon which `sql` is run. */
static void make(const char *sql)
{
    struct grosr_store *store;
    sqlite3 *db;
    char *error = NULL;

    unlink(path);
    if (grosr_store_create(&store, path)) {
        ok(false, "a trace is made: %s", grosr_error());
        return;
    }
    grosr_store_finish(store, NULL);
    grosr_store_close(store);
    if (sqlite3_open(path, &db) != SQLITE_OK || sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        ok(false, "the trace becomes a hostile one: %s", error ? error : "it cannot be opened");
    sqlite3_free(error);
    sqlite3_close(db);
}

static void refused(const char *sql, const char *words, const char *what)
{
    sqlite3 *db;

    make(sql);
    is(grosr_store_open_read(&db, path), -EPROTO, "%s: refused", what);
    ok(strstr(grosr_error(), words) != NULL, "in words: %s", grosr_error());
    ok(db == NULL, "nothing stays open");
}

static int64_t ask(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int64_t value = -1;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

#define WITHOUT_END "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "

static void views(void)
{
    sqlite3 *db;

    make("DROP VIEW tasks; CREATE VIEW tasks AS " WITHOUT_END "SELECT x AS task FROM n;"
         "DROP VIEW trace_health; CREATE VIEW trace_health AS " WITHOUT_END
         "SELECT x AS ring, 'complete' AS verdict FROM n;"
         "CREATE VIEW mine AS SELECT 7 AS x");
    is(grosr_store_open_read(&db, path), 0, "views without end under our names: the file can be read");
    is(ask(db, "SELECT count(*) FROM tasks"), 0, "our view is asked, not the file's");
    is(ask(db, "SELECT count(*) FROM trace_health"), 1, "and of a trace's health too");
    is(ask(db, "SELECT x FROM mine"), 7, "a view that the user has added is there");
    sqlite3_close(db);
}

static void tables(void)
{
    refused("DROP TABLE GROSR_LOSS; CREATE VIEW GROSR_LOSS AS " WITHOUT_END "SELECT x AS ring FROM n",
            "GROSR_LOSS is not a table", "a view in a table's place");
    refused("DROP TABLE GROSR_NOTE; CREATE VIEW grosr_note AS SELECT 1 AS time", "GROSR_NOTE is not a table",
            "in other letters");
    refused("DROP TABLE StringIds; CREATE TABLE StringIds (id INTEGER, value TEXT)",
            "StringIds is not a table", "a table without its key, whose rows would multiply others");
    refused("DROP TABLE GROSR_IDLE; CREATE TABLE GROSR_IDLE (worker, start, end AS (start + 1))",
            "GROSR_IDLE is not a table", "a column that is computed");
    refused("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 0 WHERE name = 'GROSR_IDLE'",
            "damaged", "a table without rows of its own");
    refused(
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'nonsense' WHERE name = 'GROSR_IDLE'",
        "damaged", "a schema that cannot be read");
}

static void settings(void)
{
    sqlite3 *db;
    int on = -1;

    make("CREATE TABLE other (x)");
    is(grosr_store_open_read(&db, path), 0, "a trace with a table of the user's");
    is(sqlite3_exec(db, "ATTACH ':memory:' AS a", NULL, NULL, NULL), SQLITE_ERROR, "no other file is opened");
    ok(sqlite3_exec(db, "INSERT INTO other VALUES (1)", NULL, NULL, NULL) != SQLITE_OK, "nothing is written");
    ok(sqlite3_exec(db, "SELECT zeroblob(100000000)", NULL, NULL, NULL) == SQLITE_TOOBIG,
       "no value of 100 MB is made");
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, -1, &on);
    is(on, 0, "functions with effects cannot be called by the file's schema");
    is(ask(db, "PRAGMA cell_size_check"), 1, "pages are checked");
    sqlite3_close(db);
}

/* A path that means something else as a URI. Such a one is used where the folder cannot be written. */
static void odd_path(void)
{
    char folder[64], odd[128];
    sqlite3 *db = NULL;

    snprintf(folder, sizeof(folder), "/tmp/grosr-hostile-%d", (int)getpid());
    snprintf(odd, sizeof(odd), "%s/a?mode=%%41#b.db", folder);
    make("PRAGMA journal_mode = WAL");
    if (mkdir(folder, 0755) || rename(path, odd) || chmod(odd, 0644) || chmod(folder, 0555) ||
        (geteuid() == 0 && seteuid(65534))) /* root may write anywhere */
        ok(false, "%s: %s", odd, strerror(errno));
    is(grosr_store_open_read(&db, odd), 0, "?, %% and # in a path that is opened as a URI: %s",
       grosr_error());
    is(ask(db, "SELECT count(*) FROM GROSR_META WHERE key = 'complete'"), 1, "it is that file");
    sqlite3_close(db);
    if (getuid() == 0 && seteuid(0))
        ok(false, "root again: %s", strerror(errno));
    chmod(folder, 0755);
    unlink(odd);
    rmdir(folder);
}

/* What an export to Chrome's format writes; to be freed. */
static char *chrome(sqlite3 *db)
{
    struct grosr_export_options options = {.format = GROSR_EXPORT_CHROME, .from = INT64_MIN, .to = INT64_MAX};
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    int err = grosr_export(db, out, &options);

    fclose(out);
    is(err, 0, "it is exported");
    return text;
}

static uint32_t count(const char *text, const char *part)
{
    uint32_t n = 0;

    while ((text = strstr(text, part))) {
        text += strlen(part);
        n++;
    }
    return n;
}

/* Thousands of overlapping slices: the lanes of a track are bounded, and each slice is still written. */
static void overlapping(void)
{
    sqlite3 *db;

    make("INSERT INTO GROSR_WORKER (worker, sm, start, end) VALUES (0, 9223372036854775807, 0, 9);"
         "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 6000)"
         " INSERT INTO GROSR_TASK SELECT x, NULL, 0, NULL, x, 1000000 + x, 0, NULL FROM n");
    is(grosr_store_open_read(&db, path), 0, "6,000 tasks of one worker, one over the other");
    char *text = chrome(db);
    is(count(text, "\"ph\":\"X\""), 4096, "as slices, as many as a track has lanes");
    is(count(text, "\"ph\":\"i\""), 6000 - 4096, "and the others as points in time");
    free(text);
    sqlite3_close(db);
}

/* Times at the ends of the range: sums and differences stay in it. */
static void far_away(void)
{
    sqlite3 *db;

    make(
        "INSERT INTO GROSR_SESSION (session, pid, program, device, device_name, sms, max_warps_per_sm, lanes,"
        " start_mono_ns, start_real_ns) VALUES (1, 1, '', '', '', 1, 1, 1, 0, 0);"
        "INSERT INTO GROSR_WORKER (worker, sm, start, end) VALUES (0, 0, -9223372036854775807,"
        " 9223372036854775807);"
        "INSERT INTO GROSR_TASK VALUES (1, 1, 0, -9223372036854775807, 9223372036854775807,"
        " -9223372036854775807, 0, 1), (1, 1, 0, 9223372036854775807, -9223372036854775807,"
        " 9223372036854775807, 0, NULL), (2, 1, 0, 0, 1, 9223372036854775807, 0, NULL);"
        "DELETE FROM GROSR_META WHERE key = 'summaries'; DELETE FROM GROSR_TIME_BIN");
    is(grosr_store_open_read(&db, path), 0, "times at the ends of the range");
    is(grosr_summary_provide(db), SQLITE_OK, "are summed up");
    is(ask(db, "SELECT sum(n) FROM GROSR_DURATION WHERE measure = 'run'"), 3, "every run counts");
    ok(ask(db, "SELECT max(max_ns) FROM GROSR_DURATION WHERE measure = 'run'") == INT64_C(1) << 61,
       "the longest is as long as times can be apart");
    sqlite3_close(db);
}

int main(void)
{
    snprintf(path, sizeof(path), "/tmp/grosr-hostile-%d.db", (int)getpid());
    views();
    tables();
    settings();
    odd_path();
    overlapping();
    far_away();
    unlink(path);
    return tap_done();
}
