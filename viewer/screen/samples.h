/* Where the warps of a program's kernels are, by function. */
#ifndef GROSR_SCREEN_SAMPLES_H
#define GROSR_SCREEN_SAMPLES_H

#include "cells.h"
#include "../model/model.h"

/* Draws into at most `rows` rows, from `row` on: the functions with most samples. Returns the row after them.
 */
int samples_draw(struct frame *f, int row, int rows, const struct model *m);

#endif
