/*
 * The threads that serve the ports (proxy.h), and what happens to a packet:
 *
 *     rung -> its requests are copied -> each is made at once, or handed to io_uring or the pool, or sleeps
 *          -> each is answered -> the latency is counted when the device has resumed, or rings again
 *
 * A thread serves the ports of every threads-th line of doorbells, so that a look at eight ports is one line
 * that nobody else reads. It looks again at once for spin_ns after the last packet; then it backs off, so
 * that an idle proxy costs no core.
 *
 * A thread that dies is found by grosr_proxy_check(). The requests that it had taken and not handed on are
 * answered with -EIO; those in the pool and in io_uring are not affected. Its successor goes on with its
 * ports and its ring.
 */
#include "proxy_parts.h"

#include "../../tracer/base/error.h"
#include "../../tracer/base/host_clock.h"
#include "../../tracer/session/session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "paths.h"

#define URING_ENTRIES 256u
#define URING_BYTES   131072u /* a longer read or write is copied by a thread of its own */
#define URING_BATCH   4u      /* reads and writes that came together and are submitted together */

/* ---- latencies, and the trace ---- */

static uint32_t latency_bucket(uint64_t ns)
{
    uint32_t k = 0;

    if (ns < 4)
        return (uint32_t)ns;
    while (ns >> k >= 8)
        k++;
    k = 4 * k + 4 + (uint32_t)(ns >> k & 3);
    return k < GROSR_LATENCIES ? k : GROSR_LATENCIES - 1;
}

/* Counts the latency of the port's last packet and records it, once the device has resumed. `last`: its times
 * are overwritten next, whether it has or not. */
static void note_packet(struct grosr_proxy *p, uint32_t index, bool last)
{
    const struct port *port = &p->port[index];
    struct port_state *state = &p->state[index];
    uint64_t resumed_ns;

    if (!state->unnoted)
        return;
    bool resumed = grosr_port_resumed(&p->m, index, state->sequence, &resumed_ns);
    if (!resumed && !last)
        return;
    state->unnoted = false;
    if (resumed) {
        uint64_t ns = (resumed_ns - port->packet.issued_ns) & GROSR_TIME_MASK;
        dev_add_relaxed(&p->m.words->latency[latency_bucket(ns)], UINT64_C(1));
    }
    if (port->seen_ns)
        trace_packet(p, index, port, resumed ? resumed_ns : 0);
}

/* ---- requests ---- */

/* Hands a read or write at an offset to io_uring. False: it is none, or the ring is full. */
static bool hand_to_uring(struct server *s, struct call *c)
{
    struct grosr_proxy *p = s->proxy;
    const struct grosr_request *r = &c->request;

    if (!s->uring || (r->call != GROSR_SYS_PREAD && r->call != GROSR_SYS_PWRITE) || r->length > URING_BYTES ||
        r->argument > INT64_MAX || r->flags & (GROSR_REQUEST_MORE | GROSR_REQUEST_LAST))
        return false;
    unsigned char *memory = proxy_memory(p, c);
    if (!memory || !(c->handle = handles_get(&p->handles, r->handle)))
        return false; /* proxy_call() has the errno */
    if (c->handle->kind == HANDLE_FILE && !c->handle->append && uring_add(s->uring, c, memory))
        return true;
    handles_release(&p->handles, c->handle);
    return false;
}

static void begin_sleep(struct server *s, struct call *c)
{
    uint64_t now = grosr_host_clock_ns(), ns = c->request.argument;

    dev_store_relaxed(&c->state, (uint32_t)CALL_HANDED);
    s->sleeper[s->sleepers].call = c;
    s->sleeper[s->sleepers++].until_ns = ns > UINT64_MAX - now ? UINT64_MAX : now + ns;
}

/* Makes a request, or hands it on. `batch`: it came with other reads and writes. */
static void begin_call(struct server *s, struct call *c, bool batch)
{
    dev_point("proxy.call");
    if (batch && hand_to_uring(s, c))
        return;
    int64_t result = proxy_call(s->proxy, c, false);
    if (result == CALL_SLEEPS)
        begin_sleep(s, c);
    else if (result == CALL_BLOCKS && !hand_to_uring(s, c))
        pool_add(s->proxy, c);
    else if (result != CALL_BLOCKS)
        proxy_answer(s->proxy, c, result);
}

/* ---- packets ---- */

/* Copies a packet's requests. False: some are on their way. */
static bool take_packet(struct grosr_proxy *p, uint32_t index, struct grosr_packet packet)
{
    struct port *port = &p->port[index];
    struct port_state *state = &p->state[index];
    uint64_t sequence = state->sequence + 1;
    uint32_t count = packet.count > GROSR_PACKET_MAX ? GROSR_PACKET_MAX : packet.count;

    note_packet(p, index, true);
    for (uint32_t i = 0; i < count; i++)
        if (!grosr_port_request(&p->m, index, sequence, i, &port->call[i].request))
            return false;
    if (packet.count == 0 || packet.count > GROSR_PACKET_MAX)
        dev_add_relaxed(&p->m.words->refused, UINT64_C(1));
    packet.count = count;
    grosr_port_refresh(&p->m, index, sequence);
    port->packet = packet;
    state->sequence = sequence;
    state->unnoted = true;
    port->seen_ns = trace_wanted(p) ? grosr_host_clock_ns() : 0;
    for (uint32_t i = 0; i < count; i++) {
        port->call[i].done_ns = 0;
        dev_store_relaxed(&port->call[i].state, (uint32_t)CALL_TAKEN);
    }
    dev_store_relaxed(&state->left, count);
    return true;
}

static bool serve_port(struct server *s, uint32_t index)
{
    struct grosr_proxy *p = s->proxy;
    struct port *port = &p->port[index];
    const struct port_state *state = &p->state[index];
    struct grosr_packet packet;
    uint32_t transfers = 0;

    /* Pairs with proxy_answer(): others may have answered the packet's last request. */
    if (dev_load_acquire(&state->left))
        return false;
    if (!grosr_port_rung(&p->m, index, state->sequence + 1, &packet)) {
        note_packet(p, index, false);
        return false;
    }
    if (!take_packet(p, index, packet))
        return true;
    uint32_t count = port->packet.count;
    for (uint32_t i = 0; i < count && s->uring; i++)
        transfers +=
            port->call[i].request.call == GROSR_SYS_PREAD || port->call[i].request.call == GROSR_SYS_PWRITE;
    for (uint32_t i = 0; i < count; i++)
        begin_call(s, &port->call[i], transfers >= URING_BATCH);
    return true;
}

static bool serve_sleepers(struct server *s)
{
    bool interrupted = dev_load_relaxed(&s->proxy->interrupted), any = false;
    uint64_t now = grosr_host_clock_ns();

    for (uint32_t i = 0; i < s->sleepers;) {
        struct sleeper *sleeper = &s->sleeper[i];
        if (!interrupted && sleeper->until_ns > now) {
            i++;
            continue;
        }
        struct call *c = sleeper->call;
        int64_t result = sleeper->until_ns > now ? -ECANCELED : 0;
        *sleeper = s->sleeper[--s->sleepers];
        proxy_answer(s->proxy, c, result);
        any = true;
    }
    return any;
}

static bool serve_uring(struct server *s)
{
    struct grosr_proxy *p = s->proxy;
    struct call *c;
    int64_t result;
    bool any = false;

    uring_submit(s->uring);
    while ((c = uring_reap(s->uring, &result))) {
        handles_release(&p->handles, c->handle);
        any = true;
        if (result == -EINTR || result == -EAGAIN) {
            pool_add(p, c);
            continue;
        }
        if (result > 0)
            dev_add_relaxed(c->request.call == GROSR_SYS_PREAD ? &p->m.words->read_bytes
                                                               : &p->m.words->written_bytes,
                            (uint64_t)result);
        proxy_answer(p, c, result);
    }
    return any;
}

/* Everything once. Whether there was anything. */
static bool serve(struct server *s)
{
    struct grosr_proxy *p = s->proxy;
    bool any = false;

    for (uint32_t first = s->index * GROSR_PORTS_PER_LINE; first < p->m.ports;
         first += p->options.threads * GROSR_PORTS_PER_LINE)
        for (uint32_t i = first; i < p->m.ports && i < first + GROSR_PORTS_PER_LINE; i++)
            any |= serve_port(s, i);
    if (s->uring && uring_pending(s->uring))
        any |= serve_uring(s);
    if (s->sleepers)
        any |= serve_sleepers(s);
    return any;
}

static void *server_main(void *arg)
{
    struct server *s = (struct server *)arg;
    struct grosr_proxy *p = s->proxy;
    uint64_t busy_ns = grosr_host_clock_ns();
    uint32_t step = 0;

    prctl(PR_SET_NAME, GROSR_PROXY_THREAD); /* by which a diagnosis finds it */
    if (p->options.sandbox)
        sandbox_enter();
    while (!dev_load_relaxed(&p->stopping)) {
        sys_store_relaxed(&p->m.words->looked_ns[s->index], grosr_host_clock_ns());
        dev_point("proxy.serve");
        if (serve(s)) {
            step = 0;
            if (p->options.spin_ns)
                busy_ns = grosr_host_clock_ns();
        } else if (!p->options.spin_ns || grosr_host_clock_ns() - busy_ns > p->options.spin_ns) {
            dev_backoff(&step);
        }
    }
    while (s->uring && uring_pending(s->uring)) { /* the kernel still writes to the memory */
        serve_uring(s);
        dev_backoff(&step);
    }
    return NULL;
}

/* ---- threads ---- */

/* With all signals blocked: those of the process are for its own threads; SIGPIPE and SIGXFSZ become errnos.
 */
static int start_server(struct server *s)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&s->thread, NULL, server_main, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    s->started = err == 0;
    return -err;
}

/* Answers what a dead thread had in hand. */
static void bury(struct server *s)
{
    struct grosr_proxy *p = s->proxy;

    for (uint32_t i = 0; i < p->m.ports; i++) {
        if (i / GROSR_PORTS_PER_LINE % p->options.threads != s->index)
            continue;
        for (uint32_t k = 0; k < GROSR_PACKET_MAX; k++)
            if (dev_load_relaxed(&p->port[i].call[k].state) == CALL_TAKEN)
                proxy_answer(p, &p->port[i].call[k], -EIO);
    }
}

void grosr_proxy_check(struct grosr_proxy *p)
{
    bool replaced = false, failed = false;

    if (dev_load_relaxed(&p->stopping))
        return;
    for (uint32_t i = 0; i < p->options.threads; i++) {
        struct server *s = &p->server[i];
        if (s->started && pthread_tryjoin_np(s->thread, NULL))
            continue;
        if (s->started)
            bury(s);
        replaced = true;
        failed |= start_server(s) != 0;
    }
    if (replaced) /* where there is no thread for a port, its calls end with -EIO, until the next check has
                     one */
        sys_store_relaxed(&p->m.words->closed, (uint32_t)failed);
    pool_check(p);
}

void grosr_proxy_interrupt(struct grosr_proxy *p)
{
    uint64_t one = 1;

    dev_store_relaxed(&p->interrupted, 1u);
    sys_store_relaxed(&p->m.words->stopping, 1u);
    if (write(p->stop_event, &one, sizeof(one)) < 0)
        return; /* its counter is full: the event is there */
}

/* ---- starting and stopping ---- */

static void free_all(struct grosr_proxy *p)
{
    handles_end(&p->handles);
    for (uint32_t i = 0; p->server && i < p->options.threads; i++) {
        uring_close(p->server[i].uring);
        free(p->server[i].sleeper);
    }
    for (uint32_t i = 0; p->port && i < p->m.ports; i++)
        for (uint32_t k = 0; k < GROSR_PACKET_MAX; k++)
            free(p->port[i].call[k].collected.bytes);
    free(p->server);
    free(p->port);
    free(p->state);
    if (p->root >= 0)
        close(p->root);
    if (p->stop_event >= 0)
        close(p->stop_event);
    free(p);
}

static int allocate(struct grosr_proxy *p)
{
    uint32_t ports = p->m.ports, threads = p->options.threads;

    p->stop_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->port = (struct port *)calloc(ports, sizeof(*p->port));
    p->state = (struct port_state *)calloc(ports, sizeof(*p->state));
    p->server = (struct server *)calloc(threads, sizeof(*p->server));
    if (p->stop_event < 0 || !p->port || !p->state || !p->server ||
        handles_open(&p->handles, p->options.handles, &p->m.words->handles))
        return grosr_fail(ENOMEM, "out of memory");
    for (uint32_t i = 0; i < ports; i++)
        for (uint32_t k = 0; k < GROSR_PACKET_MAX; k++) {
            p->port[i].call[k].port = i;
            p->port[i].call[k].slot = k;
        }
    for (uint32_t i = 0; i < threads; i++) {
        struct server *s = &p->server[i];
        uint32_t lines = (ports + GROSR_PORTS_PER_LINE - 1) / GROSR_PORTS_PER_LINE;
        s->proxy = p;
        s->index = i;
        s->sleeper = (struct sleeper *)calloc((size_t)((lines + threads - 1) / threads) *
                                                  GROSR_PORTS_PER_LINE * GROSR_PACKET_MAX,
                                              sizeof(*s->sleeper));
        if (!s->sleeper)
            return grosr_fail(ENOMEM, "out of memory");
        if (!p->options.without_uring)
            uring_open(&s->uring, URING_ENTRIES); /* a kernel may refuse it: threads do the work then */
    }
    return 0;
}

static int open_root(struct grosr_proxy *p, const char *root)
{
    p->root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (p->root < 0)
        return grosr_fail(errno, "cannot open the root directory of system calls, '%s': %s", root,
                          strerror(errno));
    int probe = paths_open(p->root, ".", O_PATH | O_CLOEXEC, 0);
    if (probe < 0)
        return grosr_fail(-probe, "paths cannot be confined to '%s': openat2: %s", root, strerror(-probe));
    p->root_in_memory = proxy_is_in_memory(p->root);
    close(probe);
    return 0;
}

static void *probe_main(void *arg)
{
    *(int *)arg = sandbox_enter();
    return NULL;
}

/* Whether threads can enter the sandbox: tried in one that ends at once. */
static int probe_sandbox(void)
{
    pthread_t thread;
    int entered = 0, err = sandbox_check();

    if (err)
        return grosr_fail(-err, "this grosr was built without libseccomp: there is no sandbox");
    err = -pthread_create(&thread, NULL, probe_main, &entered);
    if (!err)
        pthread_join(thread, NULL);
    err = err ? err : entered;
    return err ? grosr_fail(-err, "cannot enter the sandbox: %s", strerror(-err)) : 0;
}

int grosr_proxy_start(struct grosr_proxy **out, const struct grosr_proxy_options *options)
{
    struct grosr_proxy *p = (struct grosr_proxy *)calloc(1, sizeof(*p));
    int err;

    *out = NULL;
    if (!p)
        return grosr_fail(ENOMEM, "out of memory");
    p->options = *options;
    p->m = options->mailbox;
    trace_open(p);
    p->root = p->stop_event = -1;
    err = options->sandbox ? probe_sandbox() : 0;
    if (!err && !(err = open_root(p, options->root)))
        err = allocate(p);
    if (err) {
        free_all(p);
        return err;
    }
    if ((err = pool_open(p)) == 0 && (err = log_open(p)) == 0)
        for (uint32_t i = 0; !err && i < options->threads; i++)
            err = start_server(&p->server[i]);
    if (err) {
        grosr_proxy_stop(p, 0);
        return grosr_fail(-err, "cannot start the threads for system calls: %s", strerror(-err));
    }
    *out = p;
    return 0;
}

void grosr_proxy_stop(struct grosr_proxy *p, uint64_t missing)
{
    if (!p)
        return;
    sys_store_relaxed(&p->m.words->closed, 1u);
    grosr_proxy_interrupt(p);
    dev_store_release(&p->stopping, 1u); /* pairs with the load in drain_main() */
    for (uint32_t i = 0; i < p->options.threads; i++)
        if (p->server[i].started)
            pthread_join(p->server[i].thread, NULL);
    pool_close(p);
    for (uint32_t i = 0; i < p->m.ports; i++)
        note_packet(p, i, true);
    log_close(p, missing);
    free_all(p);
}

bool grosr_proxy_has_uring(const struct grosr_proxy *p)
{
    return p->server[0].uring != NULL;
}
