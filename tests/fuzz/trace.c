/*
 * A trace file may come from anybody: whatever is in it, opening, querying, diagnosing and exporting it
 * terminate and write well-formed output: JSON that a parser accepts, tables without a control character.
 *
 * The input is a database, if it begins as one; SQL that is run on an empty trace before it is read, if it
 * begins with "--"; else rows for an empty trace: for each a byte for the table, then for each column a byte
 * for the type of the value, and the value. Its tables have the current keys, and accept NULL everywhere.
 */
#include "fuzz.h"
#include "scratch.h"

#include "../../schema/schema.h"
#include "../../tracer/diagnose/trace_db.h"
#include "../../tracer/export/export.h"
#include "../../viewer/show/query.h"
#include "../../viewer/cli/text.h"

#include <string.h>

#define TABLES  64
#define COLUMNS 32
#define ROWS    400
#define STEPS   20000 /* of the SQL of one input, in hundreds of SQLite's own steps */

static unsigned char *empty; /* a trace without rows */
static sqlite3_int64 empty_bytes;
static char *table_name[TABLES];
static int table_columns[TABLES], tables;
static sqlite3 *judge; /* of JSON */
static char path[64];
static int steps_left;

#define MUST(so) ((so) ? (void)0 : broken(__LINE__))

/* A promise that was not kept, or a machine without memory. */
static void broken(int line)
{
    fprintf(stderr, "%s:%d\n", __FILE__, line);
    abort();
}

static int count_steps(void *unused)
{
    (void)unused;
    return steps_left-- <= 0;
}

/* ---- the file ---- */

static void prepare(void)
{
    char pragmas[128], *sql = strdup(grosr_sql_tables);
    sqlite3_stmt *table = NULL;
    sqlite3 *db = NULL;

    snprintf(path, sizeof(path), "/dev/shm/grosr-fuzz-trace-%d.db", (int)getpid());
    MUST(sql && sqlite3_open(":memory:", &judge) == SQLITE_OK);
    for (char *at = sql; (at = strstr(at, "NOT NULL"));)
        memset(at, ' ', strlen("NOT NULL"));
    snprintf(pragmas, sizeof(pragmas),
             "PRAGMA page_size=512; PRAGMA application_id=%d; PRAGMA user_version=%d", GROSR_APPLICATION_ID,
             GROSR_SCHEMA_VERSION);
    MUST(sqlite3_open(":memory:", &db) == SQLITE_OK &&
         sqlite3_exec(db, pragmas, NULL, NULL, NULL) == SQLITE_OK &&
         sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK &&
         sqlite3_prepare_v2(
             db,
             "SELECT t.name, (SELECT count(*) FROM pragma_table_info(t.name)) FROM sqlite_schema t"
             " WHERE type = 'table' ORDER BY t.rowid",
             -1, &table, NULL) == SQLITE_OK);
    for (; sqlite3_step(table) == SQLITE_ROW && tables < TABLES; tables++) {
        table_name[tables] = strdup((const char *)sqlite3_column_text(table, 0));
        table_columns[tables] = sqlite3_column_int(table, 1);
        MUST(table_name[tables] && table_columns[tables] <= COLUMNS);
    }
    sqlite3_finalize(table);
    empty = sqlite3_serialize(db, "main", &empty_bytes, 0);
    MUST(empty != NULL);
    sqlite3_close(db);
    free(sql);
}

static void write_file(const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");

    MUST(f && fwrite(bytes, 1, size, f) == size);
    MUST(fclose(f) == 0);
}

struct input {
    const uint8_t *at, *end;
};

static uint64_t take(struct input *in, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < bytes && in->at < in->end; i++)
        value |= (uint64_t)*in->at++ << 8 * i;
    return value;
}

static void bind_value(sqlite3_stmt *row, int column, struct input *in)
{
    static const int64_t edges[] = {INT64_MIN,
                                    INT64_MIN + 1,
                                    -(INT64_C(1) << 60) - 1,
                                    INT32_MIN,
                                    -1,
                                    0,
                                    1,
                                    59,
                                    60,
                                    34,
                                    33,
                                    75,
                                    1 << 16,
                                    1 << 24,
                                    INT32_MAX,
                                    UINT32_MAX,
                                    INT64_C(1) << 39,
                                    INT64_C(1) << 60,
                                    INT64_MAX - 1,
                                    INT64_MAX};
    double real;
    uint64_t bits, kind = take(in, 1);
    size_t bytes;

    switch (kind % 16) {
    case 0:
        return; /* NULL */
    case 1:
    case 2:
    case 3:
    case 4:
        sqlite3_bind_int64(row, column, (int64_t)(kind / 16));
        return;
    case 5:
    case 6:
        sqlite3_bind_int64(row, column, (int8_t)take(in, 1));
        return;
    case 7:
    case 8:
        sqlite3_bind_int64(row, column, (int64_t)take(in, 2));
        return;
    case 9:
        sqlite3_bind_int64(row, column, (int64_t)take(in, 4));
        return;
    case 10:
        sqlite3_bind_int64(row, column, (int64_t)take(in, 8));
        return;
    case 11:
        sqlite3_bind_int64(row, column, edges[take(in, 1) % (sizeof(edges) / sizeof(*edges))]);
        return;
    case 12:
        bits = take(in, 8);
        memcpy(&real, &bits, sizeof(real));
        sqlite3_bind_double(row, column, real);
        return;
    default:
        bytes = (size_t)take(in, 1);
        bytes = bytes < (size_t)(in->end - in->at) ? bytes : (size_t)(in->end - in->at);
        if (kind % 16 == 13)
            sqlite3_bind_blob(row, column, in->at, (int)bytes, SQLITE_STATIC);
        else
            sqlite3_bind_text(row, column, (const char *)in->at, (int)bytes, SQLITE_STATIC);
        in->at += bytes;
    }
}

static void insert_rows(sqlite3 *db, struct input *in)
{
    sqlite3_stmt *insert[TABLES] = {NULL};

    for (int i = 0; i < ROWS && in->at < in->end; i++) {
        int table = (int)(take(in, 1) % (uint64_t)tables);
        if (!insert[table]) {
            char *sql = sqlite3_mprintf("INSERT OR REPLACE INTO \"%w\" VALUES (%.*s)", table_name[table],
                                        2 * table_columns[table] - 1,
                                        "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?");
            MUST(sql && sqlite3_prepare_v2(db, sql, -1, &insert[table], NULL) == SQLITE_OK);
            sqlite3_free(sql);
        }
        sqlite3_clear_bindings(insert[table]);
        for (int column = 1; column <= table_columns[table]; column++)
            bind_value(insert[table], column, in);
        sqlite3_step(insert[table]);
        sqlite3_reset(insert[table]);
    }
    for (int i = 0; i < tables; i++)
        sqlite3_finalize(insert[i]);
}

static void make_file(const uint8_t *data, size_t size)
{
    static const char begin[] = "SQLite format 3";
    struct input in = {data, data + size};
    sqlite3 *db = NULL;

    if (size >= sizeof(begin) && !memcmp(data, begin, sizeof(begin))) {
        write_file(data, size);
        return;
    }
    write_file(empty, (size_t)empty_bytes);
    MUST(sqlite3_open(path, &db) == SQLITE_OK);
    sqlite3_exec(db, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN", NULL, NULL, NULL);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1 << 20);
    sqlite3_progress_handler(db, 100, count_steps, NULL);
    if (size >= 2 && !memcmp(data, "--", 2)) {
        char *sql = strndup((const char *)data, size);
        MUST(sql != NULL);
        sqlite3_exec(db, sql, NULL, NULL, NULL);
        free(sql);
    } else {
        insert_rows(db, &in);
    }
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(db);
}

/* ---- reading it ---- */

/* Whether a parser takes the text. */
static void must_be_json(const char *text, size_t bytes)
{
    static sqlite3_stmt *valid;

    if (!valid)
        MUST(sqlite3_prepare_v2(judge, "SELECT json_valid(?)", -1, &valid, NULL) == SQLITE_OK);
    MUST(sqlite3_bind_text(valid, 1, text, (int)bytes, SQLITE_STATIC) == SQLITE_OK);
    MUST(sqlite3_step(valid) == SQLITE_ROW && sqlite3_column_int(valid, 0) == 1);
    sqlite3_reset(valid);
}

static void must_be_printable(const char *text, size_t bytes)
{
    while (bytes) {
        uint32_t c;
        size_t length = text_decode(text, bytes, &c);
        MUST(*text == '\n' || (c != TEXT_INVALID && !text_is_control(c)));
        text += length;
        bytes -= length;
    }
}

static void export_all(sqlite3 *db, enum grosr_export_format format)
{
    struct grosr_export_options options = {.format = format, .from = INT64_MIN, .to = INT64_MAX};
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    MUST(out != NULL);
    int err = grosr_export(db, out, &options);
    MUST(fclose(out) == 0);
    if (!err && format == GROSR_EXPORT_CHROME)
        must_be_json(text, bytes);
    free(text);
}

/* What the viewer's parts complain of is theirs (viewer/cli/say.h). */
int grosr_say(int code, const char *format, ...)
{
    (void)format;
    return code;
}

/* What a query writes goes where it can be looked at. */
static void query(sqlite3 *db, const char *sql, enum grosr_format format)
{
    FILE *out = stdout;
    char *text = NULL;
    size_t bytes = 0;

    stdout = open_memstream(&text, &bytes);
    MUST(stdout != NULL);
    int code = query_print(db, sql, format);
    MUST(fclose(stdout) == 0);
    stdout = out;
    if (format == GROSR_FORMAT_TABLE)
        must_be_printable(text, bytes);
    else if (format == GROSR_FORMAT_JSON && bytes && !code)
        must_be_json(text, bytes);
    free(text);
}

static void read_file(uint64_t choice)
{
    static const char *const views[] = {
        "tasks",         "waits",        "syscalls", "allocations", "queue_depth", "sm_occupancy",
        "fragmentation", "workers",      "kernels",  "api_calls",   "ranges",      "timeline",
        "clock_sync",    "trace_health", "findings", "slabs",       "heap_errors"};
    const uint64_t n_views = sizeof(views) / sizeof(*views);
    uint64_t canned = 0;
    char sql[128];
    sqlite3 *db;

    if (grosr_store_open_read(&db, path))
        return;
    sqlite3_progress_handler(db, 100, count_steps, NULL);
    while (grosr_canned_queries[canned].name)
        canned++;
    enum grosr_format format = (enum grosr_format)((choice >> 20) % 3);
    snprintf(sql, sizeof(sql), "SELECT * FROM %s LIMIT 20", views[(choice >> 33) % n_views]);
    query(db, sql, format);
    query(db, grosr_canned_queries[(choice >> 40) % canned].sql, format);
    struct grosr_findings findings;
    grosr_findings_init(&findings, choice >> 50);
    if (grosr_diagnose_database(db, &findings, NULL) == 0)
        MUST(grosr_findings_settle(&findings) == 0);
    grosr_findings_free(&findings);
    if (choice >> 13 & 1)
        export_all(db, GROSR_EXPORT_CHROME);
    else
        export_all(db, GROSR_EXPORT_PERFETTO);
    sqlite3_close(db);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t choice = size;

    if (!empty)
        prepare();
    for (size_t i = 0; i < size; i++) /* what is asked follows from the input: all of it takes 60 ms */
        choice = (choice ^ data[i]) * 0x100000001b3u;
    steps_left = STEPS;
    make_file(data, size);
    steps_left = STEPS;
    read_file(choice);
    scratch_remove(path);
    return 0;
}
