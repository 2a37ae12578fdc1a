/*
 * Contexts whose warps are sampled (cuda_pc.h). Sampling begins when a context is created, since it would
 * wait for the end of every kernel that runs by then, and lasts until the context goes. A context that is
 * created while kernels of another one run is not sampled: it might wait for ever. A thread of our own
 * fetches what CUPTI has every half a second, which is a time bin of the trace; CUPTI never waits for the
 * device in that call, but may wait for locks. Nothing is switched off at the end of the process, which a
 * kernel may outlast.
 *
 * `sampling` is held while CUPTI is asked. A thread of the program waits for it only for a while.
 */
#include "cuda_pc.h"

#include "../base/time_limits.h"
#include "../clock/clock.h"
#include "../session/outstanding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PERIOD       20u         /* a warp scheduler is sampled every 2^20 cycles, about 0.6 ms */
#define DECODE_MS    50u         /* how often CUPTI looks at what the hardware has */
#define HARDWARE     (64u << 20) /* bytes of the device's memory for samples */
#define PCS          4096u       /* instructions that are fetched at a time */
#define FETCHES      64u         /* of a bin */
#define STALLS_MAX   512u        /* numbers of reasons, as CUPTI gives them */
#define GONE_MAX     16u
#define IDLE_TRIES   20u /* of IDLE_NS, until all that was launched has ended */
#define IDLE_NS      10000000
#define FAILURES_MAX 8u /* in a row, after which a context is no longer asked */

struct sampled {
    struct sampled *next;
    CUcontext context;
    uint32_t id, device;
    CUpti_PCSamplingData fetched, configured; /* PCS instructions each */
    struct pc_stall stall[STALLS_MAX];
    uint32_t stalls;   /* in use of `stall` */
    uint64_t since_ns; /* the beginning of the bin */
    uint32_t failures;
};

static bool wanted;
static pthread_mutex_t sampling = PTHREAD_MUTEX_INITIALIZER;
static struct sampled *contexts; /* with the lock */
static uint64_t dropped, full;   /* with the lock */
static dev32 refused;            /* contexts that are not sampled: the first is reported */
static dev64 gone[GONE_MAX];     /* contexts that were destroyed while the sampler kept the lock; 0: none */

bool pc_start(void)
{
    const char *trace = getenv("GROSR_CUDA_TRACE");

    wanted = trace && strstr(trace, "pc");
#define X(member, symbol, arguments) wanted = wanted && cupti.member;
    CUPTI_PC_SYMBOLS(X)
#undef X
    return wanted || !trace || !strstr(trace, "pc");
}

bool pc_is_wanted(void)
{
    return wanted;
}

/* ---- what is asked of CUPTI ---- */

static bool make_buffer(CUpti_PCSamplingData *d, size_t stalls)
{
    *d = (CUpti_PCSamplingData){.size = sizeof(*d), .collectNumPcs = PCS};
    d->pPcData = (CUpti_PCSamplingPCData *)calloc(PCS, sizeof(*d->pPcData));
    CUpti_PCSamplingStallReason *reasons =
        (CUpti_PCSamplingStallReason *)calloc(PCS * stalls, sizeof(*reasons));
    if (!d->pPcData || !reasons) {
        free(d->pPcData);
        free(reasons);
        d->pPcData = NULL;
        return false;
    }
    for (size_t i = 0; i < PCS; i++) {
        d->pPcData[i].size = sizeof(d->pPcData[i]);
        d->pPcData[i].stallReason = reasons + i * stalls;
    }
    return true;
}

static void free_buffer(CUpti_PCSamplingData *d)
{
    if (d->pPcData)
        free(d->pPcData[0].stallReason);
    free(d->pPcData);
}

static void free_sampled(struct sampled *s)
{
    free_buffer(&s->fetched);
    free_buffer(&s->configured);
    free(s);
}

/* "smsp__pcsamp_warps_issue_stalled_long_scoreboard_not_issued": long_scoreboard, of those not issued. */
static void name_stall(struct sampled *s, uint32_t index, const char *name)
{
    static const char before[] = "smsp__pcsamp_warps_issue_stalled_", behind[] = "_not_issued";
    static const char *const memory[] = {"long_scoreboard", "short_scoreboard", "lg_throttle", "mio_throttle",
                                         "tex_throttle",    "membar",           "drain"};
    uint32_t groups = 0;

    if (index >= STALLS_MAX)
        return;
    struct pc_stall *stall = &s->stall[index];
    size_t bytes = strnlen(name, CUPTI_STALL_REASON_STRING_SIZE);
    if (bytes > sizeof(before) - 1 && !strncmp(name, before, sizeof(before) - 1)) {
        name += sizeof(before) - 1;
        bytes -= sizeof(before) - 1;
    }
    stall->not_issued = bytes > sizeof(behind) - 1 &&
                        !strncmp(name + bytes - (sizeof(behind) - 1), behind, sizeof(behind) - 1);
    bytes -= stall->not_issued ? sizeof(behind) - 1 : 0;
    for (size_t i = 0; i < sizeof(memory) / sizeof(memory[0]); i++)
        stall->memory |= bytes == strlen(memory[i]) && !strncmp(name, memory[i], bytes);
    struct inject_string *text = inject_string(name, bytes);
    for (uint32_t i = 0; i < s->stalls; i++) {
        if (s->stall[i].name == text && text) {
            groups = s->stall[i].group;
            break;
        }
        groups = s->stall[i].name && s->stall[i].group >= groups ? s->stall[i].group + 1 : groups;
    }
    if (groups >= PC_GROUPS)
        return;
    stall->group = groups;
    stall->name = text;
    s->stalls = index >= s->stalls ? index + 1 : s->stalls;
}

static CUptiResult configure(struct sampled *s, size_t stalls, uint32_t *index, bool all)
{
    CUpti_PCSamplingConfigurationInfo c[] = {
        {.attributeType = CUPTI_PC_SAMPLING_CONFIGURATION_ATTR_TYPE_COLLECTION_MODE,
         .attributeData.collectionModeData.collectionMode = CUPTI_PC_SAMPLING_COLLECTION_MODE_CONTINUOUS},
        {.attributeType = CUPTI_PC_SAMPLING_CONFIGURATION_ATTR_TYPE_SAMPLING_PERIOD,
         .attributeData.samplingPeriodData.samplingPeriod = PERIOD},
        {.attributeType = CUPTI_PC_SAMPLING_CONFIGURATION_ATTR_TYPE_STALL_REASON,
         .attributeData.stallReasonData = {stalls, index}},
        {.attributeType = CUPTI_PC_SAMPLING_CONFIGURATION_ATTR_TYPE_SAMPLING_DATA_BUFFER,
         .attributeData.samplingDataBufferData.samplingDataBuffer = &s->configured},
        {.attributeType = CUPTI_PC_SAMPLING_CONFIGURATION_ATTR_TYPE_WORKER_THREAD_PERIODIC_SLEEP_SPAN,
         .attributeData.workerThreadPeriodicSleepSpanData.workerThreadPeriodicSleepSpan = DECODE_MS},
        {.attributeType = CUPTI_PC_SAMPLING_CONFIGURATION_ATTR_TYPE_HARDWARE_BUFFER_SIZE,
         .attributeData.hardwareBufferSizeData.hardwareBufferSize = HARDWARE},
    };
    size_t count = sizeof(c) / sizeof(c[0]);
    CUpti_PCSamplingConfigurationInfoParams p = {.size = CUpti_PCSamplingConfigurationInfoParamsSize,
                                                 .ctx = s->context,
                                                 .numAttributes = all ? count : count - 2,
                                                 .pPCSamplingConfigurationInfo = c};
    return cupti.pc_configure(&p);
}

/* Learns the reasons for which warps stand still, and what they are called. */
static CUptiResult find_stalls(struct sampled *s, size_t *count, uint32_t **index)
{
    CUpti_PCSamplingGetNumStallReasonsParams n = {
        .size = CUpti_PCSamplingGetNumStallReasonsParamsSize, .ctx = s->context, .numStallReasons = count};
    CUptiResult code = cupti.pc_count_stalls(&n);

    if (code != CUPTI_SUCCESS || !*count || *count > STALLS_MAX)
        return code != CUPTI_SUCCESS ? code : CUPTI_ERROR_NOT_SUPPORTED;
    char *text = (char *)calloc(*count, CUPTI_STALL_REASON_STRING_SIZE);
    char **names = (char **)calloc(*count, sizeof(*names));
    *index = (uint32_t *)calloc(*count, sizeof(**index));
    code = text && names && *index ? CUPTI_SUCCESS : CUPTI_ERROR_OUT_OF_MEMORY;
    for (size_t i = 0; code == CUPTI_SUCCESS && i < *count; i++)
        names[i] = text + i * CUPTI_STALL_REASON_STRING_SIZE;
    CUpti_PCSamplingGetStallReasonsParams p = {.size = CUpti_PCSamplingGetStallReasonsParamsSize,
                                               .ctx = s->context,
                                               .numStallReasons = *count,
                                               .stallReasonIndex = *index,
                                               .stallReasons = names};
    if (code == CUPTI_SUCCESS)
        code = cupti.pc_name_stalls(&p);
    for (size_t i = 0; code == CUPTI_SUCCESS && i < *count; i++)
        name_stall(s, (*index)[i], names[i]);
    free(names);
    free(text);
    return code;
}

static void disable(CUcontext context)
{
    CUpti_PCSamplingDisableParams p = {.size = CUpti_PCSamplingDisableParamsSize, .ctx = context};

    cupti.pc_disable(&p);
}

static CUptiResult begin(struct sampled *s)
{
    CUpti_PCSamplingEnableParams p = {.size = CUpti_PCSamplingEnableParamsSize, .ctx = s->context};
    uint32_t *index = NULL;
    size_t stalls = 0;
    CUptiResult code = cupti.pc_enable(&p);

    if (code != CUPTI_SUCCESS)
        return code;
    code = find_stalls(s, &stalls, &index);
    if (code == CUPTI_SUCCESS && (!make_buffer(&s->fetched, stalls) || !make_buffer(&s->configured, stalls)))
        code = CUPTI_ERROR_OUT_OF_MEMORY;
    if (code == CUPTI_SUCCESS) {
        code = configure(s, stalls, index, true);
        if (code != CUPTI_SUCCESS) /* sizes and times that this version may refuse */
            code = configure(s, stalls, index, false);
    }
    free(index);
    if (code != CUPTI_SUCCESS)
        disable(s->context);
    return code;
}

/* ---- fetching, with `sampling` ---- */

static void count_lost(const CUpti_PCSamplingData *d, struct grosr_record_cuda_pc_bin *r, bool is_full)
{
    r->samples += d->totalSamples;
    r->dropped += d->droppedSamples;
    r->other += d->nonUsrKernelsTotalSamples;
    r->full |= is_full;
    dropped += d->droppedSamples;
    full += is_full;
}

/* Asks in a context that is current, if CUPTI wants one. */
static CUptiResult get(struct sampled *s)
{
    CUpti_PCSamplingGetDataParams p = {
        .size = CUpti_PCSamplingGetDataParamsSize, .ctx = s->context, .pcSamplingData = &s->fetched};
    CUptiResult code = cupti.pc_get(&p);

    if (code != CUPTI_ERROR_INVALID_CONTEXT || driver.context_push(s->context) != CUDA_SUCCESS)
        return code;
    code = cupti.pc_get(&p);
    driver.context_pop(&p.ctx);
    return code;
}

static void fail(struct sampled *s, CUptiResult code)
{
    struct inject_thread *t = ++s->failures == FAILURES_MAX ? inject_enter() : NULL;

    if (!t)
        return;
    inject_note(t, "cupti", "PC samples of context %u are no longer fetched: %s", s->id, cupti_text(code));
    inject_leave(t);
}

static void add_buffer(const struct pc_bin *bin, const CUpti_PCSamplingData *d)
{
    struct inject_thread *t = d->totalNumPcs ? inject_enter() : NULL;

    for (size_t i = 0; t && i < d->totalNumPcs && i < PCS; i++)
        pc_add(t, bin, &d->pPcData[i]);
    if (t)
        inject_leave(t);
}

/* Kernels of the driver's own are few; if there are no others, something is wrong. */
static void note_other(struct inject_thread *t, const struct grosr_record_cuda_pc_bin *r)
{
    static bool noted;

    if (noted || !r->other || r->other + r->dropped < r->samples)
        return;
    noted = true;
    inject_note(
        t, "pc samples",
        "in a time bin all %llu samples are of kernels that are not the program's: the driver's own, as for "
        "fills, or of any if a tool in the process has CUPTI record what the GPU does",
        (unsigned long long)r->samples);
}

/* Takes what CUPTI gives, outside inject_enter(): what CUPTI calls has callbacks. */
static void take(struct sampled *s, struct pc_bin *bin, struct grosr_record_cuda_pc_bin *r)
{
    for (uint32_t i = 0; i < FETCHES && s->failures < FAILURES_MAX; i++) {
        CUpti_PCSamplingPCData *places = s->fetched.pPcData;
        s->fetched =
            (CUpti_PCSamplingData){.size = sizeof(s->fetched), .collectNumPcs = PCS, .pPcData = places};
        CUptiResult code = get(s);
        bool is_full = s->fetched.hardwareBufferFull || code == CUPTI_ERROR_OUT_OF_MEMORY;
        if (code != CUPTI_SUCCESS && !is_full) {
            fail(s, code);
            break;
        }
        s->failures = 0;
        count_lost(&s->fetched, r, is_full);
        add_buffer(bin, &s->fetched);
        bin->again = true;
        if (!s->fetched.remainingNumPcs || is_full)
            break;
    }
}

/*
 * Writes what there is of a context, as a bin that ends now; `rest`: sampling ends, and that which it has
 * left behind too; `waits`: the thread is ours.
 */
static void fetch(struct sampled *s, bool rest, bool waits)
{
    struct pc_bin bin = {s->since_ns, grosr_host_clock_ns(), s->device, s->id, s->stall, s->stalls, false,
                         waits};
    struct grosr_record_cuda_pc_bin r = {.head = {0, GROSR_RECORD_CUDA_PC_BIN},
                                         .start = bin.start_ns,
                                         .end = bin.end_ns,
                                         .device = s->device,
                                         .context = s->id};
    const struct grosr_piece piece = {&r, sizeof(r)};

    take(s, &bin, &r);
    if (rest) {
        disable(s->context);
        count_lost(&s->configured, &r, s->configured.hardwareBufferFull);
        add_buffer(&bin, &s->configured);
    }
    s->since_ns = bin.end_ns;
    struct inject_thread *t = r.samples || r.full ? inject_enter() : NULL;
    pc_add_functions(t, &bin);
    if (!t)
        return;
    pc_write(t, &bin, &piece, 1);
    note_other(t, &r);
    inject_leave(t);
}

/* Their buffers are left: CUPTI may have them. */
static void forget_gone(void)
{
    for (uint32_t i = 0; i < GONE_MAX; i++) {
        uint64_t context = dev_load_relaxed(&gone[i]);
        for (struct sampled **at = &contexts, *s; context && (s = *at);) {
            if ((uintptr_t)s->context == context)
                *at = s->next;
            else
                at = &s->next;
        }
        dev_store_relaxed(&gone[i], 0);
    }
}

void pc_tick(bool last)
{
    if (!wanted || pthread_mutex_lock(&sampling))
        return;
    forget_gone();
    for (struct sampled **at = &contexts, *s; (s = *at);) {
        bool ends = last && !streams_are_busy();
        fetch(s, ends, true);
        if (ends) {
            *at = s->next;
            free_sampled(s);
        } else {
            at = &s->next;
        }
    }
    pthread_mutex_unlock(&sampling);
}

/* ---- contexts, on the program's thread ---- */

static bool lock_for_a_while(void)
{
    struct timespec at = cuda_until(GROSR_INJECT_LOCK_TIMEOUT_NS);

    return pthread_mutex_timedlock(&sampling, &at) == 0;
}

/* Whether calls of CUDA that CUPTI makes on this thread are ours, and none of the program's. False: they are
 * the program's still. */
static bool set_ours(bool ours)
{
    struct inject_thread *t = inject_enter();

    if (!t)
        return false;
    t->ours = ours;
    inject_leave(t);
    return true;
}

/* Only the first is reported: the others have the same reason, mostly. */
static void report_refused(CUptiResult code, bool busy)
{
    struct inject_thread *t = dev_add_relaxed(&refused, 1) ? NULL : inject_enter();

    if (!t)
        return;
    if (busy)
        inject_note(
            t, "cupti",
            "PC samples of a context are not recorded: kernels of another one ran when it was created, and "
            "CUPTI would wait for them");
    else
        inject_note(
            t, "cupti", "PC samples are not recorded: %s%s", cupti_text(code),
            code == CUPTI_ERROR_INSUFFICIENT_PRIVILEGES
                ? " (the driver allows it to administrators only: NVreg_RestrictProfilingToAdminUsers)"
            : code == CUPTI_ERROR_NOT_COMPATIBLE
                ? " (another profiler in the process has the hardware, or records kernels)"
                : "");
    inject_leave(t);
}

/* Whether kernels run, also after a while: that they have ended may not be known yet. */
static bool stays_busy(void)
{
    const struct timespec pause = {0, IDLE_NS};

    for (uint32_t i = 0; i < IDLE_TRIES && streams_are_busy(); i++)
        nanosleep(&pause, NULL);
    return streams_are_busy();
}

static CUptiResult add_context(CUcontext context)
{
    struct sampled *s = (struct sampled *)calloc(1, sizeof(*s));
    CUptiResult code = CUPTI_ERROR_OUT_OF_MEMORY;

    if (!s || !lock_for_a_while()) {
        free(s);
        return code;
    }
    s->context = context;
    s->since_ns = grosr_host_clock_ns();
    cupti.context_id(context, &s->id);
    cupti.device_id(context, &s->device);
    code = begin(s);
    if (code == CUPTI_SUCCESS) {
        s->next = contexts;
        contexts = s;
    } else {
        free_sampled(s);
    }
    pthread_mutex_unlock(&sampling);
    return code;
}

void pc_context_created(CUcontext context)
{
    if (!wanted)
        return;
    bool busy = stays_busy(), ours = !busy && set_ours(true);
    CUptiResult code = ours ? add_context(context) : CUPTI_ERROR_UNKNOWN;
    if (ours)
        set_ours(false);
    if (code != CUPTI_SUCCESS)
        report_refused(code, busy);
}

void pc_context_ends(CUcontext context)
{
    if (!wanted || !set_ours(true))
        return;
    if (lock_for_a_while()) {
        struct sampled **at = &contexts, *s;
        while ((s = *at) && s->context != context)
            at = &s->next;
        if (s) {
            *at = s->next;
            fetch(s, true, false);
            free_sampled(s);
        }
        pthread_mutex_unlock(&sampling);
    } else {
        for (uint32_t i = 0; i < GONE_MAX; i++)
            if (dev_cas_relaxed(&gone[i], 0, (uintptr_t)context) == 0)
                break;
    }
    set_ours(false);
}

/* ---- the end ---- */

bool pc_is_sampling(void)
{
    if (!wanted || !lock_for_a_while())
        return false;
    bool some = contexts != NULL;
    pthread_mutex_unlock(&sampling);
    return some;
}

void pc_end(void)
{
    uint32_t left = pc_modules_left();

    if (!wanted)
        return;
    struct inject_thread *t = inject_enter();
    if (!t)
        return;
    if (left)
        inject_note(t, "pc samples",
                    "the code of %u modules was not kept, for want of room: their samples have "
                    "no lines",
                    left);
    if (lock_for_a_while()) {
        if (dropped || full)
            inject_note(t, "pc samples", "%llu samples were lost: the hardware dropped them%s",
                        (unsigned long long)dropped,
                        full ? "; and its buffer was full, of which it is not known how many it held" : "");
        pthread_mutex_unlock(&sampling);
    }
    inject_leave(t);
}
