/*
 * Built-in task functions that make system calls: for the workload `read`, the experiment `syscall` and the
 * tests.
 *
 * What one is to do stands in memory that the task and the host share, or that the host has written for it.
 * The host writes it before it submits the task, the task writes results only.
 */
#ifndef GROSR_FUNCTIONS_SYSCALL_H
#define GROSR_FUNCTIONS_SYSCALL_H

#include "../grosr.h"
#include "../kernel/task.h"

/* ---- any call: what it is, and its result ---- */

#define GROSR_RECORD_PATH 512u

struct grosr_call_record {
    uint32_t call; /* enum grosr_syscall; 0: none */
    int32_t handle;
    uint32_t flags, mode; /* of openat; flags: whence of lseek, the clock of clock_gettime */
    uint64_t bytes;
    int64_t offset;  /* and the new length of ftruncate, and nanosleep's time */
    uint64_t buffer; /* where from or to, as the device sees it */
    int64_t result;
    char path[GROSR_RECORD_PATH], second[GROSR_RECORD_PATH];
};

GROSR_DEVICE_COLD int64_t grosr_record_path(struct grosr_sys sys, const struct grosr_call_record *r)
{
    switch (r->call) {
    case GROSR_SYS_OPENAT:
        return grosr_openat(sys, r->handle, r->path, (int)r->flags, r->mode);
    case GROSR_SYS_UNLINK:
        return grosr_unlink(sys, r->path);
    case GROSR_SYS_RMDIR:
        return grosr_rmdir(sys, r->path);
    case GROSR_SYS_RENAME:
        return grosr_rename(sys, r->path, r->second);
    case GROSR_SYS_MKDIR:
        return grosr_mkdir(sys, r->path, r->mode);
    default:
        return -ENOSYS;
    }
}

GROSR_DEVICE_COLD int64_t grosr_record_call(struct grosr_sys sys, const struct grosr_call_record *r)
{
    void *buffer = (void *)(uintptr_t)r->buffer;

    switch (r->call) {
    case 0:
        return 0;
    case GROSR_SYS_NOOP:
        return grosr_noop(sys);
    case GROSR_SYS_CLOSE:
        return grosr_close(sys, r->handle);
    case GROSR_SYS_READ:
        return grosr_read(sys, r->handle, buffer, r->bytes);
    case GROSR_SYS_WRITE:
        return grosr_write(sys, r->handle, buffer, r->bytes);
    case GROSR_SYS_PREAD:
        return grosr_pread(sys, r->handle, buffer, r->bytes, r->offset);
    case GROSR_SYS_PWRITE:
        return grosr_pwrite(sys, r->handle, buffer, r->bytes, r->offset);
    case GROSR_SYS_LSEEK:
        return grosr_lseek(sys, r->handle, r->offset, (int)r->flags);
    case GROSR_SYS_FSTAT:
        return grosr_fstat(sys, r->handle, (struct grosr_stat *)buffer);
    case GROSR_SYS_FTRUNCATE:
        return grosr_ftruncate(sys, r->handle, r->offset);
    case GROSR_SYS_FSYNC:
        return grosr_fsync(sys, r->handle);
    case GROSR_SYS_READDIR:
        return grosr_readdir(sys, r->handle, (struct grosr_dirent *)buffer);
    case GROSR_SYS_CLOCK_GETTIME:
        return grosr_clock_gettime(sys, (int)r->flags);
    case GROSR_SYS_NANOSLEEP:
        return grosr_nanosleep(sys, (uint64_t)r->offset);
    case GROSR_SYS_GETPID:
        return grosr_getpid(sys);
    default:
        return grosr_record_path(sys, r);
    }
}

/*
 * What the task functions do is in functions that are not inlined: the kernel's registers are for the
 * scheduler.
 */
GROSR_DEVICE_COLD uint64_t grosr_make_call(struct grosr_sys sys, uint64_t records, uint32_t i)
{
    struct grosr_call_record *r = (struct grosr_call_record *)(uintptr_t)records + i;

    r->result = grosr_record_call(sys, r);
    return (uint64_t)r->result;
}

/* The record at b, or in an array of them at b, number a. */
GROSR_TASK(call)
{
    task->value = grosr_make_call(grosr_task_sys(task), task->b, task->a);
    return 0;
}

/* The lanes of a warp make a call each, those of the array at b; a: how many, at most. On a GPU they send one
 * packet. */
GROSR_WARP_TASK(call_warp)
{
    for (uint32_t i = dev_lane(); i < task->a; i += GROSR_LANES)
        grosr_make_call(grosr_task_sys(task), task->b, i);
    dev_syncwarp();
    return 0;
}

/* The same for reads and writes at an offset, in one packet on the host device too. */
GROSR_DEVICE_COLD int64_t grosr_make_call_group(struct grosr_sys sys, const struct grosr_call_record *r,
                                                bool reads)
{
    bool has = r && (r->call == GROSR_SYS_PREAD) == reads;
    int handle = has ? r->handle : 0;
    void *buffer = has ? (void *)(uintptr_t)r->buffer : NULL;
    uint64_t bytes = has ? r->bytes : 0;
    int64_t offset = has ? r->offset : 0;

    return reads ? grosr_pread_group(sys, GROSR_MASK_WARP, has, handle, buffer, bytes, offset)
                 : grosr_pwrite_group(sys, GROSR_MASK_WARP, has, handle, buffer, bytes, offset);
}

GROSR_DEVICE_COLD void grosr_make_calls(struct grosr_sys sys, uint64_t records, uint32_t count)
{
    for (uint32_t first = 0; first < count; first += GROSR_LANES) {
        uint32_t i = first + dev_lane();
        struct grosr_call_record *r = i < count ? (struct grosr_call_record *)(uintptr_t)records + i : NULL;
        int64_t n = grosr_make_call_group(sys, r, true);
        n += grosr_make_call_group(sys, r, false);
        if (r)
            r->result = n;
    }
    dev_syncwarp();
}

GROSR_WARP_TASK(call_group)
{
    grosr_make_calls(grosr_task_sys(task), task->b, task->a);
    return 0;
}

/* A read or write that the task waits for as a suspended task; then what it read is copied. */
GROSR_DEVICE_COLD int grosr_record_begin(struct grosr_task_context *task, struct grosr_call_record *r)
{
    struct grosr_request request =
        grosr_request_of(grosr_task_sys(task), (enum grosr_syscall)r->call, r->handle, (uint64_t)r->offset);
    bool writes = r->call == GROSR_SYS_WRITE || r->call == GROSR_SYS_PWRITE;
    grosr_pending pending;
    int err;

    request.length = (uint32_t)r->bytes;
    err = grosr_call_then(task, request, writes ? (const void *)(uintptr_t)r->buffer : NULL,
                          GROSR_CALL_NOWAIT, &pending);
    if (err == EAGAIN || err == ENOBUFS) /* others run, then it tries again */
        return grosr_then(task, GROSR_FN_CALL_THEN, task->a, task->b);
    if (err)
        return err;
    r->result = (int64_t)pending;
    return grosr_then(task, GROSR_FN_CALL_END, task->a, task->b);
}

/* On a copy: the address of a task's context keeps it out of registers. */
GROSR_TASK(call_then)
{
    struct grosr_task_context copy = *task;
    int err = grosr_record_begin(&copy, (struct grosr_call_record *)(uintptr_t)task->b + task->a);

    *task = copy;
    return err;
}

GROSR_DEVICE_COLD int64_t grosr_record_end(struct grosr_sys sys, uint64_t records, uint32_t i)
{
    struct grosr_call_record *r = (struct grosr_call_record *)(uintptr_t)records + i;
    bool reads = r->call == GROSR_SYS_READ || r->call == GROSR_SYS_PREAD;

    r->result =
        grosr_call_end(sys, (grosr_pending)r->result, reads ? (void *)(uintptr_t)r->buffer : NULL, r->bytes);
    return r->result;
}

GROSR_TASK(call_end)
{
    int64_t sum = task->failed ? -(int64_t)task->failed : (int64_t)task->sum;
    int64_t result = grosr_record_end(grosr_task_sys(task), task->b, task->a);

    task->value = (uint64_t)result;
    return result == sum ? 0 : EPROTO;
}

/* ---- reading a file (workload_read.c) ---- */

#define GROSR_READ_CHUNK 16384u

struct grosr_read_file {
    int32_t handle;
    uint32_t unused;
    uint64_t bytes;
    uint64_t buffers; /* GROSR_READ_CHUNK bytes for each worker, as the device sees them */
};

/* What word i of a chunk adds to the chunk's checksum. Words behind the file's end are 0. */
GROSR_DEVICE uint64_t grosr_read_word(uint64_t word, uint64_t i)
{
    return (word ^ (i + 1) * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
}

GROSR_DEVICE uint32_t grosr_read_chunk_bytes(const struct grosr_read_file *f, uint32_t chunk)
{
    uint64_t at = (uint64_t)chunk * GROSR_READ_CHUNK, left = f->bytes > at ? f->bytes - at : 0;
    return left < GROSR_READ_CHUNK ? (uint32_t)left : GROSR_READ_CHUNK;
}

GROSR_DEVICE unsigned char *grosr_read_buffer(const struct grosr_read_file *f, uint32_t worker)
{
    return (unsigned char *)(uintptr_t)f->buffers + (uint64_t)worker * GROSR_READ_CHUNK;
}

/* Whether the whole chunk could be read. A collective. */
GROSR_DEVICE_COLD bool grosr_read_chunk(struct grosr_sys sys, const struct grosr_read_file *f, uint32_t chunk,
                                        uint32_t worker)
{
    int64_t n =
        grosr_pread_group(sys, GROSR_MASK_WARP, dev_lane() == 0, f->handle, grosr_read_buffer(f, worker),
                          grosr_read_chunk_bytes(f, chunk), (int64_t)chunk * GROSR_READ_CHUNK);
    return dev_shfl64((uint64_t)n, 0) == grosr_read_chunk_bytes(f, chunk);
}

/* All lanes' sum. A collective. */
GROSR_DEVICE_COLD uint64_t grosr_read_sum(const struct grosr_read_file *f, uint32_t chunk, uint32_t worker)
{
    const unsigned char *buffer = grosr_read_buffer(f, worker);
    uint32_t bytes = grosr_read_chunk_bytes(f, chunk);
    uint64_t sum = 0;

    for (uint32_t i = dev_lane(); i * 8 < bytes; i += GROSR_LANES) {
        uint64_t word = 0;
        if (i * 8 + 8 <= bytes)
            word = *(const uint64_t *)(const void *)(buffer + i * 8);
        else
            memcpy(&word, buffer + i * 8, bytes - i * 8);
        sum += grosr_read_word(word, i);
    }
    return dev_sum64(sum);
}

/* The checksum of chunk a of the file at b. EIO: it could not be read whole. */
GROSR_WARP_TASK(checksum)
{
    const struct grosr_read_file f = *(const struct grosr_read_file *)(uintptr_t)task->b;

    if (!grosr_read_chunk(grosr_task_sys(task), &f, task->a, task->worker))
        return EIO;
    task->value = grosr_read_sum(&f, task->a, task->worker);
    return 0;
}

/* ---- the experiment `syscall` ---- */

struct grosr_call_loop {
    uint32_t call;    /* GROSR_SYS_NOOP, _PREAD, _PWRITE */
    int32_t handle;   /* of the latter */
    uint64_t bytes;   /* of each call */
    uint64_t span;    /* offsets go round in so many bytes, a power of two */
    uint64_t buffers; /* `bytes` for each task, as the device sees them; or for each lane, in `calls_warp` */
    uint64_t times;   /* dev64[count] for the time of each call; 0: none */
    uint64_t count;   /* calls of each task, below 2^32; in `calls_warp`, of each lane */
};

/* One call; 0 if it is right. `each`: of every lane, else of lane 0; all of them copy. A collective. */
GROSR_DEVICE_COLD int64_t grosr_loop_call(struct grosr_sys sys, const struct grosr_call_loop *l,
                                          uint64_t caller, bool each, uint64_t k)
{
    void *memory = (void *)(uintptr_t)(l->buffers + caller * l->bytes);
    int64_t offset = l->span ? (int64_t)(k * l->bytes & (l->span - 1)) : 0;
    bool has = each || dev_lane() == 0;

    if (l->call == GROSR_SYS_PREAD)
        return grosr_pread_group(sys, GROSR_MASK_WARP, has, l->handle, memory, l->bytes, offset) -
               (int64_t)l->bytes;
    if (l->call == GROSR_SYS_PWRITE)
        return grosr_pwrite_group(sys, GROSR_MASK_WARP, has, l->handle, memory, l->bytes, offset) -
               (int64_t)l->bytes;
    return grosr_call_plain(sys, GROSR_MASK_WARP, has, grosr_request_noop(sys));
}

/* How many of this lane's calls went wrong. On a copy of what the loop is: across PCIe each look at it would
 * cost as much as a call. A collective. */
GROSR_DEVICE_COLD uint32_t grosr_loop_run(struct grosr_sys sys, uint64_t loop, uint32_t which, bool each)
{
    const struct grosr_call_loop l = *(const struct grosr_call_loop *)(uintptr_t)loop;
    uint64_t caller = each ? (uint64_t)which * GROSR_LANES + dev_lane() : which;
    uint32_t wrong = 0, count = (uint32_t)l.count;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t start = dev_clock_ns();
        int64_t n = grosr_loop_call(sys, &l, caller, each, caller * count + i);
        wrong += (each || dev_lane() == 0) && n != 0;
        if (l.times && dev_lane() == 0)
            dev_store_relaxed((dev64 *)(uintptr_t)l.times + i, dev_clock_ns() - start);
    }
    return wrong;
}

/* One lane calls, one call after the other. a: which of the tasks it is. Its value: calls that went wrong. */
GROSR_WARP_TASK(calls)
{
    task->value = dev_sum64(grosr_loop_run(grosr_task_sys(task), task->b, task->a, false));
    return 0;
}

/* All lanes call together. */
GROSR_WARP_TASK(calls_warp)
{
    task->value = dev_sum64(grosr_loop_run(grosr_task_sys(task), task->b, task->a, true));
    return 0;
}

/* What calls are compared with: a word to and fro, and a packet of 64 bytes that has the port to itself,
 * whose owner is told by two words that each side inverts (LLVM's libc, shared/rpc.h). The host answers
 * (bench_syscall.c). */
struct grosr_echo {
    alignas(128) sys32 out; /* written by the task */
    alignas(128) sys32 in;  /* written by the host */
    alignas(128) uint64_t count;
    uint64_t times;  /* dev64[count], or 0 */
    uint64_t buffer; /* 64 bytes, for rpc */
    alignas(128) unsigned char packet[64];
};

GROSR_DEVICE_COLD void grosr_echo_run(struct grosr_echo *e, bool packets)
{
    uint32_t count = (uint32_t)e->count;
    void *buffer = (void *)(uintptr_t)e->buffer;
    dev64 *times = (dev64 *)(uintptr_t)e->times;

    for (uint32_t i = 1; i <= count; i++) {
        uint64_t start = dev_clock_ns();
        uint32_t step = 0;
        if (packets) {
            sys_copy_out(e->packet, buffer, sizeof(e->packet), 0, 1);
            sys_store_release(&e->out, i); /* pairs with the load in answer() */
        } else {
            sys_store_relaxed(&e->out, i);
        }
        while (sys_load_relaxed(&e->in) != i)
            dev_poll_pause(&step);
        if (packets && sys_load_acquire(&e->in) == i) /* pairs with the store in answer() */
            sys_copy_in(buffer, e->packet, sizeof(e->packet), 0, 1);
        if (times)
            dev_store_relaxed(times + i - 1, dev_clock_ns() - start);
    }
}

GROSR_TASK(echo)
{
    grosr_echo_run((struct grosr_echo *)(uintptr_t)task->b, false);
    return 0;
}

GROSR_TASK(rpc)
{
    grosr_echo_run((struct grosr_echo *)(uintptr_t)task->b, true);
    return 0;
}

#endif
