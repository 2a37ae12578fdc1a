/*
 * CUPTI and the driver, as tables of symbols (cupti_library.h). GROSR_CUPTI names the library; else the
 * loader finds it, or it lies with the toolkit. Whatever version CUPTI has, its records are laid out as in
 * its own header: only the major version that this was built with is taken.
 */
#include "cupti_library.h"

#include "../nvidia/cupti_find.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cupti cupti;
struct driver driver;

bool cupti_load(char *why, size_t size)
{
    void *library = grosr_cupti_open(CUPTI_API_VERSION / 10000, why, size);
    void *cuda = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);

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
#define X(member, symbol, arguments) *(void **)(void *)&cupti.member = dlsym(library, symbol);
    CUPTI_OPTIONAL_SYMBOLS(X)
    CUPTI_PC_SYMBOLS(X)
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
#define X(member, symbol, arguments) *(void **)(void *)&driver.member = dlsym(cuda, symbol);
    DRIVER_OPTIONAL_SYMBOLS(X)
#undef X
    return true;
}

const char *cupti_text(CUptiResult code)
{
    const char *text = NULL;

    if (cupti.result_string(code, &text) != CUPTI_SUCCESS || !text)
        text = "an unknown error";
    return text;
}

CUstreamCaptureMode driver_relax(void)
{
    CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;

    /* It fails only for a mode that does not exist. */
    return driver.capture_mode(&mode) == CUDA_SUCCESS ? mode : CU_STREAM_CAPTURE_MODE_GLOBAL;
}

void driver_restore(CUstreamCaptureMode before)
{
    driver.capture_mode(&before);
}
