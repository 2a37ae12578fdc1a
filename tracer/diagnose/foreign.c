/*
 * What a session's tables say of a CUDA program, as a picture that foreign_parts.h describes (foreign.h).
 */
#include "foreign_parts.h"

#include "../base/host_clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BETWEEN_MIN_NS UINT64_C(50000000)
#define BETWEEN_MAX_NS UINT64_C(1000000000)

/* ---- kinds of calls ---- */

static enum foreign_call_kind kind_of(const char *name)
{
    static const struct {
        const char *begins;
        enum foreign_call_kind kind;
    } names[] = {
        {"FreeAsync", FOREIGN_CALL_OTHER},
        {"MemFreeAsync", FOREIGN_CALL_OTHER},
        {"MallocAsync", FOREIGN_CALL_OTHER},
        {"MallocFromPoolAsync", FOREIGN_CALL_OTHER},
        {"MemAllocAsync", FOREIGN_CALL_OTHER},
        {"MemAllocFromPoolAsync", FOREIGN_CALL_OTHER},
        {"LaunchHostFunc", FOREIGN_CALL_OTHER},
        {"LaunchKernel", FOREIGN_CALL_LAUNCH},
        {"LaunchCooperative", FOREIGN_CALL_LAUNCH},
        {"GraphLaunch", FOREIGN_CALL_LAUNCH},
        {"Launch", FOREIGN_CALL_LAUNCH},
        {"MallocHost", FOREIGN_CALL_PIN},
        {"MemAllocHost", FOREIGN_CALL_PIN},
        {"HostAlloc", FOREIGN_CALL_PIN},
        {"MemHostAlloc", FOREIGN_CALL_PIN},
        {"HostRegister", FOREIGN_CALL_PIN},
        {"MemHostRegister", FOREIGN_CALL_PIN},
        {"Malloc", FOREIGN_CALL_ALLOCATE},
        {"MemAlloc", FOREIGN_CALL_ALLOCATE},
        {"MemCreate", FOREIGN_CALL_ALLOCATE},
        {"ArrayCreate", FOREIGN_CALL_ALLOCATE},
        {"Array3DCreate", FOREIGN_CALL_ALLOCATE},
        {"Free", FOREIGN_CALL_FREE},
        {"MemFree", FOREIGN_CALL_FREE},
        {"HostUnregister", FOREIGN_CALL_FREE},
        {"MemHostUnregister", FOREIGN_CALL_FREE},
        {"ArrayDestroy", FOREIGN_CALL_FREE},
        {"MemUnmap", FOREIGN_CALL_FREE},
        {"MemRelease", FOREIGN_CALL_FREE},
        {"DeviceReset", FOREIGN_CALL_FREE},
        {"CtxDestroy", FOREIGN_CALL_FREE},
        {"ModuleUnload", FOREIGN_CALL_FREE},
        {"LibraryUnload", FOREIGN_CALL_FREE},
        {"ModuleLoad", FOREIGN_CALL_LOAD},
        {"ModuleGet", FOREIGN_CALL_LOAD},
        {"Library", FOREIGN_CALL_LOAD},
        {"KernelGetFunction", FOREIGN_CALL_LOAD},
        {"FuncLoad", FOREIGN_CALL_LOAD},
        {"FuncGetAttributes", FOREIGN_CALL_LOAD},
        {"GetFuncBySymbol", FOREIGN_CALL_LOAD},
        {"GetSymbol", FOREIGN_CALL_LOAD},
        {"Link", FOREIGN_CALL_LOAD},
        {"InitModule", FOREIGN_CALL_LOAD},
    };

    name += strncmp(name, "cuda", 4) == 0 ? 4 : strncmp(name, "cu", 2) == 0 ? 2 : 0;
    /* Copies and fills that return when they are done have no stream of their own. */
    if ((strncmp(name, "Memcpy", 6) == 0 || strncmp(name, "Memset", 6) == 0) && !strstr(name, "Async"))
        return FOREIGN_CALL_COPY;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strncmp(name, names[i].begins, strlen(names[i].begins)) == 0)
            return names[i].kind;
    return FOREIGN_CALL_OTHER;
}

/* ---- one look ---- */

/* What is kept of the first look, to see what has changed at the second. */
struct known_call {
    uint32_t tid;
    uint64_t start_ns;
    struct foreign_cpu cpu;
};

struct known_stream {
    uint64_t issued, ended, first; /* the place of its first launch that has not ended */
    struct foreign_cpu capturing;
};

struct look {
    uint64_t at_ns;
    struct known_call *call;
    struct known_stream *stream; /* [cuda_streams] */
    uint32_t calls;
    uint64_t called_ns;
};

static void copy_name(char *to, const struct grosr_session *s, uint32_t text)
{
    char name[GROSR_TEXT_KEPT_MAX + 1];
    size_t n = grosr_outstanding_text(s, text, name);

    if (n >= FOREIGN_NAME) {
        for (n = FOREIGN_NAME - 4; n && ((unsigned char)name[n] & 0xc0) == 0x80;) /* whole characters */
            n--;
        memcpy(name + n, "...", sizeof("..."));
        n += 3;
    }
    memcpy(to, name, n);
    to[n] = 0;
}

static uint64_t newest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Calls of the program, not of the tracer. */
static int see_calls(const struct grosr_session *s, struct foreign *f)
{
    uint32_t n = grosr_outstanding_calls(s);
    struct grosr_call c;

    f->call = (struct foreign_call *)calloc(n + 1u, sizeof(*f->call));
    if (!f->call)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        if (!grosr_call_read(s, i, &c) || c.api == GROSR_CALL_TRACER)
            continue;
        struct foreign_call *to = &f->call[f->calls++];
        *to = (struct foreign_call){.tid = c.tid,
                                    .api = c.api,
                                    .correlation = c.correlation,
                                    .wait = c.wait,
                                    .stream = c.stream == GROSR_NO_STREAM ? FOREIGN_NONE : c.stream,
                                    .start_ns = c.start_ns,
                                    .handle = c.handle,
                                    .kernels = UINT32_MAX};
        copy_name(to->name, s, c.name);
        to->kind = kind_of(to->name);
    }
    return 0;
}

static int see_launches(const struct grosr_session *s, struct foreign *f)
{
    struct grosr_launch l;
    uint32_t room = 0;

    for (uint32_t i = 0; i < s->header.launch_slots; i++) {
        if (!grosr_launch_read(s, i, &l) || l.ended)
            continue;
        if (f->launches == room) {
            room = room ? 2 * room : 64;
            struct foreign_launch *more = (struct foreign_launch *)realloc(f->launch, room * sizeof(*more));
            if (!more)
                return -ENOMEM;
            f->launch = more;
        }
        struct foreign_launch *to = &f->launch[f->launches++];
        *to = (struct foreign_launch){.kind = l.kind,
                                      .correlation = l.correlation,
                                      .stream = l.stream == GROSR_NO_STREAM ? FOREIGN_NONE : l.stream,
                                      .tid = l.tid,
                                      .flags = l.flags,
                                      .issued_ns = l.issued_ns,
                                      .place = l.place,
                                      .bytes = l.bytes,
                                      .name_id = l.full_name ? l.full_name : l.name,
                                      .kernels = l.kernels,
                                      .recorded = l.recorded};
        memcpy(to->grid, l.grid, sizeof(to->grid));
        memcpy(to->block, l.block, sizeof(to->block));
        copy_name(to->name, s, l.name);
    }
    return 0;
}

static int see_streams(const struct grosr_session *s, struct foreign *f)
{
    struct grosr_cuda_stream_state c;

    f->streams = s->header.cuda_streams;
    f->stream = (struct foreign_stream *)calloc(f->streams + 1u, sizeof(*f->stream));
    if (!f->stream)
        return -ENOMEM;
    for (uint32_t i = 0; i < f->streams; i++) {
        if (!grosr_cuda_stream_read(s, i, &c))
            continue;
        struct foreign_stream *to = &f->stream[i];
        to->id = c.id;
        to->context = c.context;
        to->order = c.handle ? FOREIGN_ORDER_UNKNOWN : FOREIGN_ORDER_LEGACY;
        to->capture_ns = c.capture_ns;
        to->captured = c.captured;
        copy_name(to->captured_name, s, c.captured_name);
    }
    return 0;
}

/* ---- what has changed since the first look ---- */

static void remember_calls(const struct grosr_session *s, struct look *look)
{
    struct grosr_call c;

    for (uint32_t i = 0, n = grosr_outstanding_calls(s); i < n && i < s->header.call_slots; i++)
        if (grosr_call_read(s, i, &c) && c.api != GROSR_CALL_TRACER)
            look->call[look->calls++] =
                (struct known_call){c.tid, c.start_ns, foreign_cpu(s->header.pid, c.tid)};
}

static void remember_streams(const struct grosr_session *s, struct look *look)
{
    struct grosr_cuda_stream_state c;
    struct grosr_launch l;

    for (uint32_t i = 0; i < s->header.cuda_streams; i++)
        if (grosr_cuda_stream_read(s, i, &c)) {
            look->stream[i].issued = c.issued;
            look->stream[i].ended = c.ended;
        }
    for (uint32_t i = 0; i < s->header.launch_slots; i++)
        if (grosr_launch_read(s, i, &l) && !l.ended && l.stream != GROSR_NO_STREAM &&
            (!look->stream[l.stream].first || l.place < look->stream[l.stream].first))
            look->stream[l.stream].first = l.place;
}

static int look_first(const struct grosr_session *s, struct look *look)
{
    look->call = (struct known_call *)calloc(s->header.call_slots + 1u, sizeof(*look->call));
    look->stream = (struct known_stream *)calloc(s->header.cuda_streams + 1u, sizeof(*look->stream));
    if (!look->call || !look->stream)
        return -ENOMEM;
    look->at_ns = grosr_host_clock_ns();
    remember_calls(s, look);
    remember_streams(s, look);
    return 0;
}

static void compare(const struct grosr_session *s, struct foreign *f, const struct look *look)
{
    struct grosr_cuda_stream_state c;

    for (uint32_t i = 0; i < f->calls; i++)
        for (uint32_t k = 0; k < look->calls; k++)
            if (look->call[k].tid == f->call[i].tid && look->call[k].start_ns == f->call[i].start_ns) {
                struct foreign_cpu now = foreign_cpu(f->pid, f->call[i].tid);
                f->call[i].stays = true;
                f->call[i].activity = foreign_activity(&look->call[k].cpu, &now, f->between_ns);
            }
    for (uint32_t i = 0; i < f->launches; i++) {
        struct foreign_launch *l = &f->launch[i];
        l->stays = l->issued_ns <= look->at_ns;
        l->first = l->stays && (l->stream == FOREIGN_NONE || look->stream[l->stream].first == l->place);
    }
    for (uint32_t i = 0; i < f->streams; i++)
        if (grosr_cuda_stream_read(s, i, &c))
            f->stream[i].moved = c.issued != look->stream[i].issued || c.ended != look->stream[i].ended;
}

/* Of a process that is dead, all that it was in stays; its time ended with the latest sign of it. */
static void settle_dead(struct foreign *f)
{
    for (uint32_t i = 0; i < f->calls; i++) {
        f->call[i].stays = true;
        f->now_ns = newest(f->now_ns, f->call[i].start_ns);
    }
    for (uint32_t i = 0; i < f->launches; i++) {
        f->launch[i].stays = f->launch[i].first = true;
        f->now_ns = newest(f->now_ns, f->launch[i].issued_ns);
    }
    for (uint32_t i = 0; i < f->streams; i++)
        f->now_ns = newest(f->now_ns, f->stream[i].capture_ns);
}

/* ---- all of it ---- */

static void pause_for(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

    while (nanosleep(&t, &t) && errno == EINTR)
        ;
}

static int see(const struct grosr_session *s, struct foreign *f)
{
    int err = see_streams(s, f);

    if (!err)
        err = see_calls(s, f);
    return err ? err : see_launches(s, f);
}

static int look_twice(const struct grosr_session *s, struct foreign *f)
{
    struct look look = {.calls = 0};
    uint64_t between = f->threshold_ns < BETWEEN_MIN_NS   ? BETWEEN_MIN_NS
                       : f->threshold_ns > BETWEEN_MAX_NS ? BETWEEN_MAX_NS
                                                          : f->threshold_ns;
    int err = look_first(s, &look);

    if (!err) {
        pause_for(between);
        err = see(s, f);
    }
    if (!err) {
        f->now_ns = grosr_host_clock_ns();
        f->between_ns = f->now_ns - look.at_ns;
        compare(s, f, &look);
    }
    free(look.call);
    free(look.stream);
    return err;
}

static int name_source(const struct grosr_session *s, struct grosr_findings *findings)
{
    char text[192], program[64];

    grosr_session_copy_text(program, s->header.program, sizeof(program));
    snprintf(text, sizeof(text), "process %" PRIu32 ", recorded (%s)", s->header.pid, program);
    free(findings->source);
    findings->source = strdup(text);
    return findings->source ? 0 : -ENOMEM;
}

int grosr_diagnose_calls(const struct grosr_session *s, struct grosr_findings *findings)
{
    struct foreign f = {.pid = s->header.pid, .threshold_ns = findings->threshold_ns};

    if (!grosr_session_outstanding(s))
        return 0;
    f.alive = grosr_session_alive(s);
    int err = f.alive ? look_twice(s, &f) : see(s, &f);
    if (!err && !f.alive)
        settle_dead(&f);
    if (!err)
        err = foreign_judge(&f, findings);
    if (!err)
        err = name_source(s, findings);
    foreign_free(&f);
    return err;
}
