/* The ports of a session's mailbox that are in use, for the diagnosis (tracer/diagnose/live.h). */
#ifndef GROSR_MODEL_CALLS_H
#define GROSR_MODEL_CALLS_H

#include "../../tracer/diagnose/live.h"

/* Of a session without system calls, none. */
void model_read_calls(const struct grosr_session *session, struct grosr_live_mailbox *mailbox);

#endif
