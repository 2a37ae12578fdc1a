/* The host's clocks (host_clock.h). */
#include "host_clock.h"

#include <time.h>

static uint64_t clock_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t grosr_host_clock_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t grosr_host_real_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}
