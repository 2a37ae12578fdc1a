/*
 * The schema as C strings, generated from this folder's SQL by embed.sh, and its version.
 */
#ifndef GROSR_SCHEMA_H
#define GROSR_SCHEMA_H

#define GROSR_APPLICATION_ID 0x47524f53 /* "GROS": PRAGMA application_id of every trace */
#define GROSR_SCHEMA_VERSION 5          /* PRAGMA user_version */

/* `nsight`: the constant rows of tables (nsight.sql). `indexes` runs when a trace is closed. */
extern const char grosr_sql_tables[], grosr_sql_nsight[], grosr_sql_views[], grosr_sql_indexes[];

/* Temporary views over these (export.sql): what an export reads. */
extern const char grosr_sql_export[];

/* The views as temporary ones: what reads a file sees these, whatever it brings (grosr_store_open_read()). */
extern const char grosr_sql_temp_views[];

struct grosr_canned_query {
    const char *name;
    const char *description;
    const char *sql;
};

/* Sorted by name; the last has a NULL name. The diagnosis of a trace is made of the second (diagnose/). */
extern const struct grosr_canned_query grosr_canned_queries[];
extern const struct grosr_canned_query grosr_diagnose_queries[];

#endif
