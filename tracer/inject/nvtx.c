/*
 * NVTX: what a program marks in its own words. NVTX's header, compiled into the program and into each library
 * that uses it, loads the library that NVTX_INJECTION64_PATH names at the first call, calls
 * InitializeInjectionNvtx2() and then the handlers that it has put into the tables. Calls without a handler
 * cost nothing.
 *
 * A range is told when it begins and when it ends, so that one which never ends is seen too. The default
 * domain is 0; the handle of any other is its number, that of a registered string is the string.
 */
#include "inject.h"

#include "../clock/clock.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define NVTX_NO_IMPL
#include <nvtx3/nvToolsExt.h>
#include <nvtx3/nvToolsExtCuda.h>
#include <nvtx3/nvToolsExtCudaRt.h>

#define WIDE_MAX      4096u /* bytes of a wide string for which no memory is allocated */
#define CHARACTER_MAX 6u    /* bytes of one of its characters */

NVTX_DYNAMIC_EXPORT int NVTX_API InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get_table);

static dev32 domains; /* made so far */
static dev64 ranges;  /* started so far */

/* A string as it is written: bytes, their number known. */
struct message {
    const char *at; /* NULL: there is no string */
    size_t bytes;
    char *made; /* allocated for a long wide string; else NULL */
    char narrow[WIDE_MAX];
};

static void set_narrow(struct message *m, const char *text)
{
    m->at = text;
    m->bytes = text ? strlen(text) : 0;
    m->made = NULL;
}

/*
 * A character as UTF-8. What is none (a surrogate without its other half, a number beyond the last character)
 * has the bytes that it would have, which are not UTF-8: so two strings that differ stay two, and those who
 * show them replace such bytes.
 */
static size_t put_character(char *to, uint32_t c)
{
    size_t more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : c < 0x200000 ? 3 : c < 0x4000000 ? 4 : 5;

    if (!more) {
        *to = (char)c;
        return 1;
    }
    to[0] = (char)(0xff << (7 - more) | c >> 6 * more);
    for (size_t i = 1; i <= more; i++)
        to[i] = (char)(0x80 | (c >> 6 * (more - i) & 0x3f));
    return more + 1;
}

/* Not with wcsrtombs(): the program's locale may be "C", and its own conversion state is not ours. */
static void set_wide(struct message *m, const wchar_t *text)
{
    size_t length = text ? wcslen(text) : 0;
    // cppcheck-suppress ctuuninitvar
    char *to = m->narrow;

    m->made = NULL;
    m->bytes = 0;
    m->at = text ? to : NULL;
    if (length > WIDE_MAX / CHARACTER_MAX) {
        to = m->made = (char *)malloc(length * CHARACTER_MAX);
        if (!to) /* no memory: no text */
            length = 0;
        m->at = to;
    }
    for (size_t i = 0; i < length; i++) {
        uint32_t c = (uint32_t)text[i], next = (uint32_t)text[i + 1];
        if (c >= 0xd800 && c < 0xdc00 && next >= 0xdc00 && next < 0xe000) { /* UTF-16 in wide characters */
            c = 0x10000 + ((c - 0xd800) << 10 | (next - 0xdc00));
            i++;
        }
        m->bytes += put_character(to + m->bytes, c);
    }
}

/*
 * The number of the string for a record, or NO_TEXT; 0: its bytes are to follow, of which there are *bytes. A
 * string that no record holds is kept, as if it were registered.
 */
static uint32_t message_number(struct inject_thread *t, const struct message *m, struct inject_string **kept,
                               size_t *bytes)
{
    *kept = NULL;
    *bytes = 0;
    if (!m->at)
        return GROSR_RECORD_NO_TEXT;
    if (m->bytes <= GROSR_RECORD_TEXT_MAX) {
        *bytes = m->bytes;
        return 0;
    }
    *kept = inject_string(m->at, m->bytes);
    uint32_t number = *kept ? inject_string_number(t, *kept) : 0;
    return number ? number : GROSR_RECORD_NO_TEXT;
}

static uint32_t domain_number(nvtxDomainHandle_t domain)
{
    return (uint32_t)(uintptr_t)domain;
}

/* ---- marks and ranges ---- */

/* Writes a mark or a range's beginning; `m` is its text, but for a registered one, and is of no use
 * afterwards. */
static void write_event(struct inject_thread *t, uint32_t kind, uint32_t domain, uint64_t range,
                        const nvtxEventAttributes_t *a, struct message *m, uint64_t time)
{
    struct inject_string *kept;
    size_t bytes;
    struct grosr_record_nvtx r = {
        .head = {0, kind}, .time = time, .tid = t->tid, .domain = domain, .range = range};

    r.text = message_number(t, m, &kept, &bytes);
    if (a) {
        r.category = a->category;
        r.color = a->colorType == NVTX_COLOR_ARGB ? a->color : 0;
        r.payload_type = a->payloadType >= GROSR_NVTX_UINT64 && a->payloadType <= GROSR_NVTX_FLOAT
                             ? (uint16_t)a->payloadType
                             : GROSR_NVTX_NONE;
        memcpy(&r.payload, &a->payload, sizeof(r.payload));
        if (a->messageType == NVTX_MESSAGE_TYPE_REGISTERED && a->message.registered) {
            uint32_t number = inject_string_number(t, (struct inject_string *)(void *)a->message.registered);
            r.text = number ? number : GROSR_RECORD_NO_TEXT;
        }
    }
    r.text_bytes = (uint16_t)bytes;
    const struct grosr_piece pieces[] = {{&r, sizeof(r)}, {m->at, bytes}};
    inject_write(t, pieces, bytes ? 2 : 1);
    free(m->made);
}

/* The same with the program's attributes, of whatever version they are. */
static void write_attributes(struct inject_thread *t, uint32_t kind, uint32_t domain, uint64_t range,
                             const nvtxEventAttributes_t *given)
{
    uint64_t time = grosr_host_clock_ns();
    nvtxEventAttributes_t a;
    struct message m;

    memset(&a, 0, sizeof(a));
    if (given)
        memcpy(&a, given, given->size < sizeof(a) ? given->size : sizeof(a));
    set_narrow(&m, NULL);
    if (a.messageType == NVTX_MESSAGE_TYPE_ASCII)
        set_narrow(&m, a.message.ascii);
    else if (a.messageType == NVTX_MESSAGE_TYPE_UNICODE)
        set_wide(&m, a.message.unicode);
    write_event(t, kind, domain, range, &a, &m, time);
}

static void write_narrow(struct inject_thread *t, uint32_t kind, uint64_t range, const char *text)
{
    uint64_t time = grosr_host_clock_ns();
    struct message m;

    set_narrow(&m, text);
    write_event(t, kind, 0, range, NULL, &m, time);
}

static void write_wide(struct inject_thread *t, uint32_t kind, uint64_t range, const wchar_t *text)
{
    uint64_t time = grosr_host_clock_ns();
    struct message m;

    set_wide(&m, text);
    write_event(t, kind, 0, range, NULL, &m, time);
}

static void write_end(struct inject_thread *t, uint32_t kind, uint32_t domain, uint64_t range)
{
    struct grosr_record_nvtx_end r = {
        .head = {0, kind}, .time = grosr_host_clock_ns(), .tid = t->tid, .domain = domain, .range = range};
    const struct grosr_piece piece = {&r, sizeof(r)};

    inject_write(t, &piece, 1);
}

/* What a push returns: the depth of the range it began, from 0. */
static int deepen(struct inject_thread *t, uint32_t domain)
{
    return domain < INJECT_DEPTHS ? t->depth[domain]++ : NVTX_NO_PUSH_POP_TRACKING;
}

/* What a pop returns: the depth of the range it ended. -1: there was none, and there is nothing to tell. */
static int rise(struct inject_thread *t, uint32_t domain)
{
    if (domain >= INJECT_DEPTHS)
        return NVTX_NO_PUSH_POP_TRACKING;
    return t->depth[domain] ? --t->depth[domain] : -1;
}

static void NVTX_API domain_mark(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *a)
{
    struct inject_thread *t = inject_enter();

    if (!t)
        return;
    write_attributes(t, GROSR_RECORD_NVTX_MARK, domain_number(domain), 0, a);
    inject_leave(t);
}

static int NVTX_API domain_push(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *a)
{
    struct inject_thread *t = inject_enter();

    if (!t)
        return NVTX_NO_PUSH_POP_TRACKING;
    write_attributes(t, GROSR_RECORD_NVTX_PUSH, domain_number(domain), 0, a);
    int depth = deepen(t, domain_number(domain));
    inject_leave(t);
    return depth;
}

static int NVTX_API domain_pop(nvtxDomainHandle_t domain)
{
    struct inject_thread *t = inject_enter();

    if (!t)
        return NVTX_NO_PUSH_POP_TRACKING;
    int depth = rise(t, domain_number(domain));
    if (depth != -1)
        write_end(t, GROSR_RECORD_NVTX_POP, domain_number(domain), 0);
    inject_leave(t);
    return depth;
}

static nvtxRangeId_t NVTX_API domain_start(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *a)
{
    struct inject_thread *t = inject_enter();

    if (!t)
        return 0;
    uint64_t range = dev_add_relaxed(&ranges, 1) + 1;
    write_attributes(t, GROSR_RECORD_NVTX_START, domain_number(domain), range, a);
    inject_leave(t);
    return range;
}

static void NVTX_API domain_end(nvtxDomainHandle_t domain, nvtxRangeId_t range)
{
    struct inject_thread *t = range ? inject_enter() : NULL;

    if (!t)
        return;
    write_end(t, GROSR_RECORD_NVTX_END, domain_number(domain), range);
    inject_leave(t);
}

static void NVTX_API mark(const nvtxEventAttributes_t *a)
{
    domain_mark(NULL, a);
}

static int NVTX_API push(const nvtxEventAttributes_t *a)
{
    return domain_push(NULL, a);
}

static int NVTX_API pop(void)
{
    return domain_pop(NULL);
}

static nvtxRangeId_t NVTX_API start(const nvtxEventAttributes_t *a)
{
    return domain_start(NULL, a);
}

static void NVTX_API end(nvtxRangeId_t range)
{
    domain_end(NULL, range);
}

/* The calls that take a string alone, narrow and wide. */
#define TEXT_CALLS(suffix, type, write)                            \
    static void NVTX_API mark_##suffix(const type *text)           \
    {                                                              \
        struct inject_thread *t = inject_enter();                  \
                                                                   \
        if (!t)                                                    \
            return;                                                \
        write(t, GROSR_RECORD_NVTX_MARK, 0, text);                 \
        inject_leave(t);                                           \
    }                                                              \
    static int NVTX_API push_##suffix(const type *text)            \
    {                                                              \
        struct inject_thread *t = inject_enter();                  \
                                                                   \
        if (!t)                                                    \
            return NVTX_NO_PUSH_POP_TRACKING;                      \
        write(t, GROSR_RECORD_NVTX_PUSH, 0, text);                 \
        int depth = deepen(t, 0);                                  \
        inject_leave(t);                                           \
        return depth;                                              \
    }                                                              \
    static nvtxRangeId_t NVTX_API start_##suffix(const type *text) \
    {                                                              \
        struct inject_thread *t = inject_enter();                  \
                                                                   \
        if (!t)                                                    \
            return 0;                                              \
        uint64_t range = dev_add_relaxed(&ranges, 1) + 1;          \
        write(t, GROSR_RECORD_NVTX_START, range, text);            \
        inject_leave(t);                                           \
        return range;                                              \
    }
TEXT_CALLS(narrow, char, write_narrow)
TEXT_CALLS(wide, wchar_t, write_wide)
#undef TEXT_CALLS

/* ---- names ---- */

/* Tells a name; the record's kind and what it is a name of are set. NULL is a name without characters. */
static void write_name(struct inject_thread *t, struct grosr_record_name *r, const struct message *m)
{
    struct inject_string *kept;
    size_t bytes;

    r->text = message_number(t, m, &kept, &bytes);
    if (!m->at)
        r->text = 0;
    r->text_bytes = (uint32_t)bytes;
    const struct grosr_piece pieces[] = {{r, sizeof(*r)}, {m->at, bytes}};
    if (r->head.kind == GROSR_RECORD_THREAD_NAME)
        inject_write(t, pieces, bytes ? 2 : 1); /* of no thread that a fork's child has */
    else
        inject_write_fact(t, kept, pieces, bytes ? 2 : 1);
}

/* The functions below use a message up. */
static nvtxDomainHandle_t create_domain(struct message *m)
{
    struct inject_thread *t = inject_enter();

    if (!t) {
        free(m->made);
        return NULL;
    }
    struct grosr_record_name r = {
        .head = {0, GROSR_RECORD_NVTX_DOMAIN}, .tid = t->tid, .domain = dev_add_relaxed(&domains, 1) + 1};
    write_name(t, &r, m);
    free(m->made);
    inject_leave(t);
    return (nvtxDomainHandle_t)(uintptr_t)r.domain;
}

static void name_category(uint32_t domain, uint32_t category, struct message *m)
{
    struct inject_thread *t = inject_enter();

    if (!t) {
        free(m->made);
        return;
    }
    struct grosr_record_name r = {
        .head = {0, GROSR_RECORD_NVTX_CATEGORY}, .tid = t->tid, .domain = domain, .category = category};
    write_name(t, &r, m);
    free(m->made);
    inject_leave(t);
}

static void name_thread(uint32_t tid, struct message *m)
{
    struct inject_thread *t = inject_enter();

    if (!t) {
        free(m->made);
        return;
    }
    struct grosr_record_name r = {.head = {0, GROSR_RECORD_THREAD_NAME}, .tid = tid};
    write_name(t, &r, m);
    free(m->made);
    inject_leave(t);
}

static void name_object(uint32_t object, uint64_t handle, struct message *m)
{
    struct inject_thread *t = inject_enter();

    if (!t) {
        free(m->made);
        return;
    }
    struct grosr_record_name r = {.head = {0, GROSR_RECORD_OBJECT_NAME},
                                  .tid = t->tid,
                                  .object = object,
                                  .handle = handle,
                                  .number = object == GROSR_OBJECT_DEVICE ? (int64_t)handle : -1};
    write_name(t, &r, m);
    free(m->made);
    inject_leave(t);
}

static nvtxStringHandle_t register_string(struct message *m)
{
    struct inject_thread *t = inject_enter();
    struct inject_string *s = t ? inject_string(m->at ? m->at : "", m->bytes) : NULL;

    free(m->made);
    if (t)
        inject_leave(t);
    return (nvtxStringHandle_t)(void *)s;
}

/* Each in two, narrow and wide. */
#define NAME_CALLS(suffix, type, set)                                                                        \
    static nvtxDomainHandle_t NVTX_API create_domain_##suffix(const type *text)                              \
    {                                                                                                        \
        struct message m;                                                                                    \
        set(&m, text);                                                                                       \
        return create_domain(&m);                                                                            \
    }                                                                                                        \
    static void NVTX_API name_category_##suffix(uint32_t category, const type *text)                         \
    {                                                                                                        \
        struct message m;                                                                                    \
        set(&m, text);                                                                                       \
        name_category(0, category, &m);                                                                      \
    }                                                                                                        \
    static void NVTX_API domain_name_category_##suffix(nvtxDomainHandle_t domain, uint32_t category,         \
                                                       const type *text)                                     \
    {                                                                                                        \
        struct message m;                                                                                    \
        set(&m, text);                                                                                       \
        name_category(domain_number(domain), category, &m);                                                  \
    }                                                                                                        \
    static void NVTX_API name_thread_##suffix(uint32_t tid, const type *text)                                \
    {                                                                                                        \
        struct message m;                                                                                    \
        set(&m, text);                                                                                       \
        name_thread(tid, &m);                                                                                \
    }                                                                                                        \
    static nvtxStringHandle_t NVTX_API register_string_##suffix(nvtxDomainHandle_t domain, const type *text) \
    {                                                                                                        \
        struct message m;                                                                                    \
        (void)domain;                                                                                        \
        set(&m, text);                                                                                       \
        return register_string(&m);                                                                          \
    }                                                                                                        \
    static void NVTX_API name_device_##suffix(int device, const type *text)                                  \
    {                                                                                                        \
        struct message m;                                                                                    \
        set(&m, text);                                                                                       \
        name_object(GROSR_OBJECT_DEVICE, (uint64_t)device, &m);                                              \
    }                                                                                                        \
    static void NVTX_API name_context_##suffix(void *context, const type *text)                              \
    {                                                                                                        \
        struct message m;                                                                                    \
        set(&m, text);                                                                                       \
        name_object(GROSR_OBJECT_CONTEXT, (uintptr_t)context, &m);                                           \
    }                                                                                                        \
    static void NVTX_API name_stream_##suffix(void *stream, const type *text)                                \
    {                                                                                                        \
        struct message m;                                                                                    \
        set(&m, text);                                                                                       \
        name_object(GROSR_OBJECT_STREAM, (uintptr_t)stream, &m);                                             \
    }                                                                                                        \
    static void NVTX_API name_event_##suffix(void *event, const type *text)                                  \
    {                                                                                                        \
        struct message m;                                                                                    \
        set(&m, text);                                                                                       \
        name_object(GROSR_OBJECT_EVENT, (uintptr_t)event, &m);                                               \
    }
NAME_CALLS(narrow, char, set_narrow)
NAME_CALLS(wide, wchar_t, set_wide)
#undef NAME_CALLS

/* Another way to name things. Of those that are not ours there is nothing to tell. */
static nvtxResourceHandle_t NVTX_API create_resource(nvtxDomainHandle_t domain, nvtxResourceAttributes_t *a)
{
    struct message m;

    (void)domain;
    if (!a || a->size < sizeof(*a))
        return NULL;
    set_narrow(&m, NULL);
    if (a->messageType == NVTX_MESSAGE_TYPE_ASCII)
        set_narrow(&m, a->message.ascii);
    else if (a->messageType == NVTX_MESSAGE_TYPE_UNICODE)
        set_wide(&m, a->message.unicode);
    switch (a->identifierType) { /* each case uses the message up */
    case NVTX_RESOURCE_TYPE_GENERIC_THREAD_NATIVE:
        name_thread((uint32_t)a->identifier.ullValue, &m);
        break;
    case NVTX_RESOURCE_TYPE_CUDA_DEVICE:
    case NVTX_RESOURCE_TYPE_CUDART_DEVICE:
        name_object(GROSR_OBJECT_DEVICE, (uint32_t)a->identifier.ullValue, &m);
        break;
    case NVTX_RESOURCE_TYPE_CUDA_CONTEXT:
        name_object(GROSR_OBJECT_CONTEXT, a->identifier.ullValue, &m);
        break;
    case NVTX_RESOURCE_TYPE_CUDA_STREAM:
    case NVTX_RESOURCE_TYPE_CUDART_STREAM:
        name_object(GROSR_OBJECT_STREAM, a->identifier.ullValue, &m);
        break;
    case NVTX_RESOURCE_TYPE_CUDA_EVENT:
    case NVTX_RESOURCE_TYPE_CUDART_EVENT:
        name_object(GROSR_OBJECT_EVENT, a->identifier.ullValue, &m);
        break;
    default:
        free(m.made);
        break;
    }
    return NULL;
}

/* ---- the tables ---- */

struct entry {
    unsigned id;
    NvtxFunctionPointer function;
};

#define ENTRY(id, function)                 \
    {                                       \
        id, (NvtxFunctionPointer)(function) \
    }

static const struct entry core[] = {
    ENTRY(NVTX_CBID_CORE_MarkEx, mark),
    ENTRY(NVTX_CBID_CORE_MarkA, mark_narrow),
    ENTRY(NVTX_CBID_CORE_MarkW, mark_wide),
    ENTRY(NVTX_CBID_CORE_RangeStartEx, start),
    ENTRY(NVTX_CBID_CORE_RangeStartA, start_narrow),
    ENTRY(NVTX_CBID_CORE_RangeStartW, start_wide),
    ENTRY(NVTX_CBID_CORE_RangeEnd, end),
    ENTRY(NVTX_CBID_CORE_RangePushEx, push),
    ENTRY(NVTX_CBID_CORE_RangePushA, push_narrow),
    ENTRY(NVTX_CBID_CORE_RangePushW, push_wide),
    ENTRY(NVTX_CBID_CORE_RangePop, pop),
    ENTRY(NVTX_CBID_CORE_NameCategoryA, name_category_narrow),
    ENTRY(NVTX_CBID_CORE_NameCategoryW, name_category_wide),
    ENTRY(NVTX_CBID_CORE_NameOsThreadA, name_thread_narrow),
    ENTRY(NVTX_CBID_CORE_NameOsThreadW, name_thread_wide),
};

static const struct entry core2[] = {
    ENTRY(NVTX_CBID_CORE2_DomainMarkEx, domain_mark),
    ENTRY(NVTX_CBID_CORE2_DomainRangeStartEx, domain_start),
    ENTRY(NVTX_CBID_CORE2_DomainRangeEnd, domain_end),
    ENTRY(NVTX_CBID_CORE2_DomainRangePushEx, domain_push),
    ENTRY(NVTX_CBID_CORE2_DomainRangePop, domain_pop),
    ENTRY(NVTX_CBID_CORE2_DomainResourceCreate, create_resource),
    ENTRY(NVTX_CBID_CORE2_DomainNameCategoryA, domain_name_category_narrow),
    ENTRY(NVTX_CBID_CORE2_DomainNameCategoryW, domain_name_category_wide),
    ENTRY(NVTX_CBID_CORE2_DomainRegisterStringA, register_string_narrow),
    ENTRY(NVTX_CBID_CORE2_DomainRegisterStringW, register_string_wide),
    ENTRY(NVTX_CBID_CORE2_DomainCreateA, create_domain_narrow),
    ENTRY(NVTX_CBID_CORE2_DomainCreateW, create_domain_wide),
};

static const struct entry cuda[] = {
    ENTRY(NVTX_CBID_CUDA_NameCuDeviceA, name_device_narrow),
    ENTRY(NVTX_CBID_CUDA_NameCuDeviceW, name_device_wide),
    ENTRY(NVTX_CBID_CUDA_NameCuContextA, name_context_narrow),
    ENTRY(NVTX_CBID_CUDA_NameCuContextW, name_context_wide),
    ENTRY(NVTX_CBID_CUDA_NameCuStreamA, name_stream_narrow),
    ENTRY(NVTX_CBID_CUDA_NameCuStreamW, name_stream_wide),
    ENTRY(NVTX_CBID_CUDA_NameCuEventA, name_event_narrow),
    ENTRY(NVTX_CBID_CUDA_NameCuEventW, name_event_wide),
};

static const struct entry cudart[] = {
    ENTRY(NVTX_CBID_CUDART_NameCudaDeviceA, name_device_narrow),
    ENTRY(NVTX_CBID_CUDART_NameCudaDeviceW, name_device_wide),
    ENTRY(NVTX_CBID_CUDART_NameCudaStreamA, name_stream_narrow),
    ENTRY(NVTX_CBID_CUDART_NameCudaStreamW, name_stream_wide),
    ENTRY(NVTX_CBID_CUDART_NameCudaEventA, name_event_narrow),
    ENTRY(NVTX_CBID_CUDART_NameCudaEventW, name_event_wide),
};

static const struct {
    NvtxCallbackModule module;
    const struct entry *entry;
    unsigned entries;
} modules[] = {
    {NVTX_CB_MODULE_CORE, core, sizeof(core) / sizeof(core[0])},
    {NVTX_CB_MODULE_CORE2, core2, sizeof(core2) / sizeof(core2[0])},
    {NVTX_CB_MODULE_CUDA, cuda, sizeof(cuda) / sizeof(cuda[0])},
    {NVTX_CB_MODULE_CUDART, cudart, sizeof(cudart) / sizeof(cudart[0])},
};

/* 0: NVTX goes on as if there were no tool. An older header has shorter tables, or not all of them. */
int NVTX_API InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get_table)
{
    const NvtxExportTableCallbacks *callbacks =
        get_table ? (const NvtxExportTableCallbacks *)get_table(NVTX_ETID_CALLBACKS) : NULL;
    const NvtxExportTableVersionInfo *version =
        get_table ? (const NvtxExportTableVersionInfo *)get_table(NVTX_ETID_VERSIONINFO) : NULL;
    NvtxFunctionTable table;
    unsigned size;

    if (!callbacks || callbacks->struct_size < sizeof(*callbacks) || !inject_begin())
        return 0;
    if (version && version->struct_size >= sizeof(*version))
        version->SetInjectionNvtxVersion(NVTX_VERSION);
    for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
        if (!callbacks->GetModuleFunctionTable(modules[i].module, &table, &size) || !table)
            continue;
        for (unsigned k = 0; k < modules[i].entries; k++)
            if (modules[i].entry[k].id < size && table[modules[i].entry[k].id])
                *table[modules[i].entry[k].id] = modules[i].entry[k].function;
    }
    return 1;
}
