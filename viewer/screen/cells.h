/*
 * A frame: a grid of cells, and what can be drawn on it.
 *
 * A cell is one column wide and has one character and a meaning; terminal.c decides how a meaning looks.
 * Everything is clipped at the frame's edges, so callers need not check.
 */
#ifndef GROSR_CELLS_H
#define GROSR_CELLS_H

#include <stdbool.h>
#include <stddef.h>

enum frame_color {
    FRAME_PLAIN,
    FRAME_TITLE, /* the bar on top and the key line */
    FRAME_LABEL, /* names of things */
    FRAME_DIM,   /* what is there to fill space */
    FRAME_STRONG,
    FRAME_GOOD,
    FRAME_WARN,
    FRAME_BAD,
    FRAME_LOAD_NONE, /* how busy, from not at all to fully */
    FRAME_LOAD_LOW,
    FRAME_LOAD_MIDDLE,
    FRAME_LOAD_HIGH,
    FRAME_LOAD_FULL,
    FRAME_COLORS,
};

struct frame_cell {
    char utf8[5];        /* one character; "" never */
    unsigned char color; /* enum frame_color */
};

struct frame {
    int width, height;
    struct frame_cell *cell; /* [height][width] */
    bool ascii;              /* only ASCII goes in */
};

/* A blank frame; sizes below 1 count as 1. -ENOMEM. */
int frame_make(struct frame *frame, int width, int height);
void frame_free(struct frame *frame);

/* Rows up to the last one with anything on it. */
int frame_used_rows(const struct frame *frame);

void cells_put(struct frame *f, int row, int column, const char *character, size_t bytes,
               enum frame_color color);

/* Text, whatever it holds: one cell a character, '?' for what is not exactly one column wide. Returns the
 * column after it, which may be outside. */
int cells_text(struct frame *f, int row, int column, enum frame_color color, const char *text);
int cells_format(struct frame *f, int row, int column, enum frame_color color, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* The same, ending before the column `end`. */
void cells_right(struct frame *f, int row, int end, enum frame_color color, const char *text);

/* A row of facts: each is written only if all of it fits before `end`, and nothing comes after one that did
 * not. */
struct cells_line {
    struct frame *f;
    int row, column, end;
    bool full;
};
void cells_add(struct cells_line *line, enum frame_color color, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void cells_fill_row(struct frame *f, int row, enum frame_color color);

/* A block of so many eighths of a cell's height. */
const char *cells_level(const struct frame *f, int eighths);

/* [|||||     ] of `width` columns, brackets included; nothing when there is no room for it. */
void cells_bar(struct frame *f, int row, int column, int width, double share, enum frame_color color);

#endif
