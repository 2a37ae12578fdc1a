/*
 * The runtime's phases as NVTX ranges of the domain "grosr", so that any profiler shows them: opening,
 * submitting a batch, waiting, finishing, closing. A range ends in the thread that began it. Without a tool
 * they cost a load and a branch; built without NVTX's header, a call (marks_none.c).
 */
#ifndef GROSR_MARKS_H
#define GROSR_MARKS_H

#include <stdint.h>

enum grosr_phase {
    GROSR_PHASE_OPEN,
    GROSR_PHASE_SUBMIT, /* value: tasks */
    GROSR_PHASE_WAIT,   /* value: the first task that is not waited for */
    GROSR_PHASE_FINISH,
    GROSR_PHASE_CLOSE,
    GROSR_PHASES
};

void grosr_phase_begin(enum grosr_phase phase, uint64_t value);
void grosr_phase_end(void);

#endif
