/*
 * Stands in for libFuzzer: runs the inputs that were kept, and each of them again truncated and with bytes
 * changed, so that a few thousand inputs run in seconds.
 */
#include "fuzz.h"

#include "../tap.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (1u << 20)

static unsigned changed = 8; /* times each input is run with bytes changed */
static uint64_t seed = 88172645463325252u;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static unsigned run(const uint8_t *input, size_t size)
{
    /* Of the exact size, so that a sanitizer sees every byte read beyond it. */
    uint8_t *copy = (uint8_t *)malloc(size ? size : 1);
    unsigned runs = 0;

    if (!copy)
        return 0;
    for (; runs < changed + 1; runs++) {
        memcpy(copy, input, size);
        for (uint64_t i = 0; runs && size && i < 1 + next_random() % 8; i++)
            copy[next_random() % size] = (uint8_t)next_random();
        LLVMFuzzerTestOneInput(copy, size);
    }
    free(copy);
    copy = (uint8_t *)malloc(size / 2 + 1);
    if (!copy)
        return runs;
    memcpy(copy, input, size / 2);
    LLVMFuzzerTestOneInput(copy, size / 2);
    free(copy);
    return runs + 1;
}

int main(int argc, char **argv)
{
    static uint8_t input[INPUT_MAX];
    char folder[512], path[1024];
    const char *name = strrchr(argv[0], '/');
    unsigned files = 0, runs = 0;
    struct dirent *entry;

    name = name ? name + 1 : argv[0];
    if (!strcmp(name, "trace")) /* whole files, each of which is opened, asked and exported: 60 ms */
        changed = 3;
    snprintf(folder, sizeof(folder), "tests/fuzz/corpus/%s", name);
    DIR *dir = opendir(argc > 1 ? argv[1] : folder);
    ok(dir != NULL, "there are inputs in %s", argc > 1 ? argv[1] : folder);
    while (dir && (entry = readdir(dir))) {
        snprintf(path, sizeof(path), "%s/%s", argc > 1 ? argv[1] : folder, entry->d_name);
        FILE *f = entry->d_name[0] == '.' ? NULL : fopen(path, "rb");
        if (!f)
            continue;
        runs += run(input, fread(input, 1, sizeof(input), f));
        fclose(f);
        files++;
    }
    if (dir)
        closedir(dir);
    ok(files > 0, "%u inputs run, %u times with their variations", files, runs);
    return tap_done();
}
