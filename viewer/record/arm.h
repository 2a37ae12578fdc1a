/*
 * Arming a program for a core dump of its GPU (`record --trace core`): the driver's variables for a dump on
 * request, without memory, after which the program is not aborted. `grosr diagnose PID --dump` requests it.
 */
#ifndef GROSR_VIEWER_ARM_H
#define GROSR_VIEWER_ARM_H

struct arming {
    char folder[256]; /* of the driver's pipes; "": not armed */
};

/* Makes the folder. 0, or -errno and grosr_error(). */
int arm_prepare(struct arming *arming);

/* In the child, before it executes the program. What the user has set stays. */
void arm_environment(const struct arming *arming);

/* After the program has ended: removes the pipes and their folder. */
void arm_clean(const struct arming *arming);

#endif
