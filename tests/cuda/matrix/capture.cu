/*
 * Captures a stream in the global mode, which is the default, beside a kernel that lasts. Then any call in
 * the process that CUDA holds to be unsafe breaks the capture, also one of a tool; alone, the program breaks
 * none. Afterwards it makes calls that fail, and prints how they do.
 */
#include <cstdio>
#include <unistd.h>

__global__ void layer(float *x)
{
    x[threadIdx.x] = x[threadIdx.x] * 0.5f + 1.0f;
}

__global__ void lasting(volatile int *stop)
{
    while (!*stop)
        __nanosleep(1000);
}

int main()
{
    cudaStream_t server, capture;
    int *stop, broken = 0;
    float *x;

    if (cudaHostAlloc(&stop, sizeof *stop, cudaHostAllocMapped) || cudaMalloc(&x, 256 * sizeof *x) ||
        cudaMemset(x, 0, 256 * sizeof *x) || cudaStreamCreateWithFlags(&server, cudaStreamNonBlocking) ||
        cudaStreamCreateWithFlags(&capture, cudaStreamNonBlocking))
        return 2;
    *stop = 0;
    layer<<<1, 256, 0, capture>>>(x);
    cudaDeviceSynchronize();
    lasting<<<1, 1, 0, server>>>(stop);
    for (int i = 0; i < 20; i++) {
        cudaGraph_t graph = nullptr;
        cudaGraphExec_t exec;
        cudaStreamBeginCapture(capture, cudaStreamCaptureModeGlobal);
        for (int step = 0; step < 5; step++) {
            layer<<<1, 256, 0, capture>>>(x);
            usleep(30000);
        }
        if (cudaStreamEndCapture(capture, &graph) || cudaGraphInstantiate(&exec, graph, 0)) {
            broken++;
            cudaGetLastError();
            continue;
        }
        cudaGraphLaunch(exec, capture);
        cudaStreamSynchronize(capture);
        cudaGraphExecDestroy(exec);
        cudaGraphDestroy(graph);
    }
    *(volatile int *)stop = 1;
    cudaError_t end = cudaDeviceSynchronize();
    layer<<<1, 2048>>>(x);
    cudaError_t launch = cudaGetLastError(), copy = cudaMemcpy(x, x, 4, (cudaMemcpyKind)99);
    cudaError_t device = cudaSetDevice(1000), after = cudaDeviceSynchronize();
    printf("captures 20, broken %d; %s; too large: %s; a bad copy: %s; no such device: %s; then %s\n", broken,
           cudaGetErrorName(end), cudaGetErrorName(launch), cudaGetErrorName(copy), cudaGetErrorName(device),
           cudaGetErrorName(after));
    return broken ? 5 : 0;
}
