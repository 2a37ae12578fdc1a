/*
 * The session of a traced process, its threads, and what outlives both (inject.h).
 */
#include "inject.h"

#include "../clock/clock.h"
#include "../base/error.h"
#include "../base/process.h"
#include "../base/time_limits.h"
#include "../session/outstanding.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define STREAMS   4u
#define THREADS   4096u /* known at a time */
#define FACTS_MAX 65536u
#define BUCKETS   4096u
#define CUT_MARK  64u /* bytes at the end of a string that was cut */
#define LOCK_DEFAULT \
    PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP /* a hook of malloc's that comes back is refused */

enum state {
    IDLE,      /* nothing has been recorded */
    RECORDING, /* `current` is valid, from here on for ever */
    OFF,       /* nothing will be recorded */
};

struct inject_session {
    struct grosr_session *session;
    struct grosr_stream_writer writer[STREAMS];
};

struct fact {
    struct fact *next;
    struct inject_string *text; /* that it names; NULL: none */
    size_t bytes;
    unsigned char record[];
};

struct inject_string {
    struct inject_string *next;
    dev32 sent;       /* the session's generation << 8 | a bit for each stream that has it */
    dev64 in_segment; /* the session's generation << 32 | its number among the segment's texts */
    uint32_t number, bytes;
    uint64_t hash;    /* of the text as it was given */
    size_t all_bytes; /* of that */
    char text[];
};

static dev32 state; /* enum state */
static struct inject_session current;
static uint32_t generation = 1; /* of the session: one more in each child */
static uint32_t collector;      /* GROSR_COLLECTOR when the library was loaded */
static dev64 left_out;          /* records that came while their thread was busy */
static dev64 full_since; /* since when no thread that waited for room in a stream has found any; 0: one has */

static pthread_mutex_t begin_lock = LOCK_DEFAULT, facts_lock = LOCK_DEFAULT, strings_lock = LOCK_DEFAULT;
static struct fact *facts, **facts_end = &facts;
static unsigned fact_count;
static struct inject_string *strings[BUCKETS];
static uint32_t string_count;
static uint64_t long_bytes; /* in strings that are sent in parts */
static dev64 cut;           /* strings that were too long */

static pthread_key_t thread_key;
static struct inject_thread *threads; /* THREADS; memory comes as it is touched */
static dev32 thread_turn;             /* where the next search for a free one begins */
static bool loaded;

static_assert(STREAMS <= 8, "a bit for each in inject_string.sent");

/* ---- the session ---- */

/* "python3 train.py": the command line as a person reads it. */
static void describe(char *to, size_t size)
{
    char line[256];
    FILE *f = fopen("/proc/self/cmdline", "re");
    size_t n = f ? fread(line, 1, sizeof(line) - 1, f) : 0;

    if (f)
        fclose(f);
    line[n] = 0;
    const char *slash = strrchr(line, '/'), *name = slash ? slash + 1 : line;
    size_t at = (size_t)(name - line);
    while (n > at && !line[n - 1])
        n--;
    for (size_t i = at; i < n; i++)
        if (!line[i])
            line[i] = ' ';
    if (n == at)
        name = program_invocation_short_name, n = at + strlen(name);
    size_t kept = n - at;
    if (kept >= size)
        for (kept = size - 1; kept && ((unsigned char)name[kept] & 0xc0) == 0x80;) /* whole characters */
            kept--;
    snprintf(to, size, "%.*s", (int)kept, name);
}

/* As large as /dev/shm has room for. */
static int create_session(void)
{
    static const struct {
        uint64_t stream_bytes, text_bytes;
        uint32_t call_slots, launch_slots, cuda_streams;
    } sizes[] = {{2u << 20, 512u << 10, THREADS, 16384, 1024},
                 {512u << 10, 256u << 10, THREADS, 4096, 512},
                 {128u << 10, 64u << 10, 1024, 1024, 256}};
    char program[64];
    struct grosr_session_options o = {
        .device = "process",
        .device_name = "process",
        .program = program,
        .lanes = 1,
        .device_clock_is_host = true,
        .host_ring_events = GROSR_RING_MIN,
        .level = GROSR_LEVEL_SPANS,
        .streams = STREAMS,
    };
    int err = -ENOSPC;

    describe(program, sizeof(program));
    for (size_t i = 0; (err == -ENOSPC || err == -ENOMEM) && i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        o.stream_bytes = sizes[i].stream_bytes;
        o.text_bytes = sizes[i].text_bytes;
        o.call_slots = sizes[i].call_slots;
        o.launch_slots = sizes[i].launch_slots;
        o.cuda_streams = sizes[i].cuda_streams;
        err = grosr_session_create(&current.session, &o);
    }
    return err;
}

static int make_session(void)
{
    int err;

    uint32_t self = (uint32_t)getpid();
    if (!grosr_process_descends(self, collector) &&
        !grosr_process_descends(collector, self)) /* a daemon, say */
        err = grosr_fail(ECHILD, "it does not descend from its recorder (process %u) any more", collector);
    else
        err = create_session();
    if (!err && collector != self) /* its own: nobody records it, and the session is all that there is */
        err = grosr_session_wait_collector(current.session, collector, GROSR_COLLECTOR_FIND_TIMEOUT_NS);
    if (err) {
        fprintf(stderr, "grosr: process %d is not recorded: %s\n", (int)getpid(), grosr_error());
        grosr_session_close(current.session);
        current.session = NULL;
        return err;
    }
    for (uint32_t i = 0; i < STREAMS; i++)
        grosr_stream_writer_open(&current.writer[i], current.session, i);
    return 0;
}

static uint32_t number_in_stream(uint32_t stream, struct inject_string *s);

bool inject_begin(void)
{
    /* Pairs with the release below: whoever sees RECORDING sees `current`. */
    uint32_t now = dev_load_acquire(&state);

    if (now != IDLE || !loaded)
        return now == RECORDING;
    if (pthread_mutex_lock(&begin_lock))
        return false;
    now = dev_load_relaxed(&state);
    if (now == IDLE) {
        if (current.session) { /* the parent's */
            current.session->owner = false;
            grosr_session_close(current.session);
            current.session = NULL;
        }
        now = collector && make_session() == 0 ? RECORDING : OFF;
        for (struct fact *f = now == RECORDING ? facts : NULL; f; f = f->next) {
            const struct grosr_piece piece = {f->record, f->bytes};
            if (f->text)
                number_in_stream(0, f->text);
            grosr_stream_write(&current.writer[0], &piece, 1);
        }
        dev_store_release(&state, now); /* pairs with the load above */
    }
    pthread_mutex_unlock(&begin_lock);
    return now == RECORDING;
}

/* ---- threads ---- */

static void release_thread(void *thread)
{
    struct inject_thread *t = (struct inject_thread *)thread;

    if (dev_load_relaxed(&state) == RECORDING) /* it was cancelled in a call */
        grosr_call_leave(current.session, inject_slot(t));
    /* Pairs with the exchange in claim_thread(): the next owner finds it as this one leaves it. */
    dev_store_release(&t->taken, 0);
}

static struct inject_thread *claim_thread(void)
{
    struct inject_thread *t = NULL;

    for (uint32_t i = 0; i < THREADS && !t; i++) {
        struct inject_thread *candidate = &threads[dev_add_relaxed(&thread_turn, 1) % THREADS];
        /* Pairs with release_thread(). */
        if (!dev_load_relaxed(&candidate->taken) && dev_cas_acquire(&candidate->taken, 0, 1) == 0)
            t = candidate;
    }
    if (!t)
        return NULL;
    t->tid = (uint32_t)gettid();
    t->stream = t->tid % STREAMS;
    t->busy = 0;
    t->named = false;
    memset(t->depth, 0, sizeof(t->depth));
    t->calls = t->launches_at = t->kernels = 0;
    t->call.known = t->ours = false;
    if (pthread_setspecific(thread_key, t)) {
        release_thread(t);
        return NULL;
    }
    return t;
}

/* The system's name of a thread that is new to the session. */
static void write_thread_name(struct inject_thread *t)
{
    struct grosr_record_name r = {.head = {0, GROSR_RECORD_THREAD_NAME}, .tid = t->tid};
    char name[16] = "";

    t->named = true;
    if (prctl(PR_GET_NAME, name))
        return;
    r.text_bytes = (uint32_t)strnlen(name, sizeof(name));
    const struct grosr_piece pieces[] = {{&r, sizeof(r)}, {name, r.text_bytes}};
    inject_write(t, pieces, 2);
}

struct inject_thread *inject_enter(void)
{
    int saved = errno;
    struct inject_thread *t = NULL;

    if (inject_begin()) {
        t = (struct inject_thread *)pthread_getspecific(thread_key);
        if (!t)
            t = claim_thread();
        if (!t || t->busy) {
            dev_add_relaxed(&left_out, 1);
            t = NULL;
        }
    }
    if (!t) {
        errno = saved;
        return NULL;
    }
    t->busy = 1;
    t->saved_errno = saved;
    if (!t->named)
        write_thread_name(t);
    return t;
}

void inject_leave(struct inject_thread *t)
{
    errno = t->saved_errno;
    t->busy = 0;
}

/* ---- records ---- */

bool inject_write(struct inject_thread *t, const struct grosr_piece *pieces, unsigned count)
{
    return grosr_stream_write(&current.writer[t->stream], pieces, count);
}

bool inject_try_write(struct inject_thread *t, const struct grosr_piece *pieces, unsigned count)
{
    return grosr_stream_try_write(&current.writer[t->stream], pieces, count);
}

const struct grosr_session *inject_session(void)
{
    return current.session;
}

uint32_t inject_slot(const struct inject_thread *t)
{
    return (uint32_t)(t - threads);
}

void inject_write_fact(struct inject_thread *t, struct inject_string *text, const struct grosr_piece *pieces,
                       unsigned count)
{
    size_t bytes = 0;
    struct fact *f;

    inject_write(t, pieces, count);
    for (unsigned i = 0; i < count; i++)
        bytes += pieces[i].bytes;
    if (pthread_mutex_lock(&facts_lock))
        return;
    f = fact_count < FACTS_MAX ? (struct fact *)malloc(sizeof(*f) + bytes) : NULL;
    if (f) {
        f->next = NULL;
        f->text = text;
        f->bytes = 0;
        for (unsigned i = 0; i < count; i++) {
            memcpy(f->record + f->bytes, pieces[i].at, pieces[i].bytes);
            f->bytes += pieces[i].bytes;
        }
        *facts_end = f;
        facts_end = &f->next;
        fact_count++;
    }
    pthread_mutex_unlock(&facts_lock);
}

bool inject_note(struct inject_thread *t, const char *topic, const char *format, ...)
{
    struct grosr_record_note r = {.head = {0, GROSR_RECORD_NOTE}, .time = grosr_host_clock_ns()};
    char text[1024];
    va_list args;

    va_start(args, format);
    int bytes = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (bytes >= (int)sizeof(text)) { /* a name in it is long: cut at a whole character */
        size_t n = sizeof(text) - sizeof("...");
        while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
        memcpy(text + n, "...", sizeof("..."));
    }
    r.topic_bytes = (uint16_t)strlen(topic);
    r.text_bytes = (uint16_t)strlen(text);
    const struct grosr_piece pieces[] = {{&r, sizeof(r)}, {topic, r.topic_bytes}, {text, r.text_bytes}};
    return inject_write(t, pieces, 3);
}

/* ---- strings ---- */

/* Names of kernels are hashed at every launch, and may be long: eight bytes at a time. */
static uint64_t hash_of(const char *text, size_t bytes)
{
    uint64_t hash = 0x9e3779b97f4a7c15u ^ bytes, word;

    for (; bytes >= sizeof(word); text += sizeof(word), bytes -= sizeof(word)) {
        memcpy(&word, text, sizeof(word));
        hash = (hash ^ word) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
    }
    for (word = 0; bytes; bytes--)
        word = word << 8 | (unsigned char)text[bytes - 1];
    hash = (hash ^ word) * 0xc4ceb9fe1a85ec53u;
    hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdu;
    return hash ^ hash >> 33;
}

/* The first `limit` bytes of a string that is longer: its beginning, up to a whole character, and the mark.
 */
static uint32_t cut_string(char *to, size_t limit, const char *text, size_t bytes, uint64_t hash)
{
    size_t n = limit - CUT_MARK;

    while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    memcpy(to, text, n);
    return (uint32_t)n + (uint32_t)snprintf(to + n, CUT_MARK, "... [cut: %zu bytes, hash %016llx]", bytes,
                                            (unsigned long long)hash);
}

/* Under `strings_lock`. */
static struct inject_string *new_string(const char *text, size_t bytes, uint64_t hash)
{
    size_t limit = long_bytes < INJECT_LONG_MAX ? GROSR_TEXT_MAX : GROSR_RECORD_TEXT_MAX;
    size_t kept = bytes < limit ? bytes : limit;
    struct inject_string *s = (struct inject_string *)malloc(sizeof(*s) + kept + 1);

    if (!s)
        return NULL;
    dev_store_relaxed(&s->sent, 0);
    dev_store_relaxed(&s->in_segment, 0);
    s->number = ++string_count;
    s->hash = hash;
    s->all_bytes = bytes;
    s->bytes = (uint32_t)kept;
    if (kept < bytes) {
        s->bytes = cut_string(s->text, limit, text, bytes, hash);
        dev_add_relaxed(&cut, 1);
    } else {
        memcpy(s->text, text, bytes);
    }
    s->text[s->bytes] = 0;
    if (kept > GROSR_RECORD_TEXT_MAX)
        long_bytes += kept;
    return s;
}

/* Of strings that were cut, the beginning, the length and the hash are compared. */
static bool is_string(const struct inject_string *s, const char *text, size_t bytes, uint64_t hash)
{
    size_t kept = s->bytes < bytes ? s->bytes - CUT_MARK : bytes;

    return s->hash == hash && s->all_bytes == bytes && !memcmp(s->text, text, kept);
}

struct inject_string *inject_string(const char *text, size_t bytes)
{
    uint64_t hash = hash_of(text, bytes);
    struct inject_string *s;

    if (pthread_mutex_lock(&strings_lock))
        return NULL;
    struct inject_string **bucket = &strings[hash % BUCKETS];
    for (s = *bucket; s; s = s->next)
        if (is_string(s, text, bytes, hash))
            break;
    if (!s && (s = new_string(text, bytes, hash))) {
        s->next = *bucket;
        *bucket = s;
    }
    pthread_mutex_unlock(&strings_lock);
    return s;
}

const char *inject_string_text(const struct inject_string *s)
{
    return s->text;
}

/*
 * A part of a long string, for which half of the stream stays free: records that nobody waits with come
 * beside it. The collector is given time to read, the same however many threads wait, since it may be gone.
 */
static bool write_part(struct grosr_stream_writer *w, const struct grosr_piece *pieces, unsigned count)
{
    const struct timespec pause = {0, 1000000};

    while (grosr_stream_room(w) < w->capacity / 2 || !grosr_stream_try_write(w, pieces, count)) {
        uint64_t since = dev_load_relaxed(&full_since), now = grosr_host_clock_ns();
        if (!since)
            dev_store_relaxed(&full_since, now);
        else if (now > since + GROSR_STREAM_ROOM_TIMEOUT_NS)
            return grosr_stream_write(w, pieces, count); /* counted if there is no room */
        nanosleep(&pause, NULL);
    }
    dev_store_relaxed(&full_since, 0);
    return true;
}

static bool write_string(struct grosr_stream_writer *w, const struct inject_string *s)
{
    if (s->bytes <= GROSR_RECORD_TEXT_MAX) {
        struct grosr_record_text r = {
            .head = {0, GROSR_RECORD_TEXT}, .number = s->number, .text_bytes = s->bytes};
        const struct grosr_piece pieces[] = {{&r, sizeof(r)}, {s->text, s->bytes}};
        return grosr_stream_write(w, pieces, 2);
    }
    for (uint32_t at = 0; at < s->bytes;) {
        uint32_t left = s->bytes - at;
        struct grosr_record_part r = {.head = {0, GROSR_RECORD_TEXT_PART},
                                      .number = s->number,
                                      .text_bytes =
                                          left < GROSR_RECORD_TEXT_MAX ? left : GROSR_RECORD_TEXT_MAX,
                                      .offset = at,
                                      .total = s->bytes};
        const struct grosr_piece pieces[] = {{&r, sizeof(r)}, {s->text + at, r.text_bytes}};
        if (!write_part(w, pieces, 2))
            return false;
        at += r.text_bytes;
    }
    return true;
}

static uint32_t number_in_stream(uint32_t stream, struct inject_string *s)
{
    uint32_t old = dev_load_relaxed(&s->sent), mine = 1u << stream;

    if (old >> 8 == generation && old & mine)
        return s->number;
    /* Two threads of one stream may both send it: that harms nobody. Records of a stream are in order. */
    if (!write_string(&current.writer[stream], s))
        return 0;
    for (;;) {
        uint32_t bits = old >> 8 == generation ? old & 0xff : 0;
        uint32_t found = dev_cas_relaxed(&s->sent, old, generation << 8 | bits | mine);
        if (found == old)
            return s->number;
        old = found;
    }
}

uint32_t inject_string_number(struct inject_thread *t, struct inject_string *s)
{
    return number_in_stream(t->stream, s);
}

uint32_t inject_text(struct inject_string *s)
{
    uint64_t known = s ? dev_load_relaxed(&s->in_segment) : 0;
    char cut_text[GROSR_TEXT_KEPT_MAX];
    const char *text = s ? s->text : "";
    uint32_t bytes = s ? s->bytes : 0;

    if (!s || known >> 32 == generation)
        return (uint32_t)known;
    if (bytes > GROSR_TEXT_KEPT_MAX) {
        bytes = cut_string(cut_text, GROSR_TEXT_KEPT_MAX, s->text, s->bytes, s->hash);
        text = cut_text;
    }
    /* Two threads may both put it there: that harms nobody. */
    uint32_t number = grosr_outstanding_add_text(current.session, text, bytes);
    dev_store_relaxed(&s->in_segment, (uint64_t)generation << 32 | number);
    return number;
}

/* ---- loading, forking, the end ---- */

/* A fork waits for what other threads are at: making the session, above all, which takes NVTX with it. */
static void before_fork(void)
{
    pthread_mutex_lock(&begin_lock);
    pthread_mutex_lock(&facts_lock);
    pthread_mutex_lock(&strings_lock);
}

static void in_parent(void)
{
    pthread_mutex_unlock(&strings_lock);
    pthread_mutex_unlock(&facts_lock);
    pthread_mutex_unlock(&begin_lock);
}

static void in_child(void)
{
    static const pthread_mutex_t unlocked = LOCK_DEFAULT;
    struct inject_thread *me = (struct inject_thread *)pthread_getspecific(thread_key);
    uint32_t touched = dev_load_relaxed(&thread_turn);

    begin_lock = facts_lock = strings_lock = unlocked;
    for (uint32_t i = 0; i < touched && i < THREADS; i++)
        if (&threads[i] != me && dev_load_relaxed(&threads[i].taken))
            dev_store_relaxed(&threads[i].taken, 0);
    if (me) {
        /* What the parent's thread has pushed is its own. */
        me->tid = (uint32_t)gettid();
        me->stream = me->tid % STREAMS;
        me->named = false;
        memset(me->depth, 0, sizeof(me->depth));
        me->calls = me->launches_at = 0;
        me->call.known = false;
    }
    generation++;
    dev_store_relaxed(&left_out, 0);
    dev_store_relaxed(&full_since, 0);
    if (dev_load_relaxed(&state) == RECORDING)
        dev_store_relaxed(&state, IDLE);
}

__attribute__((constructor)) static void load(void)
{
    const char *pid = getenv("GROSR_COLLECTOR");
    void *memory = mmap(NULL, THREADS * sizeof(*threads), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    collector = pid ? (uint32_t)strtoul(pid, NULL, 10) : 0;
    if (memory == MAP_FAILED || pthread_key_create(&thread_key, release_thread))
        return;
    threads = (struct inject_thread *)memory;
    loaded = pthread_atfork(before_fork, in_parent, in_child) == 0;
}

void inject_ends(void)
{
    if (dev_load_relaxed(&state) == RECORDING)
        sys_store_relaxed(&grosr_session_live(current.session)->stopped_ns, grosr_host_clock_ns());
}

/* The last notes must get through: a full stream is given a moment. */
static void note_at_end(const char *topic, const char *text)
{
    struct inject_thread *t = inject_enter();
    const struct timespec pause = {0, 1000000};

    for (int i = 0; t && i < 100 && !inject_note(t, topic, "%s", text); i++)
        nanosleep(&pause, NULL);
    if (t)
        inject_leave(t);
}

static void note_counts(void)
{
    unsigned long long busy = dev_load_relaxed(&left_out), names = dev_load_relaxed(&cut);
    char text[256];

    if (busy) {
        snprintf(text, sizeof(text),
                 "%llu calls were left out: they came from within another one (a signal handler, a hook of "
                 "malloc), or from more than %u threads",
                 busy, THREADS);
        note_at_end("process", text);
    }
    if (names) {
        snprintf(text, sizeof(text),
                 "%llu names were cut: they are longer than %u bytes, or than %u after %u MiB of long names; "
                 "each ends in its length and a hash, so that no two become one",
                 names, GROSR_TEXT_MAX, GROSR_RECORD_TEXT_MAX, INJECT_LONG_MAX >> 20);
        note_at_end("names", text);
    }
}

/* Waits for a thread that is making the session: it would be left as that of a process that died. */
__attribute__((destructor)) static void end(void)
{
    if (pthread_mutex_lock(&begin_lock))
        return;
    bool recording = dev_load_relaxed(&state) == RECORDING;
    if (recording)
        note_counts();
    dev_store_relaxed(&state, OFF);
    pthread_mutex_unlock(&begin_lock);
    if (!recording)
        return;
    /* Pairs with the load in can_end(): the last record comes before it. */
    sys_store_release(&grosr_session_live(current.session)->state, GROSR_SESSION_CLOSED);
    grosr_session_unlink(current.session);
}
