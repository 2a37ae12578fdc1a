/*
 * What the threads of the process wait for while a host function in a stream does not end (cuda_parts.h), or
 * a stream waits for a word that some thread may have to write. A
 * host function that wants a mutex of the thread that waits for its stream is a deadlock in which no kernel
 * has a part; who executes it, and that it has begun at all, nobody reports.
 *
 * The kernel says of each thread which system call it sleeps in and where its stack is; a process may ask
 * that of its own threads whatever the rules for tracing are. A thread executes a host function if there is a
 * return address in the function on its stack, and one in the driver above it. A thread that sleeps in a
 * futex that is the first word of a pthread_mutex_t whose owner is a thread waits for that mutex. Memory is
 * read by a system call, which fails where there is none.
 *
 * A function that has been entered shows that all before it in its stream has ended.
 */
#include "cuda_parts.h"

#include "../base/thread_cpu.h"
#include "../session/outstanding.h"

#include <dirent.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ISSUED      64u /* host functions that are known at a time: the latest; a power of two */
#define OURS        8u
#define LOOK_NS     UINT64_C(200000000) /* between looks, and how old a function is that is looked after */
#define CAPTURE_NS  UINT64_C(500000000) /* between looks at a thread that captures */
#define STACK_BYTES 16384u
#define CODE_BYTES  4096u /* of a function whose size is not known */
#define THREADS_MAX 512u  /* that are looked at */
#define RANGES_MAX  1024u /* of code: a library has one, mostly */

/* number << 32 | correlation, and the function; a function is written before its number. */
static dev64 issued[ISSUED], functions[ISSUED];
static dev32 issued_count;

static dev32 ours[OURS], ours_count;

void host_function_issued(uint32_t correlation, void *function)
{
    uint32_t at = dev_add_relaxed(&issued_count, 1) % ISSUED;

    dev_store_relaxed(&functions[at], (uintptr_t)function);
    dev_store_release(&issued[at], UINT64_C(1) << 32 | correlation); /* pairs with find_functions() */
}

void host_thread_is_ours(uint32_t tid)
{
    uint32_t at = dev_add_relaxed(&ours_count, 1);

    if (at < OURS)
        dev_store_relaxed(&ours[at], tid);
}

static bool is_ours(uint32_t tid)
{
    for (uint32_t i = 0; i < OURS; i++)
        if (dev_load_relaxed(&ours[i]) == tid)
            return true;
    return false;
}

/* ---- host functions that have not ended ---- */

struct function {
    uintptr_t at;
    size_t bytes;
    struct grosr_launch launch;
};

static size_t size_of(uintptr_t function)
{
    Dl_info info;
    void *symbol = NULL;

    if (!dladdr1((void *)function, &info, &symbol, RTLD_DL_SYMENT) || !symbol ||
        (uintptr_t)info.dli_saddr != function)
        return CODE_BYTES;
    size_t bytes = ((const ElfW(Sym) *)symbol)->st_size;
    return bytes ? bytes : CODE_BYTES;
}

static int compare_functions(const void *a, const void *b)
{
    const struct function *x = (const struct function *)a, *y = (const struct function *)b;

    return (x->launch.issued_ns > y->launch.issued_ns) - (x->launch.issued_ns < y->launch.issued_ns);
}

/* The oldest first: of one that has been issued several times it is that which is executed. */
static uint32_t find_functions(struct function *found, uint64_t now_ns)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < ISSUED; i++) {
        uint64_t known = dev_load_acquire(&issued[i]); /* pairs with host_function_issued() */
        struct function *f = &found[n];
        if (!known || !grosr_launch_find(inject_session(), (uint32_t)known, &f->launch) || f->launch.ended ||
            f->launch.kind != GROSR_LAUNCH_HOST_FUNCTION || now_ns < f->launch.issued_ns + LOOK_NS)
            continue;
        f->at = (uintptr_t)dev_load_relaxed(&functions[i]);
        f->bytes = size_of(f->at);
        n++;
    }
    qsort(found, n, sizeof(*found), compare_functions);
    return n;
}

/* ---- threads ---- */

/* Code of the process: the driver's and CUPTI's, libraries that run in anybody's threads, the program's. */
enum code { CODE_UNKNOWN, CODE_DRIVER, CODE_ANYBODY, CODE_PROGRAM };

struct range {
    uintptr_t from, to;
    enum code code;
};

struct ranges {
    struct range at[RANGES_MAX];
    uint32_t count;
    bool full;
};

static enum code code_of(const char *path)
{
    static const char *const drivers[] = {"libcuda.so", "libcupti", "libnvidia-", "libnvperf"};
    static const char *const anybodys[] = {"libc.so",   "libc-",          "libpthread", "ld-linux",
                                           "libstdc++", "libgcc_s",       "linux-vdso", "libasan",
                                           "libtsan",   "libgrosr-inject"};
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

    for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
        if (!strncmp(name, drivers[i], strlen(drivers[i])))
            return CODE_DRIVER;
    for (size_t i = 0; i < sizeof(anybodys) / sizeof(anybodys[0]); i++)
        if (!strncmp(name, anybodys[i], strlen(anybodys[i])))
            return CODE_ANYBODY;
    return CODE_PROGRAM;
}

static int add_ranges(struct dl_phdr_info *info, size_t size, void *data)
{
    struct ranges *r = (struct ranges *)data;

    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
            continue;
        r->full = r->count == RANGES_MAX;
        if (r->full)
            return 1;
        uintptr_t from = info->dlpi_addr + p->p_vaddr;
        r->at[r->count++] =
            (struct range){from, from + p->p_memsz, code_of(info->dlpi_name ? info->dlpi_name : "")};
    }
    return 0;
}

static enum code code_at(const struct ranges *r, uintptr_t address)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (address >= r->at[i].from && address < r->at[i].to)
            return r->at[i].code;
    return CODE_UNKNOWN;
}

/* By a file and not by process_vm_readv(): a program that filters its system calls allows files. */
size_t host_read(uintptr_t at, void *to, size_t bytes)
{
    int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : pread(fd, to, bytes, (off_t)at);

    if (fd >= 0)
        close(fd);
    return n > 0 ? (size_t)n : 0;
}

static size_t read_file(uint32_t tid, const char *file, char *to, size_t size)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/task/%u/%s", tid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, to, size - 1);
    if (fd >= 0)
        close(fd);
    to[n > 0 ? n : 0] = 0;
    return n > 0 ? (size_t)n : 0;
}

/* Whether a futex is a mutex that a thread of the process holds: its layout is the C library's (glibc). */
static uint32_t owner_of(uintptr_t futex)
{
    int32_t mutex[3]; /* lock, count, owner */
    char path[64];

    if (host_read(futex, mutex, sizeof(mutex)) != sizeof(mutex) || mutex[0] == 0 || mutex[2] <= 0)
        return 0;
    snprintf(path, sizeof(path), "/proc/self/task/%d", mutex[2]);
    return access(path, F_OK) == 0 ? (uint32_t)mutex[2] : 0;
}

static void find_futex(struct grosr_host_thread *t, const unsigned long long *argument)
{
    int operation = (int)argument[1] & FUTEX_CMD_MASK;

    if ((operation != FUTEX_WAIT && operation != FUTEX_WAIT_BITSET && operation != FUTEX_LOCK_PI) ||
        argument[3])
        return; /* it wakes by itself */
    t->address = argument[0];
    t->owner = owner_of((uintptr_t)argument[0]);
    t->state = t->owner ? GROSR_HOST_THREAD_MUTEX : GROSR_HOST_THREAD_FUTEX;
}

/* What a thread does, and where its stack is; 0: it is not known. */
static uintptr_t look_at(struct grosr_host_thread *t)
{
    unsigned long long a[6], stack, counter;
    char text[256];
    long number;

    if (!read_file(t->tid, "syscall", text, sizeof(text)))
        return 0;
    if (!strncmp(text, "running", 7)) {
        t->state = GROSR_HOST_THREAD_RUNS;
        return 0;
    }
    t->state = GROSR_HOST_THREAD_SLEEPS;
    if (sscanf(text, "%ld 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx", &number, &a[0], &a[1],
               &a[2], &a[3], &a[4], &a[5], &stack, &counter) != 9)
        return 0;
    if (number == SYS_futex)
        find_futex(t, a);
    return (uintptr_t)stack;
}

static uintptr_t words[STACK_BYTES / sizeof(uintptr_t)]; /* of a stack: the watcher's alone */

/* How many words of a stack there are. To its end, page by page: what is behind it may not be there. */
static size_t read_stack(uintptr_t stack)
{
    size_t bytes = 0;

    for (size_t part; stack && bytes < STACK_BYTES; bytes += part) {
        part = 4096 - (stack + bytes) % 4096;
        part = part < STACK_BYTES - bytes ? part : STACK_BYTES - bytes;
        if (host_read(stack + bytes, (char *)words + bytes, part) != part)
            break;
    }
    return bytes / sizeof(uintptr_t);
}

/* Which of the functions the thread executes whose stack was read; -1: none. */
static int executed(size_t depth, const struct function *f, uint32_t n, const struct ranges *code)
{
    int found = -1;

    for (size_t i = 0; n && i < depth; i++) {
        for (uint32_t k = 0; found < 0 && k < n; k++)
            if (words[i] > f[k].at && words[i] - f[k].at <= f[k].bytes)
                found = (int)k;
        if (found >= 0 && code_at(code, words[i]) == CODE_DRIVER)
            return found;
    }
    return -1;
}

/* Whether a thread is the driver's or CUPTI's: nothing of the program is on its stack. */
static bool is_of_driver(size_t depth, const struct ranges *code)
{
    bool found = false;

    for (size_t i = 0; i < depth; i++) {
        enum code c = code_at(code, words[i]);
        if (c == CODE_PROGRAM)
            return false;
        found |= c == CODE_DRIVER;
    }
    return found && !code->full;
}

static void look_at_threads(struct grosr_host_thread *t, uint32_t n, const struct function *f,
                            uint32_t functions_found)
{
    static struct ranges code; /* the watcher's alone */
    char name[32];

    code.count = 0;
    dl_iterate_phdr(add_ranges, &code);
    for (uint32_t i = 0; i < n; i++) {
        size_t depth = read_stack(look_at(&t[i]));
        int at = executed(depth, f, functions_found, &code);
        read_file(t[i].tid, "comm", name, sizeof(name));
        t[i].of_driver = strncmp(name, "cuda", 4) == 0 || is_of_driver(depth, &code);
        if (at < 0)
            continue;
        t[i].function = f[at].launch.correlation;
        t[i].of_driver = false;
        if (f[at].launch.flags & GROSR_LAUNCH_ORDERED && f[at].launch.place > 1)
            grosr_cuda_stream_raise_ended(inject_session(), f[at].launch.stream, f[at].launch.place - 1);
    }
}

static uint32_t list_threads(struct grosr_host_thread *t)
{
    DIR *folder = opendir("/proc/self/task");
    uint32_t n = 0;

    for (const struct dirent *e; folder && n < THREADS_MAX && (e = readdir(folder));) {
        uint32_t tid = (uint32_t)strtoul(e->d_name, NULL, 10);
        if (!tid || is_ours(tid))
            continue;
        t[n] = (struct grosr_host_thread){.tid = tid, .state = GROSR_HOST_THREAD_SLEEPS};
        n++;
    }
    if (folder)
        closedir(folder);
    return n;
}

/* Since when each has waited for what it waits for: what it was at the look before, it has been all the time;
 * and whose it is. */
static void keep_since(struct grosr_host_thread *t, uint32_t n, uint64_t now_ns)
{
    struct grosr_host_thread before;

    for (uint32_t i = 0; i < n; i++) {
        t[i].since_ns = now_ns;
        for (uint32_t k = 0; k < GROSR_HOST_THREADS; k++)
            if (grosr_host_thread_read(inject_session(), k, &before) && before.tid == t[i].tid) {
                if (before.state == t[i].state && before.address == t[i].address)
                    t[i].since_ns = before.since_ns;
                if (t[i].state == GROSR_HOST_THREAD_RUNS) /* where its stack is, is not known then */
                    t[i].of_driver = t[i].of_driver || before.of_driver;
            }
    }
}

/* A capture whose thread spins or sleeps waits for something; one whose thread works does not. */
static void look_at_capture(uint64_t now_ns)
{
    static struct grosr_thread_cpu before;
    static uint64_t before_ns;
    static uint32_t tid;
    struct grosr_cuda_stream_state s;
    uint32_t stream = stream_in_capture();

    if (now_ns - before_ns < CAPTURE_NS)
        return;
    if (stream == GROSR_NO_STREAM || !grosr_cuda_stream_read(inject_session(), stream, &s) || !s.capture_ns) {
        tid = 0;
        return;
    }
    struct grosr_thread_cpu now = grosr_thread_cpu((uint32_t)getpid(), s.capture_tid);
    if (tid == s.capture_tid)
        grosr_cuda_stream_capturing(inject_session(), stream,
                                    grosr_thread_cpu_between(&before, &now, now_ns - before_ns));
    before = now;
    before_ns = now_ns;
    tid = s.capture_tid;
}

void host_tick(uint64_t now_ns, bool waits)
{
    static struct grosr_host_thread threads[THREADS_MAX];
    static struct function found[ISSUED];
    static uint64_t looked_ns;
    static bool shown;
    struct grosr_outstanding *o = grosr_session_outstanding(inject_session());

    if (!o)
        return;
    sys_store_relaxed(&o->alive_ns, now_ns);
    look_at_capture(now_ns);
    if (now_ns - looked_ns < LOOK_NS || (!shown && !waits && !dev_load_relaxed(&issued_count)))
        return;
    looked_ns = now_ns;
    uint32_t functions_found = find_functions(found, now_ns),
             n = functions_found || waits ? list_threads(threads) : 0;
    if (!n && !shown)
        return;
    look_at_threads(threads, n, found, functions_found);
    keep_since(threads, n, now_ns);
    grosr_host_threads_set(inject_session(), threads, n);
    shown = n != 0;
}
