/*
 * Drawing the live view: model -> frame. A pure function of its arguments: no terminal, no clock, no locale;
 * any size from 1 x 1 is safe, 40 x 10 is useful, 80 x 24 shows all of an H100.
 */
#ifndef GROSR_SCREEN_FRAME_H
#define GROSR_SCREEN_FRAME_H

#include "cells.h"
#include "../model/model.h"

/* What of the model is shown, and how. */
struct frame_view {
    int screen;       /* its place in the list (screens.h) */
    bool ascii;       /* the terminal has no UTF-8 */
    bool interactive; /* show the key line */
    bool paused, help;
    double interval_s;
};

/* Fills the frame. */
void frame_draw(struct frame *frame, const struct model *model, const struct frame_view *view);

#endif
