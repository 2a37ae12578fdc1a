/*
 * The end of a whole trace (store_parts.h): one plain file under its name. If the file was moved or deleted
 * while it was written, SQLite must not touch journals by their names any more, which may be another trace's.
 */
#include "store_parts.h"

#include "../base/error.h"
#include "store_read.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Makes a file that no store has open a plain one. It stays in WAL mode while a reader has it open. */
static int make_plain(const char *path)
{
    sqlite3 *db;
    int code = grosr_sqlite_open(path, &db, SQLITE_OPEN_READWRITE);

    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
    sqlite3_close(db);
    return code;
}

/* Copies the trace into an empty file. */
static int copy_into(struct grosr_store *s, const char *path)
{
    sqlite3_backup *backup = NULL;
    sqlite3 *to;
    int code = grosr_sqlite_open(path, &to, SQLITE_OPEN_READWRITE);

    if (code == SQLITE_OK && !(backup = sqlite3_backup_init(to, "main", s->db, "main")))
        code = sqlite3_errcode(to);
    if (backup) {
        sqlite3_backup_step(backup, -1);
        code = sqlite3_backup_finish(backup);
    }
    sqlite3_close(to);
    return code == SQLITE_OK ? make_plain(path) : code;
}

/* Writes the trace of a deleted file into a new one. */
static int write_anew(struct grosr_store *s, const char *name)
{
    struct store_file file;
    int err = store_file_open(&file, name, true), code;

    if (err)
        return err;
    if (lseek(file.fd, 0, SEEK_END) != 0) {
        store_file_close(&file);
        return grosr_fail(EEXIST, "%s exists", name);
    }
    err = store_file_replace(&file, name);
    code = err ? SQLITE_OK : copy_into(s, file.path);
    if (code != SQLITE_OK) {
        store_file_remove(&file);
        err = grosr_fail(EIO, "%s", sqlite3_errstr(code));
    }
    store_file_close(&file);
    return err;
}

static int deleted(struct grosr_store *s, bool taken)
{
    char name[PATH_MAX], why[512];

    if (!taken && !write_anew(s, s->path))
        return grosr_fail(ESTALE, "%s was deleted while it was written; its trace was written there anew",
                          s->path);
    snprintf(name, sizeof(name), "%s.%ld", s->path, (long)getpid());
    if (!write_anew(s, name))
        return grosr_fail(ESTALE,
                          "%s was deleted while it was written, and another file has its name; its "
                          "trace is in %s",
                          s->path, name);
    snprintf(why, sizeof(why), "%s", grosr_error());
    return grosr_fail(ESTALE, "%s was deleted while it was written, and its trace is lost: %s", s->path, why);
}

int store_settle(struct grosr_store *s)
{
    bool taken;
    enum store_place place = store_file_place(&s->file, &taken);

    if (place == STORE_IN_PLACE) {
        sqlite3_exec(s->db, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
        return 0;
    }
    sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (place == STORE_DELETED)
        return deleted(s, taken);
    if (!store_file_name(&s->file, s->moved_to, sizeof(s->moved_to)))
        return grosr_fail(ESTALE, "%s was moved while it was written; its trace has another name now",
                          s->path);
    return grosr_fail(ESTALE, "%s was moved while it was written; its trace is in %s", s->path, s->moved_to);
}

void store_close_moved(struct grosr_store *s)
{
    bool taken;

    if (s->file.fd < 0 || store_file_place(&s->file, &taken) == STORE_IN_PLACE)
        return;
    if (*s->moved_to)
        make_plain(s->moved_to);
    if (!taken)
        store_file_remove_journals(&s->file);
}
