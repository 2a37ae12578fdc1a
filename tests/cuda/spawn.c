/* Trees of tasks on a GPU: what tests/stress/spawn.c asks of the host device. */
#include "../spawn_suite.h"

int main(void)
{
    if (grosr_cuda_absent())
        skip_all(grosr_cuda_absent());
    suite_trees("cuda", 1);
    suite_trees("cuda", 0);
    suite_random_trees("cuda", 1, 50, 6, 1);
    suite_random_trees("cuda", 7, 500, 8, 2);
    suite_random_trees("cuda", 0, 2000, 10, 3);
    return tap_done();
}
