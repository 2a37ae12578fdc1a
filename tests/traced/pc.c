/*
 * Programs whose kernels are sampled, for tests/cli/pc.t: on a double of the driver and CUPTI
 * (cupti_double.h). `pc WHAT...` does each WHAT in turn; those that hang do so for at most a minute, or until
 * SIGUSR1 ends the kernels that run. It knows nothing of GROSR.
 */
#include "../forked.h"
#include "cupti_double.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SMALL "_Z5smallPfi"

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
    double_stop();
}

static void let_run(unsigned ms)
{
    for (unsigned i = 0; i < ms && !ended; i++)
        usleep(1000);
}

/* Kernels that others wait for, which the host does in cudaDeviceSynchronize. */
static void hang(const char *name)
{
    double_launch(1, name, DOUBLE_FOR_EVER);
    alarm(60);
    double_synchronize();
}

/* 32 blocks fit on an SM. */
static void hang_with(uint32_t blocks)
{
    const struct double_shape shape = {{blocks, 1, 1}, 64, 0};

    double_launch_shape(1, DOUBLE_POLLS, &shape, DOUBLE_FOR_EVER);
    alarm(60);
    double_synchronize();
}

/* The first one fills the GPU, and nobody says that it is meant to run for ever. */
static void crowd(void)
{
    const struct double_shape all = {{DOUBLE_SMS * 32, 1, 1}, 64, 0}, one = {{1, 1, 1}, 64, 0};

    double_launch_shape(1, DOUBLE_POLLS, &all, DOUBLE_FOR_EVER);
    double_launch_shape(2, DOUBLE_POLLS, &one, DOUBLE_FOR_EVER);
    alarm(60);
    double_stream_synchronize(2);
}

static void fork_child(void)
{
    pid_t child = fork();

    if (child == 0)
        exit(0);
    waitpid(child, NULL, 0);
}

static void many(void)
{
    for (int i = 0; i < 40000; i++)
        double_launch(1, SMALL, 1000);
    double_synchronize();
}

/* Another context while a kernel runs, which is not waited for. */
static void second_context(void)
{
    struct timespec before, after;

    double_launch(1, DOUBLE_POLLS, UINT64_C(3000000000));
    let_run(200);
    clock_gettime(CLOCK_MONOTONIC, &before);
    double_create_context();
    clock_gettime(CLOCK_MONOTONIC, &after);
    puts(after.tv_sec - before.tv_sec < 2 ? "created at once" : "it waited");
}

static int act(const char *what)
{
    if (!strcmp(what, "polls")) {
        hang(DOUBLE_POLLS);
    } else if (!strcmp(what, "hoisted")) {
        hang(DOUBLE_HOISTED);
    } else if (!strcmp(what, "fits")) {
        hang_with(DOUBLE_SMS * 32);
    } else if (!strcmp(what, "exceeds")) {
        hang_with(DOUBLE_SMS * 32 + 1);
    } else if (!strcmp(what, "crowd")) {
        crowd();
    } else if (!strcmp(what, "small")) {
        hang(SMALL);
    } else if (!strcmp(what, "both")) {
        double_launch(1, DOUBLE_POLLS, UINT64_C(1300000000));
        double_launch(2, SMALL, UINT64_C(1300000000));
        double_synchronize();
    } else if (!strcmp(what, "short")) {
        double_launch(1, DOUBLE_POLLS, UINT64_C(700000000));
        let_run(300);
    } else if (!strcmp(what, "copies")) {
        double_memcpy(1000);
        double_memset(5, 2000);
        double_synchronize();
    } else if (!strcmp(what, "many")) {
        many();
    } else if (!strcmp(what, "fork")) {
        fork_child();
    } else if (!strcmp(what, "leave")) {
        double_launch(1, DOUBLE_POLLS, DOUBLE_FOR_EVER);
        let_run(700);
    } else if (!strcmp(what, "second")) {
        second_context();
    } else if (!strcmp(what, "destroy")) {
        double_launch(1, DOUBLE_POLLS, UINT64_C(100000000));
        let_run(100);
        double_destroy_context();
    } else {
        return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    signal(SIGUSR1, on_signal);
    signal(SIGALRM, on_signal);
    for (int i = 1; i < argc; i++)
        if (!act(argv[i]))
            return 2;
    puts("done");
    return 0;
}
