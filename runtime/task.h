/*
 * Task functions: device code that a worker runs, one task a lane.
 *
 *     GROSR_TASK(add)
 *     {
 *         task->value = task->a + task->b;
 *         return 0;
 *     }
 *
 * A task function may not call collectives: the lanes of its warp run other tasks, perhaps of other
 * functions. It returns 0 or a positive errno. What it wrote to memory is visible to the host once the host
 * sees its result.
 */
#ifndef GROSR_TASK_H
#define GROSR_TASK_H

#include "../tracer/device.h"

#include <errno.h>

struct grosr_task_context {
    uint64_t number; /* the task's */
    uint32_t function;
    uint32_t a;
    uint64_t b;
    uint64_t value; /* the result, 0 unless set */
};

#define GROSR_TASK(name) GROSR_DEVICE int grosr_task_##name(struct grosr_task_context *task)

GROSR_TASK(nop)
{
    (void)task;
    return 0;
}

GROSR_TASK(add)
{
    task->value = task->a + task->b;
    return 0;
}

GROSR_TASK(mul)
{
    task->value = task->a * task->b;
    return 0;
}

GROSR_TASK(spin)
{
    uint64_t start = dev_clock_ns(), now;

    do
        now = dev_clock_ns();
    while (now - start < task->b);
    task->value = now - start;
    return 0;
}

/* Whether a function's effects are PURE (tasks.def). */
GROSR_DEVICE bool grosr_task_is_pure(uint32_t function)
{
    enum { PURE = 1, WRITES = 0 };

    switch (function) {
#define GROSR_TASK_FUNCTION(id, NAME, name, effects, text) \
    case id:                                               \
        return effects == PURE;
#include "tasks.def"
#undef GROSR_TASK_FUNCTION
    default:
        return true; /* nothing ran */
    }
}

/* The table of task functions. */
GROSR_DEVICE int grosr_task_dispatch(struct grosr_task_context *task)
{
    switch (task->function) {
#define GROSR_TASK_FUNCTION(id, NAME, name, effects, text) \
    case id:                                               \
        return grosr_task_##name(task);
#include "tasks.def"
#undef GROSR_TASK_FUNCTION
    default:
        return ENOSYS;
    }
}

#endif
