/*
 * Paths of device code: every one is resolved by the kernel below a directory and never leads out of it
 * (openat2(2), RESOLVE_BENEATH): -EXDEV for one that would, by "..", a symbolic link or because it is
 * absolute. The directory itself may be renamed meanwhile. All return 0 or more, or a negative errno.
 */
#ifndef GROSR_PATHS_H
#define GROSR_PATHS_H

#include <stdbool.h>
#include <stdint.h>

/* Opens a file or directory below the directory `below`. The flags are open(2)'s. */
int paths_open(int below, const char *path, int flags, uint32_t mode);

int paths_unlink(int below, const char *path, bool directory);
int paths_mkdir(int below, const char *path, uint32_t mode);
int paths_rename(int below, const char *from, const char *to);

#endif
