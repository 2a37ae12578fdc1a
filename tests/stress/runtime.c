/*
 * Every task runs once and its result goes where it belongs: tiny queues, several producers, warps held at
 * the points where a race would show, cancelled, stopped and closed meanwhile, under the sanitizers.
 */
#include "../disturbance_suite.h"

#include <time.h>

/* Holds a thread now and then, for a random while, at every test point. */
static void hold(const char *point)
{
    switch (suite_random() % (point[0] == 't' ? 64 : 8)) {
    case 0: {
        struct timespec t = {0, (long)(suite_random() % 100000)};
        nanosleep(&t, NULL);
        break;
    }
    case 1:
        sched_yield();
        break;
    default:
        break;
    }
}

/* Every kind of disturbance, in queues of every kind. */
static void chaos(uint64_t scale)
{
    static const uint32_t capacities[] = {2, 32, 128, 4096};

    for (uint32_t i = 0; i < 4; i++)
        for (unsigned kind = 0; kind < 8; kind++)
            suite_chaos("host", capacities[i], 1 + kind % 4, 1 + (kind + i) % 4, 100 * scale * (i + 1), kind,
                        1 + i * 8 + kind);
}

int main(void)
{
    suite_producers("host", 4096, 3, 4, suite_amount("host", 32000, 2000));
    suite_producers("host", 2, 2, 3, suite_amount("host", 2400, 60));
    suite_producers("host", 32, 4, 2, suite_amount("host", 8000, 400));
    chaos(suite_amount("host", 80, 2));
    dev_point_hook_fn = hold;
    suite_producers("host", 2, 3, 2, suite_amount("host", 800, 40));
    suite_producers("host", 128, 4, 4, suite_amount("host", 8000, 400));
    suite_stop("host");
    chaos(suite_amount("host", 8, 1));
    suite_callbacks("host", false);
    suite_callbacks("host", true);
    dev_point_hook_fn = NULL;
    return tap_done();
}
