/*
 * Trees of tasks: every task runs once and every sum is right, with warps held at the points where a race
 * would show, under the sanitizers.
 */
#include "../spawn_suite.h"

#include <sched.h>
#include <time.h>

/* Holds a thread now and then, for a random while. */
static void hold(const char *point)
{
    (void)point;
    switch (suite_random() % 256) {
    case 0: {
        struct timespec t = {0, (long)(suite_random() % 50000)};
        nanosleep(&t, NULL);
        break;
    }
    case 1:
    case 2:
    case 3:
        sched_yield();
        break;
    default:
        break;
    }
}

int main(void)
{
    suite_trees("host", 1);
    suite_trees("host", 3);
    suite_random_trees("host", 1, suite_amount("host", 50, 20), 6, 1);
    suite_random_trees("host", 4, suite_amount("host", 800, 25), suite_amount("host", 8, 7), 2);
    dev_point_hook_fn = hold;
    suite_random_trees("host", 3, suite_amount("host", 400, 20), suite_amount("host", 7, 6), 3);
    dev_point_hook_fn = NULL;
    return tap_done();
}
