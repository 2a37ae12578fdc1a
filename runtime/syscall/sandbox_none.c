/*
 * In place of sandbox_seccomp.c in a build without libseccomp.
 */
#include "proxy_parts.h"

#include <errno.h>

int sandbox_check(void)
{
    return -ENOTSUP;
}

int sandbox_enter(void)
{
    return -ENOTSUP;
}
