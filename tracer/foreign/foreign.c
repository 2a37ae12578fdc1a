/*
 * What a session's tables say of a CUDA program, as a picture that foreign_parts.h describes (foreign.h).
 */
#include "foreign_parts.h"

#include "../base/host_clock.h"
#include "../process/process_facts.h"

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
    struct grosr_thread_cpu cpu;
};

struct known_stream {
    uint64_t issued, ended, first; /* the place of its first launch that has not ended */
    struct grosr_thread_cpu capturing;
};

struct grosr_calls_look {
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
                                    .place = c.place,
                                    .context = c.context,
                                    .kernels = c.kernels};
        copy_name(to->name, s, c.name);
        to->kind = kind_of(to->name);
    }
    return 0;
}

/* A kernel that is known to have ended and has no record: as CUPTI keeps them back while another runs. */
struct ended_launch {
    uint64_t key, at_most_ns;
};

struct ended_launches {
    struct ended_launch *at;
    uint32_t count, room;
};

static bool has_room(void **array, uint32_t count, uint32_t *room, size_t size)
{
    if (count < *room)
        return true;
    uint32_t larger = *room ? 2 * *room : 64;
    void *more = realloc(*array, larger * size);
    if (!more)
        return false;
    *array = more;
    *room = larger;
    return true;
}

static uint64_t key_of(const struct grosr_launch *l)
{
    return l->kind == GROSR_LAUNCH_KERNEL ? grosr_ran_key(l->full_name, l->grid, l->block) : 0;
}

static int compare_keys(const void *a, const void *b)
{
    const struct ended_launch *x = (const struct ended_launch *)a, *y = (const struct ended_launch *)b;

    return (x->key > y->key) - (x->key < y->key);
}

/* How launches like it ran: those whose records have come, and those that a wait has shown to have ended. */
static void find_history(const struct grosr_session *s, const struct ended_launches *ended,
                         struct foreign_launch *l)
{
    struct grosr_ran ran = grosr_ran_read(s, l->key);
    uint32_t low = 0, high = ended->count;

    while (l->key && low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ended->at[middle].key < l->key)
            low = middle + 1;
        else
            high = middle;
    }
    for (; l->key && low < ended->count && ended->at[low].key == l->key; low++) {
        ran.ended++;
        ran.longest_ns = newest(ran.longest_ns, ended->at[low].at_most_ns);
    }
    l->ran = ran.ended;
    l->longest_ns = ran.longest_ns;
    if (!l->key)
        return;
    ran = grosr_ran_read(s, grosr_fitting_key((uint32_t)l->name_id, l->block));
    l->fitting_ran = ran.ended;
    l->fitting_longest_ns = ran.longest_ns;
}

static int add_ended(const struct grosr_session *s, struct ended_launches *ended,
                     const struct grosr_launch *l)
{
    struct grosr_cuda_stream_state c;

    if (!key_of(l) || l->stream == GROSR_NO_STREAM || !grosr_cuda_stream_read(s, l->stream, &c) ||
        c.waited_ns <= l->issued_ns)
        return 0;
    if (!has_room((void **)&ended->at, ended->count, &ended->room, sizeof(*ended->at)))
        return -ENOMEM;
    ended->at[ended->count++] = (struct ended_launch){key_of(l), c.waited_ns - l->issued_ns};
    return 0;
}

static struct grosr_room room_of(const struct grosr_session *s, const struct grosr_launch *l)
{
    struct grosr_cuda_stream_state c;

    if (l->kind != GROSR_LAUNCH_KERNEL || l->stream == GROSR_NO_STREAM ||
        !grosr_cuda_stream_read(s, l->stream, &c))
        return (struct grosr_room){0};
    return grosr_room_read(s, grosr_room_key(l->full_name, l->block, l->shared_bytes, c.context));
}

static int add_written(struct foreign *f, uint32_t *room, const struct grosr_launch *l)
{
    if (!has_room((void **)&f->written, f->writtens, room, sizeof(*f->written)))
        return -ENOMEM;
    f->written[f->writtens].issued_ns = l->issued_ns;
    f->writtens += grosr_launch_word(l, &f->written[f->writtens].word);
    return 0;
}

/* An operation on a word has that for a name, and neither bytes nor kernels. */
static void name_word(struct foreign_launch *to, const struct grosr_launch *l)
{
    char text[GROSR_WORD_TEXT];

    if (l->kind < GROSR_LAUNCH_COUNTED)
        return;
    to->bytes = to->kernels = 0;
    if (!grosr_launch_word(l, &to->word))
        to->word = (struct grosr_word){.width = 0};
    snprintf(to->name, sizeof(to->name), "%.*s", FOREIGN_NAME - 1,
             grosr_word_text(text, sizeof(text), &to->word, l->kind == GROSR_LAUNCH_WRITE));
}

static int see_launches(const struct grosr_session *s, struct foreign *f)
{
    struct ended_launches ended = {.count = 0};
    struct grosr_launch l;
    uint32_t room = 0, written_room = 0;
    int err = 0;

    for (uint32_t i = 0; !err && i < s->header.launch_slots; i++) {
        if (!grosr_launch_read(s, i, &l))
            continue;
        if (l.ended) {
            err = l.kind == GROSR_LAUNCH_WRITE ? add_written(f, &written_room, &l) : add_ended(s, &ended, &l);
            continue;
        }
        if (!has_room((void **)&f->launch, f->launches, &room, sizeof(*f->launch))) {
            err = -ENOMEM;
            break;
        }
        struct foreign_launch *to = &f->launch[f->launches++];
        *to = (struct foreign_launch){.kind = l.kind,
                                      .correlation = l.correlation,
                                      .part = l.part,
                                      .stream = l.stream == GROSR_NO_STREAM ? FOREIGN_NONE : l.stream,
                                      .tid = l.tid,
                                      .flags = l.flags,
                                      .issued_ns = l.issued_ns,
                                      .place = l.place,
                                      .bytes = l.bytes,
                                      .name_id = l.full_name ? l.full_name : l.name,
                                      .key = key_of(&l),
                                      .kernels = l.kernels,
                                      .recorded = l.recorded};
        to->room = room_of(s, &l);
        memcpy(to->grid, l.grid, sizeof(to->grid));
        memcpy(to->block, l.block, sizeof(to->block));
        copy_name(to->name, s, l.name);
        name_word(to, &l);
    }
    if (ended.count)
        qsort(ended.at, ended.count, sizeof(*ended.at), compare_keys);
    for (uint32_t i = 0; i < f->launches; i++)
        find_history(s, &ended, &f->launch[i]);
    free(ended.at);
    return err;
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
        to->order = c.order;
        to->capture_tid = c.capture_tid;
        to->capture_activity =
            (enum grosr_thread_activity)(c.capturing < GROSR_THREAD_ACTIVITIES ? c.capturing : 0);
        to->rose_ns = c.rose_ns;
        to->busy_ns = c.busy_ns;
        to->word_place = c.word_place;
        to->word_flags = c.word_flags;
        to->word_value = c.word_value;
        to->capture_ns = c.capture_ns;
        to->captured = c.captured;
        copy_name(to->captured_name, s, c.captured_name);
    }
    return 0;
}

static int see_event_waits(const struct grosr_session *s, struct foreign *f)
{
    struct grosr_event_wait w;

    f->event_wait = (struct grosr_event_wait *)calloc(GROSR_EVENT_WAITS, sizeof(*f->event_wait));
    if (!f->event_wait)
        return -ENOMEM;
    for (uint32_t i = 0; i < GROSR_EVENT_WAITS; i++)
        if (grosr_event_wait_read(s, i, &w))
            f->event_wait[f->event_waits++] = w;
    return 0;
}

static int see_threads(const struct grosr_session *s, struct foreign *f)
{
    f->thread = (struct grosr_host_thread *)calloc(GROSR_HOST_THREADS, sizeof(*f->thread));
    if (!f->thread)
        return -ENOMEM;
    for (uint32_t i = 0; i < GROSR_HOST_THREADS; i++)
        f->threads += grosr_host_thread_read(s, i, &f->thread[f->threads]);
    return 0;
}

static int see_samples(const struct grosr_session *s, struct foreign *f)
{
    f->pc = (struct foreign_pc *)calloc(GROSR_PC_SLOTS, sizeof(*f->pc));
    if (!f->pc)
        return -ENOMEM;
    for (uint32_t i = 0; i < GROSR_PC_SLOTS; i++) {
        struct foreign_pc *p = &f->pc[f->pcs];
        if (!grosr_pc_function_read(s, i, &p->samples))
            continue;
        copy_name(p->name, s, p->samples.name);
        copy_name(p->stall, s, p->samples.stall);
        p->file[grosr_outstanding_text(s, p->samples.file, p->file)] = 0;
        f->pcs++;
    }
    return 0;
}

static void see_environment(const struct grosr_session *s, struct foreign *f)
{
    const struct grosr_outstanding *o = grosr_session_outstanding(s);
    uint32_t environment = sys_load_relaxed(&o->environment);

    f->launch_blocking = environment & GROSR_ENVIRONMENT_LAUNCH_BLOCKING;
    f->eager = environment & GROSR_ENVIRONMENT_EAGER;
    f->connections = sys_load_relaxed(&o->connections);
    f->threads_unknown = sys_load_relaxed(&o->host_threads_full);
    f->called_ns = grosr_call_latest(s);
}

/* ---- what has changed since the first look ---- */

static void remember_calls(const struct grosr_session *s, struct grosr_calls_look *look)
{
    struct grosr_call c;

    for (uint32_t i = 0, n = grosr_outstanding_calls(s); i < n && i < s->header.call_slots; i++)
        if (grosr_call_read(s, i, &c) && c.api != GROSR_CALL_TRACER)
            look->call[look->calls++] =
                (struct known_call){c.tid, c.start_ns, grosr_thread_cpu(s->header.pid, c.tid)};
}

static void remember_streams(const struct grosr_session *s, struct grosr_calls_look *look)
{
    struct grosr_cuda_stream_state c;
    struct grosr_launch l;

    for (uint32_t i = 0; i < s->header.cuda_streams; i++)
        if (grosr_cuda_stream_read(s, i, &c)) {
            look->stream[i].issued = c.issued;
            look->stream[i].ended = c.ended;
            if (c.capture_ns)
                look->stream[i].capturing = grosr_thread_cpu(s->header.pid, c.capture_tid);
        }
    for (uint32_t i = 0; i < s->header.launch_slots; i++)
        if (grosr_launch_read(s, i, &l) && !l.ended && l.stream != GROSR_NO_STREAM &&
            (!look->stream[l.stream].first || l.place < look->stream[l.stream].first))
            look->stream[l.stream].first = l.place;
}

static int look_first(const struct grosr_session *s, struct grosr_calls_look *look)
{
    look->call = (struct known_call *)calloc(s->header.call_slots + 1u, sizeof(*look->call));
    look->stream = (struct known_stream *)calloc(s->header.cuda_streams + 1u, sizeof(*look->stream));
    if (!look->call || !look->stream)
        return -ENOMEM;
    look->at_ns = grosr_host_clock_ns();
    look->called_ns = grosr_call_latest(s);
    remember_calls(s, look);
    remember_streams(s, look);
    return 0;
}

static void compare(const struct grosr_session *s, struct foreign *f, const struct grosr_calls_look *look)
{
    struct grosr_cuda_stream_state c;

    for (uint32_t i = 0; i < f->calls; i++)
        for (uint32_t k = 0; k < look->calls; k++)
            if (look->call[k].tid == f->call[i].tid && look->call[k].start_ns == f->call[i].start_ns) {
                struct grosr_thread_cpu now = grosr_thread_cpu(f->pid, f->call[i].tid);
                f->call[i].stays = true;
                f->call[i].activity = grosr_thread_cpu_between(&look->call[k].cpu, &now, f->between_ns);
            }
    for (uint32_t i = 0; i < f->launches; i++) {
        struct foreign_launch *l = &f->launch[i];
        l->stays = l->issued_ns <= look->at_ns;
        l->first = l->stays && (l->stream == FOREIGN_NONE || look->stream[l->stream].first == l->place);
    }
    for (uint32_t i = 0; i < f->streams; i++) {
        struct foreign_stream *to = &f->stream[i];
        if (grosr_cuda_stream_read(s, i, &c))
            to->moved = c.issued != look->stream[i].issued || c.ended != look->stream[i].ended;
        if (!to->capture_ns)
            continue;
        struct grosr_thread_cpu now = grosr_thread_cpu(f->pid, to->capture_tid);
        if (now.known)
            to->capture_activity = grosr_thread_cpu_between(&look->stream[i].capturing, &now, f->between_ns);
    }
    f->called = f->called_ns != look->called_ns;
}

static uint64_t at_most(uint64_t at, uint64_t end)
{
    return at < end ? at : end;
}

/* What it was in when it began to end in order is what it ended in; what came later is as of then. */
static void settle_ended(struct foreign *f, uint64_t stopped_ns)
{
    f->now_ns = stopped_ns;
    f->called_ns = at_most(f->called_ns, stopped_ns);
    for (uint32_t i = 0; i < f->calls; i++)
        f->call[i].start_ns = at_most(f->call[i].start_ns, stopped_ns);
    for (uint32_t i = 0; i < f->launches; i++)
        f->launch[i].issued_ns = at_most(f->launch[i].issued_ns, stopped_ns);
    for (uint32_t i = 0; i < f->streams; i++) {
        f->stream[i].rose_ns = at_most(f->stream[i].rose_ns, stopped_ns);
        f->stream[i].capture_ns = at_most(f->stream[i].capture_ns, stopped_ns);
    }
}

/* Of a process that is dead, all that it was in stays; its time ended with the latest sign of it. */
static void settle_dead(const struct grosr_session *s, struct foreign *f)
{
    uint64_t stopped_ns = sys_load_relaxed(&grosr_session_live(s)->stopped_ns);

    f->now_ns = newest(sys_load_relaxed(&grosr_session_outstanding(s)->alive_ns), f->called_ns);
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
    if (stopped_ns)
        settle_ended(f, stopped_ns);
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
    if (!err)
        err = see_launches(s, f);
    if (!err)
        err = see_event_waits(s, f);
    if (!err)
        err = see_threads(s, f);
    if (!err)
        err = see_samples(s, f);
    see_environment(s, f);
    return err;
}

/* What is there now, and what has changed since the first look. */
static int look_again(const struct grosr_session *s, struct foreign *f, const struct grosr_calls_look *look)
{
    int err = see(s, f);

    if (err)
        return err;
    f->now_ns = grosr_host_clock_ns();
    f->between_ns = f->now_ns - look->at_ns;
    compare(s, f, look);
    return 0;
}

static int look_twice(const struct grosr_session *s, struct foreign *f)
{
    struct grosr_calls_look look = {.calls = 0};
    uint64_t between = f->threshold_ns < BETWEEN_MIN_NS   ? BETWEEN_MIN_NS
                       : f->threshold_ns > BETWEEN_MAX_NS ? BETWEEN_MAX_NS
                                                          : f->threshold_ns;
    int err = look_first(s, &look);

    if (!err) {
        pause_for(between);
        err = look_again(s, f, &look);
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

/* Nothing of it moves, and it is not to blame. */
static int add_stopped(struct grosr_findings *findings, char state, uint32_t pid)
{
    struct grosr_finding *finding =
        grosr_findings_add(findings, GROSR_VERDICT_HEALTHY, "process_stopped", 0,
                           state == 't' ? "the process is stopped by a debugger" : "the process is stopped",
                           state == 't' ? "continue it in the debugger" : "send it SIGCONT: kill -CONT PID");

    grosr_finding_evidence(findings, finding, "/proc/%" PRIu32 "/stat: state %c", pid, state);
    findings->otherwise = GROSR_VERDICT_HEALTHY;
    return 0;
}

int grosr_calls_look(const struct grosr_session *s, struct grosr_calls_look **out)
{
    struct grosr_calls_look *look = (struct grosr_calls_look *)calloc(1, sizeof(*look));

    if (!look || look_first(s, look)) {
        grosr_calls_look_free(look);
        return -ENOMEM;
    }
    *out = look;
    return 0;
}

void grosr_calls_look_free(struct grosr_calls_look *look)
{
    if (!look)
        return;
    free(look->call);
    free(look->stream);
    free(look);
}

uint64_t grosr_calls_look_age_ns(const struct grosr_calls_look *look)
{
    return grosr_host_clock_ns() - look->at_ns;
}

/* `look`: the first one; NULL: it is made here, and waited for. */
static int diagnose(const struct grosr_session *s, const struct grosr_calls_look *look,
                    struct grosr_findings *findings)
{
    struct foreign f = {.pid = s->header.pid, .threshold_ns = findings->threshold_ns};

    if (!grosr_session_outstanding(s))
        return 0;
    /* One that has closed its session changes nothing there any more. Pairs with the store in end(). */
    f.alive = grosr_session_alive(s) &&
              sys_load_acquire(&grosr_session_live(s)->state) != (uint32_t)GROSR_SESSION_CLOSED;
    char state = f.alive ? grosr_process_state(f.pid) : 0;
    if (state == 'T' || state == 't')
        return add_stopped(findings, state, f.pid);
    int err = !f.alive ? see(s, &f) : look ? look_again(s, &f, look) : look_twice(s, &f);
    if (!err && !f.alive)
        settle_dead(s, &f);
    if (!err)
        err = foreign_judge(&f, findings);
    if (!err)
        err = name_source(s, findings);
    foreign_free(&f);
    return err;
}

int grosr_diagnose_calls(const struct grosr_session *s, struct grosr_findings *findings)
{
    return diagnose(s, NULL, findings);
}

int grosr_diagnose_calls_since(const struct grosr_session *s, const struct grosr_calls_look *look,
                               struct grosr_findings *findings)
{
    return diagnose(s, look, findings);
}
