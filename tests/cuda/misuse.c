/* The host API used wrongly, on a GPU: what tests/unit/misuse.c asks of the host device. */
#include "../misuse_suite.h"

int main(void)
{
    if (grosr_cuda_absent())
        skip_all(grosr_cuda_absent());
    misuse_null("cuda");
    misuse_options("cuda");
    misuse_calls("cuda");
    misuse_forks("cuda");
    return tap_done();
}
