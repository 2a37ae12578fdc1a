/*
 * A program that uses CUDA, as tests/cli/cupti.t wants it, on a double of the driver and CUPTI
 * (cupti_double.h): `cuda WHAT...` does each WHAT in turn. It knows nothing of GROSR.
 */
#include "../forked.h"
#include "cost.h"
#include "cupti_double.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMALL "_Z5smallPfi"         /* small(float*, int) */
#define OTHER "_ZN2ns5otherIiEEvT_" /* void ns::other<int>(int) */
#define SPIN  "_Z4spinPj"           /* spin(unsigned int*) */
#define OURS  "grosr_kernel"        /* as GROSR's runtime calls its own */

static volatile sig_atomic_t told;

static void on_signal(int number)
{
    (void)number;
    told = 1;
    double_stop();
}

static void wait_for_signal(void)
{
    while (!told)
        usleep(1000);
}

/* Every kind of activity. */
static void all(void)
{
    double_driver_alloc();
    double_memcpy(1000);
    double_memset(5, 2000);
    double_launch(1, SMALL, 1000);
    double_launch(2, OTHER, 1000);
    double_launch_refused(SMALL);
    double_get_device();
    double_synchronize();
}

/* Calls that fail, once the driver's log has been there for a while. */
static void errors(void)
{
    double_get_device();
    usleep(300000);
    double_get_attribute_refused();
    double_launch_refused(SMALL);
    double_get_attribute_refused();
}

static void many(void)
{
    for (int i = 0; i < 10000; i++)
        double_launch(1 + (uint32_t)i % 2, SMALL, 100);
    double_synchronize();
}

static void quiet(void)
{
    double_launch(1, SMALL, 100);
    uint32_t before = double_asked();
    for (int i = 0; i < 10000; i++)
        double_launch(1, SMALL, 100);
    printf("asked %s\n", double_asked() - before < 100 ? "no more than now and then" : "at launches");
}

/* For two seconds. */
static void pace(void)
{
    for (int i = 0; i < 200; i++) {
        double_launch(1, SMALL, 1000);
        double_memset(1, 1);
        double_synchronize();
        usleep(10000);
    }
}

static void beside(void)
{
    for (int i = 0; i < 100; i++)
        double_launch(2, SMALL, 100);
}

/* Kernels whose names are hard to shorten. */
static void names(void)
{
    static const char *const mangled[] = {
        "plain_c",                        /* of C: not mangled */
        "_ZN2ns12_GLOBAL__N_14hideEi",    /* ns::(anonymous namespace)::hide(int) */
        "_Z4takeIN12_GLOBAL__N_11TEEvT_", /* a template of such a type */
        "_ZN2ns1FclEi"};                  /* ns::F::operator()(int) */

    for (size_t i = 0; i < sizeof(mangled) / sizeof(mangled[0]); i++)
        double_launch(1, mangled[i], 1000);
    double_synchronize();
}

/* Kernels of one template that differ in its arguments, of which there are very many, and launches of each.
 */
static void long_names(void)
{
    static const struct {
        int numbers, last, launches;
    } kernel[] = {{90, 1, 10}, {900, 1, 20}, {12000, 1, 30}, {12000, 2, 40}};

    for (size_t i = 0; i < sizeof(kernel) / sizeof(kernel[0]); i++) {
        static char *names[sizeof(kernel) / sizeof(kernel[0])]; /* they stay */
        char *name = NULL;
        size_t bytes;
        FILE *f = open_memstream(&name, &bytes);
        if (!f)
            exit(3);
        fputs("_Z4tileI6LayoutISt16integer_sequenceIiJ", f);
        for (int n = 0; n < kernel[i].numbers; n++)
            fprintf(f, "Li%dE", n);
        fprintf(f, "EELi%dEEEvPi", kernel[i].last);
        fclose(f);
        names[i] = name;
        for (int n = 0; n < kernel[i].launches; n++)
            double_launch(1, names[i], 1000);
        double_synchronize(); /* the double's records have the name by its address */
    }
    double_launch(1, SMALL, 1000);
    double_synchronize();
}

/* Threads that launch, one of them what runs for ever, in streams of their own. */
enum { THREADS = 4, EACH = 2000, PERSISTENT = 20 };

static void *launch_main(void *arg)
{
    for (int i = 0; i < EACH; i++)
        double_launch(1 + (uint32_t)(uintptr_t)arg % 2, SMALL, 100);
    return NULL;
}

static void *persistent_main(void *arg)
{
    for (int i = 0; i < PERSISTENT; i++) {
        double_launch(3, SPIN, 1000000);
        usleep(2000);
    }
    return arg;
}

static void threads(void)
{
    pthread_t thread[THREADS], other;

    pthread_create(&other, NULL, persistent_main, NULL);
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, launch_main, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    pthread_join(other, NULL);
    double_synchronize();
}

/*
 * Captures in the global mode, beside a kernel that lasts, records that it withholds, and a thread that
 * launches: none is broken by anybody who looks on.
 */
static volatile sig_atomic_t captured;

static void *launch_beside_captures(void *arg)
{
    while (!captured) {
        double_launch(3, SPIN, 1000000);
        double_launch(2, SMALL, 1000);
        usleep(2000);
    }
    return arg;
}

static void captures(void)
{
    pthread_t other;
    int whole = 0;

    double_launch(0, SMALL, 1000); /* in the stream that is captured later; its record is withheld */
    double_launch(1, SPIN, DOUBLE_FOR_EVER);
    double_launch(2, SMALL, 1000);
    pthread_create(&other, NULL, launch_beside_captures, NULL);
    for (int i = 0; i < 12; i++) {
        double_capture_begin(0);
        for (int step = 0; step < 10; step++) {
            double_launch(0, SMALL, 1000);
            usleep(30000);
        }
        whole += double_capture_end();
    }
    captured = 1;
    pthread_join(other, NULL);
    double_stop();
    double_synchronize();
    printf("captures 12, broken %d\n", 12 - whole);
}

static void *free_main(void *arg)
{
    double_free();
    return arg;
}

/* How often the driver is asked for a kernel's room: for three kinds of launches; in a capture; behind a
 * thread that keeps the driver's lock, and when it does no longer. */
static void rooms(void)
{
    static const struct double_shape small = {{1, 1, 1}, 64, 0}, large = {{1000, 1, 1}, 64, 0},
                                     shared = {{1, 1, 1}, 64, 1024};
    pthread_t thread;

    for (int i = 0; i < 100; i++) {
        double_launch_shape(1, SMALL, &small, 1000);
        double_launch_shape(2, SMALL, &large, 1000);
        double_launch_shape(1, SMALL, &shared, 1000);
    }
    double_synchronize();
    uint32_t plain = double_rooms_asked();
    double_capture_begin(1);
    double_launch(1, SMALL, 1000);
    double_capture_end();
    uint32_t captured_too = double_rooms_asked() - plain;
    double_launch_shape(1, SPIN, &small, DOUBLE_FOR_EVER);
    uint32_t before = double_rooms_asked();
    pthread_create(&thread, NULL, free_main, NULL);
    usleep(100000);
    double_launch(2, SMALL, 1000);
    uint32_t behind = double_rooms_asked() - before;
    double_stop();
    pthread_join(thread, NULL);
    double_launch(2, SMALL, 1000);
    printf("asked %u, in a capture %u, behind a call %u, after it %u\n", plain, captured_too, behind,
           double_rooms_asked() - before);
}

/* Launches of graphs of three kernels in two streams, and a kernel before each. */
static void graphs(void)
{
    static const char *const names[] = {SMALL, OTHER, SMALL};

    for (uint32_t i = 0; i < 20; i++) {
        double_launch(1 + i % 2, SMALL, 1000);
        double_graph_launch(1 + i % 2, names, 3, 5000);
    }
    double_synchronize();
}

/* A child that goes on as it is, and one that becomes another program. CUDA begins after the fork. */
static void children(const char *self)
{
    if (fork() == 0) {
        double_memset(1, 1);
        exit(0);
    }
    while (wait(NULL) > 0)
        ;
    if (fork() == 0) {
        execl(self, self, "all", (char *)NULL);
        _exit(127);
    }
    while (wait(NULL) > 0)
        ;
    double_memset(2, 2);
}

/* The device is idle: the double keeps no queue. */
static void launch_for_cost(void)
{
    double_launch(1,
                  "_ZN2at6native29vectorized_elementwise_kernelILi4ENS0_15CUDAFunctor_"
                  "addIfEESt5arrayIPcLm3EEEEviT0_T1_",
                  1);
}

int main(int argc, char **argv)
{
    signal(SIGUSR1, on_signal);
    for (int i = 1; i < argc; i++) {
        const char *what = argv[i];
        if (!strcmp(what, "all"))
            all();
        else if (!strcmp(what, "many"))
            many();
        else if (!strcmp(what, "graphs"))
            graphs();
        else if (!strcmp(what, "quiet"))
            quiet();
        else if (!strcmp(what, "pace"))
            pace();
        else if (!strcmp(what, "beside"))
            beside();
        else if (!strcmp(what, "names"))
            names();
        else if (!strcmp(what, "long"))
            long_names();
        else if (!strcmp(what, "spin"))
            double_launch(1, SPIN, DOUBLE_FOR_EVER);
        else if (!strcmp(what, "ours"))
            double_launch(1, OURS, DOUBLE_FOR_EVER);
        else if (!strcmp(what, "threads"))
            threads();
        else if (!strcmp(what, "captures"))
            captures();
        else if (!strcmp(what, "rooms"))
            rooms();
        else if (!strcmp(what, "children"))
            children(argv[0]);
        else if (!strcmp(what, "errors"))
            errors();
        else if (!strcmp(what, "enabled"))
            double_print_enabled();
        else if (!strcmp(what, "sync"))
            double_synchronize();
        else if (!strcmp(what, "wait"))
            wait_for_signal();
        else if (!strcmp(what, "cost"))
            printf("%.1f ns a call that looks something up, %.1f ns a launch\n",
                   cost_of(double_get_device, 1000), cost_of(launch_for_cost, 200));
        else if (!strcmp(what, "kill"))
            raise(SIGKILL);
        else
            return 2;
    }
    puts("done");
    return 0;
}
