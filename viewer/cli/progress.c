/*
 * The progress bar (progress.h).
 */
#include "progress.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void progress_show(const char *what, uint64_t done, uint64_t all)
{
    static const char *shown_what;
    static unsigned shown;
    bool end = done >= all;
    unsigned percent = end ? 100 : (unsigned)((double)done / (double)all * 100);
    char bar[41];
    size_t filled = (sizeof(bar) - 1) * percent / 100;

    if (!end && what == shown_what && percent == shown)
        return;
    shown_what = what;
    shown = percent;
    memset(bar, ' ', sizeof(bar) - 1);
    memset(bar, '#', filled);
    bar[sizeof(bar) - 1] = 0;
    fprintf(stderr, "\r%s [%s] %3u%%%s", what, bar, percent, end ? "\r\033[K" : "");
    fflush(stderr);
}
