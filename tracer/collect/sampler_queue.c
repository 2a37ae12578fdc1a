/*
 * Values and reports on their way from the sampler's thread to the writer (sampler_parts.h). Both are
 * bounded, and neither side waits for the other longer than it copies.
 */
#include "sampler_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void sampler_put(struct grosr_sampler *s, struct sampler_value sample)
{
    pthread_mutex_lock(&s->lock);
    if (s->count == QUEUE_VALUES)
        s->lost++;
    else
        s->queue[(s->first + s->count++) % QUEUE_VALUES] = sample;
    pthread_mutex_unlock(&s->lock);
}

void sampler_report(struct grosr_sampler *s, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    pthread_mutex_lock(&s->lock);
    if (s->reports < REPORTS_MAX)
        vsnprintf(s->report[s->reports++], REPORT_BYTES, format, args);
    pthread_mutex_unlock(&s->lock);
    va_end(args);
}

uint32_t sampler_take(struct grosr_sampler *s, struct sampler_value *to, uint32_t max)
{
    pthread_mutex_lock(&s->lock);
    uint32_t n = s->count < max ? s->count : max;
    for (uint32_t i = 0; i < n; i++)
        to[i] = s->queue[(s->first + i) % QUEUE_VALUES];
    s->first = (s->first + n) % QUEUE_VALUES;
    s->count -= n;
    pthread_mutex_unlock(&s->lock);
    return n;
}

uint32_t sampler_take_reports(struct grosr_sampler *s, char text[REPORTS_MAX][REPORT_BYTES])
{
    pthread_mutex_lock(&s->lock);
    uint32_t reports = s->reports;
    memcpy(text, s->report, sizeof(s->report));
    s->reports = 0;
    if (s->stop && s->lost && !s->loss_reported && reports < REPORTS_MAX) {
        snprintf(text[reports++], REPORT_BYTES, "%llu values of counters were lost: they came too fast",
                 (unsigned long long)s->lost);
        s->loss_reported = true;
    }
    pthread_mutex_unlock(&s->lock);
    return reports;
}
