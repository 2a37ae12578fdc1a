/* Several runtimes in one process on GPUs, and what they leave of the caller's context. */
#include "../runtime_suite.h"

#include <dlfcn.h>

/* The context that is current in this thread. */
static void *current_context(void)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL), *context = &context;
    int (*get)(void **) = NULL;

    if (library)
        *(void **)(void *)&get = dlsym(library, "cuCtxGetCurrent");
    ok(get && get(&context) == 0, "the driver tells the current context");
    return context;
}

int main(void)
{
    struct grosr_device_info devices[64];
    uint32_t n = grosr_devices(devices, 64) - 1; /* the last is the host */
    struct grosr_options o = suite_options("cuda:0");
    char name[32];
    grosr *rt;

    if (grosr_cuda_absent())
        skip_all(grosr_cuda_absent());
    rt = suite_open(&o);
    ok(current_context() == NULL, "grosr_open() leaves no context current");
    ok(suite_adds(rt, 1), "cuda:0 runs tasks");
    is(grosr_close(rt), 0, "and is closed");
    ok(current_context() == NULL, "nor does grosr_close()");

    suite_several("cuda", "host", 2);
    suite_several("cuda:0", "cuda:0", 4);
    suite_several("cuda:0", "cuda:0", devices[0].sms / 2);
    for (uint32_t i = 1; i < n && i < 64; i++) {
        snprintf(name, sizeof(name), "cuda:%u", i);
        suite_several("cuda:0", name, 0);
    }
    snprintf(name, sizeof(name), "cuda:%u", n);
    o.device = name;
    is(grosr_open(&rt, &o), -ENODEV, "there is no %s: %s", name, grosr_error());
    return tap_done();
}
