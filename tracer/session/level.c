/* The names of trace levels and of overflow policies (level.h). */
#include "level.h"

#include "session.h"

const char *const grosr_level_names[] = {
    [GROSR_LEVEL_OFF] = "off",
    [GROSR_LEVEL_COUNTERS] = "counters",
    [GROSR_LEVEL_SPANS] = "spans",
    [GROSR_LEVEL_FULL] = "full",
    NULL,
};

const char *const grosr_overflow_names[] = {
    [GROSR_OVERFLOW_AUTO] = "auto",
    [GROSR_OVERFLOW_DROP] = "drop",
    [GROSR_OVERFLOW_OVERWRITE] = "overwrite",
    [GROSR_OVERFLOW_BLOCK] = "block",
    NULL,
};

const char *grosr_level_name(uint32_t level)
{
    return level <= GROSR_LEVEL_FULL ? grosr_level_names[level] : "?";
}

const char *grosr_overflow_name(uint32_t overflow)
{
    return overflow <= GROSR_OVERFLOW_BLOCK ? grosr_overflow_names[overflow] : "?";
}
