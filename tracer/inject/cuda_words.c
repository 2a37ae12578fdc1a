/*
 * Words in memory and external semaphores that streams wait for, and write (cuda_parts.h). Each wait and each
 * write is an operation of its stream and stands in the segment as a launch does: what comes behind a wait
 * has not begun while the wait lasts. CUPTI has no records of them, and an event behind each of them would
 * take room in the stream's queue, which the program may have counted on. So a wait has ended when what is
 * behind it in its stream has, as with a host function; or when its word, in page-locked memory of the host,
 * has been seen to be as it is to be, twice, while the wait was the first of its stream.
 *
 * Where a word is, the driver is asked in the thread that makes the call; words are read by the watcher,
 * which calls no function of CUDA. Words of the device and managed memory are not read.
 */
#include "cuda_parts.h"

#include "../session/outstanding.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARTS_MAX  64u                 /* operations of a batch; the last two stand for those beyond */
#define PAGES      64u                 /* of which it is known where they are; a power of two */
#define LOOK_NS    UINT64_C(200000000) /* between looks, and how long a stream has stood that is looked at */
#define HEADS_MAX  64u                 /* streams that are looked at in a round */
#define LINE_BYTES 512u

static dev64 wait_place[GROSR_CUDA_STREAMS_MAX]; /* of the latest wait in a stream */
static dev32 waits;                              /* there have been some */
static dev32 shares; /* memory of the device is shared with somebody outside the process */

void words_are_shared(void)
{
    dev_store_relaxed(&shares, 1);
}

/* ---- operations ---- */

struct operation {
    uint32_t kind; /* enum grosr_launch_kind; 0: it has nothing to do with a word */
    struct grosr_word word;
};

static void set_wait(struct operation *o, uint64_t address, uint64_t value, uint32_t width, unsigned flags)
{
    static const uint8_t conditions[] = {[CU_STREAM_WAIT_VALUE_GEQ] = GROSR_WORD_AT_LEAST,
                                         [CU_STREAM_WAIT_VALUE_EQ] = GROSR_WORD_EQUAL,
                                         [CU_STREAM_WAIT_VALUE_AND] = GROSR_WORD_AND,
                                         [CU_STREAM_WAIT_VALUE_NOR] = GROSR_WORD_NOR};

    *o = (struct operation){GROSR_LAUNCH_WAIT, {address, value, width, conditions[flags & 3]}};
}

static void set_write(struct operation *o, uint64_t address, uint64_t value, uint32_t width)
{
    *o = (struct operation){GROSR_LAUNCH_WRITE, {address, value, width, GROSR_WORD_AT_LEAST}};
}

static void set_batched(struct operation *o, const CUstreamBatchMemOpParams *p)
{
    bool wide =
        p->operation == CU_STREAM_MEM_OP_WAIT_VALUE_64 || p->operation == CU_STREAM_MEM_OP_WRITE_VALUE_64;

    if (p->operation == CU_STREAM_MEM_OP_WAIT_VALUE_32 || p->operation == CU_STREAM_MEM_OP_WAIT_VALUE_64)
        set_wait(o, p->waitValue.address, wide ? p->waitValue.value64 : p->waitValue.value, wide ? 8 : 4,
                 p->waitValue.flags);
    else if (p->operation == CU_STREAM_MEM_OP_WRITE_VALUE_32 ||
             p->operation == CU_STREAM_MEM_OP_WRITE_VALUE_64)
        set_write(o, p->writeValue.address, wide ? p->writeValue.value64 : p->writeValue.value, wide ? 8 : 4);
    else
        *o = (struct operation){.kind = 0};
}

static void set_semaphore(struct operation *o, uint32_t kind, CUexternalSemaphore semaphore, uint64_t value)
{
    *o = (struct operation){kind, {(uintptr_t)semaphore, value, 8, GROSR_WORD_SEMAPHORE}};
}

/* All forms of a call have the same parameters. */
#define FORMS(call)                             \
    case CUPTI_DRIVER_TRACE_CBID_##call:        \
    case CUPTI_DRIVER_TRACE_CBID_##call##_ptsz: \
    case CUPTI_DRIVER_TRACE_CBID_##call##_v2:   \
    case CUPTI_DRIVER_TRACE_CBID_##call##_v2_ptsz:

/* One of the operations that a call makes; false: it makes no more. */
static bool operation_at(CUpti_CallbackId id, const void *params, uint32_t i, struct operation *o)
{
    switch (id) {
        FORMS(cuStreamWaitValue32)
        {
            const cuStreamWaitValue32_v2_params *p = (const cuStreamWaitValue32_v2_params *)params;
            set_wait(o, p->addr, p->value, 4, p->flags);
            return i == 0;
        }
        FORMS(cuStreamWaitValue64)
        {
            const cuStreamWaitValue64_v2_params *p = (const cuStreamWaitValue64_v2_params *)params;
            set_wait(o, p->addr, p->value, 8, p->flags);
            return i == 0;
        }
        FORMS(cuStreamWriteValue32)
        {
            const cuStreamWriteValue32_v2_params *p = (const cuStreamWriteValue32_v2_params *)params;
            set_write(o, p->addr, p->value, 4);
            return i == 0;
        }
        FORMS(cuStreamWriteValue64)
        {
            const cuStreamWriteValue64_v2_params *p = (const cuStreamWriteValue64_v2_params *)params;
            set_write(o, p->addr, p->value, 8);
            return i == 0;
        }
        FORMS(cuStreamBatchMemOp)
        {
            const cuStreamBatchMemOp_v2_params *p = (const cuStreamBatchMemOp_v2_params *)params;
            if (i >= p->count || !p->paramArray)
                return false;
            set_batched(o, &p->paramArray[i]);
            return true;
        }
    case CUPTI_DRIVER_TRACE_CBID_cuWaitExternalSemaphoresAsync:
    case CUPTI_DRIVER_TRACE_CBID_cuWaitExternalSemaphoresAsync_ptsz: {
        const cuWaitExternalSemaphoresAsync_params *p = (const cuWaitExternalSemaphoresAsync_params *)params;
        if (i >= p->numExtSems || !p->extSemArray || !p->paramsArray)
            return false;
        set_semaphore(o, GROSR_LAUNCH_WAIT, p->extSemArray[i], p->paramsArray[i].params.fence.value);
        return true;
    }
    case CUPTI_DRIVER_TRACE_CBID_cuSignalExternalSemaphoresAsync:
    case CUPTI_DRIVER_TRACE_CBID_cuSignalExternalSemaphoresAsync_ptsz: {
        const cuSignalExternalSemaphoresAsync_params *p =
            (const cuSignalExternalSemaphoresAsync_params *)params;
        if (i >= p->numExtSems || !p->extSemArray || !p->paramsArray)
            return false;
        set_semaphore(o, GROSR_LAUNCH_WRITE, p->extSemArray[i], p->paramsArray[i].params.fence.value);
        return true;
    }
    default:
        return false;
    }
}

/* ---- where a word is ---- */

enum { UNKNOWN, HOST, DEVICE, OTHER };

static uint64_t ask_place(CUdeviceptr address)
{
    CUmemorytype type = (CUmemorytype)0;
    void *host = NULL;
    int managed = 0;
    CUpointer_attribute attributes[] = {CU_POINTER_ATTRIBUTE_MEMORY_TYPE, CU_POINTER_ATTRIBUTE_HOST_POINTER,
                                        CU_POINTER_ATTRIBUTE_IS_MANAGED};
    void *values[] = {&type, &host, &managed};

    if (!driver.pointer_attributes)
        return UNKNOWN;
    CUstreamCaptureMode before = driver_relax();
    CUresult code = driver.pointer_attributes(3, attributes, values, address);
    driver_restore(before);
    if (code != CUDA_SUCCESS || managed)
        return OTHER;
    return type == CU_MEMORYTYPE_DEVICE                               ? DEVICE
           : type == CU_MEMORYTYPE_HOST && (uintptr_t)host == address ? HOST
                                                                      : OTHER;
}

/* By pages, which are remembered: a program has few that its streams wait for. */
static uint32_t place_flags(const struct grosr_word *w)
{
    static dev64 pages[PAGES]; /* page << 2 | where it is */
    uint64_t page = w->address >> 12;
    dev64 *at = &pages[page % PAGES];
    uint64_t known = dev_load_relaxed(at);

    if (!w->width || w->condition == GROSR_WORD_SEMAPHORE)
        return 0;
    if (!known || known >> 2 != page) {
        known = page << 2 | ask_place(w->address);
        dev_store_relaxed(at, known);
    }
    return (known & 3) == HOST     ? GROSR_LAUNCH_HOST_WORD
           : (known & 3) == DEVICE ? GROSR_LAUNCH_DEVICE_WORD
                                   : 0;
}

/* ---- the calls ---- */

/* What the call that this thread is in has made. */
static __thread struct {
    struct grosr_launch launch; /* the latest; of the others, what differs */
    uint32_t count, slot[PARTS_MAX];
    uint8_t kind[PARTS_MAX];
} current;

static void begin(const struct operation *o)
{
    struct grosr_launch *l = &current.launch;

    l->kind = o->kind;
    l->part = current.count;
    l->flags = GROSR_LAUNCH_UNRECORDED | place_flags(&o->word);
    grosr_launch_set_word(l, &o->word);
    current.slot[current.count] = grosr_launch_begin(inject_session(), l);
    current.kind[current.count++] = (uint8_t)o->kind;
    if (o->kind != GROSR_LAUNCH_WAIT || l->stream >= GROSR_CUDA_STREAMS_MAX)
        return;
    dev_store_relaxed(&wait_place[l->stream], l->place);
    dev_store_relaxed(&waits, 1);
}

void words_enter(CUpti_CallbackId id, const CUpti_CallbackData *d, const struct cuda_op *op, uint32_t tid,
                 uint64_t start_ns)
{
    CUstream stream = cuda_op_stream(op, d);
    struct operation o;
    bool more[2] = {false, false}; /* waits and writes beyond those that have an entry each */

    current.count = 0;
    if (!stream && op->has & OP_PER_THREAD)
        stream = CU_STREAM_PER_THREAD;
    bool per_thread = stream == CU_STREAM_PER_THREAD;
    uint32_t at = stream_entry(d->context, d->contextUid, stream, per_thread, tid);
    if (stream_is_captured(stream)) {
        static const char name[] = "an operation on a word";
        stream_captured(at, inject_string(name, sizeof(name) - 1));
        return;
    }
    current.launch = (struct grosr_launch){
        .correlation = d->correlationId, .issued_ns = start_ns, .stream = at, .tid = tid};
    for (uint32_t i = 0; d->functionParams && operation_at(id, d->functionParams, i, &o); i++) {
        if (o.kind && current.count < PARTS_MAX - 2)
            begin(&o);
        else if (o.kind)
            more[o.kind == GROSR_LAUNCH_WRITE] = true;
    }
    for (uint32_t i = 0; i < 2; i++)
        if (more[i])
            begin(&(struct operation){.kind = i ? GROSR_LAUNCH_WRITE : GROSR_LAUNCH_WAIT});
}

void words_exit(bool succeeded, uint64_t now_ns)
{
    for (uint32_t i = 0; i < current.count; i++) {
        current.launch.part = i;
        current.launch.kind = current.kind[i];
        grosr_launch_returned(inject_session(), current.slot[i], &current.launch, now_ns, succeeded);
    }
    current.count = 0;
}

/* ---- the watcher ---- */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Whether a fork has made another process of this one that may still share its memory. */
static bool has_relatives(void)
{
    char own[LINE_BYTES], parent[LINE_BYTES], path[64];
    DIR *tasks = opendir("/proc/self/task");
    bool found = false;

    for (const struct dirent *e; tasks && !found && (e = readdir(tasks));) {
        char child;
        snprintf(path, sizeof(path), "/proc/self/task/%.20s/children", e->d_name);
        int fd = e->d_name[0] == '.' ? -1 : open(path, O_RDONLY | O_CLOEXEC);
        found = fd >= 0 && read(fd, &child, 1) == 1;
        if (fd >= 0)
            close(fd);
    }
    if (tasks)
        closedir(tasks);
    snprintf(path, sizeof(path), "/proc/%d/exe", (int)getppid());
    ssize_t a = readlink("/proc/self/exe", own, sizeof(own)), b = readlink(path, parent, sizeof(parent));
    return found || (a > 0 && a == b && !memcmp(own, parent, (size_t)a));
}

/*
 * Whether somebody outside the process may write a word: it is in a file or in memory that is shared, memory
 * of the device was exported or imported, or the process has a network adapter that writes to memory.
 */
static bool is_shared(const struct grosr_launch *l, const struct grosr_word *w)
{
    bool shared = !(l->flags & GROSR_LAUNCH_HOST_WORD) && dev_load_relaxed(&shares);
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[LINE_BYTES], mode[8];
    unsigned long long from, to;

    while (maps && !shared && fgets(line, sizeof(line), maps)) {
        int path = 0;
        if (sscanf(line, "%llx-%llx %7s %*s %*s %*s %n", &from, &to, mode, &path) < 3 || !path)
            continue;
        if (begins(line + path, "/dev/infiniband/") || strstr(line + path, "gdrdrv"))
            shared = true;
        else if (w->address >= from && w->address < to && mode[3] == 's' &&
                 !begins(line + path, "/dev/nvidia"))
            shared = !begins(line + path, "/dev/zero") || has_relatives();
    }
    if (maps)
        fclose(maps);
    return shared;
}

static void look_at(const struct grosr_launch *l, const struct grosr_cuda_stream_state *before)
{
    const struct grosr_session *s = inject_session();
    uint32_t flags = 0, low = 0;
    struct grosr_word w;
    uint64_t value = 0;

    if (!grosr_launch_word(l, &w))
        return;
    bool known = before->word_place == l->place;
    if (w.condition == GROSR_WORD_SEMAPHORE || !w.width ||
        (known && before->word_flags & GROSR_WORD_SHARED) || is_shared(l, &w))
        flags |= GROSR_WORD_SHARED;
    /* Of a little-endian machine, as all are that have such GPUs. */
    if (l->flags & GROSR_LAUNCH_HOST_WORD && host_read((uintptr_t)w.address, &value, w.width) == w.width) {
        flags |= grosr_word_is_met(&w, value) ? GROSR_WORD_MET : GROSR_WORD_NOT;
        low = (uint32_t)value;
        flags |= value == low ? GROSR_WORD_VALUE : 0;
    }
    grosr_cuda_stream_saw(s, l->stream, l->place, flags, low);
    if (flags & GROSR_WORD_MET && known && before->word_flags & GROSR_WORD_MET &&
        l->flags & GROSR_LAUNCH_ORDERED)
        grosr_cuda_stream_raise_ended(s, l->stream, l->place);
}

/* Streams that have a wait, and in which nothing has ended for a while. */
static uint32_t find_streams(uint32_t *stream, uint64_t now_ns)
{
    const struct grosr_session *s = inject_session();
    struct grosr_cuda_stream_state state;
    uint32_t n = 0;

    for (uint32_t i = 0; i < s->header.cuda_streams && i < GROSR_CUDA_STREAMS_MAX && n < HEADS_MAX; i++) {
        uint64_t place = dev_load_relaxed(&wait_place[i]);
        if (place && grosr_cuda_stream_read(s, i, &state) && place > state.ended &&
            state.rose_ns + LOOK_NS <= now_ns)
            stream[n++] = i;
    }
    return n;
}

/* The first launch of each of these streams. */
static void find_heads(struct grosr_launch *head, const uint32_t *stream, uint32_t n)
{
    const struct grosr_session *s = inject_session();
    struct grosr_launch l;

    for (uint32_t i = 0; i < n; i++)
        head[i].place = 0;
    for (uint32_t at = 0; at < s->header.launch_slots; at++) {
        if (!grosr_launch_read(s, at, &l) || l.ended || !l.place)
            continue;
        for (uint32_t i = 0; i < n; i++)
            if (stream[i] == l.stream && (!head[i].place || l.place < head[i].place))
                head[i] = l;
    }
}

bool words_tick(uint64_t now_ns)
{
    static struct grosr_launch head[HEADS_MAX];
    static uint64_t looked_ns;
    static bool waiting;
    struct grosr_cuda_stream_state before;
    uint32_t stream[HEADS_MAX];

    if (!dev_load_relaxed(&waits) || now_ns - looked_ns < LOOK_NS)
        return waiting;
    looked_ns = now_ns;
    waiting = false;
    uint32_t n = find_streams(stream, now_ns);
    if (n)
        find_heads(head, stream, n);
    for (uint32_t i = 0; i < n; i++) {
        if (head[i].kind != GROSR_LAUNCH_WAIT || !head[i].place || head[i].issued_ns + LOOK_NS > now_ns ||
            !grosr_cuda_stream_read(inject_session(), stream[i], &before))
            continue;
        look_at(&head[i], &before);
        waiting = true;
    }
    return waiting;
}
