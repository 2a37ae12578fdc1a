/*
 * PC sampling of the double (cupti_double.h). What is sampled of a kernel that runs is always the same, as
 * often as milliseconds have gone by since the fetch before.
 */
#include "double_parts.h"

#include "../coredump_writer.h"

#include <cupti_pcsampling.h>

#include <stdio.h>

#define REASONS 12u
#define PLACES  3u

static const char *const reasons[REASONS] = {
    "smsp__pcsamp_warps_issue_stalled_selected",
    "smsp__pcsamp_warps_issue_stalled_selected_not_issued",
    "smsp__pcsamp_warps_issue_stalled_long_scoreboard",
    "smsp__pcsamp_warps_issue_stalled_long_scoreboard_not_issued",
    "smsp__pcsamp_warps_issue_stalled_branch_resolving",
    "smsp__pcsamp_warps_issue_stalled_branch_resolving_not_issued",
    "smsp__pcsamp_warps_issue_stalled_wait",
    "smsp__pcsamp_warps_issue_stalled_wait_not_issued",
    "smsp__pcsamp_warps_issue_stalled_barrier",
    "smsp__pcsamp_warps_issue_stalled_barrier_not_issued",
    "smsp__pcsamp_warps_issue_stalled_no_instructions",
    "smsp__pcsamp_warps_issue_stalled_no_instructions_not_issued",
};

enum {
    SELECTED = 0,
    LONG_SCOREBOARD = 2,
    BRANCH_RESOLVING = 4,
    BARRIER = 8,
    NO_INSTRUCTIONS = 10,
    NOT_ISSUED = 1,
};

/* Samples of an instruction in a millisecond. */
struct sampled {
    unsigned instruction, reason, samples, not_issued;
};

static const struct sampled polls[PLACES] = {
    {8, SELECTED, 2, 0}, {9, LONG_SCOREBOARD, 40, 38}, {10, BRANCH_RESOLVING, 8, 4}};
static const struct sampled hoisted[PLACES] = {{8, BRANCH_RESOLVING, 30, 20}};
static const struct sampled others[PLACES] = {{3, SELECTED, 1, 0}, {5, LONG_SCOREBOARD, 1, 1}};

static struct module {
    const char *kernel;
    const struct sampled *sampled;
    struct bytes image;
    uint64_t crc;
} modules[] = {{DOUBLE_POLLS, polls, {0}, 0}, {DOUBLE_HOISTED, hoisted, {0}, 0}};

static bool on, configured, told_full;
static CUpti_PCSamplingData *buffer; /* the tool's, for what comes late */
static uint64_t fetched_ns;
static uint32_t place_at, stream_at; /* of `pc-parts`: the next */
static uint64_t part_ms;

static uint64_t crc_of(const void *image, size_t bytes)
{
    const unsigned char *b = (const unsigned char *)image;
    uint64_t crc = 7;

    for (size_t i = 0; i < bytes; i++)
        crc = (crc ^ b[i]) * 0x100000001b3u;
    return crc;
}

void double_load_modules(void (*report)(CUpti_ModuleResourceData *module))
{
    for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
        struct module *m = &modules[i];
        uint64_t code[IMAGE_INSTRUCTIONS][2];
        for (unsigned k = 0; k < IMAGE_INSTRUCTIONS; k++)
            code[k][0] = IMAGE_NOP, code[k][1] = 0;
        if (m->sampled == polls) {
            code[8][0] = 0x2007981; /* LDG R0, [R2] */
            code[9][0] = 0x720c;    /* ISETP */
            image_branch(code[10], 10, 8);
        } else {
            image_branch(code[8], 8, 8);
        }
        image_branch(code[63], 63, 63); /* behind the end, as the compiler has it */
        m->image = image_of(m->kernel, code, 0, 1);
        m->crc = crc_of(m->image.at, m->image.size);
        CUpti_ModuleResourceData module = {
            .moduleId = (uint32_t)i + 1, .cubinSize = m->image.size, .pCubin = (const char *)m->image.at};
        report(&module);
    }
}

/* ---- CUPTI; declared in its headers ---- */

CUptiResult CUPTIAPI cuptiGetContextId(CUcontext context, uint32_t *id)
{
    (void)context;
    *id = 1;
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiGetCubinCrc(CUpti_GetCubinCrcParams *p)
{
    p->cubinCrc = crc_of(p->cubin, p->cubinSize);
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiPCSamplingEnable(CUpti_PCSamplingEnableParams *p)
{
    if (p->ctx != context_of() || double_has_fault("pc-refused"))
        return CUPTI_ERROR_INSUFFICIENT_PRIVILEGES;
    if (double_collects_kernels())
        return CUPTI_ERROR_NOT_COMPATIBLE;
    while (!double_is_idle())
        double_sleep_ms(1);
    on = true;
    fetched_ns = double_now_ns();
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiPCSamplingDisable(CUpti_PCSamplingDisableParams *p)
{
    (void)p;
    while (!double_is_idle())
        double_sleep_ms(1);
    if (configured && double_has_fault("pc-rest")) {
        buffer->totalNumPcs = 1;
        buffer->totalSamples = 5;
        buffer->pPcData[0].cubinCrc = modules[0].crc;
        buffer->pPcData[0].pcOffset = 16 * 20;
        buffer->pPcData[0].functionName = (char *)(uintptr_t)DOUBLE_POLLS;
        buffer->pPcData[0].stallReasonCount = 1;
        buffer->pPcData[0].stallReason[0] = (CUpti_PCSamplingStallReason){8, 5};
    }
    on = configured = false;
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiPCSamplingGetNumStallReasons(CUpti_PCSamplingGetNumStallReasonsParams *p)
{
    *p->numStallReasons = REASONS;
    return on ? CUPTI_SUCCESS : CUPTI_ERROR_INVALID_OPERATION;
}

CUptiResult CUPTIAPI cuptiPCSamplingGetStallReasons(CUpti_PCSamplingGetStallReasonsParams *p)
{
    for (uint32_t i = 0; i < REASONS; i++) {
        p->stallReasonIndex[i] = i;
        snprintf(p->stallReasons[i], CUPTI_STALL_REASON_STRING_SIZE, "%s", reasons[i]);
    }
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiPCSamplingSetConfigurationAttribute(CUpti_PCSamplingConfigurationInfoParams *p)
{
    bool continuous = false;

    for (size_t i = 0; i < p->numAttributes; i++) {
        const CUpti_PCSamplingConfigurationInfo *c = &p->pPCSamplingConfigurationInfo[i];
        if (c->attributeType == CUPTI_PC_SAMPLING_CONFIGURATION_ATTR_TYPE_COLLECTION_MODE)
            continuous = c->attributeData.collectionModeData.collectionMode ==
                         CUPTI_PC_SAMPLING_COLLECTION_MODE_CONTINUOUS;
        else if (c->attributeType == CUPTI_PC_SAMPLING_CONFIGURATION_ATTR_TYPE_SAMPLING_DATA_BUFFER)
            buffer = (CUpti_PCSamplingData *)c->attributeData.samplingDataBufferData.samplingDataBuffer;
        else if (c->attributeType == CUPTI_PC_SAMPLING_CONFIGURATION_ATTR_TYPE_HARDWARE_BUFFER_SIZE &&
                 double_has_fault("pc-attributes"))
            return CUPTI_ERROR_INVALID_PARAMETER;
    }
    configured = on && continuous && buffer;
    return configured ? CUPTI_SUCCESS : CUPTI_ERROR_INVALID_PARAMETER;
}

/* While CUPTI records what the GPU does, all samples are of others. */
static bool counts_only(void)
{
    return double_has_fault("pc-other") || double_collects_kernels() || double_collects_copies();
}

static void add_place(CUpti_PCSamplingData *d, const char *kernel, const struct module *m,
                      const struct sampled *s, uint64_t ms)
{
    CUpti_PCSamplingPCData *pc = &d->pPcData[d->totalNumPcs++];

    pc->cubinCrc = m ? m->crc : 1;
    pc->pcOffset = UINT64_C(16) * s->instruction;
    pc->functionName = (char *)(uintptr_t)kernel;
    pc->stallReasonCount = 2;
    pc->stallReason[0] = (CUpti_PCSamplingStallReason){s->reason, s->samples * (uint32_t)ms};
    pc->stallReason[1] = (CUpti_PCSamplingStallReason){s->reason + NOT_ISSUED, s->not_issued * (uint32_t)ms};
    d->totalSamples += s->samples * ms;
}

/* What a GPU that several processes share shows besides: warps at a barrier that fetch the instruction behind
 * it again, and a sample where none has been. Or a warp that does something now and then. */
static void add_others(CUpti_PCSamplingData *d, const char *kernel, const struct module *m, uint64_t ms)
{
    static const struct sampled barrier = {20, BARRIER, 2000, 2000}, stray = {0, SELECTED, 1, 0},
                                works = {3, SELECTED, 1, 0};

    add_place(d, kernel, m, &barrier, ms);
    if (double_has_fault("pc-shared")) {
        CUpti_PCSamplingPCData *pc = &d->pPcData[d->totalNumPcs - 1];
        pc->stallReasonCount = 3;
        pc->stallReason[2] = (CUpti_PCSamplingStallReason){NO_INSTRUCTIONS, (uint32_t)ms};
        d->totalSamples += ms;
        add_place(d, kernel, m, &stray, 1);
    } else {
        add_place(d, kernel, m, &works, ms);
    }
}

/* Whether there is more than goes into the tool's buffer. */
static bool add_kernel(CUpti_PCSamplingData *d, const char *kernel, uint64_t ms, size_t max)
{
    const struct module *m = NULL;

    for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
        if (!strcmp(modules[i].kernel, kernel))
            m = &modules[i];
    const struct sampled *s = m ? m->sampled : others;
    for (; place_at < PLACES && s[place_at].samples; place_at++) {
        if (d->totalNumPcs == max)
            return true;
        add_place(d, kernel, m, &s[place_at], ms);
    }
    place_at = 0;
    if (double_has_fault("pc-shared") || double_has_fault("pc-works"))
        add_others(d, kernel, m, ms);
    return false;
}

CUptiResult CUPTIAPI cuptiPCSamplingGetData(CUpti_PCSamplingGetDataParams *p)
{
    CUpti_PCSamplingData *d = (CUpti_PCSamplingData *)p->pcSamplingData;
    size_t max = double_has_fault("pc-parts") ? 1 : d->collectNumPcs;

    if (!configured)
        return CUPTI_ERROR_INVALID_OPERATION;
    if (double_has_fault("pc-context") && !double_has_context())
        return CUPTI_ERROR_INVALID_CONTEXT;
    if (double_has_fault("pc-full") && !told_full) {
        told_full = true;
        d->hardwareBufferFull = 1;
        return CUPTI_ERROR_OUT_OF_MEMORY;
    }
    pthread_mutex_lock(&double_lock);
    uint64_t now = double_now_ns();
    if (!place_at && !stream_at) {
        part_ms = (now - fetched_ns) / 1000000;
        fetched_ns = now;
    }
    for (; part_ms && stream_at < DOUBLE_STREAMS; stream_at++) {
        const char *kernel = double_running(stream_at);
        if (kernel && counts_only())
            d->totalSamples = d->nonUsrKernelsTotalSamples = part_ms;
        else if (kernel && add_kernel(d, kernel, part_ms, max)) {
            d->remainingNumPcs = 1;
            break;
        }
        place_at = 0;
    }
    if (!d->remainingNumPcs)
        stream_at = 0;
    pthread_mutex_unlock(&double_lock);
    if (double_has_fault("pc-loses") && d->totalNumPcs) {
        d->droppedSamples = DOUBLE_DROPPED;
        d->totalSamples += DOUBLE_DROPPED;
    }
    return CUPTI_SUCCESS;
}
