/*
 * Many launches of kernels that are not persistent, in two streams, on one session: every warp takes
 * whichever ring is free, and a lane of each block tells of itself in code that its neighbours do not run.
 * Built and recorded by trace.t.
 */
#include <grosr/trace.h>

#include <stdio.h>
#include <stdlib.h>

#define LAUNCHES 100
#define BLOCKS   24
#define THREADS  128
#define STEPS    20

enum { PASS, STEP, ALONE };
static const char *const names[] = {"pass", "step", "alone"};

static void must(cudaError_t code)
{
    if (code != cudaSuccess) {
        fprintf(stderr, "launches: %s\n", cudaGetErrorString(code));
        exit(1);
    }
}

__global__ void passes(uint32_t *sum, uint32_t launch GROSR_TRACED(struct grosr_trace_handle trace))
{
    GROSR_TRACE_WARP(t, trace, GROSR_ANY_RING);
    grosr_begin(&t, PASS);
    for (uint32_t i = 0; i < STEPS; i++) {
        atomicAdd(sum, 1);
        grosr_instant(&t, STEP, i);
    }
    grosr_end(&t, PASS, launch);
    grosr_trace_end(&t);
}

__global__ void divergent(uint32_t *sum, uint32_t launch GROSR_TRACED(struct grosr_trace_handle trace))
{
    if (threadIdx.x == 37) { /* a lane in the middle of a warp */
        GROSR_TRACE_THREAD(t, trace, GROSR_ANY_RING);
        for (uint32_t i = 0; i < STEPS; i++) {
            grosr_poll(&t);
            grosr_begin(&t, ALONE);
            atomicAdd(sum, 32);
            grosr_end(&t, ALONE, launch);
        }
        grosr_trace_end(&t);
    } else {
        for (uint32_t i = 0; i < threadIdx.x % 32; i++)
            __nanosleep(50);
    }
}

int main(void)
{
    struct grosr_trace_options options = GROSR_TRACE_OPTIONS_DEFAULT;
    struct grosr_tracing *tracing;
    cudaStream_t stream[2];
    uint32_t *sum, host_sum, expected = LAUNCHES * BLOCKS * STEPS * (THREADS + 32);

    must(cudaFree(NULL));
    options.warps = 2 * BLOCKS * THREADS / 32;
    options.ring_events = 16; /* wraps in every warp */
    options.overflow = GROSR_OVERFLOW_BLOCK;
    options.names = names;
    options.name_count = 3;
    if (grosr_trace_open(&tracing, &options)) {
        fprintf(stderr, "launches: %s\n", grosr_error());
        return 1;
    }
    must(cudaMalloc((void **)&sum, sizeof(*sum)));
    must(cudaMemset(sum, 0, sizeof(*sum)));
    must(cudaStreamCreateWithFlags(&stream[0], cudaStreamNonBlocking));
    must(cudaStreamCreateWithFlags(&stream[1], cudaStreamNonBlocking));
    must(cudaDeviceSynchronize());
    for (uint32_t i = 0; i < LAUNCHES; i++) {
        passes<<<BLOCKS, THREADS, 0, stream[0]>>>(sum, i GROSR_TRACED(grosr_trace_handle(tracing)));
        divergent<<<BLOCKS, THREADS, 0, stream[1]>>>(sum, i GROSR_TRACED(grosr_trace_handle(tracing)));
    }
    must(cudaGetLastError());
    must(cudaDeviceSynchronize());
    must(cudaMemcpy(&host_sum, sum, sizeof(host_sum), cudaMemcpyDeviceToHost));
    if (grosr_trace_close(tracing)) {
        fprintf(stderr, "launches: %s\n", grosr_error());
        return 1;
    }
    printf("%u %s\n", host_sum, host_sum == expected ? "right" : "wrong");
    return host_sum != expected;
}
