/*
 * The persistent kernel's entry on the host device (program.h): warps 0 .. workers - 1 are the workers, the
 * next one is the service warp.
 */
#ifndef GROSR_PROGRAM_HOST_H
#define GROSR_PROGRAM_HOST_H

static void grosr_program_warp(const struct grosr_launch *launch, struct grosr_local *locals, uint32_t warp)
{
    if (warp < launch->workers)
        grosr_worker_run(launch, warp, &locals[warp]);
    else
        grosr_service_run(launch);
}

#ifndef GROSR_PROGRAM_FATBIN
#define GROSR_PROGRAM_FATBIN NULL
#endif

#define GROSR_PROGRAM_ENTRIES grosr_program_warp, NULL, GROSR_PROGRAM_FATBIN

#endif
