/*
 * What can be seen of a process that GROSR has not started, and that has no session: in which CUDA call its
 * threads are, from their stacks, and what /proc and NVML tell. All of it is evidence: no verdict comes of
 * it.
 */
#ifndef GROSR_DIAGNOSE_PROCESS_H
#define GROSR_DIAGNOSE_PROCESS_H

#include "../findings/findings.h"

/* Adds remarks: `cuda_call`, one for each thread in a call of CUDA's; `threads`, the others; `gpu`. -ESRCH:
 * there is no such process. */
int grosr_diagnose_process(uint32_t pid, struct grosr_findings *findings);

#endif
