/*
 * The log, device code: lines in the form of printf, which the host formats and writes (proxy_log.c).
 *
 * A line that is taken, with result 0, is written. Nobody waits: where there is no room for a line, because
 * the host is behind by GROSR_LOG_CAPACITY of them, it is refused with -EAGAIN, counted, and reported in its
 * place in the log. So none is lost without a word, and none at all for a caller that tries again.
 *
 * Who writes: a record's lane, which has reserved it by an atomic in device memory, everything in it, the
 * first pair last, with release. The host says in log_taken how far it has read.
 */
#ifndef GROSR_LOG_DEVICE_H
#define GROSR_LOG_DEVICE_H

#include "exchange.h"

/* Reserves a record; false: there is no room. One lane. */
GROSR_DEVICE bool grosr_log_reserve(const struct grosr_mailbox *m, uint64_t *position)
{
    struct grosr_log_state *s = m->log_state;
    uint64_t tail = dev_load_relaxed(&s->tail), taken = dev_load_relaxed(&s->seen_taken), seen;

    for (;;) {
        if (tail - taken >= GROSR_LOG_CAPACITY) {
            /* Acquire: the host has read the records before. Pairs with grosr_log_drain(). */
            taken = sys_load_acquire(&m->words->log_taken);
            dev_store_relaxed(&s->seen_taken, taken);
            tail = dev_load_relaxed(&s->tail);
            if (tail - taken >= GROSR_LOG_CAPACITY)
                return false;
        }
        seen = dev_cas_acquire(&s->tail, tail, tail + 1); /* before the stores of head in grosr_log_line() */
        if (seen == tail) {
            *position = tail;
            return true;
        }
        tail = seen;
    }
}

/* The format and the strings of its %s, into a record's text. How many bytes, or -EMSGSIZE. */
GROSR_DEVICE int grosr_log_text(char *text, uint32_t room, const char *format, uint32_t arguments,
                                const uint64_t *argument)
{
    uint32_t n = 0, which = 0;

    for (const char *f = format;; f++) {
        if (n == room)
            return -EMSGSIZE;
        text[n++] = *f;
        if (!*f)
            break;
    }
    for (const char *f = format; *f; f++) {
        if (*f != '%')
            continue;
        if (f[1] == '%') {
            f++;
            continue;
        }
        while (*++f &&
               !((*f >= 'a' && *f <= 'z' && *f != 'l' && *f != 'h' && *f != 'z' && *f != 'j' && *f != 't') ||
                 (*f >= 'A' && *f <= 'Z')))
            which += *f == '*';
        if (!*f)
            break;
        if (*f == 's' && which < arguments) {
            const char *string = (const char *)(uintptr_t)argument[which];
            do {
                if (n == room)
                    return -EMSGSIZE;
                text[n++] = string ? *string : 0;
            } while (string && *string++);
        }
        which++;
    }
    return (int)n;
}

/*
 * Logs a line: 0; -EAGAIN: there was no room, the line is not kept, is counted, and the next one that is kept
 * says how many are missing before it; -EMSGSIZE: it is too long. Never waits: a caller for whom no line may
 * be lost calls again until it has room.
 */
GROSR_DEVICE_COLD int grosr_log_line(struct grosr_sys sys, const char *format, uint32_t arguments,
                                     const uint64_t *argument)
{
    const struct grosr_mailbox *m = sys.mailbox;
    char text[sizeof(((struct grosr_log_record *)0)->text)];
    uint64_t position, words[2 + GROSR_LOG_ARGUMENTS];

    if (m->ports == 0)
        return -ENOSYS;
    int n = grosr_log_text(text, sizeof(text), format, arguments, argument);
    if (n < 0)
        return n;
    if (!grosr_log_reserve(m, &position)) {
        dev_add_relaxed(&m->log_state->missing, UINT64_C(1));
        return -EAGAIN;
    }
    struct grosr_log_record *record = &m->log[position % GROSR_LOG_CAPACITY];
    words[0] = dev_load_relaxed(&m->log_state->missing);
    words[1] = sys.who;
    for (uint32_t i = 0; i < GROSR_LOG_ARGUMENTS; i++)
        words[2 + i] = i < arguments ? argument[i] : 0;
    sys_copy_out(&record->missing, words, sizeof(words), 0, 1);
    sys_copy_out(record->text, text, (uint64_t)n, 0, 1);
    uint64_t lap = grosr_log_lap(position);
    /* Release: the record. Pairs with grosr_log_drain(). */
    sys_store_pair_release(&record->head, lap | (uint64_t)arguments << 48 | (uint64_t)n << 32,
                           lap | (dev_clock_ns() & GROSR_TIME_MASK));
    return 0;
}

GROSR_DEVICE int grosr_log_values(struct grosr_sys sys, const char *format, uint32_t arguments, uint64_t a,
                                  uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f, uint64_t g,
                                  uint64_t h)
{
    uint64_t argument[GROSR_LOG_ARGUMENTS];

    argument[0] = a;
    argument[1] = b;
    argument[2] = c;
    argument[3] = d;
    argument[4] = e;
    argument[5] = f;
    argument[6] = g;
    argument[7] = h;
    return grosr_log_line(sys, format, arguments, argument);
}

/* An argument's 64 bits. */
GROSR_DEVICE uint64_t grosr_log_double(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

#ifdef __cplusplus

GROSR_DEVICE uint64_t grosr_log_value(double x)
{
    return grosr_log_double(x);
}

GROSR_DEVICE uint64_t grosr_log_value(float x)
{
    return grosr_log_double(x);
}

template <typename T> GROSR_DEVICE uint64_t grosr_log_value(T *x)
{
    return (uint64_t)(uintptr_t)x;
}

template <typename T> GROSR_DEVICE uint64_t grosr_log_value(T x)
{
    return (uint64_t)x;
}

#else

GROSR_DEVICE uint64_t grosr_log_pointer(const void *x)
{
    return (uint64_t)(uintptr_t)x;
}

GROSR_DEVICE uint64_t grosr_log_integer(uint64_t x)
{
    return x;
}

#define grosr_log_value(x) \
    _Generic((x), double                        \
             : grosr_log_double, float          \
             : grosr_log_double, const char *   \
             : grosr_log_pointer, char *        \
             : grosr_log_pointer, const void *  \
             : grosr_log_pointer, void *        \
             : grosr_log_pointer, default       \
             : grosr_log_integer)(x)

#endif

/*
 * grosr_log(sys, "worker %u: %s, %.3f ms", 3u, "done", 1.5): a line in the form of printf, with up to eight
 * arguments, which the host formats and writes. Conversions are those of printf without `n`; an integer has
 * 64 bits, whatever its length modifier.
 */
#define grosr_log(...)                                                                           \
    GROSR_PICK_LOG(__VA_ARGS__, GROSR_LOG_8, GROSR_LOG_7, GROSR_LOG_6, GROSR_LOG_5, GROSR_LOG_4, \
                   GROSR_LOG_3, GROSR_LOG_2, GROSR_LOG_1, GROSR_LOG_0, )                         \
    (__VA_ARGS__)
#define GROSR_PICK_LOG(sys, format, a, b, c, d, e, f, g, h, name, ...) name

#define GROSR_LOG_V(x) grosr_log_value(x)

#define GROSR_LOG_0(s, t) grosr_log_values(s, t, 0, 0, 0, 0, 0, 0, 0, 0, 0)

#define GROSR_LOG_1(s, t, a) grosr_log_values(s, t, 1, GROSR_LOG_V(a), 0, 0, 0, 0, 0, 0, 0)

#define GROSR_LOG_2(s, t, a, b) grosr_log_values(s, t, 2, GROSR_LOG_V(a), GROSR_LOG_V(b), 0, 0, 0, 0, 0, 0)

#define GROSR_LOG_3(s, t, a, b, c) \
    grosr_log_values(s, t, 3, GROSR_LOG_V(a), GROSR_LOG_V(b), GROSR_LOG_V(c), 0, 0, 0, 0, 0)

#define GROSR_LOG_4(s, t, a, b, c, d) \
    grosr_log_values(s, t, 4, GROSR_LOG_V(a), GROSR_LOG_V(b), GROSR_LOG_V(c), GROSR_LOG_V(d), 0, 0, 0, 0)

#define GROSR_LOG_5(s, t, a, b, c, d, e)                                                      \
    grosr_log_values(s, t, 5, GROSR_LOG_V(a), GROSR_LOG_V(b), GROSR_LOG_V(c), GROSR_LOG_V(d), \
                     GROSR_LOG_V(e), 0, 0, 0)

#define GROSR_LOG_6(s, t, a, b, c, d, e, f)                                                   \
    grosr_log_values(s, t, 6, GROSR_LOG_V(a), GROSR_LOG_V(b), GROSR_LOG_V(c), GROSR_LOG_V(d), \
                     GROSR_LOG_V(e), GROSR_LOG_V(f), 0, 0)

#define GROSR_LOG_7(s, t, a, b, c, d, e, f, g)                                                \
    grosr_log_values(s, t, 7, GROSR_LOG_V(a), GROSR_LOG_V(b), GROSR_LOG_V(c), GROSR_LOG_V(d), \
                     GROSR_LOG_V(e), GROSR_LOG_V(f), GROSR_LOG_V(g), 0)

#define GROSR_LOG_8(s, t, a, b, c, d, e, f, g, h)                                             \
    grosr_log_values(s, t, 8, GROSR_LOG_V(a), GROSR_LOG_V(b), GROSR_LOG_V(c), GROSR_LOG_V(d), \
                     GROSR_LOG_V(e), GROSR_LOG_V(f), GROSR_LOG_V(g), GROSR_LOG_V(h))

#endif
