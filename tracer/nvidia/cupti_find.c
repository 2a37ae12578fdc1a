/*
 * Where CUPTI may lie (cupti_find.h).
 */
#include "cupti_find.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static void *find(int major, char *why, size_t size)
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

void *grosr_cupti_open(int major, char *why, size_t size)
{
    void *library = find(major, why, size);
    int (*get_version)(uint32_t *) = NULL;
    uint32_t version = 0;

    if (!library)
        return NULL;
    *(void **)(void *)&get_version = dlsym(library, "cuptiGetVersion");
    if (!get_version) {
        snprintf(why, size, "the CUPTI that was found is none: it has no cuptiGetVersion");
        return NULL;
    }
    if (get_version(&version) == 0 && (int)(version / 10000) == major)
        return library;
    snprintf(why, size, "the CUPTI that was found has version %u.%u, and not %d", version / 10000,
             version % 10000 / 100, major);
    return NULL;
}
