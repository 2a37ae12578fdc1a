/* The queues: depth, rates and the oldest wait of each. */
#ifndef GROSR_SCREEN_QUEUES_H
#define GROSR_SCREEN_QUEUES_H

#include "cells.h"
#include "../model/model.h"

/* Draws the queues, a row each, into at most `rows` rows from `row` on. Returns the row after them. */
int queues_draw(struct frame *f, int row, int rows, bool heading, const struct model *m);

#endif
