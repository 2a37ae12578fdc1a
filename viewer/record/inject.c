/*
 * Finding the library and setting the variables that load it (inject.h). It is beside the command in a build
 * folder, and in ../lib/grosr once installed.
 */
#include "inject.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "libgrosr-inject.so"

const char *inject_library(const char **why)
{
    static const char *const places[] = {"/" LIBRARY, "/../lib/grosr/" LIBRARY};
    static char path[4096 + 64];
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    self[n > 0 ? n : 0] = 0;
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = 0;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", self, places[i]);
        if (access(path, R_OK) == 0)
            return path;
    }
    *why = LIBRARY " is neither beside grosr nor in ../lib/grosr";
    return NULL;
}

void inject_environment(uint32_t trace, const char *persistent, bool whole_graphs)
{
    static const struct {
        uint32_t part;
        const char *name, *what;
    } variables[] = {
        {GROSR_TRACE_CUDA | GROSR_TRACE_CUDA_ALL | GROSR_TRACE_API | GROSR_TRACE_PC, "CUDA_INJECTION64_PATH",
         "CUDA"},
        {GROSR_TRACE_NVTX, "NVTX_INJECTION64_PATH", "NVTX"},
    };
    const char *why, *library = inject_library(&why);

    if (!library && trace & (variables[0].part | variables[1].part))
        grosr_say(0, "NVTX and CUDA calls are not recorded: %s", why);
    if (trace & GROSR_TRACE_CUDA_ALL)
        setenv("GROSR_CUDA_CALLS", "all", 1);
    if (trace & (GROSR_TRACE_API | GROSR_TRACE_PC))
        setenv("GROSR_CUDA_TRACE", trace & GROSR_TRACE_PC ? "api,pc" : "api", 1);
    else
        unsetenv("GROSR_CUDA_TRACE");
    if (whole_graphs)
        setenv("GROSR_CUDA_GRAPH_TRACE", "graph", 1);
    else
        unsetenv("GROSR_CUDA_GRAPH_TRACE");
    if (persistent)
        setenv("GROSR_PERSISTENT", persistent, 1);
    for (size_t i = 0; library && i < sizeof(variables) / sizeof(variables[0]); i++) {
        const char *set = getenv(variables[i].name);
        if (!(trace & variables[i].part))
            continue;
        if (set && *set && strcmp(set, library))
            grosr_say(0, "%s calls are not recorded: %s is set already, to %s", variables[i].what,
                      variables[i].name, set);
        else
            setenv(variables[i].name, library, 1);
    }
}
