/* The overview: tasks, workers and the trace, a line each. */
#ifndef GROSR_SCREEN_OVERVIEW_H
#define GROSR_SCREEN_OVERVIEW_H

#include "cells.h"
#include "../model/model.h"

/* Draws the rows from `row` to before `bottom`. */
void overview_draw(struct frame *f, int row, int bottom, const struct model *m);

#endif
