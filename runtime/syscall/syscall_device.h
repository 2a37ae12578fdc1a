/*
 * System calls, the warp's side: device code for tasks and for other kernels that were given the mailbox.
 *
 *     int file = grosr_open(grosr_task_sys(task), "input", O_RDONLY, 0);
 *     if (file < 0)
 *         return -file;
 *     int64_t n = grosr_pread(grosr_task_sys(task), file, buffer, sizeof(buffer), 0);
 *
 * The calls are those of POSIX, and so are the values of flags, modes and errnos (<fcntl.h>, <errno.h>): a
 * result is a count or a handle, or a negative errno. What differs:
 *
 *     Paths are resolved below the runtime's root directory (or below a directory's handle). One that leads
 * out of it, by "..", by a symbolic link or because it is absolute, fails with -EXDEV. A runtime that is not
 * opened as writable refuses what would change a file with -EROFS. -ENOSYS: the runtime was opened without
 * system calls. -EIO: nobody answers any more. -EMFILE: too many open handles. A handle is good in all warps.
 *     No call is interrupted; -EINTR is never returned.
 *     A FIFO that is opened for reading does not wait for a writer; the first read does.
 *
 * A read or a write of any length is one call: at a position that callers share (grosr_read, grosr_write) its
 * bytes are contiguous, and a write is whole or, where the disk is full, short. A long one that has its own
 * offset travels in pieces. A write at the handle's position, or one that appends, is collected on the host
 * before it is made, at most as many bytes as the runtime allows (-ENOBUFS). Memory that the host shares
 * (grosr_shared()) is read and written in place, without a copy.
 *
 * Lanes. Every lane calls for itself, diverged or not: lanes that are at the call together send one packet,
 * and each gets its own result. Lanes of a group continue together, when all of their calls are done.
 *
 * Calls block: the lane's warp backs off until the reply is there. A task that is to let others run meanwhile
 * begins the call with grosr_call_then() (kernel/task.h) and continues when it is done. grosr_call_begin()
 * starts one that is waited for later. While all ports are in use a call waits for one; with
 * GROSR_CALL_NOWAIT grosr_call_begin() returns -EAGAIN.
 *
 * Who writes what: mailbox.h. A lane's request is in its registers; nothing here keeps state between calls.
 */
#ifndef GROSR_SYSCALL_DEVICE_H
#define GROSR_SYSCALL_DEVICE_H

#include "../grosr.h"
#include "exchange.h"
#include "log_device.h"

#include <fcntl.h>

/* ---- asynchronous calls: one lane's ---- */

#define GROSR_CALL_NOWAIT 1u

/* A call under way: sequence << 12 | port, never 0. Whoever begins one waits for it: it keeps its port. The
 * highest bit: that the caller holds the port has been recorded. */
typedef uint64_t grosr_pending;

#define GROSR_PENDING_HELD (UINT64_C(1) << 63)

GROSR_DEVICE uint64_t grosr_pending_sequence(grosr_pending call)
{
    return (call & ~GROSR_PENDING_HELD) >> 12;
}

GROSR_DEVICE_COLD int grosr_call_post(struct grosr_sys sys, struct grosr_request request, const void *from,
                                      uint32_t frame, uint32_t flags, grosr_pending *call)
{
    struct grosr_exchange x;

    grosr_exchange_init(&x, sys, 1u << dev_lane(), true, request, from, NULL, request.length);
    x.frame = frame;
    x.begins = true;
    x.nowait = flags & GROSR_CALL_NOWAIT;
    int err = (int)grosr_exchange_run(&x);
    *call = x.sequence << 12 | (uint32_t)x.port;
    /* A call that is a task's child is not its worker's to end. */
    if (!err && !frame && grosr_lane_records(sys.lanes, GROSR_LEVEL_SPANS)) {
        grosr_lane_hold(sys.lanes, grosr_payload_wait(GROSR_RES_SYSCALL_PORT, (uint32_t)x.port));
        *call |= GROSR_PENDING_HELD;
    }
    return err;
}

/* Begins a call; `from`: what a write takes its request's length of bytes from, which is in use until this
 * returns, or, shared with the host, until the call is done. A read or write that is longer than a port's
 * staging memory is short. 0, or -EAGAIN, -ENOSYS, -EIO. */
GROSR_DEVICE int grosr_call_begin(struct grosr_sys sys, struct grosr_request request, const void *from,
                                  uint32_t flags, grosr_pending *call)
{
    return grosr_call_post(sys, request, from, 0, flags, call);
}

/* Whether a call is done. */
GROSR_DEVICE bool grosr_call_done(struct grosr_sys sys, grosr_pending call)
{
    int64_t result;
    return grosr_packet_poll(sys.mailbox, (uint32_t)call & 0xfffu, grosr_pending_sequence(call), 0, false,
                             &result) ||
           sys_load_relaxed(&sys.mailbox->words->closed);
}

/* Waits for a call, copies what it read to `to`, at most `bytes` bytes, and ends it: its result. Once. */
GROSR_DEVICE_COLD int64_t grosr_call_end(struct grosr_sys sys, grosr_pending call, void *to, uint64_t bytes)
{
    struct grosr_exchange x;

    if (((uint32_t)call & 0xfffu) >= sys.mailbox->ports)
        return -EINVAL;
    grosr_exchange_init(&x, sys, 1u << dev_lane(), true, grosr_request_of(sys, GROSR_SYS_NOOP, 0, 0), NULL,
                        to, bytes);
    x.ends = true;
    x.port = (int)((uint32_t)call & 0xfffu);
    x.sequence = grosr_pending_sequence(call);
    x.slot = 0;
    x.sent = bytes;
    x.whole = !to; /* the answer is that of a write, or no count */
    int64_t result = grosr_exchange_run(&x);
    if (call & GROSR_PENDING_HELD)
        grosr_lane_release(sys.lanes, grosr_payload_wait(GROSR_RES_SYSCALL_PORT, (uint32_t)x.port));
    return result;
}

/* ---- requests, for asynchronous calls ---- */

GROSR_DEVICE struct grosr_request grosr_request_read(struct grosr_sys sys, int handle, uint32_t bytes)
{
    struct grosr_request r = grosr_request_of(sys, GROSR_SYS_READ, handle, 0);
    r.length = bytes;
    return r;
}

GROSR_DEVICE struct grosr_request grosr_request_pread(struct grosr_sys sys, int handle, uint32_t bytes,
                                                      int64_t offset)
{
    struct grosr_request r = grosr_request_of(sys, GROSR_SYS_PREAD, handle, (uint64_t)offset);
    r.length = bytes;
    return r;
}

GROSR_DEVICE struct grosr_request grosr_request_write(struct grosr_sys sys, int handle, uint32_t bytes)
{
    struct grosr_request r = grosr_request_of(sys, GROSR_SYS_WRITE, handle, 0);
    r.length = bytes;
    return r;
}

GROSR_DEVICE struct grosr_request grosr_request_pwrite(struct grosr_sys sys, int handle, uint32_t bytes,
                                                       int64_t offset)
{
    struct grosr_request r = grosr_request_of(sys, GROSR_SYS_PWRITE, handle, (uint64_t)offset);
    r.length = bytes;
    return r;
}

GROSR_DEVICE struct grosr_request grosr_request_fsync(struct grosr_sys sys, int handle)
{
    return grosr_request_of(sys, GROSR_SYS_FSYNC, handle, 0);
}

GROSR_DEVICE struct grosr_request grosr_request_nanosleep(struct grosr_sys sys, uint64_t ns)
{
    return grosr_request_of(sys, GROSR_SYS_NANOSLEEP, 0, ns);
}

GROSR_DEVICE struct grosr_request grosr_request_noop(struct grosr_sys sys)
{
    return grosr_request_of(sys, GROSR_SYS_NOOP, 0, 0);
}

/* ---- the calls ---- */

/* The length of a path with its NUL, or 0: it is too long. */
GROSR_DEVICE uint32_t grosr_path_length(const char *path)
{
    for (uint32_t n = 0; n < GROSR_PATH_BYTES; n++)
        if (!path[n])
            return n + 1;
    return 0;
}

/* A path, or two, of one lane by itself: paths are long, and files are opened seldom. */
GROSR_DEVICE_COLD int64_t grosr_call_path(struct grosr_sys sys, struct grosr_request request,
                                          const char *path, const char *second)
{
    uint32_t first = grosr_path_length(path), more = second ? grosr_path_length(second) : 0;
    struct grosr_exchange x;

    if (!first || (second && !more))
        return -ENAMETOOLONG;
    grosr_exchange_init(&x, sys, 1u << dev_lane(), true, request, path, NULL, first);
    x.whole = x.copied = true; /* the answer is no count */
    x.second = second;
    x.second_bytes = more;
    return grosr_exchange_run(&x);
}

/* `directory`: a handle, or GROSR_ROOT. */
GROSR_DEVICE_COLD int grosr_openat(struct grosr_sys sys, int directory, const char *path, int flags,
                                   uint32_t mode)
{
    return (int)grosr_call_path(
        sys, grosr_request_of(sys, GROSR_SYS_OPENAT, directory, (uint64_t)mode << 32 | (uint32_t)flags), path,
        NULL);
}

/* As grosr_open(sys, ...) in device code. */
GROSR_DEVICE int grosr_sys_open(struct grosr_sys sys, const char *path, int flags, uint32_t mode)
{
    return grosr_openat(sys, GROSR_ROOT, path, flags, mode);
}

GROSR_DEVICE int grosr_unlink(struct grosr_sys sys, const char *path)
{
    return (int)grosr_call_path(sys, grosr_request_of(sys, GROSR_SYS_UNLINK, GROSR_ROOT, 0), path, NULL);
}

GROSR_DEVICE int grosr_rmdir(struct grosr_sys sys, const char *path)
{
    return (int)grosr_call_path(sys, grosr_request_of(sys, GROSR_SYS_RMDIR, GROSR_ROOT, 0), path, NULL);
}

GROSR_DEVICE int grosr_mkdir(struct grosr_sys sys, const char *path, uint32_t mode)
{
    return (int)grosr_call_path(sys, grosr_request_of(sys, GROSR_SYS_MKDIR, GROSR_ROOT, mode), path, NULL);
}

GROSR_DEVICE_COLD int grosr_rename(struct grosr_sys sys, const char *from, const char *to)
{
    return (int)grosr_call_path(sys, grosr_request_of(sys, GROSR_SYS_RENAME, GROSR_ROOT, 0), from, to);
}

/* ... with three arguments, of a file that is there. */
GROSR_DEVICE int grosr_sys_open_existing(struct grosr_sys sys, const char *path, int flags)
{
    return grosr_openat(sys, GROSR_ROOT, path, flags, 0);
}

/* As grosr_close(sys, ...) in device code. */
GROSR_DEVICE int grosr_sys_close(struct grosr_sys sys, int handle)
{
    return (int)grosr_call_plain(sys, dev_mask(), true, grosr_request_of(sys, GROSR_SYS_CLOSE, handle, 0));
}

/* A read of the lanes of a group whose `has` is set: lanes that do not call help to copy. A collective of the
 * group, which may be the warp, GROSR_MASK_WARP, where all its lanes meet. */
GROSR_DEVICE_COLD int64_t grosr_pread_group(struct grosr_sys sys, uint32_t mask, bool has, int handle,
                                            void *to, uint64_t bytes, int64_t offset)
{
    struct grosr_exchange x;

    grosr_exchange_init(&x, sys, mask, has, grosr_request_of(sys, GROSR_SYS_PREAD, handle, (uint64_t)offset),
                        NULL, to, bytes);
    x.offset = true;
    return grosr_exchange_run(&x);
}

GROSR_DEVICE_COLD int64_t grosr_pwrite_group(struct grosr_sys sys, uint32_t mask, bool has, int handle,
                                             const void *from, uint64_t bytes, int64_t offset)
{
    struct grosr_exchange x;

    grosr_exchange_init(&x, sys, mask, has, grosr_request_of(sys, GROSR_SYS_PWRITE, handle, (uint64_t)offset),
                        from, NULL, bytes);
    /* Where the file is opened for appending, Linux appends, whatever the offset. */
    x.whole = handle >= 0 && (handle & GROSR_HANDLE_APPEND);
    x.offset = !x.whole;
    return grosr_exchange_run(&x);
}

GROSR_DEVICE int64_t grosr_pread(struct grosr_sys sys, int handle, void *to, uint64_t bytes, int64_t offset)
{
    return grosr_pread_group(sys, dev_mask(), true, handle, to, bytes, offset);
}

GROSR_DEVICE int64_t grosr_pwrite(struct grosr_sys sys, int handle, const void *from, uint64_t bytes,
                                  int64_t offset)
{
    return grosr_pwrite_group(sys, dev_mask(), true, handle, from, bytes, offset);
}

/* The other calls with data: one packet, but for a write. */
GROSR_DEVICE_COLD int64_t grosr_call_data(struct grosr_sys sys, uint32_t mask, enum grosr_syscall call,
                                          int handle, const void *from, void *to, uint64_t bytes)
{
    struct grosr_exchange x;

    grosr_exchange_init(&x, sys, mask, true, grosr_request_of(sys, call, handle, 0), from, to, bytes);
    x.whole = from != NULL;
    return grosr_exchange_run(&x);
}

GROSR_DEVICE int64_t grosr_write(struct grosr_sys sys, int handle, const void *from, uint64_t bytes)
{
    return grosr_call_data(sys, dev_mask(), GROSR_SYS_WRITE, handle, from, NULL, bytes);
}

/* Takes the bytes' place in the file first, so that what others read meanwhile is not among them. One lane.
 */
GROSR_DEVICE_COLD int64_t grosr_read_long(struct grosr_sys sys, int handle, void *to, uint64_t bytes)
{
    uint32_t mask = 1u << dev_lane();
    int64_t at = grosr_call_plain(sys, mask, true, grosr_request_of(sys, GROSR_SYS_ADVANCE, handle, bytes));

    if (at == -ESPIPE) /* which has no places: what is there */
        return grosr_call_data(sys, mask, GROSR_SYS_READ, handle, NULL, to, bytes);
    return at < 0 ? at : grosr_pread_group(sys, mask, true, handle, to, bytes, at);
}

GROSR_DEVICE int64_t grosr_read(struct grosr_sys sys, int handle, void *to, uint64_t bytes)
{
    uint32_t at;

    if (sys.mailbox->ports && bytes > grosr_mailbox_piece(sys.mailbox, GROSR_PACKET_MAX) &&
        !grosr_mailbox_shares(sys.mailbox, to, bytes, &at))
        return grosr_read_long(sys, handle, to, bytes);
    return grosr_call_data(sys, dev_mask(), GROSR_SYS_READ, handle, NULL, to, bytes);
}

GROSR_DEVICE int64_t grosr_lseek(struct grosr_sys sys, int handle, int64_t offset, int whence)
{
    struct grosr_request r = grosr_request_of(sys, GROSR_SYS_LSEEK, handle, (uint64_t)offset);
    r.length = (uint32_t)whence;
    return grosr_call_plain(sys, dev_mask(), true, r);
}

GROSR_DEVICE int grosr_fstat(struct grosr_sys sys, int handle, struct grosr_stat *stat)
{
    int64_t n = grosr_call_data(sys, dev_mask(), GROSR_SYS_FSTAT, handle, NULL, stat, sizeof(*stat));
    return n < 0 ? (int)n : 0;
}

GROSR_DEVICE int grosr_ftruncate(struct grosr_sys sys, int handle, int64_t bytes)
{
    return (int)grosr_call_plain(sys, dev_mask(), true,
                                 grosr_request_of(sys, GROSR_SYS_FTRUNCATE, handle, (uint64_t)bytes));
}

GROSR_DEVICE int grosr_fsync(struct grosr_sys sys, int handle)
{
    return (int)grosr_call_plain(sys, dev_mask(), true, grosr_request_fsync(sys, handle));
}

/* The next entry of a directory, "." and ".." too: 1; 0 at its end. */
GROSR_DEVICE int grosr_readdir(struct grosr_sys sys, int handle, struct grosr_dirent *entry)
{
    int64_t n = grosr_call_data(sys, dev_mask(), GROSR_SYS_READDIR, handle, NULL, entry, sizeof(*entry));
    return n < 0 ? (int)n : n > 0;
}

/* Of clock CLOCK_REALTIME, CLOCK_MONOTONIC, ..., in nanoseconds. */
GROSR_DEVICE int64_t grosr_clock_gettime(struct grosr_sys sys, int clock)
{
    return grosr_call_plain(sys, dev_mask(), true, grosr_request_of(sys, GROSR_SYS_CLOCK_GETTIME, clock, 0));
}

GROSR_DEVICE int grosr_nanosleep(struct grosr_sys sys, uint64_t ns)
{
    return (int)grosr_call_plain(sys, dev_mask(), true, grosr_request_nanosleep(sys, ns));
}

GROSR_DEVICE int grosr_getpid(struct grosr_sys sys)
{
    return (int)grosr_call_plain(sys, dev_mask(), true, grosr_request_of(sys, GROSR_SYS_GETPID, 0, 0));
}

GROSR_DEVICE int grosr_noop(struct grosr_sys sys)
{
    return (int)grosr_call_plain(sys, dev_mask(), true, grosr_request_noop(sys));
}

/* ---- the names that the host API has too ---- */

#ifdef __cplusplus

GROSR_DEVICE int grosr_open(struct grosr_sys sys, const char *path, int flags, uint32_t mode = 0)
{
    return grosr_sys_open(sys, path, flags, mode);
}

GROSR_DEVICE int grosr_close(struct grosr_sys sys, int handle)
{
    return grosr_sys_close(sys, handle);
}

#else

/* Which of the two is meant, the number of arguments tells: the host API opens and closes runtimes. */
#define grosr_open(...) \
    GROSR_PICK_OPEN(__VA_ARGS__, grosr_sys_open, grosr_sys_open_existing, (grosr_open), )(__VA_ARGS__)

#define GROSR_PICK_OPEN(a, b, c, d, name, ...) name

#define grosr_close(...) GROSR_PICK_CLOSE(__VA_ARGS__, grosr_sys_close, (grosr_close), )(__VA_ARGS__)

#define GROSR_PICK_CLOSE(a, b, name, ...) name

#endif

#endif
