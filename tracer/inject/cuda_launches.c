/*
 * What is launched, as the callback of a call describes it (cuda_parts.h): kernels by the parameters of the
 * driver's calls, all else by cuda_ops.c.
 */
#include "cuda_parts.h"

#include "../session/outstanding.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static bool is_cooperative(const CUlaunchConfig *c)
{
    for (unsigned i = 0; i < c->numAttrs; i++)
        if (c->attrs[i].id == CU_LAUNCH_ATTRIBUTE_COOPERATIVE)
            return c->attrs[i].value.cooperative != 0;
    return false;
}

/* Blocks of a cluster are placed together, so that how many fit is another question. */
static bool is_clustered(const CUlaunchConfig *c)
{
    for (unsigned i = 0; i < c->numAttrs; i++)
        if (c->attrs[i].id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION)
            return true;
    return false;
}

static bool find_kernel(CUpti_CallbackId id, const CUpti_CallbackData *d, struct launch *l)
{
    switch (id) {
    case CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel:
    case CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel_ptsz: {
        const cuLaunchKernel_params *p = (const cuLaunchKernel_params *)d->functionParams;
        *l = (struct launch){.stream = p->hStream,
                             .code = p->f,
                             .grid = {p->gridDimX, p->gridDimY, p->gridDimZ},
                             .block = {p->blockDimX, p->blockDimY, p->blockDimZ},
                             .shared_bytes = p->sharedMemBytes};
        break;
    }
    case CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel:
    case CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel_ptsz: {
        const cuLaunchCooperativeKernel_params *p =
            (const cuLaunchCooperativeKernel_params *)d->functionParams;
        *l = (struct launch){.stream = p->hStream,
                             .code = p->f,
                             .grid = {p->gridDimX, p->gridDimY, p->gridDimZ},
                             .block = {p->blockDimX, p->blockDimY, p->blockDimZ},
                             .shared_bytes = p->sharedMemBytes,
                             .flags = GROSR_LAUNCH_COOPERATIVE};
        break;
    }
    case CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx:
    case CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx_ptsz: {
        const CUlaunchConfig *c = ((const cuLaunchKernelEx_params *)d->functionParams)->config;
        *l = (struct launch){
            .stream = c->hStream,
            .code = is_clustered(c) ? NULL : ((const cuLaunchKernelEx_params *)d->functionParams)->f,
            .grid = {c->gridDimX, c->gridDimY, c->gridDimZ},
            .block = {c->blockDimX, c->blockDimY, c->blockDimZ},
            .shared_bytes = c->sharedMemBytes,
            .flags = is_cooperative(c) ? GROSR_LAUNCH_COOPERATIVE : 0};
        break;
    }
    default:
        return false;
    }
    /* A call for the per-thread default stream says so by its name alone. */
    if (!l->stream && (id == CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel_ptsz ||
                       id == CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel_ptsz ||
                       id == CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx_ptsz))
        l->stream = CU_STREAM_PER_THREAD;
    l->kind = GROSR_LAUNCH_KERNEL;
    l->per_thread = l->stream == CU_STREAM_PER_THREAD;
    l->name = kernel_name(d->symbolName ? d->symbolName : "");
    l->context = d->context;
    l->context_id = d->contextUid;
    l->correlation = d->correlationId;
    return true;
}

/* A host function has the name that the loader knows, or where it is: "program+0x1234". */
static struct inject_string *function_name(void *function)
{
    static dev64 known[256], names[256]; /* the function; struct inject_string * */
    uint32_t at = (uint32_t)(((uintptr_t)function >> 4) % 256);
    char text[512];
    Dl_info info;

    /* Pairs with the store below. */
    if (dev_load_acquire(&known[at]) == (uintptr_t)function)
        return (struct inject_string *)(uintptr_t)dev_load_relaxed(&names[at]);
    if (!dladdr(function, &info))
        snprintf(text, sizeof(text), "%p", function);
    else if (info.dli_sname && info.dli_saddr == function)
        snprintf(text, sizeof(text), "%s", info.dli_sname);
    else
        snprintf(text, sizeof(text), "%s+0x%zx",
                 strrchr(info.dli_fname, '/') ? strrchr(info.dli_fname, '/') + 1 : info.dli_fname,
                 (size_t)((uintptr_t)function - (uintptr_t)info.dli_fbase));
    const struct kernel_name *name = text[0] == '_' ? kernel_name(text) : NULL;
    struct inject_string *s = name ? name->brief : inject_string(text, strlen(text));
    if (dev_cas_relaxed(&known[at], 0, 1) == 0) { /* the first has it; others are looked up each time */
        dev_store_relaxed(&names[at], (uintptr_t)s);
        dev_store_release(&known[at], (uintptr_t)function); /* pairs with the load above */
    }
    return s;
}

static struct inject_string *find_graph(CUgraphExec exec, struct launch *l)
{
    struct inject_string *name = graph_name(exec, &l->kernels);

    if (launch_graphs_whole())
        graph_launched(l->correlation, name);
    return name;
}

/* Of what is not a kernel. Copies of nothing are not made, as far as CUPTI is concerned. */
static bool find_other(const struct cuda_op *op, const CUpti_CallbackData *d, struct launch *l)
{
    static const uint32_t kinds[] = {[OP_MEMCPY] = GROSR_LAUNCH_MEMCPY,
                                     [OP_MEMSET] = GROSR_LAUNCH_MEMSET,
                                     [OP_HOST_FUNCTION] = GROSR_LAUNCH_HOST_FUNCTION,
                                     [OP_GRAPH] = GROSR_LAUNCH_GRAPH};

    if (op->what < OP_MEMCPY || op->what > OP_GRAPH)
        return false;
    unsigned direction = op->what == OP_MEMCPY ? cuda_op_direction(op, d) : 0;
    *l = (struct launch){.kind = kinds[op->what],
                         .context = d->context,
                         .stream = cuda_op_stream(op, d),
                         .per_thread = op->has & OP_PER_THREAD,
                         .to_host = op->has & OP_BLOCKING && direction == OP_TO_HOST,
                         .flags = direction == OP_TO_HOST     ? GROSR_LAUNCH_FROM_DEVICE
                                  : direction == OP_TO_DEVICE ? GROSR_LAUNCH_TO_DEVICE
                                                              : 0,
                         .context_id = d->contextUid,
                         .correlation = d->correlationId,
                         .bytes = cuda_op_bytes(op, d)};
    if (!l->stream && l->per_thread)
        l->stream = CU_STREAM_PER_THREAD;
    if (op->has & OP_HAS_BYTES && !l->bytes)
        return false;
    if (op->what == OP_HOST_FUNCTION)
        l->other = function_name(l->function = cuda_op_value(op, d));
    else if (op->what == OP_GRAPH)
        l->other = find_graph((CUgraphExec)cuda_op_value(op, d), l);
    else
        l->other = inject_string(op->what == OP_MEMCPY ? "copy" : "fill", 4);
    return true;
}

bool launch_find(struct launch *l, CUpti_CallbackDomain domain, CUpti_CallbackId id,
                 const CUpti_CallbackData *d, const struct cuda_op *op)
{
    return (domain == CUPTI_CB_DOMAIN_DRIVER_API && find_kernel(id, d, l)) || find_other(op, d, l);
}
