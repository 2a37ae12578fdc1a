/*
 * Reading /proc for evidence (process_facts.h).
 */
#include "process_facts.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The start of a file, NUL-terminated, without a newline at its end. False: it may not be read. */
static bool read_start(const char *path, char *text, size_t size)
{
    FILE *f = fopen(path, "re");

    *text = 0;
    if (!f)
        return false;
    size_t n = fread(text, 1, size - 1, f);
    fclose(f);
    while (n && text[n - 1] == '\n')
        n--;
    text[n] = 0;
    return true;
}

/* Field 3 of a stat file, which comes after the last parenthesis. */
static char state_in(const char *path)
{
    char line[1024];
    const char *end;

    if (!read_start(path, line, sizeof(line)) || !(end = strrchr(line, ')')) || end[1] != ' ')
        return 0;
    return end[2];
}

char grosr_process_state(uint32_t pid)
{
    char path[48];

    snprintf(path, sizeof(path), "/proc/%u/stat", pid);
    return state_in(path);
}

/* The first descriptor that poll() waits for, which is in the process's memory. */
static int polled_fd(uint32_t pid, unsigned long long at, unsigned long long count)
{
    struct pollfd first = {.fd = -1};
    char path[48];

    if (count == 0 || count > 16)
        return -1;
    snprintf(path, sizeof(path), "/proc/%u/mem", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = pread(fd, &first, sizeof(first), (off_t)at);
    close(fd);
    return n == (ssize_t)sizeof(first) ? first.fd : -1;
}

static void read_call(uint32_t pid, const char *folder, struct grosr_thread_fact *t)
{
    unsigned long long a[3];
    char path[64], line[256];
    long call;

    t->call = -1;
    t->fd = -1;
    snprintf(path, sizeof(path), "%s/syscall", folder);
    if (!read_start(path, line, sizeof(line)) ||
        sscanf(line, "%ld 0x%llx 0x%llx 0x%llx", &call, &a[0], &a[1], &a[2]) != 4)
        return;
    t->call = call;
    switch (call) {
    case SYS_read:
    case SYS_write:
    case SYS_pread64:
    case SYS_pwrite64:
    case SYS_readv:
    case SYS_writev:
    case SYS_preadv2:
    case SYS_pwritev2:
    case SYS_fsync:
    case SYS_ftruncate:
        t->fd = (int)a[0];
        break;
#ifdef SYS_poll
    case SYS_poll:
#endif
    case SYS_ppoll:
        t->fd = polled_fd(pid, a[0], a[1]);
        break;
    default:
        break;
    }
}

static uint64_t read_ran(const char *folder)
{
    char path[64], text[128];
    unsigned long long ns;

    snprintf(path, sizeof(path), "%s/schedstat", folder);
    return read_start(path, text, sizeof(text)) && sscanf(text, "%llu", &ns) == 1 ? ns : 0;
}

static bool blocks_signals(const char *folder)
{
    const unsigned long long wanted = 1ull << (SIGINT - 1) | 1ull << (SIGTERM - 1);
    char path[64], text[4096];

    snprintf(path, sizeof(path), "%s/status", folder);
    const char *blocked = read_start(path, text, sizeof(text)) ? strstr(text, "\nSigBlk:") : NULL;
    return blocked && (strtoull(blocked + strlen("\nSigBlk:"), NULL, 16) & wanted) == wanted;
}

uint32_t grosr_process_threads(uint32_t pid, struct grosr_thread_fact *thread, uint32_t max)
{
    char folder[48], path[64];
    const struct dirent *entry;
    uint32_t n = 0;

    snprintf(folder, sizeof(folder), "/proc/%u/task", pid);
    DIR *d = opendir(folder);
    if (!d)
        return 0;
    while (n < max && (entry = readdir(d))) {
        struct grosr_thread_fact *t = &thread[n];
        unsigned long tid = strtoul(entry->d_name, NULL, 10);
        if (!tid)
            continue;
        memset(t, 0, sizeof(*t));
        t->tid = (uint32_t)tid;
        snprintf(folder, sizeof(folder), "/proc/%u/task/%lu", pid, tid);
        snprintf(path, sizeof(path), "%s/comm", folder);
        read_start(path, t->name, sizeof(t->name));
        snprintf(path, sizeof(path), "%s/stat", folder);
        t->state = state_in(path);
        snprintf(path, sizeof(path), "%s/wchan", folder);
        read_start(path, t->wchan, sizeof(t->wchan));
        if (strcmp(t->wchan, "0") == 0)
            *t->wchan = 0;
        t->quiet = blocks_signals(folder);
        t->ran_ns = read_ran(folder);
        read_call(pid, folder, t);
        n++;
    }
    closedir(d);
    return n;
}

uint32_t grosr_process_starved(const struct grosr_thread_fact *before, uint32_t befores,
                               const struct grosr_thread_fact *after, uint32_t afters)
{
    for (uint32_t i = 0; i < befores; i++)
        for (uint32_t k = 0; k < afters; k++)
            if (before[i].tid == after[k].tid && before[i].state == 'R' && after[k].state == 'R' &&
                before[i].ran_ns && before[i].ran_ns == after[k].ran_ns)
                return before[i].tid;
    return 0;
}

bool grosr_process_describe_fd(uint32_t pid, int fd, char *text, size_t size)
{
    char path[48], target[256] = "";
    struct stat st;

    snprintf(path, sizeof(path), "/proc/%u/fd/%d", pid, fd);
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = 0;
    if (n <= 0 || stat(path, &st)) {
        snprintf(text, size, "fd %d", fd);
        return false;
    }
    bool waits = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || S_ISCHR(st.st_mode);
    if (*target == '/')
        snprintf(text, size, "fd %d, %s %s", fd,
                 S_ISFIFO(st.st_mode)  ? "the FIFO"
                 : S_ISCHR(st.st_mode) ? "the device"
                 : S_ISDIR(st.st_mode) ? "the folder"
                                       : "the file",
                 target);
    else
        snprintf(text, size, "fd %d, %s", fd, S_ISFIFO(st.st_mode) ? "a pipe" : target);
    return waits;
}

bool grosr_process_maps(uint32_t pid, const char *part)
{
    char path[48], line[512];
    bool found = false;

    snprintf(path, sizeof(path), "/proc/%u/maps", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    while (!found && fgets(line, sizeof(line), f))
        found = strstr(line, part) != NULL;
    fclose(f);
    return found;
}
