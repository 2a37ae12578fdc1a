/*
 * Where CUPTI may lie (cupti_find.h).
 */
#include "cupti_find.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

void *grosr_cupti_open(int major, char *why, size_t size)
{
    static const char *const places[] = {"/lib64", "/lib", "/extras/CUPTI/lib64", "/targets/x86_64-linux/lib",
                                         "/targets/sbsa-linux/lib"};
    const char *named = getenv("GROSR_CUPTI");
    const char *homes[] = {getenv("CUDA_HOME"), getenv("CUDA_PATH"), "/usr/local/cuda"};
    char name[32], path[4096];
    void *library;

    if (named && *named) {
        library = dlopen(named, RTLD_NOW | RTLD_LOCAL);
        if (!library)
            snprintf(why, size, "GROSR_CUPTI cannot be loaded: %s", dlerror());
        return library;
    }
    snprintf(name, sizeof(name), "libcupti.so.%d", major);
    library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    for (size_t h = 0; !library && h < sizeof(homes) / sizeof(homes[0]); h++)
        for (size_t i = 0; homes[h] && !library && i < sizeof(places) / sizeof(places[0]); i++) {
            snprintf(path, sizeof(path), "%s%s/%s", homes[h], places[i], name);
            library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        }
    if (!library)
        snprintf(why, size, "%s is not found (GROSR_CUPTI=PATH names it)", name);
    return library;
}
