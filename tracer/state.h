/*
 * Where a collector stands: the bytes that it stores with every commit (GROSR_STATE), so that another one can
 * go on where a killed one stopped. Values are put and got in the same order, by the same build of the same
 * program.
 *
 * What is got may be anything: a get of more than there is fails, and so do all after it.
 */
#ifndef GROSR_STATE_H
#define GROSR_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero: empty. */
struct grosr_state {
    unsigned char *bytes;
    size_t size, room;
    size_t at;   /* what has been got */
    bool failed; /* sticky: there was no memory to put, or nothing more to get */
};

void grosr_state_put(struct grosr_state *state, const void *from, size_t bytes);

/* Zeros, when there are not so many. */
bool grosr_state_get(struct grosr_state *state, void *to, size_t bytes);

/* A count of things of `size` bytes each that follow: not more than there can be. 0 when it is damaged. */
uint64_t grosr_state_get_count(struct grosr_state *state, size_t size);

void grosr_state_free(struct grosr_state *state);

#endif
