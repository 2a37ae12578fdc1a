/*
 * The thread that looks after a session in the process that owns it: it notices when the collector dies, so
 * that the overflow policy follows, and calls its owner's own work periodically (clock snapshots, the
 * device's health).
 *
 * The thread takes no signals: a program's handlers run in its own threads.
 */
#ifndef GROSR_HOUSEKEEPER_H
#define GROSR_HOUSEKEEPER_H

#include "session.h"

#include <pthread.h>

/* Zero-initialise. */
struct grosr_housekeeper {
    struct grosr_session *session;
    uint64_t period_ns;
    void (*tick)(void *owner); /* on the thread, every period_ns, the first time after one */
    void *owner;

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool running, stop; /* under `lock`, but for the owner's own look at `running` */
};

/* 0, or a negative errno with text. The session stays open until grosr_housekeeper_stop(). */
int grosr_housekeeper_start(struct grosr_housekeeper *keeper, struct grosr_session *session,
                            uint64_t period_ns, void (*tick)(void *owner), void *owner);

/* Ends the thread, at once unless it is inside a tick. One that was not started is left alone. */
void grosr_housekeeper_stop(struct grosr_housekeeper *keeper);

#endif
