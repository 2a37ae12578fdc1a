/*
 * Executable graphs: how many kernels are in one, and which, as far as the driver says when it is
 * instantiated (cuda_parts.h). Of a graph with nodes that decide at run time what runs, the number is not
 * known.
 */
#include "cuda_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRAPHS    4096u /* that are known at a time */
#define NAMES     4u    /* of kernels, in a graph's name */
#define DEPTH_MAX 8     /* of graphs in graphs */
#define LAUNCHES  4096u /* the latest, whose names are known */

struct counted {
    uint32_t kernels;
    bool unknown; /* how many run is not in the graph */
    uint32_t names;
    struct inject_string *name[NAMES]; /* different ones, the first */
};

static pthread_mutex_t graphs_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    CUgraphExec exec;
    struct inject_string *name;
    uint32_t kernels;
} graphs[GRAPHS];

/* Of graphs of which CUPTI makes a record; under the same lock. */
static struct {
    uint32_t correlation;
    struct inject_string *name;
} launches[LAUNCHES];

static void count_kernel(struct counted *c, CUgraphNode node)
{
    CUDA_KERNEL_NODE_PARAMS params;
    const char *mangled = NULL;

    c->kernels++;
    if (c->names == NAMES || driver.kernel_params(node, &params) != CUDA_SUCCESS)
        return;
    if ((!params.func || driver.function_name(&mangled, params.func) != CUDA_SUCCESS) &&
        (!params.kern || driver.kernel_name(&mangled, params.kern) != CUDA_SUCCESS))
        return;
    const struct kernel_name *name = mangled ? kernel_name(mangled) : NULL;
    for (uint32_t i = 0; name && i < c->names; i++)
        if (c->name[i] == name->brief)
            return;
    if (name)
        c->name[c->names++] = name->brief;
}

static void count_nodes(struct counted *c, CUgraph graph, int depth)
{
    CUgraphNode *node = NULL;
    CUgraphNodeType type;
    CUgraph child;
    size_t n = 0;

    if (depth == DEPTH_MAX || driver.graph_nodes(graph, NULL, &n) != CUDA_SUCCESS ||
        !(node = (CUgraphNode *)calloc(n + 1, sizeof(CUgraphNode))) ||
        driver.graph_nodes(graph, node, &n) != CUDA_SUCCESS) {
        c->unknown = true;
        n = 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (driver.node_type(node[i], &type) != CUDA_SUCCESS)
            c->unknown = true;
        else if (type == CU_GRAPH_NODE_TYPE_KERNEL)
            count_kernel(c, node[i]);
        else if (type == CU_GRAPH_NODE_TYPE_CONDITIONAL)
            c->unknown = true;
        else if (type == CU_GRAPH_NODE_TYPE_GRAPH && driver.child_graph(node[i], &child) == CUDA_SUCCESS)
            count_nodes(c, child, depth + 1);
    }
    free(node);
}

/* "graph of 3 kernels: a, b" */
static struct inject_string *name_of(const struct counted *c)
{
    char text[512];
    size_t used = (size_t)snprintf(text, sizeof(text), "graph of %s%u kernel%s",
                                   c->unknown ? "at least " : "", c->kernels, c->kernels == 1 ? "" : "s");

    for (uint32_t i = 0; i < c->names && used < sizeof(text); i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%.100s", i ? ", " : ": ",
                                 inject_string_text(c->name[i]));
    return inject_string(text, strlen(text));
}

static uint32_t place_of(CUgraphExec exec)
{
    return (uint32_t)(((uintptr_t)exec >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 52);
}

void graph_instantiated(CUgraphExec exec, CUgraph graph)
{
    struct counted c = {.kernels = 0};

    if (!driver.graph_nodes || !driver.node_type || !driver.kernel_params || !driver.child_graph ||
        !driver.function_name || !driver.kernel_name)
        return;
    count_nodes(&c, graph, 0);
    struct inject_string *name = name_of(&c);
    if (pthread_mutex_lock(&graphs_lock))
        return;
    graphs[place_of(exec)].exec = exec; /* another one that was there is forgotten */
    graphs[place_of(exec)].name = name;
    graphs[place_of(exec)].kernels = c.unknown ? 0 : c.kernels;
    pthread_mutex_unlock(&graphs_lock);
}

void graph_changed(CUgraphExec exec)
{
    if (pthread_mutex_lock(&graphs_lock))
        return;
    if (graphs[place_of(exec)].exec == exec)
        graphs[place_of(exec)].kernels = 0;
    pthread_mutex_unlock(&graphs_lock);
}

struct inject_string *graph_name(CUgraphExec exec, uint32_t *kernels)
{
    static const char unknown[] = "graph";
    struct inject_string *name = NULL;

    *kernels = 0;
    if (pthread_mutex_lock(&graphs_lock))
        return NULL;
    if (graphs[place_of(exec)].exec == exec) {
        name = graphs[place_of(exec)].name;
        *kernels = graphs[place_of(exec)].kernels;
    }
    pthread_mutex_unlock(&graphs_lock);
    return name ? name : inject_string(unknown, sizeof(unknown) - 1);
}

void graph_launched(uint32_t correlation, struct inject_string *name)
{
    if (pthread_mutex_lock(&graphs_lock))
        return;
    launches[correlation % LAUNCHES].correlation = correlation;
    launches[correlation % LAUNCHES].name = name;
    pthread_mutex_unlock(&graphs_lock);
}

struct inject_string *graph_launch_name(uint32_t correlation)
{
    struct inject_string *name = NULL;

    if (pthread_mutex_lock(&graphs_lock))
        return NULL;
    if (launches[correlation % LAUNCHES].correlation == correlation)
        name = launches[correlation % LAUNCHES].name;
    pthread_mutex_unlock(&graphs_lock);
    return name;
}
