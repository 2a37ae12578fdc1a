#include "cells.h"

#include "../cli/text.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int frame_make(struct frame *f, int width, int height)
{
    f->width = width < 1 ? 1 : width;
    f->height = height < 1 ? 1 : height;
    f->ascii = false;
    f->cell = (struct frame_cell *)calloc((size_t)f->width * (size_t)f->height, sizeof(*f->cell));
    if (!f->cell)
        return -ENOMEM;
    for (int i = 0; i < f->width * f->height; i++)
        f->cell[i].utf8[0] = ' ';
    return 0;
}

void frame_free(struct frame *f)
{
    free(f->cell);
    f->cell = NULL;
}

void cells_put(struct frame *f, int row, int column, const char *character, size_t bytes,
               enum frame_color color)
{
    if (row < 0 || row >= f->height || column < 0 || column >= f->width || bytes >= sizeof(f->cell->utf8))
        return;
    struct frame_cell *cell = &f->cell[row * f->width + column];
    if (f->ascii && (unsigned char)*character >= 0x80) {
        character = "?";
        bytes = 1;
    }
    memcpy(cell->utf8, character, bytes);
    cell->utf8[bytes] = 0;
    cell->color = (unsigned char)color;
}

int cells_text(struct frame *f, int row, int column, enum frame_color color, const char *text)
{
    size_t left = strlen(text);

    while (left) {
        uint32_t c;
        size_t length = text_decode(text, left, &c);
        bool plain = c != TEXT_INVALID && !text_is_control(c) && text_columns_of(c) == 1;
        cells_put(f, row, column++, plain ? text : "?", plain ? length : 1, color);
        text += length;
        left -= length;
    }
    return column;
}

int cells_format(struct frame *f, int row, int column, enum frame_color color, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return cells_text(f, row, column, color, text);
}

void cells_right(struct frame *f, int row, int end, enum frame_color color, const char *text)
{
    cells_text(f, row, end - text_columns(text), color, text);
}

void cells_add(struct cells_line *l, enum frame_color color, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    l->full |= l->column + text_columns(text) > l->end;
    if (!l->full)
        l->column = cells_text(l->f, l->row, l->column, color, text) + 2;
}

void cells_fill_row(struct frame *f, int row, enum frame_color color)
{
    for (int i = 0; i < f->width; i++)
        cells_put(f, row, i, " ", 1, color);
}

/* Eighths of a cell, lying and standing. ASCII has halves at best. */
static const char *const lying[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
static const char *const standing[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char *const standing_ascii[] = {" ", ".", ".", ":", ":", "|", "|", "#", "#"};

const char *cells_level(const struct frame *f, int eighths)
{
    return (f->ascii ? standing_ascii : standing)[eighths < 0 ? 0 : eighths > 8 ? 8 : eighths];
}

void cells_bar(struct frame *f, int row, int column, int width, double share, enum frame_color color)
{
    int inside = width - 2;
    if (inside < 1)
        return;
    int eighths = isfinite(share) && share > 0 ? (int)lround(share * 8 * inside) : 0;
    if (share > 0 && eighths == 0)
        eighths = 1;

    cells_text(f, row, column, FRAME_DIM, "[");
    for (int i = 0; i < inside; i++) {
        int here = eighths - 8 * i;
        here = here < 0 ? 0 : here > 8 ? 8 : here;
        cells_text(f, row, column + 1 + i, color,
                   f->ascii ? (here >= 4 || (i == 0 && here) ? "|" : " ") : lying[here]);
    }
    cells_text(f, row, column + width - 1, FRAME_DIM, "]");
}

int frame_used_rows(const struct frame *f)
{
    for (int i = f->width * f->height - 1; i >= 0; i--)
        if (f->cell[i].utf8[0] != ' ')
            return i / f->width + 1;
    return 0;
}
