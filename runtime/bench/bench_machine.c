/*
 * What a report says of the machine: without it a figure means nothing.
 */
#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* "AMD EPYC 9654 96-Core Processor"; where the kernel names no model, the architecture. */
static void cpu_model(char *to, size_t size)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    struct utsname system;
    char line[256];

    to[0] = 0;
    while (file && !to[0] && fgets(line, sizeof(line), file)) {
        const char *colon = strchr(line, ':');
        if (colon && !strncmp(line, "model name", 10)) {
            colon += 1 + strspn(colon + 1, " \t");
            snprintf(to, size, "%.*s", (int)strcspn(colon, "\n"), colon);
        }
    }
    if (file)
        fclose(file);
    if (!to[0] && uname(&system) == 0)
        snprintf(to, size, "%.60s", system.machine);
}

void grosr_bench_machine_begin(struct grosr_bench_report *report)
{
    struct grosr_bench_machine *m = &report->machine;
    time_t now = time(NULL);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    struct tm utc;
    char pci[32];

    cpu_model(m->cpu, sizeof(m->cpu));
    m->cpus = cpus > 0 ? (uint32_t)cpus : 0;
    gmtime_r(&now, &utc);
    strftime(m->date, sizeof(m->date), "%Y-%m-%dT%H:%M:%SZ", &utc);
    if (!grosr_bench_on_cuda(report)) {
        snprintf(m->nvml_absent, sizeof(m->nvml_absent), "the host device has no GPU");
    } else if (grosr_bench_cuda_facts(report, pci, sizeof(pci), &m->cuda)) {
        snprintf(m->nvml_absent, sizeof(m->nvml_absent), "%s", grosr_error());
    } else {
        m->gpu = grosr_nvml_find(pci);
        if (!m->gpu)
            snprintf(m->nvml_absent, sizeof(m->nvml_absent), "%s", grosr_nvml_absent());
        grosr_nvml_driver_version(m->driver, sizeof(m->driver));
    }
    m->before = m->after = grosr_nvml_read(m->gpu);
}

void grosr_bench_machine_end(struct grosr_bench_report *report)
{
    report->machine.after = grosr_nvml_read(report->machine.gpu);
}
