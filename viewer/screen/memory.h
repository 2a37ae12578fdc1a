/* The GPU memory allocator: totals, fragmentation, the classes that hold most. */
#ifndef GROSR_SCREEN_MEMORY_H
#define GROSR_SCREEN_MEMORY_H

#include "cells.h"
#include "../model/model.h"

/* Draws into at most `rows` rows, of which there is one at least, from `row` on. Returns the row after them.
 */
int memory_draw(struct frame *f, int row, int rows, const struct model *m);

#endif
