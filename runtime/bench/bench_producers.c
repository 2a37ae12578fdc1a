/*
 * Host threads that feed a runtime (bench_producers.h). The first is the caller's; the others live as long as
 * a measurement and meet it at two barriers a round.
 */
#include "bench_producers.h"

#include "../../tracer/clock/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARM_UP 3u

struct producer {
    struct grosr_bench_producers *all;
    unsigned index;
};

int grosr_bench_producers_make(struct grosr_bench_producers *p, uint64_t tasks)
{
    p->task = (struct grosr_task *)malloc(tasks * sizeof(*p->task));
    p->result = (struct grosr_result *)malloc(tasks * sizeof(*p->result));
    if (!p->task || !p->result)
        return grosr_fail(ENOMEM, "out of memory for %llu tasks", (unsigned long long)tasks);
    return 0;
}

static void fill_tasks(struct grosr_bench_producers *p)
{
    for (uint64_t i = 0; i < p->tasks; i++)
        p->task[i] = p->spin_ns ? (struct grosr_task){.function = GROSR_FN_SPIN, .b = p->spin_ns}
                                : (struct grosr_task){.function = GROSR_FN_ADD, .a = (uint32_t)i, .b = 3 * i};
}

static void check_results(const struct grosr_bench_producers *p, struct grosr_bench_report *report)
{
    for (uint64_t i = 0; i < p->tasks; i++) {
        if (p->spin_ns)
            grosr_bench_check_spin(report, i, p->spin_ns, &p->result[i]);
        else
            grosr_bench_check_result(report, i, grosr_bench_result(i), &p->result[i]);
    }
}

static void submit_share(struct grosr_bench_producers *p, unsigned index)
{
    uint64_t from = p->tasks * index / p->threads, to = p->tasks * (index + 1) / p->threads, first;
    int err = grosr_submit(p->rt, p->task + from, to - from, p->result + from, &first);

    if (!err)
        err = grosr_bench_wait(p->rt, first + (to - from), p->tasks);
    if (err) {
        p->err[index] = err;
        snprintf(p->failure[index], sizeof(p->failure[index]), "%s", grosr_error());
    }
}

static void *producer_main(void *arg)
{
    struct producer *me = (struct producer *)arg;

    for (;;) {
        pthread_barrier_wait(&me->all->start);
        if (!me->all->go)
            return NULL;
        submit_share(me->all, me->index);
        pthread_barrier_wait(&me->all->end);
    }
}

static int any_failure(const struct grosr_bench_producers *p)
{
    for (unsigned i = 0; i < p->threads; i++)
        if (p->err[i])
            return grosr_fail(-p->err[i], "%s", p->failure[i]);
    return 0;
}

int grosr_bench_producers_time(const struct grosr_bench_options *o, struct grosr_bench_report *report,
                               struct grosr_bench_producers *p, double *samples)
{
    struct producer arg[GROSR_BENCH_PRODUCERS_MAX];
    pthread_t thread[GROSR_BENCH_PRODUCERS_MAX];
    int err = 0;

    memset(p->err, 0, sizeof(p->err));
    fill_tasks(p);
    pthread_barrier_init(&p->start, NULL, p->threads);
    pthread_barrier_init(&p->end, NULL, p->threads);
    for (unsigned i = 1; i < p->threads; i++) {
        arg[i] = (struct producer){p, i};
        if (pthread_create(&thread[i], NULL, producer_main, &arg[i]))
            abort(); /* the others wait at a barrier for it */
    }
    for (uint32_t i = 0; !err && i < WARM_UP + o->repetitions; i++) {
        grosr_bench_round(report, i, WARM_UP);
        memset(p->result, 0xff, p->tasks * sizeof(*p->result));
        p->go = true;
        pthread_barrier_wait(&p->start);
        uint64_t start = grosr_host_clock_ns();
        submit_share(p, 0);
        pthread_barrier_wait(&p->end);
        if (i >= WARM_UP)
            samples[i - WARM_UP] = (double)(grosr_host_clock_ns() - start);
        err = any_failure(p);
        if (!err)
            check_results(p, report);
        if (!err && *o->stop)
            err = -ECANCELED;
    }
    p->go = false;
    pthread_barrier_wait(&p->start);
    for (unsigned i = 1; i < p->threads; i++)
        pthread_join(thread[i], NULL);
    pthread_barrier_destroy(&p->start);
    pthread_barrier_destroy(&p->end);
    return err;
}

int grosr_bench_producers_close(struct grosr_bench_producers *p, int err)
{
    int closed = grosr_close(p->rt); /* until then results are the runtime's to write */

    free(p->task);
    free(p->result);
    return err ? err : closed;
}
