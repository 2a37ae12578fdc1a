/*
 * Kernels that hang, for core dumps: `coredump grid` has blocks that call grid.sync() less often than one of
 * them, `coredump block` a warp that spins while the others of its block wait for it, `coredump spin` a full
 * GPU that polls.
 */
#include <cooperative_groups.h>
#include <cstdio>
#include <cstring>

__global__ void steps(const int *length, double start, float *sum)
{
    cooperative_groups::grid_group grid = cooperative_groups::this_grid();
    for (int i = 0; i < length[blockIdx.x]; i++) {
        if (threadIdx.x == 0)
            atomicAdd(sum, (float)start);
        grid.sync(); /* line 16 */
    }
}

__global__ void waits(volatile int *flag)
{
    if (threadIdx.x / 32 == 2)
        while (*flag == 0) /* line 23 */
            ;
    __syncthreads(); /* line 25 */
}

__global__ void polls(volatile int *flag)
{
    while (*flag == 0) /* line 30 */
        ;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "grid";
    int *length, host[16], sms;
    float *sum;
    double start = 1;

    for (int i = 0; i < 16; i++)
        host[i] = i == 7 ? 3 : 2;
    cudaDeviceGetAttribute(&sms, cudaDevAttrMultiProcessorCount, 0);
    cudaMalloc(&length, sizeof(host));
    cudaMalloc(&sum, sizeof(*sum));
    cudaMemset(sum, 0, sizeof(*sum));
    void *arguments[] = {&length, &start, &sum};
    if (!strcmp(what, "grid")) {
        cudaMemcpy(length, host, sizeof(host), cudaMemcpyHostToDevice);
        cudaLaunchCooperativeKernel((void *)steps, 16, 128, arguments, 0, 0);
    } else {
        cudaMemset(length, 0, sizeof(host));
        if (!strcmp(what, "block"))
            waits<<<1, 128>>>(length);
        else
            polls<<<2 * sms, 1024>>>(length);
    }
    printf("launched: %s\n", cudaGetErrorString(cudaGetLastError()));
    fflush(stdout);
    return cudaDeviceSynchronize() != cudaSuccess;
}
