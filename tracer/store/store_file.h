/*
 * The file behind a trace's name while it is written: which one it is, that only one process writes it, and
 * whether the name still leads to it.
 *
 * The writer holds a lock on a byte of the file that SQLite does not use (an open file description lock): it
 * is the file's and not the name's, so links and relative paths lead to the same one, and the kernel releases
 * it when the process ends in any way. A second lock names the writer: its place is the process's number.
 */
#ifndef GROSR_STORE_FILE_H
#define GROSR_STORE_FILE_H

#include <stdbool.h>
#include <sys/types.h>

struct store_file {
    char *path; /* absolute; no links in it */
    int fd;     /* holds the locks; to be closed after SQLite's, whose own locks end with any close */
    dev_t device;
    ino_t inode;
};

/*
 * Opens the file that `name` leads to, and locks it; `create`: makes it if there is none, also where a
 * dangling link points. -ENOENT: there is none; -EBUSY: another process writes it, which grosr_error() names;
 * -EEXIST: it is no regular file.
 */
int store_file_open(struct store_file *file, const char *name, bool create);

/* Whether store_file_open() would succeed; changes nothing. `size`: -1 when there is no file. */
int store_file_probe(const char *name, off_t *size);

/*
 * Makes an open file an empty one: removes it with its journals, unless it is empty, and makes and locks
 * another in its place. -EBUSY: another process was faster. After an error it is closed, or as it was.
 */
int store_file_replace(struct store_file *file, const char *name);

/* Removes the file and its journals, if the name still leads to it; its journals alone in any case. */
void store_file_remove(const struct store_file *file);
void store_file_remove_journals(const struct store_file *file);

enum store_place {
    STORE_IN_PLACE,
    STORE_MOVED,  /* it has another name, or another file has its name */
    STORE_DELETED /* it has no name */
};

/* What has become of it. `taken`: another file has its name. */
enum store_place store_file_place(const struct store_file *file, bool *taken);

/* Where a file that was moved is now; false: not known. */
bool store_file_name(const struct store_file *file, char *name, size_t bytes);

/* Releases the locks; twice is allowed. */
void store_file_close(struct store_file *file);

#endif
