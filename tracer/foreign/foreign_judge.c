/*
 * The judgement of a CUDA program from a complete picture of it (foreign_parts.h), and what is said of it
 * whatever is found.
 */
#include "foreign_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct state {
    char at[1024];
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void add(struct state *s, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = vsnprintf(s->at + s->used, sizeof(s->at) - s->used, format, args);
    va_end(args);
    s->used += n > 0 ? (size_t)n : 0;
    s->used = s->used < sizeof(s->at) ? s->used : sizeof(s->at) - 1;
}

/* "1 thread is in a CUDA call: thread 7 in cudaFree for 3.1 s" */
static void add_calls(const struct foreign *f, struct state *s)
{
    const struct foreign_call *oldest = NULL;

    for (uint32_t i = 0; i < f->calls; i++)
        if (!oldest || f->call[i].start_ns < oldest->start_ns)
            oldest = &f->call[i];
    if (!oldest)
        add(s, "no thread is in a CUDA call");
    else
        add(s, "%" PRIu32 " %s in a CUDA call, %s for %s", f->calls,
            f->calls == 1 ? "thread is" : "threads are", foreign_thread_text(oldest).at,
            foreign_since(f, oldest->start_ns).at);
}

static void add_launches(const struct foreign *f, struct state *s)
{
    uint32_t heads = 0, named = 0;

    for (uint32_t i = 0; i < f->streams; i++)
        heads += f->stream[i].count != 0;
    if (!f->launches) {
        add(s, "; nothing is queued on the device");
        return;
    }
    add(s, "; %" PRIu32 " %s not ended in %" PRIu32 " stream%s, first of each: ", f->launches,
        f->launches == 1 ? "launch has" : "launches have", heads, heads == 1 ? "" : "s");
    for (uint32_t i = 0; i < f->streams && named < 4; i++)
        if (f->stream[i].count)
            add(s, "%s%s", named++ ? ", " : "", foreign_launch_text(f, &f->launch[f->stream[i].at]).at);
    if (heads > named)
        add(s, " and %" PRIu32 " more", heads - named);
}

int foreign_judge(struct foreign *f, struct grosr_findings *findings)
{
    struct state s = {.used = 0};
    bool captures = false;
    int err = foreign_order(f);

    if (err)
        return err;
    foreign_hoisted(f, findings);
    foreign_resident(f, findings);
    foreign_rules(f, findings);
    foreign_words(f, findings);
    foreign_hidden(f, findings);
    err = foreign_graph(f, findings);
    for (uint32_t i = 0; i < f->streams; i++)
        captures |= f->stream[i].capture_ns != 0;
    add_calls(f, &s);
    add_launches(f, &s);
    findings->otherwise = f->calls || f->launches || captures ? GROSR_VERDICT_HEALTHY : GROSR_VERDICT_IDLE;
    free(findings->state);
    findings->state = strdup(s.at);
    return err ? err : findings->state ? 0 : -ENOMEM;
}

void foreign_free(struct foreign *f)
{
    free(f->call);
    free(f->launch);
    free(f->stream);
    free(f->event_wait);
    free(f->thread);
    free(f->pc);
    free(f->written);
    free(f->seen);
    free(f->stack);
}
