/*
 * Without libdw there are no stacks (host_stack.h).
 */
#include "host_stack.h"

#include "../base/error.h"

#include <errno.h>
#include <stddef.h>

int grosr_host_stacks_open(struct grosr_host_stacks **stacks, uint32_t pid)
{
    (void)pid;
    *stacks = NULL;
    return grosr_fail(ENOTSUP, "stacks of threads cannot be read: GROSR was built without libdw");
}

uint32_t grosr_host_stack(struct grosr_host_stacks *stacks, uint32_t tid, struct grosr_host_frame *frame,
                          uint32_t max)
{
    (void)stacks;
    (void)tid;
    (void)frame;
    (void)max;
    return 0;
}

void grosr_host_stacks_close(struct grosr_host_stacks *stacks)
{
    (void)stacks;
}
