/*
 * The smallest TAP producer: ok(), is(), plan at the end. One program a test; `return tap_done();` ends main.
 */
#ifndef GROSR_TAP_H
#define GROSR_TAP_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_count, tap_failed;

#define ok(condition, ...)                                                     \
    do {                                                                       \
        bool tap_pass = (condition);                                           \
        tap_count++;                                                           \
        tap_failed += !tap_pass;                                               \
        printf("%sok %d - ", tap_pass ? "" : "not ", tap_count);               \
        printf(__VA_ARGS__);                                                   \
        printf("\n");                                                          \
        if (!tap_pass)                                                         \
            printf("# failed at %s:%d: %s\n", __FILE__, __LINE__, #condition); \
        fflush(stdout);                                                        \
    } while (0)

#define is(got, want, ...)                                                      \
    do {                                                                        \
        int64_t tap_got = (int64_t)(got), tap_want = (int64_t)(want);           \
        ok(tap_got == tap_want, __VA_ARGS__);                                   \
        if (tap_got != tap_want)                                                \
            printf("# got %" PRId64 ", want %" PRId64 "\n", tap_got, tap_want); \
    } while (0)

/* The whole program is skipped. */
#define skip_all(reason)                    \
    do {                                    \
        printf("1..0 # SKIP %s\n", reason); \
        exit(0);                            \
    } while (0)

static inline int tap_done(void)
{
    printf("1..%d\n", tap_count);
    return tap_failed != 0;
}

/* A small deterministic generator for tests (xorshift64*). */
static inline uint64_t tap_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

#endif
