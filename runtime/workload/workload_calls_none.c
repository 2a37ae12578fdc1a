/*
 * In place of workload_calls_cuda.c in a build without the CUDA toolkit.
 */
#include "workload.h"

#include "../../tracer/base/error.h"

#include <errno.h>

int grosr_calls_start(const char *workload, const char *device, struct grosr_device_info *info)
{
    (void)workload;
    (void)device;
    (void)info;
    return grosr_fail(ENODEV, "this grosr was built without the CUDA toolkit");
}

int grosr_calls_check(void)
{
    return 0;
}

void grosr_calls_end(void)
{
}
