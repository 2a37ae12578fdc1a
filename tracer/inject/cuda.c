/*
 * The driver loads us (CUDA_INJECTION64_PATH), and the end of the process finds nothing lost (cuda_parts.h).
 */
#include "cuda_calls.h"
#include "cuda_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((visibility("default"))) int InitializeInjection(void);

static CUpti_SubscriberHandle subscriber;
static uint32_t started_pid;

/*
 * What has run is recorded before the process ends. What still runs is not waited for: a kernel may never
 * end, and its record is not worth those of all others. Nothing is called here that may block: the threads
 * of our own do that.
 */
static void at_end(void)
{
    static bool ended;

    if (started_pid != (uint32_t)getpid() || ended)
        return;
    ended = true;
    inject_ends(); /* before anything that takes its time */
    threads_become_ours();
    driver_relax(); /* the thread that ends the process captures nothing any more */
    threads_finish();
    errors_end();
    callbacks_record(false); /* nor is any call that CUDA's own end makes */
    kernels_end(threads_end());
    pc_end();
    struct inject_thread *t = inject_enter();
    if (!t)
        return;
    if (activity_dropped())
        inject_note(t, "cupti", "CUPTI dropped %llu records for want of buffers",
                    (unsigned long long)activity_dropped());
    if (activity_untimed())
        inject_note(t, "cupti", "CUPTI had no times of %llu launches of graphs",
                    (unsigned long long)activity_untimed());
    inject_leave(t);
}

static void say_absent(const char *why)
{
    struct inject_thread *t = inject_enter();

    if (!t)
        return;
    inject_note(t, "cupti", "CUDA is not recorded: %s", why);
    inject_leave(t);
}

static void say_old(void)
{
    struct inject_thread *t = inject_enter();

    if (!t)
        return;
    inject_note(t, "cupti", "PC samples are not recorded: the CUPTI that was found is too old");
    inject_leave(t);
}

/* Variables that change what calls wait for. */
static void note_environment(void)
{
    static const char *const names[] = {"CUDA_LAUNCH_BLOCKING", "CUDA_DEVICE_MAX_CONNECTIONS"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);
        struct inject_thread *t = value && *value ? inject_enter() : NULL;
        if (!t)
            continue;
        inject_note(t, "environment", "%s=%s", names[i], value);
        inject_leave(t);
    }
}

/* Takes CUPTI's subscription. 0, or why not. */
static const char *subscribe(char *why, size_t size)
{
    char other[CUPTI_OLD_SUBSCRIBER_NAME_MIN_LEN] = "";
    CUpti_SubscriberParams params = {.structSize = CUpti_SubscriberParams_STRUCT_SIZE,
                                     .subscriberName = "GROSR",
                                     .oldSubscriberName = other,
                                     .oldSubscriberSize = sizeof(other)};
    CUptiResult code =
        cupti.subscribe_v2
            ? cupti.subscribe_v2(&subscriber, (CUpti_CallbackFunc)callbacks_on_call, NULL, &params)
            : cupti.subscribe(&subscriber, (CUpti_CallbackFunc)callbacks_on_call, NULL);

    if (code == CUPTI_SUCCESS)
        return NULL;
    other[sizeof(other) - 1] = 0;
    snprintf(why, size, "%s%s%s%s%s",
             code == CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED ? "another profiler has CUPTI: " : "",
             cupti_text(code), *other ? " (" : "", other, *other ? ")" : "");
    return why;
}

int InitializeInjection(void)
{
    char why[512];
    CUptiResult code;

    if (started_pid == (uint32_t)getpid() || !inject_begin())
        return 1;
    started_pid = (uint32_t)getpid();
    if (!cupti_load(why, sizeof(why)) || subscribe(why, sizeof(why))) {
        say_absent(why);
        return 1;
    }
    kernel_names_start();
    kernels_start();
    if (!pc_start())
        say_old();
    note_environment();
    code = activity_start();
    if (code == CUPTI_SUCCESS)
        code = calls_enable(subscriber, pc_is_wanted());
    if (code != CUPTI_SUCCESS) {
        cupti.unsubscribe(subscriber);
        say_absent(cupti_text(code));
        return 1;
    }
    callbacks_record(true);
    threads_start();
    atexit(at_end);
    return 1;
}
