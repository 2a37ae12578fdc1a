/*
 * The screens of the live view: one table. A screen draws what is between the title and the key line, which
 * all have in common (frame.h).
 */
#ifndef GROSR_SCREENS_H
#define GROSR_SCREENS_H

#include "cells.h"
#include "../model/model.h"

enum { SCREENS = 1 };

struct screen {
    int key; /* shows it */
    const char *name;
    void (*draw)(struct frame *f, int row, int bottom, const struct model *m); /* rows `row` .. bottom - 1 */
};

extern const struct screen screens[SCREENS];

/* The place in `screens`; -1 when the key is none of a screen's. */
int screen_of_key(int key);

#endif
