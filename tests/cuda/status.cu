/* Statuses and functions that are not there, on a GPU (tests/status_suite.h). */
#include "../status_suite.h"

int main(void)
{
    if (grosr_cuda_absent())
        skip_all(grosr_cuda_absent());
    status_suite("cuda", 1);
    status_suite("cuda", 3);
    status_suite("cuda", 0);
    return tap_done();
}
