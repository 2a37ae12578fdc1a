/*
 * The log: two threads. One takes the records from the ring (mailbox.h), formats them and keeps the lines in
 * memory; the other one writes them where they go, which may block. So the ring has room again at once, and a
 * line is missing only where the device writes faster than the first thread can copy, or LINES_BYTES are
 * waiting.
 *
 * What is missing is reported in its place, as a line of its own.
 */
#include "proxy_parts.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINES_BYTES (64u << 20)
#define LINE_ROOM   4096u

struct log {
    struct grosr_proxy *proxy;
    pthread_t drainer, writer;
    bool drains, writes;
    uint64_t position; /* of the next record; the drainer's */
    uint64_t missing,
        skipped;          /* lines reported as missing in the ring; lines for which there was no memory */
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    char *lines;
    size_t used, room;
    bool ends;
};

/* ---- formatting ---- */

/* One conversion of a format, from its '%' on, with the arguments that it takes; returns how far it goes. */
static size_t convert(char *to, size_t size, const char *format, const struct grosr_log_record *r, uint32_t n,
                      uint32_t *which, const char **string)
{
    const char *end = r->text + sizeof(r->text);
    char one[64] = "%";
    size_t i = 1, k = 1;
    int stars[2] = {0, 0}, star = 0;

    for (; format[i] && k + 4 < sizeof(one); i++) {
        char c = format[i];
        if (c == '*' && star < 2 && *which < n) {
            int64_t x = (int64_t)r->argument[(*which)++];
            stars[star++] = (int)(x < -999 ? -999 : x > 999 ? 999 : x);
            one[k++] = c;
        } else if (strchr("-+ #0123456789.", c)) {
            one[k++] = c;
        } else if (!strchr("hlqjztL", c)) {
            break;
        }
    }
    char c = format[i];
    uint64_t x = *which < n && c != '%' ? r->argument[(*which)++] : 0;
    double d;
    memcpy(&d, &x, sizeof(d));
    to[0] = 0;
#define CONVERT(value)                                                \
    (star == 2   ? snprintf(to, size, one, stars[0], stars[1], value) \
     : star == 1 ? snprintf(to, size, one, stars[0], value)           \
                 : snprintf(to, size, one, value))
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wformat-nonliteral\"");
    _Pragma("GCC diagnostic ignored \"-Wformat-security\"");
    if (c && strchr("diouxX", c)) {
        snprintf(one + k, sizeof(one) - k, "ll%c", c);
        CONVERT((long long)x);
    } else if (c && strchr("eEfFgGaA", c)) {
        snprintf(one + k, sizeof(one) - k, "%c", c);
        CONVERT(d);
    } else if (c == 'c') {
        snprintf(one + k, sizeof(one) - k, "c");
        CONVERT((int)x);
    } else if (c == 'p') {
        snprintf(to, size, "0x%llx", (unsigned long long)x);
    } else if (c == 's') {
        size_t room = (size_t)(end - *string), length = strnlen(*string, room);
        char text[sizeof(r->text)];
        memcpy(text, *string, length);
        text[length < sizeof(text) ? length : sizeof(text) - 1] = 0;
        *string += length < room ? length + 1 : length;
        snprintf(one + k, sizeof(one) - k, "s");
        CONVERT(text);
    } else if (c == '%') {
        snprintf(to, size, "%%");
    } else { /* not a conversion: as it stands */
        snprintf(to, size, "%.*s", (int)i + (c != 0), format);
    }
    _Pragma("GCC diagnostic pop");
#undef CONVERT
    return i + (c != 0);
}

/* A record as a line, with its newline. */
static size_t format_line(char line[LINE_ROOM], const struct grosr_log_record *r, uint32_t arguments)
{
    size_t length = strnlen(r->text, sizeof(r->text)), n = 0;
    const char *f = r->text, *string = r->text + (length < sizeof(r->text) ? length + 1 : length);
    char format[sizeof(r->text) + 1];
    uint32_t which = 0;

    memcpy(format, f, length);
    format[length] = 0;
    for (f = format; *f && n < LINE_ROOM - 2;) {
        if (*f != '%') {
            line[n++] = *f++;
            continue;
        }
        f += convert(line + n, LINE_ROOM - 1 - n, f, r, arguments, &which, &string);
        n += strnlen(line + n, LINE_ROOM - 2 - n);
    }
    if (n == 0 || line[n - 1] != '\n')
        line[n++] = '\n';
    return n;
}

/* ---- the lines ---- */

static void keep(struct log *log, const char *line, size_t bytes)
{
    pthread_mutex_lock(&log->lock);
    if (log->used + bytes > log->room && log->room < LINES_BYTES) {
        size_t room = log->room ? 2 * log->room : 65536;
        char *grown = (char *)realloc(log->lines, room);
        if (grown) {
            log->lines = grown;
            log->room = room;
        }
    }
    if (log->used + bytes <= log->room) {
        memcpy(log->lines + log->used, line, bytes);
        log->used += bytes;
        dev_add_relaxed(&log->proxy->m.words->lines, UINT64_C(1));
    } else {
        log->skipped++;
    }
    pthread_cond_signal(&log->wake);
    pthread_mutex_unlock(&log->lock);
}

/* Reports lines that are missing, those that found no room in the ring up to now and those in memory. */
static void report_missing(struct log *log, uint64_t missing)
{
    char line[96];
    uint64_t n = missing > log->missing ? missing - log->missing : 0;

    pthread_mutex_lock(&log->lock);
    n += log->skipped;
    log->skipped = 0;
    pthread_mutex_unlock(&log->lock);
    if (!n)
        return;
    log->missing = missing > log->missing ? missing : log->missing;
    dev_add_relaxed(&log->proxy->m.words->missing_lines, n);
    keep(log, line,
         (size_t)snprintf(line, sizeof(line), "[%llu log lines are missing here]\n", (unsigned long long)n));
}

/* Takes the next record, if it is there. */
static bool grosr_log_drain(struct log *log)
{
    const struct grosr_mailbox *m = &log->proxy->m;
    struct grosr_log_record copy;
    char line[LINE_ROOM];
    struct grosr_log_record *r = &m->log[log->position % GROSR_LOG_CAPACITY];
    /* Pairs with grosr_log_line(). */
    struct grosr_pair head = sys_load_pair_acquire(&r->head);

    if (!grosr_pair_has_lap(head, grosr_log_lap(log->position)))
        return false;
    memcpy(&copy, r, sizeof(copy));
    /* Release: the record has been read. Pairs with grosr_log_reserve(). */
    sys_store_release(&m->words->log_taken, ++log->position);
    uint32_t arguments = (uint32_t)(head.lo >> 48) & 0xffu;
    report_missing(log, copy.missing);
    keep(log, line,
         format_line(line, &copy, arguments < GROSR_LOG_ARGUMENTS ? arguments : GROSR_LOG_ARGUMENTS));
    return true;
}

static void *drain_main(void *arg)
{
    struct log *log = (struct log *)arg;
    uint32_t step = 0;

    if (log->proxy->options.sandbox)
        sandbox_enter();
    /* The last look comes after the end was seen. Pairs with grosr_proxy_stop(). */
    for (bool ends = false; !ends;) {
        ends = dev_load_acquire(&log->proxy->stopping);
        bool any = false;
        while (grosr_log_drain(log))
            any = true;
        step = any ? 0 : step;
        if (!ends)
            dev_backoff(&step);
    }
    return NULL;
}

/* Writes what can be written; one who reads no longer ends it. */
static void put(const struct log *log, const char *lines, size_t bytes)
{
    if (log->proxy->options.log) {
        log->proxy->options.log(log->proxy->options.log_arg, lines, bytes);
        return;
    }
    while (bytes) {
        ssize_t n = write(STDERR_FILENO, lines, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        lines += n;
        bytes -= (size_t)n;
    }
}

static void *write_main(void *arg)
{
    struct log *log = (struct log *)arg;
    char *lines = NULL;
    size_t room = 0;

    pthread_mutex_lock(&log->lock);
    for (;;) {
        while (!log->used && !log->ends)
            pthread_cond_wait(&log->wake, &log->lock);
        if (!log->used)
            break;
        char *full = log->lines;
        size_t used = log->used, full_room = log->room;
        log->lines = lines;
        log->room = room;
        log->used = 0;
        pthread_mutex_unlock(&log->lock);
        put(log, full, used);
        lines = full;
        room = full_room;
        pthread_mutex_lock(&log->lock);
    }
    pthread_mutex_unlock(&log->lock);
    free(lines);
    return NULL;
}

int log_open(struct grosr_proxy *p)
{
    struct log *log = (struct log *)calloc(1, sizeof(*log));
    sigset_t all, before;

    if (!log)
        return -ENOMEM;
    p->log = log;
    log->proxy = p;
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->wake, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    log->drains = pthread_create(&log->drainer, NULL, drain_main, log) == 0;
    log->writes = log->drains && pthread_create(&log->writer, NULL, write_main, log) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return log->writes ? 0 : -EAGAIN;
}

void log_close(struct grosr_proxy *p, uint64_t missing)
{
    struct log *log = p->log;

    if (!log)
        return;
    if (log->drains)
        pthread_join(log->drainer, NULL);
    report_missing(log, missing);
    pthread_mutex_lock(&log->lock);
    log->ends = true;
    pthread_cond_signal(&log->wake);
    pthread_mutex_unlock(&log->lock);
    if (log->writes)
        pthread_join(log->writer, NULL);
    pthread_mutex_destroy(&log->lock);
    pthread_cond_destroy(&log->wake);
    free(log->lines);
    free(log);
    p->log = NULL;
}
