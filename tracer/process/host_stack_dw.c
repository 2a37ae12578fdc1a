/*
 * Stacks of threads by libdwfl, a part of libdw (host_stack.h), which is loaded when it is first needed:
 * programs that link libgrosr.a do not need it.
 */
#include "host_stack.h"

#include "../base/error.h"

#include <dlfcn.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The one table of symbols: as in <elfutils/libdwfl.h>, without the prefix dwfl_. */
#define DWFL_SYMBOLS(X)    \
    X(begin)               \
    X(end)                 \
    X(errmsg)              \
    X(linux_proc_find_elf) \
    X(linux_proc_report)   \
    X(report_end)          \
    X(linux_proc_attach)   \
    X(getthread_frames)    \
    X(frame_pc)            \
    X(addrmodule)          \
    X(module_info)         \
    X(module_addrname)     \
    X(module_getsrc)       \
    X(lineinfo)

static struct {
#define X(name) __typeof__(&dwfl_##name) name;
    DWFL_SYMBOLS(X)
#undef X
    const char *absent; /* why it cannot be used; NULL: it can */
} dwfl;

static void load_dwfl(void)
{
    void *library = dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);

    if (!library) {
        dwfl.absent = "libdw.so.1 (Debian: libdw1) cannot be loaded";
        return;
    }
#define X(name)                                                   \
    *(void **)(void *)&dwfl.name = dlsym(library, "dwfl_" #name); \
    if (!dwfl.name)                                               \
        dwfl.absent = "this libdw.so.1 has no dwfl_" #name;
    DWFL_SYMBOLS(X)
#undef X
}

struct grosr_host_stacks {
    Dwfl *dwfl;
};

/* Separate files with debug information are not looked for: that may take minutes, or go to the network. */
static int find_no_debuginfo(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                             const char *file, const char *link, GElf_Word crc, char **found)
{
    (void)module;
    (void)data;
    (void)name;
    (void)base;
    (void)file;
    (void)link;
    (void)crc;
    (void)found;
    return -1;
}

int grosr_host_stacks_open(struct grosr_host_stacks **stacks, uint32_t pid)
{
    static Dwfl_Callbacks callbacks = {.find_debuginfo = find_no_debuginfo};
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int err = 0;

    pthread_once(&once, load_dwfl);
    if (dwfl.absent)
        return grosr_fail(ENOTSUP, "stacks of threads cannot be read: %s", dwfl.absent);
    struct grosr_host_stacks *s = (struct grosr_host_stacks *)calloc(1, sizeof(*s));
    if (!s)
        return grosr_fail(ENOMEM, "out of memory");
    callbacks.find_elf = dwfl.linux_proc_find_elf;
    s->dwfl = dwfl.begin(&callbacks);
    if (s->dwfl)
        err = dwfl.linux_proc_report(s->dwfl, (pid_t)pid);
    if (s->dwfl && !err && !dwfl.report_end(s->dwfl, NULL, NULL))
        err = dwfl.linux_proc_attach(s->dwfl, (pid_t)pid, false);
    if (!s->dwfl || err) {
        /* libdw has positive error numbers of the system, and negative ones of its own. */
        const char *why = err > 0 ? strerror(err) : dwfl.errmsg(-1);
        grosr_host_stacks_close(s);
        return grosr_fail(err > 0 ? err : EIO, "stacks of process %" PRIu32 " cannot be read: %s", pid,
                          why ? why : "libdw fails");
    }
    *stacks = s;
    return 0;
}

void grosr_host_stacks_close(struct grosr_host_stacks *stacks)
{
    if (!stacks)
        return;
    if (stacks->dwfl)
        dwfl.end(stacks->dwfl);
    free(stacks);
}

/* ---- frames ---- */

struct walk {
    Dwfl *dwfl;
    struct grosr_host_frame *frame;
    uint32_t frames, max;
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static void describe(struct walk *w, Dwarf_Addr pc, struct grosr_host_frame *frame)
{
    Dwfl_Module *module = dwfl.addrmodule(w->dwfl, pc);
    int line = 0;

    *frame = (struct grosr_host_frame){{0}, {0}, {0}};
    if (!module)
        return;
    const char *path = dwfl.module_info(module, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    const char *name = dwfl.module_addrname(module, pc);
    Dwfl_Line *at = dwfl.module_getsrc(module, pc);
    const char *file = at ? dwfl.lineinfo(at, NULL, &line, NULL, NULL, NULL) : NULL;
    snprintf(frame->module, sizeof(frame->module), "%s", path ? base_name(path) : "");
    snprintf(frame->function, sizeof(frame->function), "%s", name ? name : "");
    if (file)
        snprintf(frame->file, sizeof(frame->file), "%s:%d", base_name(file), line);
}

/* A frame's address is that of the return: the call is before it, unless it was interrupted there. */
static int on_frame(Dwfl_Frame *state, void *arg)
{
    struct walk *w = (struct walk *)arg;
    Dwarf_Addr pc;
    bool exact = false;

    if (w->frames == w->max || !dwfl.frame_pc(state, &pc, &exact))
        return DWARF_CB_ABORT;
    describe(w, exact ? pc : pc - 1, &w->frame[w->frames++]);
    return DWARF_CB_OK;
}

uint32_t grosr_host_stack(struct grosr_host_stacks *stacks, uint32_t tid, struct grosr_host_frame *frame,
                          uint32_t max)
{
    struct walk w = {.dwfl = stacks->dwfl, .frame = frame, .max = max};

    dwfl.getthread_frames(stacks->dwfl, (pid_t)tid, on_frame, &w);
    return w.frames;
}
