/*
 * Which calls of CUDA's APIs CUPTI reports to us. A call that is not enabled costs the program nothing and is
 * not seen at all, whatever it returns.
 */
#ifndef GROSR_INJECT_CUDA_CALLS_H
#define GROSR_INJECT_CUDA_CALLS_H

#include "cupti_library.h"

/*
 * Whether a call is recorded by default: it does something or waits for something. What only looks something
 * up, describes or sets a parameter is not. `name` is CUPTI's: "cudaMemcpyAsync_ptsz_v7000", "cuMemAlloc_v2".
 */
bool call_acts(const char *name);

/*
 * Enables the callbacks: of the calls that act, or of all with GROSR_CUDA_CALLS=all in the environment, and
 * those for streams and contexts that are destroyed, and for failures of CUPTI itself. Ids are enabled by the
 * names that CUPTI itself has for them, so calls of a later version, unknown when this was built, are enabled
 * too. What is in cuda_ops.c is enabled in any case. `sampled`: contexts that are created and modules that
 * are loaded too.
 */
CUptiResult calls_enable(CUpti_SubscriberHandle subscriber, bool sampled);

/* Of a call that has a callback: false if it shows what is outstanding, but is not one that acts. */
bool call_is_recorded(CUpti_CallbackDomain domain, CUpti_CallbackId id);

/*
 * Whether the call begins (1) or ends (-1) a capture; 0: neither. The runtime's calls count as well as those
 * of the driver in them, at both ends. Known once calls_enable() has returned.
 */
int call_capture(CUpti_CallbackDomain domain, CUpti_CallbackId id);

#endif
