/* The SMs: how busy each is, as the most detailed of three grids that fits. */
#ifndef GROSR_SCREEN_SMS_H
#define GROSR_SCREEN_SMS_H

#include "cells.h"
#include "../model/model.h"

/* Draws a heading and the grid into at most `rows` rows from `row` on. Returns the row after them. */
int sms_draw(struct frame *f, int row, int rows, const struct model *m);

#endif
