/*
 * Threads that make the calls that may block, each one at a time. They are created when a call waits and none
 * is idle, up to POOL_THREADS_MAX. Calls beyond wait until one is done, so that even so many FIFOs hold up no
 * call that does not block.
 */
#include "proxy_parts.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static void *pool_main(void *arg)
{
    struct pool_thread *t = (struct pool_thread *)arg;
    struct grosr_proxy *p = t->proxy;
    struct pool *pool = &p->pool;

    if (p->options.sandbox)
        sandbox_enter();
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->first && !dev_load_relaxed(&p->stopping)) {
            pool->idle++;
            pthread_cond_wait(&pool->wake, &pool->lock);
            pool->idle--;
        }
        struct call *c = pool->first;
        if (!c)
            break;
        pool->first = c->next;
        if (!pool->first)
            pool->last = &pool->first;
        pool->waiting--;
        dev_store_relaxed(&t->call, (uint64_t)(uintptr_t)c);
        pthread_mutex_unlock(&pool->lock);
        dev_point("proxy.pool");
        int64_t result = proxy_call(p, c, true);
        dev_store_relaxed(&t->call, UINT64_C(0));
        proxy_answer(p, c, result);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* With all signals blocked: those of the process are for its own threads; SIGPIPE and SIGXFSZ become errnos.
 */
static int start_thread(struct pool_thread *t)
{
    sigset_t all, before;
    int err;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&t->thread, NULL, pool_main, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    t->started = err == 0;
    return -err;
}

int pool_open(struct grosr_proxy *p)
{
    struct pool *pool = &p->pool;

    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->last = &pool->first;
    for (uint32_t i = 0; i < POOL_THREADS_MAX; i++)
        pool->thread[i].proxy = p;
    return start_thread(&pool->thread[pool->threads++]); /* so that there is one at least */
}

void pool_add(struct grosr_proxy *p, struct call *c)
{
    struct pool *pool = &p->pool;

    dev_store_relaxed(&c->state, (uint32_t)CALL_HANDED);
    pthread_mutex_lock(&pool->lock);
    c->next = NULL;
    *pool->last = c;
    pool->last = &c->next;
    pool->waiting++;
    if (pool->waiting > pool->idle && pool->threads < POOL_THREADS_MAX &&
        start_thread(&pool->thread[pool->threads]) == 0)
        pool->threads++;
    pthread_cond_signal(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

void pool_check(struct grosr_proxy *p)
{
    struct pool *pool = &p->pool;

    pthread_mutex_lock(&pool->lock);
    uint32_t threads = pool->threads;
    pthread_mutex_unlock(&pool->lock);
    for (uint32_t i = 0; i < threads; i++) {
        struct pool_thread *t = &pool->thread[i];
        if (!t->started || pthread_tryjoin_np(t->thread, NULL))
            continue;
        struct call *c = (struct call *)(uintptr_t)dev_load_relaxed(&t->call);
        dev_store_relaxed(&t->call, UINT64_C(0));
        if (c)
            proxy_answer(p, c, -EIO);
        pthread_mutex_lock(&pool->lock);
        start_thread(t);
        pthread_mutex_unlock(&pool->lock);
    }
}

void pool_close(struct grosr_proxy *p)
{
    struct pool *pool = &p->pool;

    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (uint32_t i = 0; i < pool->threads; i++)
        if (pool->thread[i].started)
            pthread_join(pool->thread[i].thread, NULL);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->wake);
}
