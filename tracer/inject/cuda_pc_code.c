/*
 * The code of modules, for the lines and loops of sampled instructions (cuda_pc.h). CUPTI shows a module's
 * image while it reports that it was loaded: it is copied then, on the program's thread, and looked at later,
 * by the sampler. Images are kept until the process ends, since samples of a module may come after it was
 * unloaded; the same one is kept once.
 *
 * A sample names its module by CUPTI's checksum of the image.
 */
#include "cuda_pc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMAGES_MAX (UINT64_C(512) << 20) /* bytes of all images */
#define BUCKETS    1024u
#define INLINED    16u   /* calls inlined in each other */
#define LOOPS_MAX  4096u /* of a function */

struct module {
    struct module *next;
    void *image;
    size_t bytes;
    uint64_t crc;
    struct grosr_cubin *cubin; /* NULL: it has not been opened, or cannot be */
};

struct pc_code {
    struct pc_code *next;
    struct module *module;
    struct grosr_cubin_function function;
    struct grosr_cubin_loop *loop;
    uint32_t loops;
    bool has_loops; /* `loop` is complete */
};

static pthread_mutex_t loaded_lock = PTHREAD_MUTEX_INITIALIZER;
static struct module *loaded;  /* not looked at so far; with the lock */
static uint64_t image_bytes;   /* with the lock */
static dev32 left;             /* modules without an image */
static struct module *modules; /* the sampler's */
static struct pc_code *codes[BUCKETS];

void pc_module_loaded(const void *image, size_t bytes)
{
    struct module *m = NULL;

    if (!image || !bytes || pthread_mutex_lock(&loaded_lock))
        return;
    if (bytes <= IMAGES_MAX - image_bytes)
        m = (struct module *)calloc(1, sizeof(*m));
    if (m && !(m->image = malloc(bytes))) {
        free(m);
        m = NULL;
    }
    if (m) {
        memcpy(m->image, image, bytes);
        m->bytes = bytes;
        m->next = loaded;
        loaded = m;
        image_bytes += bytes;
    } else {
        dev_add_relaxed(&left, 1);
    }
    pthread_mutex_unlock(&loaded_lock);
}

uint32_t pc_modules_left(void)
{
    return dev_load_relaxed(&left);
}

/* ---- modules ---- */

static struct module *find_module(uint64_t crc)
{
    for (struct module *m = modules; m; m = m->next)
        if (m->crc == crc)
            return m;
    return NULL;
}

static void free_module(struct module *m)
{
    pthread_mutex_lock(&loaded_lock);
    image_bytes -= m->bytes;
    pthread_mutex_unlock(&loaded_lock);
    free(m->image);
    free(m);
}

static void take_loaded(void)
{
    pthread_mutex_lock(&loaded_lock);
    struct module *m = loaded;
    loaded = NULL;
    pthread_mutex_unlock(&loaded_lock);
    for (struct module *next; m; m = next) {
        CUpti_GetCubinCrcParams p = {
            .size = CUpti_GetCubinCrcParamsSize, .cubinSize = m->bytes, .cubin = m->image};
        next = m->next;
        if (cupti.cubin_crc(&p) != CUPTI_SUCCESS || find_module(p.cubinCrc) ||
            grosr_cubin_open(&m->cubin, m->image, m->bytes)) {
            free_module(m);
            continue;
        }
        m->crc = p.cubinCrc;
        m->next = modules;
        modules = m;
    }
}

static uint64_t hash_of(uint64_t crc, const char *function)
{
    uint64_t hash = crc ^ 0x9e3779b97f4a7c15u;

    for (; *function; function++)
        hash = (hash ^ (unsigned char)*function) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

struct pc_code *pc_code(uint64_t crc, const char *function)
{
    struct pc_code **bucket = &codes[hash_of(crc, function) % BUCKETS], *c;

    for (c = *bucket; c; c = c->next)
        if (c->module->crc == crc && !strcmp(c->function.name, function))
            return c;
    struct module *m = find_module(crc);
    if (!m) {
        take_loaded();
        m = find_module(crc);
    }
    c = m ? (struct pc_code *)calloc(1, sizeof(*c)) : NULL;
    if (!c || !grosr_cubin_named(m->cubin, function, &c->function)) {
        free(c);
        return NULL;
    }
    c->module = m;
    c->next = *bucket;
    *bucket = c;
    return c;
}

/* ---- lines ---- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* "spin (lock.h:23)" */
static struct inject_string *inlined_text(const struct grosr_cubin_line *line)
{
    const struct kernel_name *name = *line->function ? kernel_name(line->function) : NULL;
    char *text = NULL;

    if (!name ||
        asprintf(&text, "%s (%s:%u)", inject_string_text(name->brief), base_name(line->file), line->line) < 0)
        return NULL;
    struct inject_string *s = inject_string(text, strlen(text));
    free(text);
    return s;
}

bool pc_line(struct pc_code *c, uint64_t offset, struct inject_string **file, uint32_t *line,
             struct inject_string **inlined)
{
    struct grosr_cubin_line found[INLINED];
    char path[4096];
    uint32_t n =
        grosr_cubin_lines(c->module->cubin, &c->function, c->function.address + offset, found, INLINED);

    *file = *inlined = NULL;
    *line = 0;
    if (!n || offset >= c->function.bytes)
        return false;
    const struct grosr_cubin_line *own = &found[n - 1];
    bool whole = !*own->directory || *own->file == '/';
    int bytes =
        snprintf(path, sizeof(path), "%s%s%s", whole ? "" : own->directory, whole ? "" : "/", own->file);
    if (bytes <= 0 || bytes >= (int)sizeof(path))
        return false;
    *file = inject_string(path, (size_t)bytes);
    *line = own->line;
    if (n > 1)
        *inlined = inlined_text(&found[0]);
    return *file != NULL;
}

uint32_t pc_loops(struct pc_code *c, const struct grosr_cubin_loop **loop)
{
    static struct grosr_cubin_loop found[LOOPS_MAX];

    if (!c->has_loops) {
        uint32_t n = grosr_cubin_loops(c->module->cubin, &c->function, found, LOOPS_MAX);
        c->has_loops = true;
        c->loop = n ? (struct grosr_cubin_loop *)malloc(n * sizeof(found[0])) : NULL;
        c->loops = c->loop ? n : 0;
        if (c->loop)
            memcpy(c->loop, found, n * sizeof(found[0]));
    }
    *loop = c->loop;
    return c->loops;
}

bool pc_synchronizes(const struct pc_code *c, uint64_t offset)
{
    return grosr_cubin_synchronizes(c->module->cubin, &c->function, offset);
}
