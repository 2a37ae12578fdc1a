/*
 * A collector's checkpoint: the bytes that it stores with every commit (GROSR_CHECKPOINT), so that another
 * collector can continue where a killed one stopped. Values are read back in the order in which they were
 * written, by the same build of the same program.
 *
 * The bytes may be damaged: reading beyond their end fails, and so does every read after it.
 */
#ifndef GROSR_CHECKPOINT_H
#define GROSR_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero: empty. */
struct grosr_checkpoint {
    unsigned char *bytes;
    size_t size, room;
    size_t at;   /* how much has been read */
    bool failed; /* sticky: no memory to write, or nothing more to read */
};

void grosr_checkpoint_put(struct grosr_checkpoint *checkpoint, const void *from, size_t bytes);

/* Zeros, and false, when fewer bytes are left. */
bool grosr_checkpoint_get(struct grosr_checkpoint *checkpoint, void *to, size_t bytes);

/* A count of items of `size` bytes each that follow. 0, and failed, when the bytes left cannot hold as many.
 */
uint64_t grosr_checkpoint_get_count(struct grosr_checkpoint *checkpoint, size_t size);

void grosr_checkpoint_free(struct grosr_checkpoint *checkpoint);

#endif
