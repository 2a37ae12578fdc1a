/*
 * Words in memory that the streams of the double wait for, and write (cupti_double.h). A thread of the
 * double's own, which the program does not know, looks at the word once a millisecond. Where a wait is put
 * behind another one that lasts, their stream may be found to have ended when the first of them has.
 */
#include "double_parts.h"

#include <stdio.h>
#include <stdlib.h>

#define DEVICE_WORDS 16u

static uint32_t device_words[DEVICE_WORDS];

uint32_t *double_device_word(uint32_t i)
{
    return &device_words[i % DEVICE_WORDS];
}

CUresult CUDAAPI cuPointerGetAttributes(unsigned count, CUpointer_attribute *attributes, void **values,
                                        CUdeviceptr at)
{
    bool device = at >= (uintptr_t)device_words && at < (uintptr_t)(device_words + DEVICE_WORDS);
    struct call c;

    DRIVER(&c, cuPointerGetAttributes, NULL, NULL, double_correlation());
    for (unsigned i = 0; i < count; i++) {
        if (attributes[i] == CU_POINTER_ATTRIBUTE_MEMORY_TYPE)
            *(CUmemorytype *)values[i] = device ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
        else if (attributes[i] == CU_POINTER_ATTRIBUTE_HOST_POINTER)
            *(uintptr_t *)values[i] = device ? 0 : (uintptr_t)at;
        else
            *(int *)values[i] = 0;
    }
    double_leave(&c, CUDA_SUCCESS);
    return CUDA_SUCCESS;
}

/* ---- streams ---- */

struct word {
    uint32_t stream;
    uint32_t *at; /* NULL: what is waited for does not come before double_stop() */
    uint32_t value;
    uint64_t from; /* when it is looked at, or written, as an item's start */
};

static bool has_begun(const struct word *w)
{
    pthread_mutex_lock(&double_lock);
    bool begun = double_time(w->stream, w->from) <= double_now_ns();
    pthread_mutex_unlock(&double_lock);
    return begun;
}

static bool is_stopped(const struct word *w)
{
    return double_time(w->stream, RUNNING) != RUNNING;
}

static void *wait_main(void *arg)
{
    struct word *w = (struct word *)arg;

    while (!is_stopped(w) &&
           (!has_begun(w) || !w->at || (int32_t)(__atomic_load_n(w->at, __ATOMIC_ACQUIRE) - w->value) < 0))
        double_sleep_ms(1);
    pthread_mutex_lock(&double_lock); /* not while another wait is put behind this one */
    __atomic_store_n(&double_streams[w->stream].released_ns, double_now_ns(), __ATOMIC_RELEASE);
    pthread_mutex_unlock(&double_lock);
    free(w);
    return NULL;
}

static void *write_main(void *arg)
{
    struct word *w = (struct word *)arg;

    while (!is_stopped(w) && !has_begun(w))
        double_sleep_ms(1);
    __atomic_store_n(w->at, w->value, __ATOMIC_RELEASE);
    free(w);
    return NULL;
}

/* A word that need not be waited for, or can be written, at once is done so: a thread for each costs too
 * much. */
static void put(uint32_t stream, uint32_t *at, uint32_t value, bool waits)
{
    struct word *w = (struct word *)malloc(sizeof(*w));

    if (!w)
        abort();
    pthread_mutex_lock(&double_lock);
    uint64_t now = double_now_ns(), from = double_behind(stream, now);
    bool met = !waits || (at && (int32_t)(__atomic_load_n(at, __ATOMIC_ACQUIRE) - value) >= 0);
    *w = (struct word){stream, at, value, from};
    double_put(stream, from, 1);
    if (waits && !(from <= now && met)) {
        double_streams[stream].latest.end_ns = HELD;
        __atomic_store_n(&double_streams[stream].released_ns, 0, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&double_lock);
    if (from <= now && met) {
        if (!waits)
            __atomic_store_n(at, value, __ATOMIC_RELEASE);
        free(w);
    } else {
        start_detached(waits ? wait_main : write_main, w);
    }
}

void double_wait_value(uint32_t stream, uint32_t *word, uint32_t value)
{
    const cuStreamWaitValue32_v2_params params = {.stream = handle_of(stream),
                                                  .addr = (uintptr_t)word,
                                                  .value = value,
                                                  .flags = CU_STREAM_WAIT_VALUE_GEQ};
    struct call c;

    double_init();
    DRIVER(&c, cuStreamWaitValue32_v2, &params, NULL, double_correlation());
    put(stream, word, value, true);
    double_leave(&c, CUDA_SUCCESS);
}

void double_write_value(uint32_t stream, uint32_t *word, uint32_t value)
{
    const cuStreamWriteValue32_v2_params params = {
        .stream = handle_of(stream), .addr = (uintptr_t)word, .value = value};
    struct call c;

    double_init();
    DRIVER(&c, cuStreamWriteValue32_v2, &params, NULL, double_correlation());
    put(stream, word, value, false);
    double_leave(&c, CUDA_SUCCESS);
}

void double_wait_and_write(uint32_t stream, uint32_t *waited, uint32_t value, uint32_t *written,
                           uint32_t written_value)
{
    CUstreamBatchMemOpParams batch[3] = {
        {.waitValue = {.operation = CU_STREAM_MEM_OP_WAIT_VALUE_32,
                       .address = (uintptr_t)waited,
                       .value = value}},
        {.flushRemoteWrites = {.operation = CU_STREAM_MEM_OP_FLUSH_REMOTE_WRITES}},
        {.writeValue = {.operation = CU_STREAM_MEM_OP_WRITE_VALUE_32,
                        .address = (uintptr_t)written,
                        .value = written_value}}};
    const cuStreamBatchMemOp_v2_params params = {
        .stream = handle_of(stream), .count = 3, .paramArray = batch};
    struct call c;

    double_init();
    DRIVER(&c, cuStreamBatchMemOp_v2, &params, NULL, double_correlation());
    put(stream, waited, value, true);
    put(stream, written, written_value, false);
    double_leave(&c, CUDA_SUCCESS);
}

void double_wait_value_refused(uint32_t stream, uint32_t *word)
{
    const cuStreamWaitValue32_v2_params params = {.stream = handle_of(stream), .addr = (uintptr_t)word};
    struct call c;

    double_init();
    DRIVER(&c, cuStreamWaitValue32_v2, &params, NULL, double_correlation());
    double_leave(&c, CUDA_ERROR_INVALID_VALUE);
}

void double_wait_semaphore(uint32_t stream)
{
    const CUexternalSemaphore semaphore = (CUexternalSemaphore)(uintptr_t)0x5000;
    const CUDA_EXTERNAL_SEMAPHORE_WAIT_PARAMS wait = {.params = {.fence = {.value = 3}}};
    const cuWaitExternalSemaphoresAsync_params params = {
        .extSemArray = &semaphore, .paramsArray = &wait, .numExtSems = 1, .stream = handle_of(stream)};
    uint32_t number = double_correlation();
    struct call outer, inner;

    double_init();
    RUNTIME(&outer, cudaWaitExternalSemaphoresAsync, v11020, NULL, NULL, number);
    DRIVER(&inner, cuWaitExternalSemaphoresAsync, &params, NULL, number);
    put(stream, NULL, 3, true);
    double_leave(&inner, CUDA_SUCCESS);
    double_leave(&outer, CUDA_SUCCESS);
}
