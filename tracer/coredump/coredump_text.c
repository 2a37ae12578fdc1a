/*
 * Words for what a core dump shows (coredump.h).
 */
#include "coredump_parts.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *grosr_core_exception_name(uint32_t exception)
{
    static const char *const names[] = {
        "no exception",
        "Lane Illegal Address",
        "Lane User Stack Overflow",
        "Device Hardware Stack Overflow",
        "Warp Illegal Instruction",
        "Warp Out-of-range Address",
        "Warp Misaligned Address",
        "Warp Invalid Address Space",
        "Warp Invalid PC",
        "Warp Hardware Stack Overflow",
        "Device Illegal Address",
        "Lane Misaligned Address",
        "Warp Assert",
        "Lane Syscall Error",
        "Warp Illegal Address",
        "Lane Non-migratable Atomic",
        "Lane Invalid Atomic",
        "Cluster Out-of-range Address",
        "Cluster Block Not Present",
        "Warp Stack Canary",
        "Warp Tensor Memory Access Check",
        "Warp Tensor Memory Leak",
        "Warp Call Requires Newer Driver",
        "Warp Misaligned PC",
        "Warp PC Overflow",
        "Warp Misaligned Register",
        "Warp Illegal Instruction Encoding",
        "Warp Illegal Instruction Parameter",
    };

    return exception < sizeof(names) / sizeof(names[0]) ? names[exception]
                                                        : "an exception of an unknown kind";
}

const char *grosr_core_wait_name(enum grosr_core_wait wait)
{
    static const char *const names[GROSR_CORE_WAITS] = {
        "", "warp barrier", "mbarrier", "block barrier", "cluster barrier", "grid barrier"};

    return (unsigned)wait < GROSR_CORE_WAITS ? names[wait] : "";
}

const char *grosr_core_name_kind_text(enum grosr_core_name_kind kind)
{
    static const char *const names[GROSR_CORE_NAME_KINDS] = {"lock",     "word",     "barrier",
                                                             "variable", "argument", "session"};

    return (unsigned)kind < GROSR_CORE_NAME_KINDS ? names[kind] : "";
}

const char *core_count_text(char text[32], uint64_t count)
{
    char digits[32];
    int length = snprintf(digits, sizeof(digits), "%" PRIu64, count), to = 0;

    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            text[to++] = ',';
        text[to++] = digits[i];
    }
    text[to] = 0;
    return text;
}

/* Appends, as far as there is room. */
static void __attribute__((format(printf, 4, 5)))
add(char *text, size_t size, int *at, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int wrote = vsnprintf(*at < (int)size ? text + *at : NULL, *at < (int)size ? size - (size_t)*at : 0,
                          format, args);
    va_end(args);
    *at += wrote > 0 ? wrote : 0;
}

int grosr_core_spot_text(const struct grosr_core *core, uint32_t place, char *text, size_t size)
{
    const struct grosr_core_place *p = place == GROSR_CORE_NONE ? NULL : &core->place[place];
    int at = 0;

    if (!p)
        add(text, size, &at, "a place that is not known");
    else if (!*p->function)
        add(text, size, &at, "0x%" PRIx64 ", which no module in the dump has", p->address);
    else if (p->line)
        add(text, size, &at, "%s:%" PRIu32, strrchr(p->file, '/') ? strrchr(p->file, '/') + 1 : p->file,
            p->line);
    else
        add(text, size, &at, "%s+0x%" PRIx64, p->function, p->offset);
    return at;
}

int grosr_core_place_text(const struct grosr_core *core, uint32_t place, enum grosr_core_wait wait,
                          char *text, size_t size)
{
    const struct grosr_core_place *p = place == GROSR_CORE_NONE ? NULL : &core->place[place];
    int at = grosr_core_spot_text(core, place, text, size);

    if (p && p->line)
        add(text, size, &at, " in %s", p->function);
    if (wait)
        add(text, size, &at, ", waiting at a %s", grosr_core_wait_name(wait));
    if (p && *p->inlined)
        add(text, size, &at, ", inlined %s", p->inlined);
    return at;
}
