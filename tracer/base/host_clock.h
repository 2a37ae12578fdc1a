/* The host's clocks, in nanoseconds. Any thread. */
#ifndef GROSR_HOST_CLOCK_H
#define GROSR_HOST_CLOCK_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* CLOCK_MONOTONIC: the timeline of sessions and traces. */
uint64_t grosr_host_clock_ns(void);

/* CLOCK_REALTIME: the time of day, for what a person reads. */
uint64_t grosr_host_real_ns(void);

#ifdef __cplusplus
}
#endif

#endif
