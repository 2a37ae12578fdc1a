/*
 * A kernel that hangs at a lock of the header's, for core dumps: the first block has taken it and polls a
 * variable that nobody sets, the others want it. Built and run by coredump.t.
 */
#include <grosr/trace.h>

#include <stdio.h>
#include <stdlib.h>

#define BLOCKS 8u

enum { JOURNAL };
static const char *const names[] = {"journal"};

struct state {
    unsigned entered[24];
    struct grosr_lock lock;
};

__device__ volatile unsigned gate;

__global__ void writers(struct state *s, struct grosr_trace_handle trace)
{
    GROSR_TRACE_WARP(t, trace, blockIdx.x);
    if (blockIdx.x > 0) /* the first has the lock by then */
        while (*(volatile unsigned *)&s->entered[0] == 0)
            grosr_poll(&t);
    grosr_lock_acquire(&t, GROSR_BY_WARP, JOURNAL, 0, &s->lock);
    if (threadIdx.x == 0)
        *(volatile unsigned *)&s->entered[blockIdx.x] = 1;
    while (gate == 0)
        ;
    grosr_lock_release(&t, GROSR_BY_WARP, JOURNAL, 0, &s->lock);
    grosr_trace_end(&t);
}

static void must(cudaError_t code)
{
    if (code != cudaSuccess) {
        fprintf(stderr, "coredump_lock: %s\n", cudaGetErrorString(code));
        exit(1);
    }
}

int main(void)
{
    struct grosr_trace_options options = GROSR_TRACE_OPTIONS_DEFAULT;
    struct grosr_tracing *tracing;
    struct state *s;

    options.warps = BLOCKS;
    options.names = names;
    options.name_count = 1;
    if (grosr_trace_open(&tracing, &options)) {
        fprintf(stderr, "coredump_lock: %s\n", grosr_error());
        return 1;
    }
    must(cudaMalloc((void **)&s, sizeof(*s)));
    must(cudaMemset(s, 0, sizeof(*s)));
    writers<<<BLOCKS, 32>>>(s, grosr_trace_handle(tracing));
    must(cudaGetLastError());
    printf("launched: no error, the lock is at %p\n", (void *)&s->lock);
    fflush(stdout);
    must(cudaDeviceSynchronize());
    return 0;
}
