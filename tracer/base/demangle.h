/*
 * Names of the Itanium C++ ABI, of any length: what __cxa_demangle() of libstdc++ refuses (from 1,025 bytes
 * on, and lists of more than about a thousand template arguments).
 */
#ifndef GROSR_DEMANGLE_H
#define GROSR_DEMANGLE_H

#include <stddef.h>

/*
 * The demangled name, in the form that __cxa_demangle() gives it, to be freed; NULL: it is no mangled name,
 * it uses what kernels' names do not have (special names, rare expressions), or it needs more memory or stack
 * than it may take of the caller's.
 */
char *grosr_demangle(const char *mangled);

/*
 * The name alone in a demangled signature: without what it returns, its scopes, template arguments and
 * parameters. "void at::native::add<4, float>(float*)": "add".
 */
void grosr_demangled_brief(const char *full, const char **at, size_t *bytes);

#endif
