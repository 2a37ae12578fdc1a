/*
 * Small kernels whose warps stamp their first and last moment: what CUPTI's records, on the host's clock, are
 * compared with. Built and recorded by cupti.t.
 */
#include <grosr/trace.h>

#include <stdio.h>
#include <stdlib.h>

enum { PASS };
static const char *const names[] = {"pass"};

static void must(cudaError_t code)
{
    if (code != cudaSuccess) {
        fprintf(stderr, "stamped: %s\n", cudaGetErrorString(code));
        exit(1);
    }
}

__global__ void stamped(uint32_t *sum, uint32_t launch GROSR_TRACED(struct grosr_trace_handle trace))
{
    GROSR_TRACE_WARP(t, trace, GROSR_ANY_RING);
    grosr_begin(&t, PASS);
    for (uint32_t i = 0; i < 4; i++)
        atomicAdd(sum, 1);
    grosr_end(&t, PASS, launch);
    grosr_trace_end(&t);
}

int main(int argc, char **argv)
{
    struct grosr_trace_options options = GROSR_TRACE_OPTIONS_DEFAULT;
    uint32_t n = argc > 1 ? (uint32_t)atoi(argv[1]) : 10000;
    struct grosr_tracing *tracing;
    cudaStream_t stream;
    uint32_t *sum;

    must(cudaFree(NULL));
    options.warps = 64;
    options.ring_events = 4096;
    options.overflow = GROSR_OVERFLOW_BLOCK;
    options.names = names;
    options.name_count = 1;
    if (grosr_trace_open(&tracing, &options)) {
        fprintf(stderr, "stamped: %s\n", grosr_error());
        return 1;
    }
    must(cudaMalloc((void **)&sum, sizeof(*sum)));
    must(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    for (uint32_t i = 0; i < n; i++) {
        stamped<<<4, 64, 0, stream>>>(sum, i GROSR_TRACED(grosr_trace_handle(tracing)));
        if (i % 16 == 15) /* over some time, so that the clocks drift */
            must(cudaStreamSynchronize(stream));
    }
    must(cudaStreamSynchronize(stream));
    if (grosr_trace_close(tracing)) {
        fprintf(stderr, "stamped: %s\n", grosr_error());
        return 1;
    }
    printf("%u launched\n", n);
    return 0;
}
