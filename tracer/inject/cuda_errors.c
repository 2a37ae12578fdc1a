/*
 * Errors of calls that are not recorded (cuda_parts.h). A call without a callback is not seen, but the driver
 * (of CUDA 12.9 and later) logs each call of its own that returns an error, on the thread that made it:
 *
 *     [12:46:23.854][137216133754880][CUDA][E] Returning 1 (CUDA_ERROR_INVALID_VALUE) from cuLaunchKernel
 *
 * Such a line becomes a call whose start and end are the time of the line, unless the thread is inside a
 * recorded call: that has its result itself. What the driver writes for the program, by CUDA_LOG_FILE or its
 * own callback, stays as it is.
 */
#include "cuda_parts.h"

#include "../base/host_clock.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* In cuda.h since 12.9. */
typedef void(CUDA_CB *log_callback)(void *data, int level, char *message, size_t length);
typedef CUresult(CUDAAPI *register_callback)(log_callback callback, void *data, void **handle);

#define LEVEL_ERROR 0

static dev32 reporting;

/* "... Returning 1 (NAME) from cuCall": 1 and cuCall. False: it is another line. */
static bool parse(char *line, int32_t *result, const char **call)
{
    char *at = strstr(line, "Returning "), *from = at ? strstr(at, ") from cu") : NULL;

    if (!from)
        return false;
    *result = (int32_t)strtol(at + strlen("Returning "), NULL, 10);
    *call = from + strlen(") from ");
    from[strlen(") from ") +
         strspn(*call, "_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")] = 0;
    return *result != 0 && *result != CUDA_ERROR_NOT_READY;
}

static void write_error(struct inject_thread *t, const char *call, int32_t result)
{
    struct inject_string *name = inject_string(call, strlen(call));
    uint64_t now = grosr_host_clock_ns();
    struct grosr_record_cuda_call r = {
        .head = {0, GROSR_RECORD_CUDA_CALL},
        .start = now,
        .end = now,
        .tid = t->tid,
        .name = name ? inject_string_number(t, name) : 0,
        .result = result,
        .api = 1,
    };
    const struct grosr_piece piece = {&r, sizeof(r)};

    inject_write(t, &piece, 1);
}

static void CUDA_CB on_log(void *unused, int level, char *message, size_t length)
{
    char line[512];
    const char *call;
    int32_t result;

    (void)unused;
    if (level != LEVEL_ERROR || !message || !dev_load_relaxed(&reporting))
        return;
    length = length < sizeof(line) ? length : sizeof(line) - 1;
    memcpy(line, message, length);
    line[length] = 0;
    if (!parse(line, &result, &call))
        return;
    struct inject_thread *t = inject_enter();
    if (!t)
        return;
    if (!t->ours && !t->call.known)
        write_error(t, call, result);
    inject_leave(t);
}

void errors_tick(void)
{
    static register_callback add;
    static bool looked;
    void *handle;

    if (dev_load_relaxed(&reporting))
        return;
    if (!looked) {
        void *cuda = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
        looked = true;
        if (cuda)
            *(void **)(void *)&add = dlsym(cuda, "cuLogsRegisterCallback");
    }
    if (add && add(on_log, NULL, &handle) == CUDA_SUCCESS)
        dev_store_relaxed(&reporting, 1);
}

void errors_end(void)
{
    dev_store_relaxed(&reporting, 0);
}
