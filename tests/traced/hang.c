/*
 * Programs that hang, and that lose records, as tests/cli/pending.t wants them, on a double of the driver and
 * CUPTI (cupti_double.h): `hang WHAT` does WHAT until SIGUSR1 ends the kernels that run. It knows nothing of
 * GROSR.
 */
#include "cupti_double.h"

#include <cuda.h>
#include <cupti.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVER "_Z6serverPVi" /* server(int volatile*) */
#define WORK   "_Z4workPfi"   /* work(float*, int) */
#define A      "_Z12collective_aPVi"
#define B      "_Z12collective_bPVi"

static volatile sig_atomic_t ended;
static pthread_mutex_t pool = PTHREAD_MUTEX_INITIALIZER;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
    double_stop();
}

static void wait_for_signal(void)
{
    while (!ended)
        usleep(1000);
}

/* A free behind a kernel that never ends, which keeps the driver's lock. */
static void free_behind_kernel(void)
{
    double_launch(1, WORK, 1000);
    double_stream_synchronize(1);
    double_launch(2, SERVER, DOUBLE_FOR_EVER);
    double_free();
}

static void *copy_main(void *arg)
{
    double_memcpy(1024);
    return arg;
}

/* One thread waits for the device; another copies for the kernel, behind it. */
static void copy_behind_kernel(void)
{
    pthread_t thread;

    double_launch(1, SERVER, DOUBLE_FOR_EVER);
    pthread_create(&thread, NULL, copy_main, NULL);
    double_synchronize();
    pthread_join(thread, NULL);
}

/* A call for a stream in which a kernel ended and another does not. */
static void second_never_ends(void)
{
    double_launch(1, WORK, 1000);
    double_synchronize();
    double_launch(1, WORK, 50000000); /* it ends when the next has been launched */
    double_launch(1, SERVER, DOUBLE_FOR_EVER);
    double_launch(1, WORK, 1000);
    double_stream_synchronize(1);
}

/* The program waits for a kernel that was captured. */
static void capture(void)
{
    double_launch(1, WORK, 1000);
    double_stream_synchronize(1);
    double_capture_begin(1);
    double_launch(1, WORK, 1000);
    wait_for_signal();
    double_capture_end();
}

static void blocking_launch(void)
{
    double_launch(1, WORK, 1000);
    double_launch(1, SERVER, DOUBLE_FOR_EVER);
    double_launch(2, SERVER, 1000); /* not reached */
}

static void swapped_order(void)
{
    double_launch(1, A, 1000);
    double_launch(2, B, 1000);
    double_synchronize();
    double_launch(1, A, DOUBLE_FOR_EVER);
    double_launch(1, B, 1000);
    double_launch(2, B, DOUBLE_FOR_EVER);
    double_launch(2, A, 1000);
    double_stream_synchronize(1);
    double_stream_synchronize(2);
}

/* What other streams were given waits for the kernel: by an event, and by the default stream's order. */
static void behind_in_others(void)
{
    double_launch(1, SERVER, DOUBLE_FOR_EVER);
    double_stream_wait_stream(2, 1);
    double_launch(2, WORK, 1000);
    double_launch(0, WORK, 1000);
    double_synchronize();
}

void release_buffers(void *unused);

void release_buffers(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&pool);
    pthread_mutex_unlock(&pool);
}

static void *unlock_main(void *arg)
{
    wait_for_signal();
    pthread_mutex_unlock(&pool); /* so that the test ends */
    return arg;
}

static void host_function(void)
{
    pthread_t thread;

    pthread_mutex_lock(&pool);
    double_launch(1, WORK, 1000);
    double_host_function(1, release_buffers);
    double_launch(1, WORK, 1000);
    pthread_create(&thread, NULL, unlock_main, NULL);
    double_stream_synchronize(1);
    pthread_join(thread, NULL);
}

/* A copy behind the kernel that waits for it; nobody is in a call. */
static void poll(void)
{
    CUevent event;

    double_launch(1, SERVER, DOUBLE_FOR_EVER);
    double_memcpy_async(4);
    cuEventCreate(&event, 0);
    cuEventRecord(event, NULL);
    while (!ended && cuEventQuery(event) == CUDA_ERROR_NOT_READY)
        usleep(1000);
    cuEventDestroy(event);
}

static void graph(void)
{
    static const char *const names[] = {WORK, WORK, SERVER};

    double_graph_launch(1, names, 2, 1000);
    double_stream_synchronize(1);
    double_graph_launch(1, names, 3, DOUBLE_FOR_EVER);
    double_launch(1, WORK, 1000);
    double_stream_synchronize(1);
}

static void *free_main(void *arg)
{
    double_free();
    return arg;
}

/* It ends in order while one of its threads hangs in the driver. */
static void leave(void)
{
    pthread_t thread;

    double_launch(2, SERVER, DOUBLE_FOR_EVER);
    pthread_create(&thread, NULL, free_main, NULL);
    usleep(500000);
}

/* Calls that each last a while, and return. */
static void slow_calls(void)
{
    for (int i = 0; i < 3; i++) {
        double_launch(1, WORK, 400000000);
        double_synchronize();
    }
}

static void many(int n)
{
    for (int i = 0; i < n; i++)
        double_launch(1 + (uint32_t)i % 2, WORK, 1000);
    double_synchronize();
}

/* A child that leaves by _exit, and so loses what CUPTI has not delivered. */
static void exit_child(void)
{
    if (fork() == 0) {
        many(100);
        _exit(0);
    }
    while (wait(NULL) > 0)
        ;
    many(100);
}

/* ---- another user of CUPTI ---- */

static unsigned own_kernels, own_buffers;

static void CUPTIAPI give(uint8_t **buffer, size_t *size, size_t *records)
{
    *size = 1 << 16;
    *buffer = (uint8_t *)aligned_alloc(8, *size);
    *records = 0;
}

static void CUPTIAPI take(CUcontext context, uint32_t stream, uint8_t *buffer, size_t size, size_t valid)
{
    CUpti_Activity *r = NULL;

    (void)context, (void)stream, (void)size;
    own_buffers++;
    while (cuptiActivityGetNextRecord(buffer, valid, &r) == CUPTI_SUCCESS)
        own_kernels += r->kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL;
    free(buffer);
}

static void CUPTIAPI called(void *data, CUpti_CallbackDomain domain, CUpti_CallbackId id, const void *more)
{
    (void)data, (void)domain, (void)id, (void)more;
}

/* As torch.profiler does, and others: it subscribes, in vain or not, and registers buffers of its own. */
static void other_user(int ms)
{
    CUpti_SubscriberHandle own;

    many(100);
    usleep(400000);
    CUptiResult subscribed = cuptiSubscribe(&own, (CUpti_CallbackFunc)called, NULL);
    cuptiActivityRegisterCallbacks(give, take);
    cuptiActivityEnable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
    many(100);
    cuptiActivityFlushAll(0);
    cuptiActivityDisable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
    many(100);
    usleep((useconds_t)ms * 1000);
    printf("its own profiler: %s, %u kernels\n", subscribed == CUPTI_SUCCESS ? "subscribed" : "refused",
           own_kernels);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    static const struct {
        const char *name;
        void (*run)(void);
    } hangs[] = {{"free", free_behind_kernel},
                 {"copy", copy_behind_kernel},
                 {"second", second_never_ends},
                 {"capture", capture},
                 {"blocking", blocking_launch},
                 {"swapped", swapped_order},
                 {"behind", behind_in_others},
                 {"function", host_function},
                 {"poll", poll},
                 {"graph", graph},
                 {"leave", leave},
                 {"slow", slow_calls},
                 {"exit", exit_child}};

    signal(SIGUSR1, on_signal);
    if (!strcmp(what, "blocking"))
        setenv("CUDA_LAUNCH_BLOCKING", "1", 1); /* before the first call */
    for (size_t i = 0; i < sizeof(hangs) / sizeof(hangs[0]); i++)
        if (!strcmp(what, hangs[i].name)) {
            hangs[i].run();
            puts("done");
            return 0;
        }
    if (strcmp(what, "other"))
        return 2;
    other_user(argc > 2 ? atoi(argv[2]) : 0);
    puts("done");
    return 0;
}
