/*
 * Threads that nobody joins. They are detached from their beginning: pthread_detach() of a thread that ends
 * at that very moment reads what glibc has freed with it.
 */
#ifndef GROSR_TESTS_DETACHED_H
#define GROSR_TESTS_DETACHED_H

#include <pthread.h>
#include <stdbool.h>

static inline bool start_detached(void *(*main)(void *), void *arg)
{
    pthread_attr_t attributes;
    pthread_t thread;

    if (pthread_attr_init(&attributes))
        return false;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int err = pthread_create(&thread, &attributes, main, arg);
    pthread_attr_destroy(&attributes);
    return err == 0;
}

#endif
