/*
 * The kernel that answers clock pings where no other does (trace_cuda.c): one thread, for as long as the host
 * asks, and at most some milliseconds.
 */
#include "trace_device.h"

#define FIRST_NS 10000000u /* it may start before the host asks */
#define NEXT_NS  200000u   /* more than a host thread takes to ask again, unless it is preempted */

extern "C" __global__ void grosr_clock_kernel(struct grosr_session_header *session, uint64_t answered)
{
    /* Once: times are extended by it to 64 bits. grosr_clock_answer() releases it. */
    if (sys_load_relaxed(&session->device_epoch_ns) == 0)
        sys_store_relaxed(&session->device_epoch_ns, dev_clock_ns());
    uint64_t first = grosr_trace_answer(session, answered, FIRST_NS, 1);
    if (first != answered)
        grosr_trace_answer(session, first, NEXT_NS, 64);
}
