/*
 * A program that hosts sessions, to be recorded: what it does is on its command line, one after the other.
 *
 *     in-turn N     N runtimes, each opened, given 100 tasks, closed
 *     open          opens a runtime, in addition to those that are open
 *     close         closes the oldest of them
 *     work          gives each open one 100 tasks
 *     work-on       the same, again and again until SIGUSR1
 *     wait          waits for SIGUSR1
 *     children N    N children, each with a runtime that it closes; they leave by _exit(7), and are waited
 * for left N        N children that leave by _exit(0) with their runtime open killed        a child that is
 * killed with its runtime open leave N       leaves by _exit(N) first-ends    from here on by another thread:
 * the first one ends
 */
#include "../../runtime/grosr.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TASKS 100

static grosr *opened[64];
static int first, end;
static char **words;

static void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, grosr_error());
    _exit(1);
}

static grosr *open_one(void)
{
    struct grosr_options o = GROSR_OPTIONS_DEFAULT;
    static int number;
    char name[32];
    grosr *rt;

    snprintf(name, sizeof(name), "session %d", number++);
    o.device = "host";
    o.name = name;
    o.workers = 1;
    o.queue_capacity = 256;
    o.ring_events = 4096;
    o.frames = 256;
    if (grosr_open(&rt, &o))
        fail("open");
    return rt;
}

static void work_on(grosr *rt)
{
    struct grosr_task task[TASKS];
    uint64_t number;

    memset(task, 0, sizeof(task));
    for (int i = 0; i < TASKS; i++)
        task[i].function = GROSR_FN_ADD;
    if (grosr_submit(rt, task, TASKS, NULL, &number) || grosr_wait(rt, number + TASKS, GROSR_FOREVER))
        fail("work");
}

static void child(bool closes, int signal_number, int code)
{
    if (fork())
        return;
    grosr *rt = open_one();
    work_on(rt);
    if (closes)
        grosr_close(rt);
    if (signal_number)
        raise(signal_number);
    _exit(code);
}

static void in_turn(int n)
{
    for (int i = 0; i < n; i++) {
        grosr *rt = open_one();
        work_on(rt);
        grosr_close(rt);
    }
}

/* Waits for SIGUSR1, or looks whether it has come. */
static bool asked(bool waits)
{
    struct timespec moment = {0, 1000000};
    sigset_t usr1;

    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    return waits ? sigwaitinfo(&usr1, NULL) > 0 : sigtimedwait(&usr1, NULL, &moment) > 0;
}

static int number(void)
{
    return *words ? atoi(*words++) : 0;
}

static void do_word(const char *word)
{
    if (!strcmp(word, "in-turn")) {
        in_turn(number());
    } else if (!strcmp(word, "open")) {
        opened[end++] = open_one();
    } else if (!strcmp(word, "close")) {
        grosr_close(opened[first++]);
    } else if (!strcmp(word, "work") || !strcmp(word, "work-on")) {
        do
            for (int i = first; i < end; i++)
                work_on(opened[i]);
        while (word[4] && !asked(false));
    } else if (!strcmp(word, "wait")) {
        asked(true);
    } else if (!strcmp(word, "children") || !strcmp(word, "left")) {
        for (int n = number(); n > 0; n--)
            child(*word == 'c', 0, *word == 'c' ? 7 : 0);
        while (wait(NULL) > 0)
            ;
    } else if (!strcmp(word, "killed")) {
        child(false, SIGKILL, 0);
        wait(NULL);
    } else if (!strcmp(word, "leave")) {
        _exit(number());
    }
}

static void *do_rest(void *arg)
{
    (void)arg;
    while (*words) {
        const char *word = *words++;
        do_word(word);
    }
    exit(0);
}

int main(int argc, char **argv)
{
    pthread_t thread;
    sigset_t usr1;

    (void)argc;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    for (words = argv + 1; *words;) {
        const char *word = *words++;
        if (!strcmp(word, "first-ends")) {
            pthread_create(&thread, NULL, do_rest, NULL);
            pthread_exit(NULL);
        }
        do_word(word);
    }
    return 0;
}
