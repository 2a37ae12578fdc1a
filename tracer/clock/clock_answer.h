/* Clock calibration, the device's side. */
#ifndef GROSR_CLOCK_ANSWER_H
#define GROSR_CLOCK_ANSWER_H

#include "../session/session.h"

/*
 * Answers ping number `ping`. The host brackets the answer with its own
 * clock (clock.h). Called by one lane.
 *
 * Release: the epoch, by which times are extended to 64 bits, was stored before the first answer. Its cost is
 * that of a fence for each ping.
 */
GROSR_DEVICE void grosr_clock_answer(struct grosr_session_header *session, uint64_t ping)
{
    uint64_t lap = ping << GROSR_LAP_SHIFT;
    sys_store_pair_release(&session->pong, lap | (dev_clock_ns() & GROSR_PAYLOAD_MASK),
                           lap | (ping & GROSR_PAYLOAD_MASK)); /* pairs with round_trip() */
}

#endif
