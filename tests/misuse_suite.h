/*
 * The host API used wrongly, on whichever device: arguments that cannot be, and calls in a child that was
 * forked after a runtime had been opened. Shared by tests/unit and tests/cuda.
 */
#ifndef GROSR_MISUSE_SUITE_H
#define GROSR_MISUSE_SUITE_H

#include "../runtime/builtin/built_in.h"
#include "runtime_suite.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- arguments ---- */

/* A refusal has one line of text. */
static inline bool misuse_has_text(void)
{
    return grosr_error()[0] && !strchr(grosr_error(), '\n');
}

/* A call that is refused with `err`. In front of each the text is another one. */
#define misuse(err, call)                                                              \
    do {                                                                               \
        grosr_fail(0, "%s", "");                                                       \
        int misuse_got = (call);                                                       \
        ok(misuse_got == -(err) && misuse_has_text(), "%s: %s", #call, grosr_error()); \
        if (misuse_got != -(err))                                                      \
            printf("# got %d\n", misuse_got);                                          \
    } while (0)

/* NULL where there is to be a runtime, or a place for something. */
static inline void misuse_null(const char *device)
{
    struct grosr_options o = suite_options(device);
    struct grosr_device_info info;
    struct grosr_task task = suite_task(GROSR_FN_ADD, 1, 2);
    struct grosr_result result;
    void *place;
    uint64_t n;
    grosr *rt;

    misuse(EINVAL, grosr_open(NULL, NULL));
    misuse(EINVAL, grosr_open(NULL, &o));
    misuse(EINVAL, grosr_open(&rt, NULL));
    misuse(EINVAL, grosr_submit(NULL, &task, 1, &result, &n));
    misuse(EINVAL, grosr_submit(NULL, NULL, 0, NULL, NULL));
    misuse(EINVAL, grosr_wait(NULL, 0, 0));
    misuse(EINVAL, grosr_drain(NULL, 0));
    misuse(EINVAL, grosr_test(NULL, 0, &result));
    misuse(EINVAL, grosr_cancel(NULL, 0, 1, &n));
    misuse(EINVAL, grosr_on_completion(NULL, suite_count_calls, &n));
    misuse(EINVAL, grosr_finish(NULL));
    misuse(EINVAL, grosr_shared(NULL, &place, &place));
    misuse(EINVAL, grosr_device_memory(NULL, &place));
    misuse(EINVAL, grosr_device_read(NULL, &n, 0, 1));
    misuse(EINVAL, grosr_device_write(NULL, 0, &n, 1));
    misuse(EINVAL, grosr_find_device(NULL, &info));
    misuse(EINVAL, grosr_find_device(device, NULL));
    is(grosr_close(NULL), 0, "closing nothing is allowed");
    grosr_stop(NULL);
    ok(grosr_runtime_session(NULL) == NULL, "no runtime has no session");
    is(grosr_devices(NULL, 4), grosr_devices(&info, 1), "devices are counted without a place for them");
}

/* One option after the other. */
static inline void misuse_options(const char *device)
{
    static const struct grosr_program_function none = {0, NULL}, far = {UINT32_MAX, "far"},
                                               beyond = {GROSR_FUNCTION_MAX + 1, "beyond"},
                                               wide = {
                                                   0, "a name that is longer than the 47 bytes of the trace"};
    static const struct {
        const char *text;
        const struct grosr_program_function *function;
    } program[] = {{"no array of functions", NULL},
                   {"a function without a name", &none},
                   {"the id UINT32_MAX", &far},
                   {"an id that is one too large", &beyond},
                   {"a long name", &wide}};
    char name[65] = "";
    uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    const struct grosr_options good = suite_options(device);
    struct grosr_options o = good;
    grosr *const garbage = (grosr *)(uintptr_t)1, *rt;

#define misuse_option(field, value)            \
    do {                                       \
        printf("# " #field " = " #value "\n"); \
        o = good;                              \
        o.field = value;                       \
        rt = garbage;                          \
        misuse(EINVAL, grosr_open(&rt, &o));   \
        ok(rt == NULL, "and there is none");   \
    } while (0)
    misuse_option(device, NULL);
    misuse_option(device, "");
    misuse_option(device, "nope");
    misuse_option(device, "cuda:-1");
    misuse_option(name, NULL);
    misuse_option(name, (memset(name, 'x', 64), name));
    misuse_option(workers, GROSR_MAX_WORKERS + 1);
    misuse_option(workers, UINT32_MAX);
    misuse_option(sms, UINT32_MAX);
    misuse_option(queue_capacity, 0);
    misuse_option(queue_capacity, 1);
    misuse_option(queue_capacity, 3);
    misuse_option(queue_capacity, 1u << 25);
    misuse_option(queue_capacity, UINT32_MAX);
    misuse_option(level, (enum grosr_level)(GROSR_LEVEL_FULL + 1));
    misuse_option(level, (enum grosr_level)(-1));
    misuse_option(overflow, (enum grosr_overflow)(GROSR_OVERFLOW_BLOCK + 1));
    misuse_option(overflow, (enum grosr_overflow)(-1));
    misuse_option(sharing, (enum grosr_sharing)(GROSR_SHARING_ONE_QUEUE + 1));
    misuse_option(sharing, (enum grosr_sharing)(-1));
    misuse_option(ring_events, 1);
    misuse_option(ring_events, GROSR_RING_MAX + 1);
    misuse_option(ring_events, UINT32_MAX);
    misuse_option(shared_bytes, SIZE_MAX);
    misuse_option(shared_bytes, SIZE_MAX - 200);
    misuse_option(shared_bytes, SIZE_MAX / 2);
    misuse_option(shared_bytes, memory + 1);
    misuse_option(device_bytes, SIZE_MAX);
    misuse_option(device_bytes, SIZE_MAX - 200);
    misuse_option(device_bytes, (size_t)1 << 46);
    misuse_option(frames, 1u << 23);
    misuse_option(frames, UINT32_MAX);
#undef misuse_option
    o = good;
    name[63] = 0;
    o.name = name;
    rt = suite_open(&o);
    ok(!strcmp(grosr_runtime_session(rt)->header.program, name), "a name of 63 bytes is whole");
    struct grosr_program p = *(o.program = grosr_built_in());
    is(grosr_close(rt), 0, "closed");
    for (uint32_t i = 0; i < sizeof(program) / sizeof(program[0]); i++) {
        p.functions = 1;
        p.function = program[i].function;
        o.program = &p;
        printf("# %s\n", program[i].text);
        misuse(EINVAL, grosr_open(&rt, &o));
    }
}

/* What an open runtime refuses; it runs on as before. */
static inline void misuse_calls(const char *device)
{
    struct grosr_options o = suite_options(device);
    struct grosr_task task[2] = {suite_task(GROSR_FN_ADD, 1, 2), suite_task(GROSR_FN_ADD, 3, 4)};
    struct grosr_result result[2] = {{7, 7}, {7, 7}};
    unsigned char bytes[64];
    void *host = NULL, *view = NULL;
    uint64_t n = 99;

    memset(bytes, 0x55, sizeof(bytes));
    o.shared_bytes = 4096;
    o.device_bytes = 4096;
    grosr *rt = suite_open(&o);
    misuse(EINVAL, grosr_submit(rt, NULL, 1, result, &n));
    misuse(EOVERFLOW, grosr_submit(rt, task, (UINT64_C(1) << 39) + 1, result, &n));
    misuse(EOVERFLOW, grosr_submit(rt, task, SIZE_MAX / 16 + 2, result, &n));
    misuse(EOVERFLOW, grosr_submit(rt, task, SIZE_MAX, result, &n));
    for (uint32_t f = GROSR_FUNCTION_MAX + 1; f <= UINT16_MAX; f = f * 2 + 1) {
        task[1].function = (uint16_t)f;
        misuse(EINVAL, grosr_submit(rt, task, 2, result, &n));
    }
    task[1].function = GROSR_FN_ADD;
    for (uint32_t f = 2; f <= UINT16_MAX; f *= 2) {
        task[1].flags = (uint16_t)f;
        misuse(EINVAL, grosr_submit(rt, task, 2, result, &n));
    }
    task[1].flags = 0;
    misuse(EINVAL, grosr_wait(rt, 0, (uint64_t)-2));
    misuse(EINVAL, grosr_wait(rt, 0, (uint64_t)INT64_MIN));
    misuse(EINVAL, grosr_drain(rt, (uint64_t)-1000000000));
    misuse(EINVAL, grosr_test(rt, 0, NULL));
    misuse(EINVAL, grosr_test(rt, UINT64_MAX, result));
    misuse(EINVAL, grosr_on_completion(rt, NULL, NULL));
    misuse(EINVAL, grosr_shared(rt, NULL, &view));
    misuse(EINVAL, grosr_shared(rt, &host, NULL));
    misuse(EINVAL, grosr_device_memory(rt, NULL));
    misuse(EINVAL, grosr_device_read(rt, NULL, 0, 1));
    misuse(EINVAL, grosr_device_write(rt, 0, NULL, 1));
    misuse(EINVAL, grosr_device_read(rt, bytes, 4096, 1));
    misuse(EINVAL, grosr_device_read(rt, bytes, 4097, 0));
    misuse(EINVAL, grosr_device_read(rt, bytes, SIZE_MAX - 10, 64));
    misuse(EINVAL, grosr_device_read(rt, bytes, 64, SIZE_MAX - 10));
    misuse(EINVAL, grosr_device_read(rt, bytes, SIZE_MAX, SIZE_MAX));
    misuse(EINVAL, grosr_device_write(rt, 4000, bytes, 97));
    misuse(EINVAL, grosr_device_write(rt, SIZE_MAX - 10, bytes, 64));
    is(grosr_device_read(rt, NULL, 4096, 0), 0, "nothing needs no place");
    is(grosr_cancel(rt, UINT64_MAX, UINT64_MAX, NULL), 0, "numbers that no task has are ignored");
    bool untouched = host == NULL && view == NULL && n == 99 && result[0].value == 7 && result[1].status == 7;
    for (uint32_t i = 0; i < sizeof(bytes); i++)
        untouched = untouched && bytes[i] == 0x55;
    ok(untouched, "nothing has been written anywhere");
    is(grosr_wait(rt, 0, INT64_MAX), 0, "the longest time-out is one");
    is(grosr_device_read(rt, bytes, 4032, 64), 0, "memory is read");
    is(bytes[0] | bytes[63], 0, "which nobody has written to");
    is(grosr_submit(rt, task, 2, result, &n), 0, "tasks are submitted");
    is(n, 0, "the first ones");
    is(grosr_wait(rt, n + 2, GROSR_FOREVER), 0, "and run");
    ok(result[0].value == 3 && result[1].value == 7 && !result[1].status, "with their results");
    is(grosr_close(rt), 0, "closed");
}

/* ---- forks ---- */

struct misuse_child {
    grosr *rt;
    struct grosr_task *task;
    bool uses_cuda, own;
};

/* Every call of the parent's runtime is refused; returns how many were not. */
static inline int misuse_in_child(const struct misuse_child *c)
{
    struct grosr_result result = {7, 7};
    struct grosr_device_info info;
    void *place = NULL;
    uint64_t n = 99;
    int wrong = 0;

#define refused(call) (grosr_fail(0, "%s", ""), wrong += (call) != -EPERM || !misuse_has_text())
    refused(grosr_submit(c->rt, c->task, 1, &result, &n));
    refused(grosr_submit(c->rt, NULL, 0, NULL, NULL));
    refused(grosr_wait(c->rt, 1, GROSR_FOREVER));
    refused(grosr_drain(c->rt, GROSR_FOREVER));
    refused(grosr_test(c->rt, 0, &result));
    refused(grosr_cancel(c->rt, 0, UINT64_MAX, &n));
    refused(grosr_on_completion(c->rt, suite_count_calls, &n));
    refused(grosr_shared(c->rt, &place, &place));
    refused(grosr_device_memory(c->rt, &place));
    refused(grosr_device_read(c->rt, &result, 0, 1));
    refused(grosr_device_write(c->rt, 0, &result, 1));
    grosr_stop(c->rt);
    wrong += grosr_runtime_session(c->rt) != NULL;
    refused(grosr_finish(c->rt));
    refused(grosr_close(c->rt));
    refused(grosr_close(c->rt));
#undef refused
    wrong += n != 99 || place || result.value != 7;
    wrong += c->uses_cuda && grosr_find_device("cuda", &info) != -ENODEV;
    wrong += c->uses_cuda && (grosr_find_device("auto", &info) || strcmp(info.device, "host"));
    if (!c->own)
        return wrong;
    struct grosr_options o = suite_options("host");
    grosr *mine;
    if (grosr_open(&mine, &o))
        return wrong + 100;
    wrong += !suite_adds(mine, 5);
    wrong += grosr_close(mine) != 0;
    return wrong;
}

enum misuse_way { BY_EXIT, AT_ONCE, BY_CLONE };

/* How a child ended that leaves by exit(), or at once, or that fork() and its handlers know nothing of. -1:
 * it did not within a minute, or died. */
static inline int misuse_fork(const struct misuse_child *c, enum misuse_way way)
{
    int status = 0;
    pid_t pid = way == BY_CLONE ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();

    if (pid == 0) {
        alarm(60);
        int wrong = misuse_in_child(c);
        if (way == BY_EXIT)
            exit(wrong);
        _exit(wrong);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline bool misuse_segment_is_there(uint32_t index)
{
    char name[64];

    snprintf(name, sizeof(name), "/grosr.%d.%u", (int)getpid(), index);
    int fd = shm_open(name, O_RDONLY, 0);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static inline void misuse_forks(const char *device)
{
    struct grosr_options o = suite_options(device);
    struct grosr_task task = suite_task(GROSR_FN_ADD, 1, 2);
    struct misuse_child c = {NULL, &task, strcmp(device, "host") != 0, false};
    struct suite_producer p[3];
    pthread_t thread[3];
    int bad = 0;

    o.device_bytes = 4096;
    o.shared_bytes = 4096;
    c.rt = suite_open(&o);
    uint32_t index = grosr_runtime_session(c.rt)->header.index;
    ok(suite_adds(c.rt, 1), "a parent's tasks");
    is(misuse_fork(&c, AT_ONCE), 0, "a child is refused every call, and leaves by _exit()");
    is(misuse_fork(&c, BY_CLONE), 0, "so is one that clone() made");
    c.own = true;
    is(misuse_fork(&c, BY_EXIT), 0, "another one opens a runtime of its own, and leaves by exit()");
    ok(misuse_segment_is_there(index), "the parent's segment is there");
    ok(suite_adds(c.rt, 2), "and its tasks run on");
    c.own = false;
    for (unsigned i = 0; i < 3; i++) {
        p[i] = (struct suite_producer){c.rt, i + 1, suite_amount(device, 100000, 1000), 0};
        pthread_create(&thread[i], NULL, suite_produce, &p[i]);
    }
    for (int i = 0; i < 20; i++)
        bad += misuse_fork(&c, AT_ONCE) != 0;
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(thread[i], NULL);
        bad += p[i].errors != 0;
    }
    is(bad, 0, "so are children of a parent whose threads are at work");
    is(grosr_close(c.rt), 0, "the parent closes it");
    ok(!misuse_segment_is_there(index), "and its segment is gone");
    is(misuse_fork(&c, BY_EXIT), 0, "what is closed is not the child's either");
    o.device = "host";
    c.rt = suite_open(&o);
    ok(suite_adds(c.rt, 3), "the parent opens another one");
    is(grosr_close(c.rt), 0, "and closes it");
}

#endif
