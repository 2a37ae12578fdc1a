/*
 * System calls on a GPU: what tests/stress/syscall.c asks of the host device, then more callers than ports,
 * appends and random sequences in turn, with every byte compared, for as many seconds as the first argument
 * says (default 10). The second argument is the device (default cuda).
 */
#include "../syscall_refusal_suite.h"

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 10;
    const char *device = argc > 2 ? argv[2] : "cuda";
    uint64_t start = grosr_host_clock_ns();

    if (!strcmp(device, "cuda") && grosr_cuda_absent())
        skip_all(grosr_cuda_absent());
    suite_bad_syscalls(device);
    suite_each_call(device);
    suite_confined(device);
    suite_fifo(device);
    suite_renames(device);
    suite_disk_full(device);
    suite_posix(device, 1000, 1);
    suite_crowd(device, 2, 1, 8);
    suite_appends(device, 3);
    for (uint64_t round = 2; (double)(grosr_host_clock_ns() - start) < seconds * 1e9; round++) {
        static const uint32_t ports[] = {2, 5, 64, 1024};
        suite_crowd(device, ports[round % 4], 1 + (uint32_t)round % 4, 40);
        suite_posix(device, 1500, round);
        suite_appends(device, 4);
    }
    return tap_done();
}
