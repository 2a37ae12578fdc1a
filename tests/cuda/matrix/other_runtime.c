/*
 * A program that uses the CUDA runtime of another major version than the tool was built with: the file of
 * that runtime is named, and loaded. What it calls has had the same form in all of them.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static int (*get(void *library, const char *name))()
{
    int (*function)() = NULL;

    *(void **)&function = dlsym(library, name);
    if (!function)
        exit(2);
    return function;
}

int main(int argc, char **argv)
{
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL, *memory = NULL;
    unsigned char bytes[1000] = {0};
    int sum = 0;

    if (!library)
        return 2;
    int allocated = ((int (*)(void **, size_t))get(library, "cudaMalloc"))(&memory, sizeof(bytes));
    int set = ((int (*)(void *, int, size_t))get(library, "cudaMemset"))(memory, 7, sizeof(bytes));
    int copied = ((int (*)(void *, const void *, size_t, int))get(library, "cudaMemcpy"))(bytes, memory,
                                                                                          sizeof(bytes), 2);
    int waited = ((int (*)(void))get(library, "cudaDeviceSynchronize"))();
    int freed = ((int (*)(void *))get(library, "cudaFree"))(memory);
    for (size_t i = 0; i < sizeof(bytes); i++)
        sum += bytes[i];
    printf("%d %d %d %d %d, sum %d\n", allocated, set, copied, waited, freed, sum);
    return 0;
}
