/*
 * System calls on the host device: the same results as direct calls, whole appends, more callers than ports,
 * what is refused, and a proxy whose threads die.
 */
#include "../syscall_refusal_suite.h"

int main(void)
{
    suite_bad_syscalls("host");
    suite_each_call("host");
    for (uint64_t seed = 1; seed <= suite_amount("host", 4, 2); seed++)
        suite_posix("host", suite_amount("host", 2500, 60), seed);
    suite_crowd("host", 2, 1, suite_amount("host", 12, 4));
    suite_crowd("host", 64, 3, suite_amount("host", 12, 4));
    suite_appends("host", suite_amount("host", 6, 1));
    suite_confined("host");
    suite_fifo("host");
    suite_renames("host");
    suite_disk_full("host");
    return tap_done();
}
