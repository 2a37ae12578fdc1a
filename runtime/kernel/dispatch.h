/*
 * The table of task functions, made from the list GROSR_TASKS, whose functions are defined before.
 */
#ifndef GROSR_DISPATCH_H
#define GROSR_DISPATCH_H

#include "task.h"

enum { GROSR_EFFECTS_PURE, GROSR_EFFECTS_WRITES, GROSR_EFFECTS_WARP };

GROSR_DEVICE uint32_t grosr_task_effects(uint32_t function)
{
    switch (function) {
#define GROSR_TASK_EFFECTS(id, NAME, name, effects, text) \
    case id:                                              \
        return GROSR_EFFECTS_##effects;
        GROSR_TASKS(GROSR_TASK_EFFECTS)
#undef GROSR_TASK_EFFECTS
    default:
        return GROSR_EFFECTS_PURE; /* nothing runs */
    }
}

/* Runs a task's function: `together`, in all lanes, one of effects WARP; in any lanes, one of the others. */
GROSR_DEVICE int grosr_task_dispatch(struct grosr_task_context *task, bool together)
{
    switch (task->function) {
#define GROSR_TASK_CASE(id, NAME, name, effects, text) \
    case id:                                           \
        return together == (GROSR_EFFECTS_##effects == GROSR_EFFECTS_WARP) ? grosr_task_##name(task) : ENOSYS;
        GROSR_TASKS(GROSR_TASK_CASE)
#undef GROSR_TASK_CASE
    case GROSR_FUNCTION_CANCELED:
        return ECANCELED;
    default:
        return ENOSYS;
    }
}

#endif
