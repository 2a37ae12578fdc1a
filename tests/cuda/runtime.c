/* The runtime on a GPU: what tests/unit/runtime.c and tests/stress/runtime.c ask of the host device. */
#include "../disturbance_suite.h"

int main(void)
{
    if (grosr_cuda_absent())
        skip_all(grosr_cuda_absent());
    suite_basics("cuda");
    suite_bad_options("cuda");
    suite_bad_input("cuda");
    suite_stop("cuda");
    suite_cancel("cuda");
    suite_cancel_blocked("cuda");
    suite_test("cuda");
    suite_callbacks("cuda", false);
    suite_callbacks("cuda", true);
    for (unsigned kind = 0; kind < 8; kind++) {
        suite_chaos("cuda", 2, 4, 3, 2000, kind, kind + 1);
        suite_chaos("cuda", 4096, 0, 8, 400000, kind, kind + 9);
    }
    suite_producers("cuda", 65536, 0, 4, 4000000);
    suite_producers("cuda", 2, 1, 1, 2000);
    suite_producers("cuda", 2, 64, 4, 4000);
    suite_producers("cuda", 64, 528, 4, 100000);
    suite_producers("cuda", 1024, 1452, 8, 400000);
    return tap_done();
}
