/*
 * Names of kernels: as the linker has them, demangled, and the function's name alone; and whether a name is
 * that of a persistent kernel. Each is made once and kept until the process ends, under `names_lock`.
 *
 * A launch looks its name up three times, so what was found last for a text at an address is kept in
 * `latest`, which is read without a lock. The text is compared all the same: a module that is loaded later
 * may have another name at that address.
 */
#include "cuda_parts.h"

#include "../base/demangle.h"

#include <dlfcn.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024u
#define LATEST  1024u          /* a power of two */
#define OURS    "grosr_kernel" /* the runtime's kernel, in whatever program (program_cuda.h) */

static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static struct kernel_name *names[BUCKETS];
static dev64 latest[LATEST]; /* const struct kernel_name * */
static regex_t persistent_names;
static bool has_persistent_names;
static char *(*demangle)(const char *, char *, size_t *, int *);

static bool is_persistent(const char *mangled, const char *full)
{
    return strstr(mangled, OURS) ||
           (has_persistent_names && (!regexec(&persistent_names, mangled, 0, NULL, 0) ||
                                     !regexec(&persistent_names, full, 0, NULL, 0)));
}

/* The library's own demangler refuses names of more than 1,024 bytes, ours does not (demangle.h). */
static char *demangle_any(const char *mangled)
{
    int failed = 1;
    char *full = demangle ? demangle(mangled, NULL, NULL, &failed) : NULL;

    if (full && !failed)
        return full;
    free(full);
    return grosr_demangle(mangled);
}

static const struct kernel_name *find_name(const char *mangled)
{
    struct inject_string *s = inject_string(mangled, strlen(mangled));
    struct kernel_name *n = NULL;

    if (!s || pthread_mutex_lock(&names_lock))
        return NULL;
    struct kernel_name **bucket = &names[((uintptr_t)s >> 4) % BUCKETS];
    for (n = *bucket; n && n->mangled != s;)
        n = n->next;
    if (!n && (n = (struct kernel_name *)calloc(1, sizeof(*n)))) {
        char *full = demangle_any(mangled);
        const char *text = full ? full : mangled, *brief;
        size_t bytes;
        grosr_demangled_brief(text, &brief, &bytes);
        n->mangled = s;
        n->full = inject_string(text, strlen(text));
        n->brief = inject_string(brief, bytes);
        n->persistent = is_persistent(mangled, text);
        free(full);
        n->next = *bucket;
        if (n->full && n->brief) {
            *bucket = n;
        } else {
            free(n);
            n = NULL;
        }
    }
    pthread_mutex_unlock(&names_lock);
    return n;
}

const struct kernel_name *kernel_name(const char *mangled)
{
    dev64 *at = &latest[((uintptr_t)mangled * 0x9e3779b97f4a7c15u) >> 54];
    const struct kernel_name *n =
        (const struct kernel_name *)(uintptr_t)dev_load_acquire(at); /* pairs with below */

    if (n && !strcmp(inject_string_text(n->mangled), mangled))
        return n;
    n = find_name(mangled);
    if (n)
        dev_store_release(at, (uint64_t)(uintptr_t)n); /* pairs with the load above */
    return n;
}

void kernel_names_start(void)
{
    const char *regex = getenv("GROSR_PERSISTENT");
    void *library = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_LOCAL);

    if (library)
        *(void **)(void *)&demangle = dlsym(library, "__cxa_demangle");
    has_persistent_names = regex && *regex && !regcomp(&persistent_names, regex, REG_EXTENDED | REG_NOSUB);
}
