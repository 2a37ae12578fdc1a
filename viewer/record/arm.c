/*
 * Arming a program for a core dump (arm.h). The pipes are in a folder of their own that only this user may
 * enter; the dump is left in the current folder, as other core files are.
 */
#include "arm.h"

#include "../../tracer/base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The smallest dump, which has registers, arguments and modules. */
#define FLAGS                                                                                          \
    "skip_nonrelocated_elf_images,skip_global_memory,skip_shared_memory,skip_local_memory,skip_abort," \
    "skip_constbank_memory"

int arm_prepare(struct arming *arming)
{
    const char *where = getenv("TMPDIR");

    /* A per cent sign is the driver's in names. */
    if (!where || *where != '/' || strchr(where, '%') || strlen(where) > sizeof(arming->folder) / 2)
        where = "/tmp";
    snprintf(arming->folder, sizeof(arming->folder), "%s/grosr-core.XXXXXX", where);
    if (mkdtemp(arming->folder))
        return 0;
    int err = grosr_fail(errno, "cannot make a folder in %s: %s", where, strerror(errno));
    *arming->folder = 0;
    return err;
}

void arm_environment(const struct arming *arming)
{
    char here[4096], name[4096 + 64];

    if (!*arming->folder)
        return;
    setenv("CUDA_ENABLE_USER_TRIGGERED_COREDUMP", "1", 1);
    setenv("CUDA_COREDUMP_GENERATION_FLAGS", FLAGS, 0);
    snprintf(name, sizeof(name), "%s/pipe.%%p", arming->folder);
    setenv("CUDA_COREDUMP_PIPE", name, 0);
    bool usable = getcwd(here, sizeof(here)) && !strchr(here, '%');
    snprintf(name, sizeof(name), "%s%score.%%p.nvcudmp", usable ? here : "", usable ? "/" : "");
    setenv("CUDA_COREDUMP_FILE", name, 0);
}

void arm_clean(const struct arming *arming)
{
    DIR *folder = *arming->folder ? opendir(arming->folder) : NULL;

    if (!folder)
        return;
    for (struct dirent *d; (d = readdir(folder));)
        if (!strncmp(d->d_name, "pipe.", 5))
            unlinkat(dirfd(folder), d->d_name, 0);
    closedir(folder);
    rmdir(arming->folder);
}
