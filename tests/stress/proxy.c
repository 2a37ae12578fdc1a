/*
 * The proxy by itself, without a runtime: garbage in every field of every request, threads that die, a disk
 * that is full, a log that is written faster than it is read. The device is this thread, which writes the
 * mailbox.
 */
#include "../tap.h"

#include "../../runtime/syscall/proxy.h"
#include "../../runtime/syscall/syscall_device.h"
#include "../../tracer/base/host_clock.h"

#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PORTS = 8, STAGING = 16384 };

struct rig {
    struct grosr_mailbox m; /* both sides' */
    struct grosr_sys sys;
    struct grosr_proxy *proxy;
    char root[64];
    void *table, *memory;
    struct grosr_log_state log_state;
    dev64 port[PORTS];
    char lines[1 << 20]; /* what has been logged */
    size_t used;
};

static void *zeroed(size_t bytes)
{
    void *p = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);

    memset(p, 0, bytes);
    return p;
}

static void take_lines(void *arg, const char *lines, size_t bytes)
{
    struct rig *r = (struct rig *)arg;

    if (r->used + bytes < sizeof(r->lines)) {
        memcpy(r->lines + r->used, lines, bytes);
        r->used += bytes;
    }
}

static struct rig *rig_open(struct grosr_proxy_options o)
{
    struct rig *r = (struct rig *)zeroed(sizeof(*r));
    struct grosr_mailbox *m = &r->m;

    r->table = zeroed(grosr_mailbox_table_bytes(PORTS));
    grosr_mailbox_place(m, (unsigned char *)r->table, PORTS);
    r->memory = zeroed(PORTS * STAGING + GROSR_LOG_CAPACITY * sizeof(*m->log) + 16 * sizeof(sys128));
    m->staging = (unsigned char *)r->memory;
    m->log = (struct grosr_log_record *)(void *)(m->staging + PORTS * STAGING);
    m->notice = (sys128 *)(void *)(m->log + GROSR_LOG_CAPACITY);
    m->staging_bytes = STAGING;
    m->notices_log2 = 3;
    m->port = r->port;
    m->log_state = &r->log_state;
    snprintf(r->root, sizeof(r->root), "%s/grosr-proxy-XXXXXX",
             access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    if (!mkdtemp(r->root))
        exit(1);
    o.mailbox = *m;
    o.root = r->root;
    o.handles = o.handles ? o.handles : 16;
    o.threads = o.threads ? o.threads : 2;
    o.collect_bytes = o.collect_bytes ? o.collect_bytes : 1 << 20;
    o.log = take_lines;
    o.log_arg = r;
    if (grosr_proxy_start(&r->proxy, &o)) {
        printf("Bail out! %s\n", grosr_error());
        exit(1);
    }
    r->sys = grosr_sys_of(m);
    return r;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void rig_close(struct rig *r)
{
    grosr_proxy_stop(r->proxy, dev_load_relaxed(&r->log_state.missing));
    nftw(r->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(r->table);
    free(r->memory);
    free(r);
}

/* ---- garbage ---- */

static void garbage(uint32_t packets, bool writable, uint64_t seed)
{
    struct rig *r = rig_open((struct grosr_proxy_options){.writable = writable, .without_uring = seed & 1});
    struct grosr_mailbox *m = &r->m;
    uint64_t state = seed;
    uint32_t unanswered = 0;
    int file = grosr_open(r->sys, "x", writable ? O_RDWR | O_CREAT : O_RDONLY, 0600);

    for (uint32_t n = 1; n <= packets; n++) {
        uint32_t port = n % PORTS, count = 1 + (uint32_t)(tap_random(&state) % GROSR_PACKET_MAX);
        uint64_t sequence = (dev_load_relaxed(&r->port[port]) >> 1) + 1, lap = grosr_packet_lap(sequence);
        for (uint32_t i = 0; i < count; i++) {
            struct grosr_request q;
            q.call = (uint32_t)(tap_random(&state) % 4 ? tap_random(&state) % 22 : tap_random(&state));
            if ((q.call & 0xff) == GROSR_SYS_NANOSLEEP) /* it would */
                q.call = 0;
            q.flags = (uint32_t)(tap_random(&state) % 3 ? 0 : tap_random(&state));
            q.handle = tap_random(&state) % 3 ? file : (int32_t)tap_random(&state);
            q.length = (uint32_t)(tap_random(&state) >> (32 + tap_random(&state) % 32));
            q.at = (uint32_t)(tap_random(&state) >> (32 + tap_random(&state) % 32));
            q.argument = tap_random(&state) >> tap_random(&state) % 64;
            q.task = tap_random(&state);
            if ((q.call & 0xff) == GROSR_SYS_FTRUNCATE)
                q.argument &= 0xffff8000000fffff;
            if ((q.call & 0xff) == GROSR_SYS_PWRITE)
                q.argument &= 0x80000000000fffff;
            struct grosr_request_pairs x = grosr_request_pack(lap, q);
            sys_store_pair_relaxed(grosr_mailbox_request(m, port, i), x.first.lo, x.first.hi);
            sys_store_pair_relaxed(grosr_mailbox_request(m, port, i) + 1, x.second.lo, x.second.hi);
        }
        unsigned char *staging = grosr_mailbox_staging(m, port);
        for (uint32_t i = 0; i < 256; i++)
            staging[tap_random(&state) % STAGING] = (unsigned char)tap_random(&state);
        struct grosr_packet p = {tap_random(&state) % 16 ? count : 1 + (uint32_t)tap_random(&state) % 255,
                                 (uint32_t)tap_random(&state), 0, tap_random(&state)};
        struct grosr_pair bell = grosr_doorbell_pack(lap, p);
        sys_store_pair_release(&m->doorbell[port], bell.lo, bell.hi);
        uint64_t start = grosr_host_clock_ns();
        uint32_t last = p.count > GROSR_PACKET_MAX ? GROSR_PACKET_MAX : p.count, step = 0;
        int64_t result;
        for (uint32_t i = 0; i < last; i++)
            while (!grosr_packet_poll(m, port, sequence, i, true, &result)) {
                if (grosr_host_clock_ns() - start > UINT64_C(20000000000)) {
                    unanswered++;
                    break;
                }
                dev_backoff(&step);
            }
        dev_store_relaxed(&r->port[port], sequence << 1);
    }
    is(unanswered, 0, "%u packets of garbage are answered", packets);
    ok(dev_load_relaxed(&m->words->refused) > packets / 8, "most of it is refused, and counted");
    /* A packet of no requests, to which there is no answer. */
    struct grosr_pair none = grosr_doorbell_pack(grosr_packet_lap((dev_load_relaxed(&r->port[0]) >> 1) + 1),
                                                 (struct grosr_packet){0, 0, 0, 0});
    sys_store_pair_release(&m->doorbell[0], none.lo, none.hi);
    struct timespec moment = {0, 300000000};
    nanosleep(&moment, NULL);
    dev_store_relaxed(&r->port[0], dev_load_relaxed(&r->port[0]) + 2);
    for (uint32_t i = 0; i < 2 * PORTS; i++)
        unanswered += grosr_noop(r->sys) != 0;
    is(unanswered, 0, "and calls after them are made");
    rig_close(r);
}

/* ---- threads that die ---- */

static dev32 deaths;

static void die(const char *point)
{
    if ((!strcmp(point, "proxy.call") || !strcmp(point, "proxy.pool")) && dev_load_relaxed(&deaths) &&
        dev_add_acquire(&deaths, ~0u) == 1)
        pthread_exit(NULL);
}

struct caller {
    struct rig *rig;
    pthread_t thread;
    int64_t result;
    bool sync;
};

static void *call_once(void *arg)
{
    struct caller *c = (struct caller *)arg;

    c->result =
        c->sync ? grosr_openat(c->rig->sys, GROSR_ROOT, "none", O_RDONLY, 0) : grosr_noop(c->rig->sys);
    return NULL;
}

static void killed(void)
{
    uint32_t late = 0, wrong = 0;

    dev_point_hook_fn = die;
    struct rig *r = rig_open((struct grosr_proxy_options){.threads = 1});
    for (int round = 0; round < 20; round++) {
        struct caller c = {.rig = r, .sync = false};
        dev_store_relaxed(&deaths, 1u);
        uint64_t start = grosr_host_clock_ns();
        pthread_create(&c.thread, NULL, call_once, &c);
        while (dev_load_relaxed(&deaths) && grosr_host_clock_ns() - start < UINT64_C(10000000000)) {
            struct timespec moment = {0, 1000000};
            nanosleep(&moment, NULL);
        }
        do { /* as the housekeeper does */
            struct timespec moment = {0, 1000000};
            grosr_proxy_check(r->proxy);
            nanosleep(&moment, NULL);
        } while (pthread_tryjoin_np(c.thread, NULL) && grosr_host_clock_ns() - start < UINT64_C(10000000000));
        late += grosr_host_clock_ns() - start >= UINT64_C(10000000000);
        wrong += c.result != -EIO;
        wrong += grosr_noop(r->sys) != 0;
    }
    is(late, 0, "calls that a dead thread had taken end");
    is(wrong, 0, "with -EIO, and its successor makes the next ones");
    rig_close(r);
    dev_point_hook_fn = NULL;
}

/* ---- a disk that is full ---- */

static void full(void)
{
    struct rig *r = rig_open((struct grosr_proxy_options){.writable = true});
    static unsigned char bytes[50000];
    struct rlimit before, limit;

    int file = grosr_open(r->sys, "full", O_RDWR | O_CREAT, 0600);
    ok(file >= 0, "a file");
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 30000;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    is(grosr_pwrite(r->sys, file, bytes, 10000, 0), 10000, "that may grow so far");
    is(grosr_pwrite(r->sys, file, bytes, sizeof(bytes), 10000), 20000, "a write beyond is short");
    is(grosr_pwrite(r->sys, file, bytes, 10, 40000), -EFBIG, "and then refused");
    is(grosr_write(r->sys, file, bytes, sizeof(bytes)), 30000, "one in pieces is short as a whole");
    setrlimit(RLIMIT_FSIZE, &before);
    is(grosr_close(r->sys, file), 0, "closed");
    is((int64_t)dev_load_relaxed(&r->m.words->handles), 0, "no handle is open");
    rig_close(r);

    r = rig_open((struct grosr_proxy_options){.writable = true, .collect_bytes = 1 << 20});
    unsigned char *large = (unsigned char *)zeroed(3 << 20);
    file = grosr_open(r->sys, "log", O_WRONLY | O_CREAT | O_APPEND, 0600);
    is(grosr_write(r->sys, file, large, 3 << 20), -ENOBUFS,
       "an append that is longer than is kept is refused");
    is(grosr_write(r->sys, file, large, 100000), 100000, "and nothing of it is in the next one");
    struct stat st;
    char path[96];
    snprintf(path, sizeof(path), "%s/log", r->root);
    is(stat(path, &st) ? -1 : st.st_size, 100000, "nor in the file");
    free(large);
    rig_close(r);
}

/* ---- the log ---- */

static void logged(void)
{
    struct rig *r = rig_open((struct grosr_proxy_options){.threads = 1});
    uint32_t kept = 0, refused = 0;
    unsigned long long lines = 0, missing = 0, n;

    is(grosr_log(r->sys, "%s has %d of %5.2f%%, %c, %x", "one", -3, 2.5, 'y', 255), 0, "a line");
    is(grosr_log(r->sys, "no arguments"), 0, "another one");
    is(grosr_log(r->sys, "%d %d %n %", 1), 0, "one whose format is wrong");
    for (uint32_t i = 0; i < 20000; i++) {
        int err = grosr_log(r->sys, "line %u", i);
        kept += err == 0;
        refused += err == -EAGAIN;
    }
    is(kept + refused, 20000, "many at once are kept or refused");
    char *text = r->lines;
    struct grosr_proxy *p = r->proxy;
    grosr_proxy_stop(p, dev_load_relaxed(&r->log_state.missing));
    r->proxy = NULL;
    ok(!strncmp(text, "one has -3 of  2.50%, y, ff\nno arguments\n1 0 ", 41), "lines are as printf has them");
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        lines += !strncmp(line, "line ", 5);
        if (sscanf(line, "[%llu log lines are missing here]", &n) == 1)
            missing += n;
    }
    is((int64_t)lines, kept, "every line that was kept is there");
    is((int64_t)missing, refused, "and those that were not are counted where they are missing");
    nftw(r->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(r->table);
    free(r->memory);
    free(r);
}

int main(void)
{
    garbage(3000, true, 1);
    garbage(3000, true, 2);
    garbage(1000, false, 3);
    killed();
    full();
    logged();
    return tap_done();
}
