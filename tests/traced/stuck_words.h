/*
 * Programs of stuck_calls.c whose streams wait for words in memory: of the host and of the device, written by
 * nobody, by the host, by a kernel, by another stream, and by one that waits for them.
 */
#ifndef GROSR_STUCK_WORDS_H
#define GROSR_STUCK_WORDS_H

#include "stuck_calls.h"

static uint32_t flag, answer; /* of the host */

/* Nobody writes it. */
static void value_never(void)
{
    double_launch(1, A, SHORT);
    double_synchronize();
    double_wait_value(1, &flag, 5);
    double_launch(1, A, SHORT);
    double_launch(1, WORK, SHORT);
    double_stream_synchronize(1);
}

static void value_device(void)
{
    double_wait_value(1, double_device_word(1), 5);
    double_launch(1, WORK, SHORT);
    double_stream_synchronize(1);
}

static void *write_main(void *arg)
{
    sleep_on();
    __atomic_store_n(&flag, 5, __ATOMIC_RELEASE);
    return arg;
}

/* A thread writes it, late. */
static void value_late(void)
{
    in_thread(write_main);
    double_wait_value(1, &flag, 5);
    double_launch(1, WORK, SHORT);
    double_stream_synchronize(1);
}

/* A kernel may. */
static void value_kernel(void)
{
    double_launch(2, SERVER, LONG);
    double_wait_value(1, double_device_word(1), 5);
    double_launch(1, WORK, SHORT);
    double_stream_synchronize(1);
}

/* Another process may: there is one, and the memory may be shared with it. */
static void value_shared(void)
{
    uint32_t *word = (uint32_t *)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (fork() == 0) {
        execlp("sleep", "sleep", "8", (char *)NULL);
        _exit(1);
    }
    double_wait_value(1, word, 5);
    double_launch(1, WORK, SHORT);
    double_stream_synchronize(1);
}

static void value_semaphore(void)
{
    double_wait_semaphore(1);
    double_launch(1, WORK, SHORT);
    double_stream_synchronize(1);
}

/* Each waits for what the other writes later. */
static void value_cycle(void)
{
    double_wait_value(1, &flag, 1);
    double_launch(1, A, SHORT);
    double_write_value(1, &answer, 1);
    double_wait_value(2, &answer, 1);
    double_launch(2, B, SHORT);
    double_write_value(2, &flag, 1);
    double_synchronize();
}

static void value_batch(void)
{
    double_wait_and_write(1, double_device_word(1), 1, double_device_word(2), 1);
    double_wait_and_write(2, double_device_word(2), 1, double_device_word(1), 1);
    double_synchronize();
}

/* What it waits for is there: the kernel behind it runs, for long. */
static void value_there(void)
{
    flag = 5;
    double_launch(2, WORK, LONG); /* so that the driver does not say that all has ended */
    double_wait_value(1, &flag, 5);
    double_launch(1, WORK, LONG);
    double_stream_synchronize(1);
}

/* Two streams that hand values to each other, one by one, for as long as it takes. */
static void value_pipeline(void)
{
    for (uint32_t i = 1; !ended; i++) {
        uint64_t ns = i <= 2000 ? SHORT : 2000000; /* so that its trace stays small */
        double_write_value(2, &flag, i);
        double_wait_value(1, &flag, i);
        double_launch(1, A, ns);
        double_write_value(1, double_device_word(3), i);
        double_wait_value(2, double_device_word(3), i);
        double_launch(2, B, ns);
        double_stream_synchronize(2);
        double_stream_synchronize(1);
    }
}

/* Many that end at once, among kernels. */
static void values(void)
{
    double_wait_value_refused(1, &flag);
    for (uint32_t i = 1; i <= 20000; i++) {
        double_write_value(2, &flag, i);
        double_wait_value(1, &flag, i);
        if (i % 10 == 0)
            double_launch(1, A, SHORT);
        if (i % 1000 == 0)
            double_synchronize();
    }
    double_synchronize();
}

/* A kernel that has always been short, behind a wait that has ended. */
static void value_overdue(void)
{
    for (int i = 0; i < 120; i++)
        double_launch(1, A, SHORT);
    double_synchronize();
    double_write_value(2, double_device_word(1), 5);
    double_wait_value(1, double_device_word(1), 5);
    double_launch(1, A, DOUBLE_FOR_EVER);
    double_stream_synchronize(1);
}

#endif
