/*
 * The number of this process among those that fork into each other (fork.h).
 *
 * The number stands in a page that the kernel clears in a child (MADV_WIPEONFORK): that holds for every way
 * to make one, and asks for no system call a look, as getpid() would. Where the kernel cannot (before Linux
 * 4.14), a handler of fork() clears a word. `latest` is inherited, so that a child takes a number that none
 * of its ancestors had.
 */
#include "fork.h"

#include "../port/device.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

static dev32 latest; /* the greatest number that was taken, here or by an ancestor */
static dev32 cleared_by_handler;
static dev32 *number = &cleared_by_handler; /* 0: this process has not taken one yet */

static void clear(void)
{
    dev_store_relaxed(&cleared_by_handler, 0u);
}

static void prepare(void)
{
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page != MAP_FAILED && madvise(page, bytes, MADV_WIPEONFORK) == 0)
        number = (dev32 *)page;
    else
        pthread_atfork(NULL, NULL, clear);
}

uint32_t grosr_fork_number(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, prepare);
    uint32_t mine = dev_load_relaxed(number);
    if (mine)
        return mine;
    mine = dev_add_relaxed(&latest, 1u) + 1;
    uint32_t first = dev_cas_relaxed(number, 0u, mine); /* another thread may have been quicker */
    return first ? first : mine;
}
