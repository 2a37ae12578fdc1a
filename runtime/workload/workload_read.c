/*
 * Experiment 1: tasks read a file in parallel, through system calls, and compute a checksum of each chunk,
 * which the host computes too, from what it reads itself. Chunks are read in the order of their number, again
 * from the first when all have been read, until there were as many as tasks were asked for.
 *
 * The file is the one that was named, or one of FILE_BYTES that the workload makes and removes.
 */
#include "workload.h"

#include "../builtin/functions.h"
#include "../builtin/functions_syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH      256u
#define WINDOW     8u
#define FILE_BYTES (32u << 20)

struct reading {
    uint64_t chunks;
    uint64_t *sum;   /* of each chunk */
    uint64_t device; /* struct grosr_read_file, as the device sees it */
};

static void make(void *state, struct grosr_feed_batch *batch, uint64_t runs, struct grosr_workload_result *r)
{
    const struct reading *f = (const struct reading *)state;

    batch->count = runs < BATCH ? (uint32_t)runs : BATCH;
    for (uint32_t k = 0; k < batch->count; k++)
        batch->tasks[k] = (struct grosr_task){
            .function = GROSR_FN_CHECKSUM, .a = (uint32_t)((batch->from + k) % f->chunks), .b = f->device};
    r->tasks += batch->count;
}

static void check(void *state, const struct grosr_feed_batch *batch, struct grosr_workload_result *r)
{
    const struct reading *f = (const struct reading *)state;

    for (uint32_t k = 0; k < batch->count; k++)
        grosr_feed_check(batch, k, 1, f->sum[batch->tasks[k].a], r);
}

/* The checksums of all chunks, as the host reads them. */
static int sum_file(int fd, uint64_t bytes, struct reading *f)
{
    static unsigned char chunk[GROSR_READ_CHUNK + 8];

    for (uint64_t c = 0; c < f->chunks; c++) {
        uint64_t left = bytes - c * GROSR_READ_CHUNK, n = left < GROSR_READ_CHUNK ? left : GROSR_READ_CHUNK;
        memset(chunk, 0, sizeof(chunk));
        if (pread(fd, chunk, n, (off_t)(c * GROSR_READ_CHUNK)) != (ssize_t)n)
            return grosr_fail(EIO, "the file cannot be read whole");
        for (uint64_t i = 0; i * 8 < n; i++) {
            uint64_t word;
            memcpy(&word, chunk + i * 8, sizeof(word));
            f->sum[c] += grosr_read_word(word, i);
        }
    }
    return 0;
}

static int make_file(char path[64])
{
    static uint64_t words[GROSR_READ_CHUNK / 8];
    const char *folder = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";

    snprintf(path, 64, "%s/grosr-read-XXXXXX", folder);
    int fd = mkstemp(path);
    if (fd < 0)
        return grosr_fail(errno, "cannot make a file in %s: %s", folder, strerror(errno));
    for (uint64_t at = 0; at < FILE_BYTES; at += sizeof(words)) {
        for (uint32_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
            words[i] = grosr_hash64(at + i);
        if (write(fd, words, sizeof(words)) != (ssize_t)sizeof(words)) {
            int err = grosr_fail(errno ? errno : ENOSPC, "cannot write %s: %s", path, strerror(errno));
            close(fd);
            unlink(path);
            return err;
        }
    }
    return fd;
}

/* One call, through the same tasks: the file is opened and closed by the device. */
static int64_t call(grosr *rt, struct grosr_call_record *record, uint64_t device,
                    struct grosr_call_record what)
{
    struct grosr_task task = {.function = GROSR_FN_CALL, .b = device};
    struct grosr_result result;
    uint64_t first;

    *record = what;
    int err = grosr_submit(rt, &task, 1, &result, &first);
    if (!err)
        err = grosr_wait(rt, first + 1, GROSR_FOREVER);
    return err ? err : record->result;
}

static int run_open(grosr *rt, const struct grosr_workload_options *o, struct grosr_workload_result *r,
                    struct reading *f, const char *name, uint64_t bytes)
{
    const struct grosr_feed feed = {BATCH, WINDOW, f, make, check};
    struct grosr_call_record open_it = {.call = GROSR_SYS_OPENAT, .handle = GROSR_ROOT, .flags = O_RDONLY};
    struct grosr_call_record close_it = {.call = GROSR_SYS_CLOSE};
    struct grosr_workload_options some = *o;
    void *host, *device, *buffers;
    int err = grosr_shared(rt, &host, &device);

    if (!err)
        err = grosr_device_memory(rt, &buffers);
    if (err)
        return err;
    struct grosr_read_file *file = (struct grosr_read_file *)host;
    struct grosr_call_record *record = (struct grosr_call_record *)(void *)((unsigned char *)host + 128);
    uint64_t at = (uint64_t)(uintptr_t)device;
    snprintf(open_it.path, sizeof(open_it.path), "%s", name);
    int64_t handle = call(rt, record, at + 128, open_it);
    if (handle < 0)
        return grosr_fail((int)-handle, "the device cannot open '%s': %s", name, strerror((int)-handle));
    *file = (struct grosr_read_file){(int32_t)handle, 0, bytes, (uint64_t)(uintptr_t)buffers};
    f->device = at;
    /* With the two tasks that open and close it, as many as were asked for. */
    some.tasks = o->tasks > 2 ? o->tasks - 2 : 1;
    err = grosr_feed(rt, &some, &feed, r);
    if (err)
        return err;
    close_it.handle = (int32_t)handle;
    if (call(rt, record, at + 128, close_it) != 0)
        grosr_workload_error(r, "the file could not be closed");
    r->tasks += 2; /* which the workers have counted too */
    r->completed += 2;
    return 0;
}

int grosr_run_read(grosr *rt, const struct grosr_workload_options *o, struct grosr_workload_result *r)
{
    char made[64] = "";
    struct reading f = {0};
    struct stat st;
    char *named = o->file ? realpath(o->file, NULL) : NULL; /* no links, which might lead out of the root */
    int fd = o->file ? open(o->file, O_RDONLY | O_CLOEXEC) : make_file(made), err;
    const char *path = named ? named : made, *slash = strrchr(path, '/');

    memset(r, 0, sizeof(*r));
    if (fd < 0) {
        free(named);
        return o->file ? grosr_fail(errno, "cannot open '%s': %s", o->file, strerror(errno)) : fd;
    }
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size == 0) {
        err = grosr_fail(EINVAL, "'%s' is not a regular file with something in it", path);
    } else {
        f.chunks = ((uint64_t)st.st_size + GROSR_READ_CHUNK - 1) / GROSR_READ_CHUNK;
        f.sum = f.chunks > UINT32_MAX ? NULL : (uint64_t *)calloc(f.chunks, sizeof(*f.sum));
        err = f.sum ? sum_file(fd, (uint64_t)st.st_size, &f) : grosr_fail(ENOMEM, "out of memory");
    }
    if (!err)
        err = run_open(rt, o, r, &f, slash ? slash + 1 : path, (uint64_t)st.st_size);
    if (err)
        grosr_finish(rt);
    free(f.sum);
    free(named);
    close(fd);
    if (made[0])
        unlink(made);
    return err;
}

const char *grosr_read_root(const char *file, char *root, size_t size)
{
    char *named = file ? realpath(file, NULL) : NULL;
    const char *slash = named ? strrchr(named, '/') : NULL;

    if (!slash) /* the workload says what is wrong with the file */
        snprintf(root, size, "%s", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    else
        snprintf(root, size, "%.*s", slash == named ? 1 : (int)(slash - named), named);
    free(named);
    return root;
}
