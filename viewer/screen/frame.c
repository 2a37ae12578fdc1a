/*
 * What all screens have in common: the title, the key line and the help. Between them draws the screen that
 * is shown (screens.h).
 */
#include "frame.h"

#include "screens.h"
#include "../cli/text.h"
#include "../../tracer/session/level.h"

#include <stdio.h>

static int draw_title(struct frame *f, int row, const struct model *m, const struct frame_view *v)
{
    const struct model_session *s = &m->session;
    const char *state = !s->alive ? "DIED" : s->finished ? "FINISHED" : v->paused ? "PAUSED" : "";
    char uptime[16], right[96];

    cells_fill_row(f, row, FRAME_TITLE);
    text_duration(uptime, sizeof(uptime), (double)s->uptime_ns);
    snprintf(right, sizeof(right), "%s%slevel %s  up %s ", state, *state ? "  " : "",
             grosr_level_name(s->level), uptime);
    if (text_columns(right) > f->width - 12)
        snprintf(right, sizeof(right), "%s", f->width > 20 ? uptime : "");
    int end = f->width - text_columns(right);
    struct cells_line l = {f, row, 1, end - 1, false};
    cells_add(&l, FRAME_TITLE, "%s", *s->program ? s->program : "grosr");
    cells_add(&l, FRAME_TITLE, "pid %u", s->pid);
    cells_add(&l, FRAME_TITLE, "%s", s->device);
    cells_add(&l, FRAME_TITLE, "%s", s->device_name);
    cells_text(f, row, end, FRAME_TITLE, right);
    return row + 1;
}

static void draw_keys(struct frame *f, const struct model *m, const struct frame_view *v)
{
    int row = f->height - 1;
    struct cells_line l = {f, row, 1, f->width, false};

    cells_fill_row(f, row, FRAME_TITLE);
    cells_add(&l, FRAME_TITLE, "q quit");
    cells_add(&l, FRAME_TITLE, v->paused ? "p resume" : "p pause");
    cells_add(&l, FRAME_TITLE, "l level");
    cells_add(&l, FRAME_TITLE, "? help");
    cells_add(&l, FRAME_TITLE, "+/- every %gs", v->interval_s);
    if (m->interval_ns)
        cells_add(&l, FRAME_TITLE, "SMs: %% of time in tasks");
}

static void draw_help(struct frame *f)
{
    static const char *const text[] = {
        " q      quit",
        " p      pause, resume",
        " + -    slower, faster sampling",
        " l      next trace level: off,",
        "        counters, spans, full",
        " ? h    this help; any key closes",
    };
    int lines = (int)(sizeof(text) / sizeof(*text)), width = 36;
    int top = (f->height - lines - 2) / 2, left = (f->width - width) / 2;

    if (left < 0)
        left = 0;
    if (top < 0)
        top = 0;
    for (int i = -1; i <= lines; i++) {
        for (int c = 0; c < width; c++)
            cells_put(f, top + 1 + i, left + c, " ", 1, FRAME_TITLE);
        if (i >= 0 && i < lines)
            cells_text(f, top + 1 + i, left + 1, FRAME_TITLE, text[i]);
    }
}

void frame_draw(struct frame *f, const struct model *m, const struct frame_view *v)
{
    bool keys = v->interactive && f->height > 3;
    int row;

    f->ascii = v->ascii;
    row = draw_title(f, 0, m, v);
    row += f->height >= 20;
    screens[v->screen].draw(f, row, f->height - keys, m);
    if (keys)
        draw_keys(f, m, v);
    if (v->help)
        draw_help(f);
}
