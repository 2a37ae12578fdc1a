/*
 * In builds without NVTX's header there is no library to inject (inject.h).
 */
#include "inject.h"

const char *inject_library(const char **why)
{
    *why = "this grosr was built without the CUDA toolkit";
    return NULL;
}

void inject_environment(uint32_t trace, const char *persistent, bool whole_graphs)
{
    const char *why;

    (void)persistent, (void)whole_graphs;
    inject_library(&why);
    if (trace &
            (GROSR_TRACE_NVTX | GROSR_TRACE_CUDA | GROSR_TRACE_CUDA_ALL | GROSR_TRACE_API | GROSR_TRACE_PC) &&
        !(trace & GROSR_TRACE_DEFAULT))
        grosr_say(0, "NVTX and CUDA calls are not recorded: %s", why);
}
