/* System calls of a live session, sampled from the mailbox's table in its segment
 * (runtime/syscall/mailbox.h). */
#ifndef GROSR_MODEL_SYSCALLS_H
#define GROSR_MODEL_SYSCALLS_H

#include "model.h"

#include "../../tracer/clock/clock.h"

/* `now`: the host's clock. */
void model_sample_syscalls(struct model_syscalls *calls, const struct grosr_session *session,
                           struct grosr_clock *clock, uint64_t now);

/* A call's name, or "?". */
const char *model_syscall_name(uint32_t call);

#endif
