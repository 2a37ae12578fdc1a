/*
 * The injected library: what its parts share. It lives in processes that are not ours, so:
 *
 * - It records only in processes that find GROSR_COLLECTOR set, and makes the session at the first thing
 *   there is to record. Without a collector, or without room in /dev/shm, it says so once and does nothing
 * from then on.
 * - Handlers begin with inject_enter() and end with inject_leave(). Between them the thread is busy, and what
 *   a signal handler or a malloc hook records on top of that is counted and left out: no lock is taken twice,
 *   however the program nests its calls. errno is as it was.
 * - A fork's child has a session of its own. Locks that another thread held at the fork are
 *   made anew; what is known of domains and names is written again.
 * - At exit the session is closed and stays mapped: threads that still run may go on calling.
 *
 * A thread writes to one of a few streams, always the same, so that its records stay in order.
 */
#ifndef GROSR_INJECT_H
#define GROSR_INJECT_H

#include "../port/device.h"
#include "../session/stream.h"

#include <signal.h>

#define INJECT_DEPTHS 16u /* domains whose depth of pushed ranges is known */

/* The call of an API of CUDA that a thread is in (cuda.c), and what its return shows to have ended. */
struct inject_call {
    bool known; /* it was entered in this process */
    uint64_t start;
    uint32_t correlation;
    uint32_t api;
    struct inject_string *name;
    uint32_t stream; /* of the event that it waits for */
    uint64_t place;
};

struct inject_thread {
    dev32 taken; /* 1: a thread has it */
    uint32_t tid;
    uint32_t stream;
    bool named; /* the session knows its name */
    volatile sig_atomic_t busy;
    int saved_errno;
    int depth[INJECT_DEPTHS];
    struct inject_call call; /* the outermost one */
    uint32_t calls;          /* that it is in, one inside the other */
    uint32_t launches_at;    /* the one of them that launches a kernel; 0: none */
    uint32_t kernels;        /* that it has launched */
    bool ours;               /* it is the library's own: nothing of it is recorded */
};

/* The process begins to end in order: what it is in now is what it ended in. */
void inject_ends(void);

/*
 * The calling thread, ready to write records; NULL: nothing is to be recorded now. Any thread, at any time.
 */
struct inject_thread *inject_enter(void);
void inject_leave(struct inject_thread *thread);

/* Writes a record to the thread's stream. Between inject_enter() and inject_leave(), as all below. */
bool inject_write(struct inject_thread *thread, const struct grosr_piece *pieces, unsigned count);

/* The same, but false without a loss when there is no room at the moment. */
bool inject_try_write(struct inject_thread *thread, const struct grosr_piece *pieces, unsigned count);

/* The same, and it is written again in the sessions of fork's children, after `text`, a string that it names
 * (or NULL). */
struct inject_string;
void inject_write_fact(struct inject_thread *thread, struct inject_string *text,
                       const struct grosr_piece *pieces, unsigned count);

/* A diagnostic message; topic and text end in NUL. */
bool inject_note(struct inject_thread *thread, const char *topic, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * A string that comes often, or is long: kept for ever, the same for the same text. One of more than
 * GROSR_TEXT_MAX bytes is cut and ends in its length and hash, so that two do not become one; so is one of
 * more than GROSR_RECORD_TEXT_MAX once such strings have taken INJECT_LONG_MAX. Cuts are counted and noted.
 * NULL: no memory.
 */
#define INJECT_LONG_MAX (64u << 20) /* bytes */
struct inject_string *inject_string(const char *text, size_t bytes);

/* Its text, which ends in NUL. */
const char *inject_string_text(const struct inject_string *string);

/* Its number for a record of this thread's stream, to which it has been sent; 0: there was no room. */
uint32_t inject_string_number(struct inject_thread *thread, struct inject_string *string);

/* The session, once inject_enter() has succeeded; and the thread's slot in its table of calls. */
const struct grosr_session *inject_session(void);
uint32_t inject_slot(const struct inject_thread *thread);

/* The string's number among the segment's texts (outstanding.h), where it is put if it is not there; NULL and
 * 0 are no string. Any thread, outside inject_enter() too. */
uint32_t inject_text(struct inject_string *string);

/* Whether this process is recorded; makes the session if it is. */
bool inject_begin(void);

#endif
