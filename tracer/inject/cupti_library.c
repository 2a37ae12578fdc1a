/*
 * CUPTI and the driver, as tables of symbols (cuda.h). GROSR_CUPTI names the library; else the loader finds
 * it, or it lies with the toolkit. Whatever version CUPTI has, its records are laid out as in its own header:
 * only the major version that this was built with is taken.
 */
#include "cuda.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAJOR      (CUPTI_API_VERSION / 10000)
#define STRING_(x) #x
#define STRING(x)  STRING_(x)

struct cupti cupti;
struct driver driver;

static void *open_cupti(char *why, size_t size)
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
    snprintf(name, sizeof(name), "libcupti.so.%d", CUPTI_API_VERSION / 10000);
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

bool cupti_load(char *why, size_t size)
{
    void *library = open_cupti(why, size), *cuda = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    uint32_t version = 0;

    if (!library)
        return false;
#define X(member, symbol, arguments)                                                      \
    *(void **)(void *)&cupti.member = dlsym(library, symbol);                             \
    if (!cupti.member) {                                                                  \
        snprintf(why, size, "the CUPTI that was found is too old: it has no %s", symbol); \
        return false;                                                                     \
    }
    CUPTI_SYMBOLS(X)
#undef X
    if (!cuda) {
        snprintf(why, size, "libcuda.so.1 cannot be loaded");
        return false;
    }
#define X(member, symbol, arguments)                                               \
    *(void **)(void *)&driver.member = dlsym(cuda, symbol);                        \
    if (!driver.member) {                                                          \
        snprintf(why, size, "the NVIDIA driver is too old: it has no %s", symbol); \
        return false;                                                              \
    }
    DRIVER_SYMBOLS(X)
#undef X
    if (cupti.get_version(&version) != CUPTI_SUCCESS || version / 10000 != MAJOR) {
        snprintf(why, size, "the CUPTI that was found has version %u.%u, and not %d", version / 10000,
                 version % 10000 / 100, MAJOR);
        return false;
    }
    return true;
}

const char *cupti_text(CUptiResult code)
{
    const char *text = NULL;

    if (cupti.result_string(code, &text) != CUPTI_SUCCESS || !text)
        text = "an unknown error";
    return text;
}
