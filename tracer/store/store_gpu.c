/*
 * Devices and processes in a trace (store.h): TARGET_INFO_GPU, TARGET_INFO_CUDA_DEVICE and PROCESSES, which
 * clients of Nsight Systems' exports read. A GPU has one row, however many sessions and traced processes name
 * it.
 */
#include "store_parts.h"

#include <stdio.h>
#include <string.h>

/* What a GPU is known by, as text; "": not known. */
static void write_uuid(const struct grosr_gpu *gpu, char text[2 * sizeof(gpu->uuid) + 1])
{
    static const unsigned char none[sizeof(gpu->uuid)] = {0};

    text[0] = 0;
    for (unsigned i = 0; memcmp(gpu->uuid, none, sizeof(none)) && i < sizeof(gpu->uuid); i++)
        snprintf(text + 2 * i, 3, "%02x", gpu->uuid[i]);
}

static struct grosr_value fact(uint64_t x)
{
    return (struct grosr_value){.type = x ? GROSR_VALUE_INTEGER : GROSR_VALUE_NULL, .integer = (int64_t)x};
}

static struct grosr_value text(const char *at, size_t bytes)
{
    return (struct grosr_value){
        .type = bytes ? GROSR_VALUE_TEXT : GROSR_VALUE_NULL, .text = at, .integer = (int64_t)bytes};
}

/*
 * CUDA's number is the GPU's own in the trace, unless another has it: processes may see GPUs in any order.
 * The chip is named where only one has the compute capability.
 */
int grosr_store_add_gpu(struct grosr_store *s, uint32_t pid, const struct grosr_gpu *gpu, const char *name,
                        size_t name_bytes)
{
    static const char add_gpu[] =
        "INSERT INTO TARGET_INFO_GPU (id, cuDevice, name, uuid, busLocation, isDiscrete, computeMajor,"
        " computeMinor, chipName, totalMemory, memoryBandwidth, clockRate, l2CacheSize, constantMemory, "
        "smCount,"
        " threadsPerWarp, maxWarpsPerSm, maxBlocksPerSm, maxRegistersPerSm, maxShmemPerSm, "
        "maxThreadsPerBlock,"
        " maxRegistersPerBlock, maxShmemPerBlock, asyncEngines)"
        " SELECT CASE WHEN EXISTS (SELECT 1 FROM TARGET_INFO_GPU WHERE id = ?1)"
        " THEN (SELECT max(id) + 1 FROM TARGET_INFO_GPU) ELSE ?1 END, ?1, ?2, ?3, ?4,"
        " CASE WHEN ?4 IS NOT NULL THEN 1 END, ?5, ?6,"
        " CASE ?5 * 10 + ?6 WHEN 60 THEN 'GP100' WHEN 70 THEN 'GV100' WHEN 80 THEN 'GA100' WHEN 90 THEN "
        "'GH100'"
        " END, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21"
        " WHERE NOT EXISTS (SELECT 1 FROM TARGET_INFO_GPU WHERE uuid IS ?3 AND name IS ?2)";
    static const char add_use[] =
        "INSERT INTO TARGET_INFO_CUDA_DEVICE SELECT id, ?1, ?2, uuid, smCount FROM TARGET_INFO_GPU"
        " WHERE uuid IS ?3 AND name IS ?4"
        " AND NOT EXISTS (SELECT 1 FROM TARGET_INFO_CUDA_DEVICE WHERE cudaId = ?1 AND pid = ?2) LIMIT 1";
    char uuid[2 * sizeof(gpu->uuid) + 1];
    struct grosr_value id = {.type = GROSR_VALUE_INTEGER, .integer = gpu->id};

    write_uuid(gpu, uuid);
    const struct grosr_value row[] = {
        id,
        text(name, name_bytes),
        text(uuid, strlen(uuid)),
        text(gpu->bus, strnlen(gpu->bus, sizeof(gpu->bus))),
        fact(gpu->major),
        {.type = gpu->major ? GROSR_VALUE_INTEGER : GROSR_VALUE_NULL, .integer = gpu->minor},
        fact(gpu->memory_bytes),
        fact(gpu->memory_bytes_per_s),
        fact((uint64_t)gpu->clock_khz * 1000),
        fact(gpu->l2_bytes),
        fact(gpu->constant_bytes),
        fact(gpu->sms),
        fact(gpu->lanes),
        fact(gpu->sm_warps),
        fact(gpu->sm_blocks),
        fact(gpu->sm_registers),
        fact(gpu->sm_shared_bytes),
        fact(gpu->block_threads),
        fact(gpu->block_registers),
        fact(gpu->block_shared_bytes),
        fact(gpu->copy_engines),
    };
    const struct grosr_value use[] = {id, {.type = GROSR_VALUE_INTEGER, .integer = pid}, row[2], row[1]};
    int err = grosr_store_execute(s, add_gpu, row, sizeof(row) / sizeof(row[0]), NULL);

    return err ? err : grosr_store_execute(s, add_use, use, 4, NULL);
}

/* The host device is no GPU: it has a row that says so, and no CUDA number. */
static int add_host_device(struct grosr_store *s, const struct grosr_session_header *h)
{
    static const char sql[] =
        "INSERT INTO TARGET_INFO_GPU (id, name, isDiscrete, smCount, threadsPerWarp, maxWarpsPerSm)"
        " SELECT (SELECT coalesce(max(id) + 1, 0) FROM TARGET_INFO_GPU), 'no GPU: ' || ?1, 0, ?2, ?3, ?4"
        " WHERE NOT EXISTS (SELECT 1 FROM TARGET_INFO_GPU WHERE name = 'no GPU: ' || ?1)";
    const struct grosr_value values[] = {text(h->device_name, strlen(h->device_name)), fact(h->sms),
                                         fact(h->lanes), fact(h->max_warps_per_sm)};

    return grosr_store_execute(s, sql, values, 4, NULL);
}

int store_add_device(struct grosr_store *s, const struct grosr_session_header *h)
{
    static const char process[] = "INSERT INTO PROCESSES SELECT ?1 << 24, ?1, ?2 WHERE NOT EXISTS (SELECT 1 "
                                  "FROM PROCESSES WHERE pid = ?1)";
    const struct grosr_value values[] = {{.type = GROSR_VALUE_INTEGER, .integer = h->pid},
                                         text(h->program, strlen(h->program))};
    int err = grosr_store_execute(s, process, values, 2, NULL);

    if (!err && !strcmp(h->device, "cuda"))
        err = grosr_store_add_gpu(s, h->pid, &h->gpu, h->device_name, strlen(h->device_name));
    else if (!err && !strcmp(h->device, "host"))
        err = add_host_device(s, h);
    return err;
}
