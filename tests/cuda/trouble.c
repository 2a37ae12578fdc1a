/* Trees in trouble on a GPU: what tests/stress/trouble.c asks of the host device, and a task that traps. */
#include "../trouble_suite.h"

#include <sys/wait.h>

/*
 * A task that writes to where nothing is ends the run with a message that names it. In a process of its own,
 * which had no CUDA before: the device's context is lost.
 */
static int trap(void)
{
    struct grosr_options o = suite_options("cuda");
    struct grosr_task task = suite_task(GROSR_FN_POKE, 1, 8);
    grosr *rt;

    if (grosr_cuda_absent())
        return 77;
    o.workers = 4;
    if (grosr_open(&rt, &o) || grosr_submit(rt, &task, 1, NULL, NULL))
        return 1;
    int err = grosr_drain(rt, TROUBLE_TIMEOUT_NS);
    printf("# %d: %s\n", err, grosr_error());
    if (err != -EIO || !strstr(grosr_error(), "'poke'") || !strstr(grosr_error(), "worker"))
        return 2;
    err = grosr_submit(rt, &task, 1, NULL, NULL);
    if (err != -EIO)
        return 3;
    return grosr_close(rt) == -EIO ? 0 : 4;
}

int main(void)
{
    int status = -1;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int code = trap();
        fflush(stdout);
        _exit(code);
    }
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip_all(grosr_cuda_absent());
    is(status, 0, "a task that traps ends the run, and is named");
    trouble_poke("cuda", 20);
    trouble_memory("cuda");
    trouble_urgent("cuda");
    trouble_few_frames("cuda", 1, 5);
    trouble_few_frames("cuda", 64, 5);
    trouble_no_frame_lost("cuda", 10);
    for (uint32_t i = 0; i < 12; i++)
        trouble_stop("cuda", i % 3 ? 1 + i : 0, 500, i % 2 ? 256 : 2 << i % 5, i + 1);
    trouble_cancel("cuda", 1, 6, 40, 5);
    trouble_cancel("cuda", 64, 10, 200, 6);
    trouble_endless("cuda", 1);
    trouble_endless("cuda", 64);
    return tap_done();
}
