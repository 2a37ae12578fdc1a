/*
 * The grid of SMs, in the most detailed of three forms that fits: a bar, a number or one glyph for each SM.
 */
#include "sms.h"

#include <math.h>
#include <stdio.h>

#define NARROWEST_BAR 26 /* an SM's bar with its number and per cent */

static enum frame_color load_color(double pct)
{
    if (!(pct > 0))
        return FRAME_LOAD_NONE;
    return pct < 25   ? FRAME_LOAD_LOW
           : pct < 60 ? FRAME_LOAD_MIDDLE
           : pct < 90 ? FRAME_LOAD_HIGH
                      : FRAME_LOAD_FULL;
}

/* Whole per cent, where only what is all busy is 100. */
static int whole_pct(double pct)
{
    return pct >= 99.95 ? 100 : pct > 99 ? 99 : (int)lround(pct);
}

static int rows_for(uint32_t sms, int per_row)
{
    return (int)((sms + (uint32_t)per_row - 1) / (uint32_t)per_row);
}

/* The widest bars that leave half of the rows free; 0 when even the narrowest do not fit. */
static int bars_per_row(const struct frame *f, uint32_t sms, int rows)
{
    int max = (f->width - 1) / NARROWEST_BAR, half = rows / 2 > 2 ? rows / 2 : 2;

    for (int n = 1; n <= max; n++)
        if (rows_for(sms, n) <= half)
            return n;
    return max > 0 && rows_for(sms, max) <= rows ? max : 0;
}

static int numbers_per_row(const struct frame *f)
{
    int n = (f->width - 6) / 4;
    return n >= 16 ? n / 8 * 8 : n >= 4 ? n / 4 * 4 : n < 1 ? 1 : n;
}

static int glyphs_per_row(const struct frame *f)
{
    int n = f->width - 6;
    return n >= 32 ? n / 16 * 16 : n < 1 ? 1 : n;
}

static void draw_sm_bar(struct frame *f, int row, int column, int width, const struct model_sm *sm)
{
    char text[48];

    cells_format(f, row, column, FRAME_LABEL, "%4u", sm->id);
    if (!sm->workers)
        snprintf(text, sizeof(text), "    -");
    else if (!isfinite(sm->busy_pct))
        snprintf(text, sizeof(text), "    ?");
    else
        snprintf(text, sizeof(text), "%4d%%", whole_pct(sm->busy_pct));
    cells_bar(f, row, column + 5, width - 11, sm->busy_pct / 100, load_color(sm->busy_pct));
    cells_text(f, row, column + width - 6, sm->workers ? FRAME_STRONG : FRAME_DIM, text);
}

static void draw_sm_number(struct frame *f, int row, int column, const struct model_sm *sm)
{
    enum frame_color color = load_color(sm->busy_pct);

    if (!sm->workers)
        cells_text(f, row, column, FRAME_DIM, f->ascii ? "   -" : "   ·");
    else if (!isfinite(sm->busy_pct))
        cells_text(f, row, column, FRAME_DIM, "   ?");
    else
        cells_format(f, row, column, color, "%3d%s", whole_pct(sm->busy_pct),
                     cells_level(f, (int)ceil(sm->busy_pct * 8 / 100)));
}

static void draw_sm_glyph(struct frame *f, int row, int column, const struct model_sm *sm)
{
    if (!sm->workers)
        cells_text(f, row, column, FRAME_DIM, f->ascii ? "-" : "·");
    else if (!isfinite(sm->busy_pct))
        cells_text(f, row, column, FRAME_DIM, "?");
    else if (sm->busy_pct <= 0)
        cells_text(f, row, column, FRAME_LOAD_NONE, "_");
    else
        cells_text(f, row, column, load_color(sm->busy_pct),
                   cells_level(f, (int)ceil(sm->busy_pct * 8 / 100)));
}

static int draw_sm_heading(struct frame *f, int row, const struct model *m)
{
    uint32_t max_workers = 0, resident = 0;
    struct cells_line l = {f, row, 1, f->width, false};

    for (uint32_t i = 0; i < m->sms; i++) {
        max_workers = m->sm[i].workers > max_workers ? m->sm[i].workers : max_workers;
        resident += m->sm[i].workers;
    }
    cells_add(&l, FRAME_LABEL, "SMs");
    cells_add(&l, FRAME_STRONG, "%u", m->sms);
    if (isfinite(m->busy_pct))
        cells_add(&l, FRAME_STRONG, "%d%% busy", whole_pct(m->busy_pct));
    if (m->session.max_warps_per_sm && m->sms)
        cells_add(&l, FRAME_PLAIN, "%.0f%% occupied",
                  fmin(100, 100.0 * resident / ((double)m->session.max_warps_per_sm * m->sms)));
    cells_add(&l, FRAME_DIM, "up to %u worker%s on each", max_workers, max_workers == 1 ? "" : "s");
    return row + 1;
}

int sms_draw(struct frame *f, int row, int rows, const struct model *m)
{
    enum { BARS, NUMBERS, GLYPHS } grid = GLYPHS;
    int per_row = glyphs_per_row(f), column_width = 1, first = 6;

    row = draw_sm_heading(f, row, m);
    rows--;
    if (bars_per_row(f, m->sms, rows)) {
        grid = BARS;
        per_row = bars_per_row(f, m->sms, rows);
        column_width = (f->width - 1) / per_row;
        first = 0;
    } else if (rows_for(m->sms, numbers_per_row(f)) <= rows) {
        grid = NUMBERS;
        per_row = numbers_per_row(f);
        column_width = 4;
    }
    for (uint32_t i = 0; i < m->sms; i++) {
        int at_row = row + (int)(i / (uint32_t)per_row), in_row = (int)(i % (uint32_t)per_row);
        int column = first + in_row * column_width;
        if (at_row >= row + rows)
            break;
        if (in_row == 0 && at_row == row + rows - 1 && m->sms - i > (uint32_t)per_row) {
            cells_format(f, at_row, 1, FRAME_DIM, "and %u more SMs", m->sms - i);
            break;
        }
        if (in_row == 0 && grid != BARS)
            cells_format(f, at_row, 0, FRAME_LABEL, "%4u ", i);
        if (grid == BARS)
            draw_sm_bar(f, at_row, column, column_width, &m->sm[i]);
        else if (grid == NUMBERS)
            draw_sm_number(f, at_row, column, &m->sm[i]);
        else
            draw_sm_glyph(f, at_row, column, &m->sm[i]);
    }
    int used = rows_for(m->sms, per_row);
    return row + (used < rows ? used : rows);
}
