/*
 * In place of trace_cuda.c in a build without the CUDA toolkit.
 */
#include "trace_cuda.h"

#include "../base/error.h"

#include <errno.h>

static int none(void)
{
    return grosr_fail(ENODEV, "this grosr was built without the CUDA toolkit");
}

int grosr_trace_cuda_open(struct grosr_trace_cuda **cuda, struct grosr_trace_facts *facts)
{
    (void)cuda;
    (void)facts;
    return none();
}

int grosr_trace_cuda_share(struct grosr_trace_cuda *cuda, void *base, size_t bytes, void **view)
{
    (void)cuda;
    (void)base;
    (void)bytes;
    (void)view;
    return none();
}

int grosr_trace_cuda_control(struct grosr_trace_cuda *cuda, const struct grosr_trace_control *first,
                             size_t bytes, struct grosr_trace_control **control)
{
    (void)cuda;
    (void)first;
    (void)bytes;
    (void)control;
    return none();
}

int grosr_trace_cuda_read(struct grosr_trace_cuda *cuda, void *to, size_t bytes)
{
    (void)cuda;
    (void)to;
    (void)bytes;
    return none();
}

int grosr_trace_cuda_clock(struct grosr_trace_cuda *cuda, struct grosr_session_header *session,
                           uint64_t answered)
{
    (void)cuda;
    (void)session;
    (void)answered;
    return none();
}

void grosr_trace_cuda_close(struct grosr_trace_cuda *cuda)
{
    (void)cuda;
}
