/*
 * A trace file to fuzz with, in memory and without a name: nothing is left when the process ends. It grows
 * with every input, so it is made anew now and then.
 */
#ifndef GROSR_FUZZ_SCRATCH_H
#define GROSR_FUZZ_SCRATCH_H

#include "../../tracer/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SCRATCH_USES 256u

/* Removes a database and what SQLite lays beside it. */
static inline void scratch_remove(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
        char name[96];
        snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

/* The store of this process: to be asked for before each input. */
static inline struct grosr_store *scratch_store(void)
{
    static struct grosr_store *store;
    static unsigned uses;

    if (!store || ++uses % SCRATCH_USES == 0) {
        char path[64];
        snprintf(path, sizeof(path), "/dev/shm/grosr-fuzz-%d.db", (int)getpid());
        grosr_store_close(store);
        scratch_remove(path);
        if (grosr_store_create(&store, path))
            abort();
        scratch_remove(path);
    }
    return store;
}

#endif
