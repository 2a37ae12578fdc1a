/*
 * Programs that are stuck, and siblings of theirs that are slow and healthy, for tests/cli/diagnose_calls.t:
 * on a double of the driver and CUPTI (cupti_double.h). `stuck_calls WHAT` does WHAT for at least 8 s, or
 * until SIGUSR1 ends the kernels that run. It knows nothing of GROSR.
 */
#include "stuck_calls.h"
#include "stuck_words.h"

static pthread_mutex_t pool = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
static volatile int done;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
    double_stop();
}

/* As programs do that want to end in order, whatever they hang in. */
static void on_term(int number)
{
    (void)number;
    exit(3);
}

/* ---- kernels that wait for each other, or for the host ---- */

/* Some blocks leave before the others' barrier. */
static void grid_barrier(void)
{
    double_launch_cooperative(1, STEPS, SHORT);
    double_synchronize();
    double_launch_cooperative(1, STEPS, DOUBLE_FOR_EVER);
    double_synchronize();
}

static void long_cooperative(void)
{
    double_launch_cooperative(1, STEPS, LONG);
    double_synchronize();
}

/* The first of two peers that one thread would launch. */
static void blocking(void)
{
    double_launch(1, PEER, SHORT);
    double_launch(2, PEER, SHORT);
    double_launch(1, PEER, DOUBLE_FOR_EVER);
    double_launch(2, PEER, SHORT);
}

static void long_blocking(void)
{
    double_launch(1, WORK, LONG);
}

static void swapped(void)
{
    double_launch(1, A, SHORT);
    double_launch(2, B, SHORT);
    double_synchronize();
    double_launch(1, A, DOUBLE_FOR_EVER);
    double_launch(1, B, SHORT);
    double_launch(2, B, DOUBLE_FOR_EVER);
    double_launch(2, A, SHORT);
    double_stream_synchronize(1);
}

/* Work that is independent, in another order, for the first time. */
static void long_swapped(void)
{
    double_launch(1, A, LONG);
    double_launch(1, B, SHORT);
    double_launch(2, B, LONG);
    double_launch(2, A, SHORT);
    double_stream_synchronize(1);
}

static void same_order(void)
{
    for (int i = 0; i < 2; i++) {
        double_launch(1, A, i ? LONG : SHORT);
        double_launch(1, B, SHORT);
        double_launch(2, A, i ? LONG : SHORT);
        double_launch(2, B, SHORT);
        double_synchronize();
    }
}

/* ---- transfers behind the kernel that waits for them ---- */

static void *deliver_main(void *arg)
{
    CUevent event;

    usleep(100000);
    double_memcpy_async(4);
    cuEventCreate(&event, 0);
    cuEventRecord(event, NULL);
    while (!ended && cuEventQuery(event) == CUDA_ERROR_NOT_READY)
        usleep(1000);
    return arg;
}

static void poll_default(void)
{
    double_memcpy_async(4);
    double_launch(1, SERVER, SHORT);
    double_synchronize();
    double_launch(1, SERVER, DOUBLE_FOR_EVER);
    in_thread(deliver_main);
    sleep_on();
}

/* The transfer does not wait for the kernel, which is slow. */
static void poll_non_blocking(void)
{
    double_non_blocking(1);
    double_launch(1, SERVER, LONG);
    in_thread(deliver_main);
    sleep_on();
}

/* The result is copied behind the kernel, as it must be. */
static void poll_copy_out(void)
{
    double_launch(1, WORK, LONG);
    double_copy_out_async(0, 4096);
    sleep_on();
}

static void *proxy_main(void *arg)
{
    usleep(100000);
    double_memcpy(1024);
    return arg;
}

static void proxy(void)
{
    double_launch(0, SERVER, DOUBLE_FOR_EVER);
    in_thread(proxy_main);
    double_synchronize();
}

static void *worker_main(void *arg)
{
    double_launch(2, WORK, SHORT);
    double_memcpy(1024);
    return arg;
}

/* Two threads that both compute and copy. */
static void two_workers(void)
{
    double_launch(0, WORK, LONG);
    in_thread(worker_main);
    double_synchronize();
}

/* ---- calls that wait without saying so ---- */

static void free_behind(void)
{
    double_non_blocking(1);
    double_launch(1, SERVER, DOUBLE_FOR_EVER);
    double_free();
}

static void malloc_behind(void)
{
    double_non_blocking(1);
    double_launch(1, SERVER, DOUBLE_FOR_EVER);
    double_malloc();
}

static void lazy(void)
{
    double_non_blocking(1);
    double_non_blocking(2);
    double_launch(1, SERVER, DOUBLE_FOR_EVER);
    double_launch_lazily(2, WORK, SHORT);
}

static void full_queue(void)
{
    double_launch(1, WORK, LONG);
    for (int i = 0; i < 600; i++)
        double_launch(1, WORK, SHORT);
    double_launch_full(1, WORK, SHORT);
}

/* It has taken as long before. */
static void slow_again(void)
{
    double_launch(1, WORK, 3000000000);
    double_synchronize();
    usleep(300000); /* so that its record comes */
    double_launch(1, WORK, LONG);
    double_free();
}

static void compile(void)
{
    double_load(LONG);
}

/* ---- captures ---- */

static void begin_capture(void)
{
    double_launch(1, WORK, SHORT);
    double_stream_synchronize(1);
    double_capture_begin(1);
    double_launch(1, WORK, SHORT);
}

static void capture_spins(void)
{
    begin_capture();
    while (!ended && !done)
        ;
}

static void capture_sleeps(void)
{
    begin_capture();
    sleep_on();
}

/* The host works, with memory of its own. */
static void capture_works(void)
{
    begin_capture();
    while (!ended) {
        char *memory =
            (char *)mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (int i = 0; i < 1 << 20; i += 64)
            memory[i] = (char)(memory[i / 2] + i);
        munmap(memory, 1 << 20);
    }
}

static void capture_goes_on(void)
{
    begin_capture();
    for (int i = 0; i < 80 && !ended; i++) {
        double_launch(1, WORK, SHORT);
        usleep(100000);
    }
}

/* ---- host functions ---- */

void release_buffers(void *unused);
void write_file(void *unused);
void take_other(void *unused);

void release_buffers(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&pool);
    pthread_mutex_unlock(&pool);
}

void take_other(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&other);
    pthread_mutex_unlock(&other);
}

void write_file(void *unused)
{
    (void)unused;
    sleep_on();
}

static void *unlock_main(void *arg)
{
    while (!ended)
        usleep(1000);
    pthread_mutex_unlock(&pool); /* so that the test ends */
    return arg;
}

/* It wants a mutex of the thread that waits for it; a kernel is before it and one behind. */
static void host_mutex(void)
{
    pthread_mutex_lock(&pool);
    in_thread(unlock_main);
    double_launch(1, WORK, SHORT);
    double_host_function(1, release_buffers);
    double_launch(1, WORK, SHORT);
    double_stream_synchronize(1);
}

static void *hold_both_main(void *arg)
{
    pthread_mutex_lock(&other);
    begun();
    pthread_mutex_lock(&pool); /* which the main thread has */
    pthread_mutex_unlock(&other);
    return arg;
}

/* It wants a mutex of a thread that wants one of the thread that waits for it. */
static void host_mutexes(void)
{
    pthread_mutex_lock(&pool);
    in_thread(hold_both_main);
    in_thread(unlock_main);
    await_begun();
    double_launch(1, WORK, SHORT);
    double_host_function(1, take_other);
    double_stream_synchronize(1);
}

static void *hold_main(void *arg)
{
    pthread_mutex_lock(&pool);
    begun();
    sleep_on();
    pthread_mutex_unlock(&pool);
    return arg;
}

/* It wants a mutex of a thread that is slow. */
static void host_waits(void)
{
    in_thread(hold_main);
    await_begun();
    double_host_function(1, release_buffers);
    double_stream_synchronize(1);
}

static void host_slow(void)
{
    double_launch(1, WORK, SHORT);
    double_host_function(1, write_file);
    double_launch(1, WORK, SHORT);
    double_stream_synchronize(1);
}

/* ---- what is only slow, or nothing ---- */

static void long_kernel(void)
{
    double_launch(1, WORK, SHORT);
    double_synchronize();
    double_launch(1, WORK, LONG);
    double_synchronize();
}

static void behind_event(void)
{
    double_launch(1, WORK, LONG);
    double_stream_wait_stream(2, 1);
    double_launch(2, A, SHORT);
    double_stream_synchronize(2);
}

static void many(void)
{
    for (int i = 0; i < 800 && !ended; i++) {
        double_launch(1, WORK, 5000000);
        double_launch(2, A, 5000000);
        double_synchronize();
    }
}

/* Kernels that wait for each other's end in a long queue: each is fast, and all of them move. */
static void queued(void)
{
    for (int i = 0; i < 20; i++)
        double_launch(1, A, 5000000);
    double_synchronize();
    usleep(300000);
    for (int i = 0; i < 400; i++)
        double_launch(1, A, 20000000);
    double_synchronize();
}

/* A fast kernel that has no room beside a slow one. */
static void crowded(void)
{
    for (int i = 0; i < 20; i++)
        double_launch(1, A, SHORT);
    double_synchronize();
    usleep(300000);
    double_launch(2, WORK, LONG);
    double_launch(1, A, LONG);
    double_stream_synchronize(1);
}

/* A kernel that has been short so many times, and is waited for. */
static void short_before(int times)
{
    for (int i = 0; i < times; i++)
        double_launch(1, A, SHORT);
    double_synchronize();
    double_launch(1, A, DOUBLE_FOR_EVER);
    double_stream_synchronize(1);
}

static void overdue(void)
{
    short_before(120);
}

static void warmed_up(void)
{
    short_before(20);
}

/* ---- room on the GPU: an SM has 2,048 threads ---- */

static const struct double_shape fits = {{8, 1, 1}, 1024, 0}, exceeds = {{9, 1, 1}, 1024, 0},
                                 beside = {{4, 1, 1}, 512, 0}, half = {{4, 1, 1}, 1024, 0};

/* Blocks that wait for each other, as they did when they fitted. */
static void not_resident_after(int times)
{
    for (int i = 0; i < times; i++)
        double_launch_shape(1, STEPS, &fits, SHORT);
    double_synchronize();
    usleep(300000);
    double_launch_shape(1, STEPS, &exceeds, DOUBLE_FOR_EVER);
    double_stream_synchronize(1);
}

static void not_resident(void)
{
    not_resident_after(120);
}

static void few_resident(void)
{
    not_resident_after(20);
}

/* A kernel that is meant to run for ever leaves no room for another, which is waited for: by the thread that
 * launched both, or by another. */
static void no_room(void)
{
    double_launch_shape(1, SERVER, &fits, DOUBLE_FOR_EVER);
    double_launch_shape(2, WORK, &beside, DOUBLE_FOR_EVER);
    double_stream_synchronize(2);
}

static void *tenant_main(void *arg)
{
    double_launch_shape(1, SERVER, &fits, DOUBLE_FOR_EVER);
    begun();
    sleep_on();
    return arg;
}

static void no_room_of_tenant(void)
{
    in_thread(tenant_main);
    await_begun();
    double_launch_shape(2, WORK, &beside, DOUBLE_FOR_EVER);
    double_stream_synchronize(2);
}

/* It leaves half of each SM. */
static void room_beside(void)
{
    double_launch_shape(1, SERVER, &half, DOUBLE_FOR_EVER);
    double_launch_shape(2, WORK, &half, LONG);
    double_stream_synchronize(2);
}

/* A kernel that is only long leaves no room. */
static void waits_for_room(void)
{
    double_launch_shape(1, WORK, &fits, LONG);
    double_launch_shape(2, A, &beside, DOUBLE_FOR_EVER);
    double_stream_synchronize(2);
}

static void idle(void)
{
    double_launch(1, WORK, SHORT);
    double_synchronize();
    sleep_on();
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } all[] = {{"grid-barrier", grid_barrier},
               {"long-cooperative", long_cooperative},
               {"blocking", blocking},
               {"blocking-long", long_blocking},
               {"swapped", swapped},
               {"long-swapped", long_swapped},
               {"same-order", same_order},
               {"poll-default", poll_default},
               {"poll-non-blocking", poll_non_blocking},
               {"poll-copy-out", poll_copy_out},
               {"proxy", proxy},
               {"two-workers", two_workers},
               {"free", free_behind},
               {"malloc", malloc_behind},
               {"lazy", lazy},
               {"full-queue", full_queue},
               {"slow-again", slow_again},
               {"compile", compile},
               {"capture-spins", capture_spins},
               {"capture-sleeps", capture_sleeps},
               {"capture-works", capture_works},
               {"capture-goes-on", capture_goes_on},
               {"host-mutex", host_mutex},
               {"host-mutexes", host_mutexes},
               {"host-waits", host_waits},
               {"host-slow", host_slow},
               {"value-never", value_never},
               {"value-device", value_device},
               {"value-late", value_late},
               {"value-kernel", value_kernel},
               {"value-shared", value_shared},
               {"value-semaphore", value_semaphore},
               {"value-cycle", value_cycle},
               {"value-batch", value_batch},
               {"value-there", value_there},
               {"value-pipeline", value_pipeline},
               {"values", values},
               {"value-overdue", value_overdue},
               {"long-kernel", long_kernel},
               {"behind-event", behind_event},
               {"queued", queued},
               {"crowded", crowded},
               {"overdue", overdue},
               {"warmed-up", warmed_up},
               {"many", many},
               {"not-resident", not_resident},
               {"few-resident", few_resident},
               {"no-room", no_room},
               {"no-room-of-tenant", no_room_of_tenant},
               {"room-beside", room_beside},
               {"waits-for-room", waits_for_room},
               {"idle", idle}};
    const char *what = argc > 1 ? argv[1] : "";

    signal(SIGUSR1, on_signal);
    signal(SIGTERM, on_term);
    if (!strncmp(what, "blocking", 8))
        setenv("CUDA_LAUNCH_BLOCKING", "1", 1); /* before the first call */
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (!strcmp(what, all[i].name)) {
            all[i].run();
            puts("done");
            return 0;
        }
    return 2;
}
