/*
 * Phases as NVTX ranges (marks.h).
 */
#include "marks.h"

#include <nvtx3/nvToolsExt.h>
#include <pthread.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static nvtxDomainHandle_t domain; /* NULL: there is no tool */
static nvtxStringHandle_t names[GROSR_PHASES];

static void register_names(void)
{
    static const char *const texts[GROSR_PHASES] = {"open", "submit", "wait", "finish", "close"};

    domain = nvtxDomainCreateA("grosr");
    for (int i = 0; domain && i < GROSR_PHASES; i++)
        names[i] = nvtxDomainRegisterStringA(domain, texts[i]);
}

void grosr_phase_begin(enum grosr_phase phase, uint64_t value)
{
    nvtxEventAttributes_t a;

    pthread_once(&once, register_names);
    if (!domain)
        return;
    memset(&a, 0, sizeof(a));
    a.version = NVTX_VERSION;
    a.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
    a.messageType = NVTX_MESSAGE_TYPE_REGISTERED;
    a.message.registered = names[phase];
    a.payloadType = NVTX_PAYLOAD_TYPE_UNSIGNED_INT64;
    a.payload.ullValue = value;
    nvtxDomainRangePushEx(domain, &a);
}

void grosr_phase_end(void)
{
    if (domain)
        nvtxDomainRangePop(domain);
}
