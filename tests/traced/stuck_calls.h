/*
 * What the programs of stuck_calls.c have in common: the names of their kernels, how long these run, and how
 * a program goes on until it is to end. `ended`: set by SIGUSR1.
 */
#ifndef GROSR_STUCK_CALLS_H
#define GROSR_STUCK_CALLS_H

#include "cupti_double.h"
#include "detached.h"

#include <cuda.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SERVER "_Z6serverPVi" /* server(int volatile*) */
#define WORK   "_Z4workPfi"   /* work(float*, int) */
#define STEPS  "_Z5stepsPi"
#define PEER   "_Z4peerPVi"
#define A      "_Z12collective_aPVi"
#define B      "_Z12collective_bPVi"
#define SHORT  UINT64_C(1000)
#define LONG   UINT64_C(8000000000)

static volatile sig_atomic_t ended;

/* At most 8 s. */
static void sleep_on(void)
{
    for (int i = 0; i < 8000 && !ended; i++)
        usleep(1000);
}

/* For a thread that must come first, however busy the machine is. */
static int has_begun;

static void begun(void)
{
    __atomic_store_n(&has_begun, 1, __ATOMIC_RELEASE);
}

static void await_begun(void)
{
    while (!__atomic_load_n(&has_begun, __ATOMIC_ACQUIRE) && !ended)
        usleep(1000);
}

static void in_thread(void *(*main)(void *))
{
    start_detached(main, NULL);
}

#endif
