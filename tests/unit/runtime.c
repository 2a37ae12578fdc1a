/* The runtime on the host device: results, statuses, time-outs, stop, bad options. */
#include "../runtime_suite.h"

int main(void)
{
    suite_basics("host");
    suite_bad_options("host");
    suite_stop("host");
    suite_producers("host", 65536, 2, 1, 20000);
    return tap_done();
}
