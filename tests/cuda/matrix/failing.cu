/*
 * A kernel that writes to where nothing is, and what all calls return from then on. It leaves with 7.
 */
#include <cstdio>

__global__ void works(int *x)
{
    *x = 1;
}

int main()
{
    int *x, *far = (int *)0x100;
    cudaStream_t stream;

    if (cudaMalloc(&x, sizeof *x) || cudaStreamCreate(&stream))
        return 2;
    works<<<1, 1, 0, stream>>>(x);
    printf("before: %s\n", cudaGetErrorName(cudaStreamSynchronize(stream)));
    works<<<1, 1, 0, stream>>>(far);
    printf("launched: %s\n", cudaGetErrorName(cudaGetLastError()));
    printf("waited: %s\n", cudaGetErrorName(cudaStreamSynchronize(stream)));
    works<<<1, 1, 0, stream>>>(x);
    printf("after: %s, %s, %s\n", cudaGetErrorName(cudaGetLastError()), cudaGetErrorName(cudaMemset(x, 0, 4)),
           cudaGetErrorName(cudaDeviceSynchronize()));
    return 7;
}
