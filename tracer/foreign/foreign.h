/*
 * Diagnosis of a CUDA program that knows nothing of GROSR and is recorded (`grosr record -- CMD`): what its
 * threads, streams and launches wait for, from the tables of its session (session/outstanding.h), while it
 * runs and from what a killed process left.
 *
 * What a kernel does cannot be seen from outside. So a kernel that runs for long is no finding by itself, and
 * neither is a call that waits for it in the open (a synchronization, a copy out): those are remarks. A
 * finding needs evidence beside: a wait that the program cannot have meant (cudaFree, the first use of
 * another kernel), a transfer to the device that is queued behind the kernel which may need it, a kernel that
 * ended a thousand times faster before, the same kernels queued in another order, a mutex whose holder is
 * known, a capture that nobody ends.
 */
#ifndef GROSR_FOREIGN_H
#define GROSR_FOREIGN_H

#include "../session/session.h"
#include "../findings/findings.h"

/*
 * Adds what is found in a traced process's session; a session of another kind has nothing. Of a live process
 * it looks twice, over the threshold or a second if that is longer: what has changed in between is not stuck.
 * 0, or -ENOMEM.
 */
int grosr_diagnose_calls(const struct grosr_session *session, struct grosr_findings *findings);

/*
 * The same for who looks again and again and must not wait: a first look, at a session that has such tables,
 * and what is found with that. -ENOMEM. NULL is no look, which can be freed.
 */
struct grosr_calls_look;
int grosr_calls_look(const struct grosr_session *session, struct grosr_calls_look **look);
void grosr_calls_look_free(struct grosr_calls_look *look);
uint64_t grosr_calls_look_age_ns(const struct grosr_calls_look *look);
int grosr_diagnose_calls_since(const struct grosr_session *session, const struct grosr_calls_look *look,
                               struct grosr_findings *findings);

#endif
