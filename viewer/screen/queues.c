/*
 * The queues: for each a bar of its depth, its greatest depth and the wait of its oldest task.
 */
#include "queues.h"

#include "../cli/text.h"

#include <stdio.h>

int queues_draw(struct frame *f, int row, int rows, bool heading, const struct model *m)
{
    int name_width = 8, longest = f->width >= 60 ? 20 : 10;
    bool with_max = f->width >= 60;
    char n[16], of[16], depth[40];

    for (uint32_t i = 0; i < m->queues; i++) {
        int columns = text_columns(m->queue[i].name);
        if (columns > name_width)
            name_width = columns < longest ? columns : longest;
    }
    int bar = 1 + name_width + 1, oldest_end = f->width - 1, max_end = oldest_end - 9;
    int depth_end = with_max ? max_end - 7 : max_end + 1, bar_width = depth_end - 12 - bar;

    if (heading) {
        cells_text(f, row, 1, FRAME_LABEL, "queue");
        cells_right(f, row, depth_end, FRAME_LABEL, "depth");
        if (with_max)
            cells_right(f, row, max_end, FRAME_LABEL, "max");
        cells_right(f, row, oldest_end, FRAME_LABEL, with_max ? "oldest" : "old");
        row++;
        rows--;
    }
    for (uint32_t i = 0; i < m->queues && rows > 0; i++, rows--, row++) {
        const struct model_queue *q = &m->queue[i];
        if (rows == 1 && i > 0 && i + 1 < m->queues) {
            cells_format(f, row, 1, FRAME_DIM, "and %u more queues", m->queues - i);
            return row + 1;
        }
        double share = q->capacity ? (double)q->depth / (double)q->capacity : 0;
        enum frame_color color = share < 0.7 ? FRAME_GOOD : share < 0.95 ? FRAME_WARN : FRAME_BAD;
        cells_text(f, row, 1, FRAME_PLAIN, q->name);
        for (int c = 1 + name_width; c < f->width; c++)
            cells_put(f, row, c, " ", 1, FRAME_PLAIN);
        cells_bar(f, row, bar, bar_width, share < 1 ? share : 1, color);
        text_count(n, sizeof(n), (double)q->depth);
        text_count(of, sizeof(of), (double)q->capacity);
        snprintf(depth, sizeof(depth), "%s/%s", n, of);
        cells_right(f, row, depth_end, FRAME_STRONG, depth);
        if (with_max)
            cells_right(f, row, max_end, FRAME_PLAIN, text_count(n, sizeof(n), (double)q->max_depth));
        cells_right(f, row, oldest_end, FRAME_PLAIN, text_duration(n, sizeof(n), (double)q->oldest_wait_ns));
    }
    return row;
}
