/*
 * Segments that shrink while they are mapped (session.h, grosr_session_guard()).
 *
 * The file behind a mapping may be truncated by its owner at any time; the next access to what is gone raises
 * SIGBUS. No check before an access can rule that out. So the handler puts zeros in the place of the missing
 * pages, up to the end of the mapping, and marks the session: whoever read there reads zeros, which every
 * reader of a segment can take, and finds the mark when it looks for it.
 *
 * The table has one writer at a time (`lock`); the handler reads it on whichever thread was hit. An entry's
 * `base` is stored last, with release, and cleared before its mapping goes.
 */
#include "session_parts.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUARDED 4096u /* sessions at a time; one beyond is not guarded */

static struct {
    sys64 base; /* of the mapping; 0: the entry is free */
    uint64_t bytes;
    sys32 *truncated; /* the session's mark */
} guarded[GUARDED];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before;
static uint64_t page_bytes;

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    uint64_t at = (uint64_t)(uintptr_t)info->si_addr, page = at / page_bytes * page_bytes;

    (void)context;
    for (uint32_t i = 0; info->si_code == BUS_ADRERR && i < GUARDED; i++) {
        uint64_t base = sys_load_acquire(&guarded[i].base); /* pairs with session_guard_add() */
        if (!base || at < base || at - base >= guarded[i].bytes)
            continue;
        /* What lies behind a missing page of a file is missing too. mmap() is a system call and no more. */
        if (mmap((void *)(uintptr_t)page, base + guarded[i].bytes - page, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
            break;
        sys_store_relaxed(guarded[i].truncated, 1);
        return;
    }
    /* Not ours: the access happens again, as it would have without us; what was sent is sent again. */
    sigaction(number, &before, NULL);
    if (info->si_code <= 0)
        raise(number);
}

void grosr_session_guard(void)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};

    page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &before);
}

void session_guard_add(struct grosr_session *s)
{
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < GUARDED; i++) {
        if (sys_load_relaxed(&guarded[i].base))
            continue;
        guarded[i].bytes = s->bytes;
        guarded[i].truncated = &s->truncated;
        sys_store_release(&guarded[i].base, (uint64_t)(uintptr_t)s->base); /* pairs with on_bus_error() */
        break;
    }
    pthread_mutex_unlock(&lock);
}

void session_guard_remove(const struct grosr_session *s)
{
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < GUARDED; i++)
        if (sys_load_relaxed(&guarded[i].base) == (uint64_t)(uintptr_t)s->base)
            sys_store_relaxed(&guarded[i].base, 0);
    pthread_mutex_unlock(&lock);
}

bool grosr_session_truncated(const struct grosr_session *s)
{
    return sys_load_relaxed(&s->truncated) != 0;
}
