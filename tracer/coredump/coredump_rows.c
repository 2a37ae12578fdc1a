/*
 * The warps of a core dump as rows of a trace (coredump_rows.h).
 */
#include "coredump_rows.h"

#include "coredump.h"

#include "../store/store.h"

#include <string.h>

#define COLUMNS         19
#define ADDRESS_COLUMNS 11

static struct grosr_value integer(int64_t value)
{
    return (struct grosr_value){.type = GROSR_VALUE_INTEGER, .integer = value};
}

static struct grosr_value text(const char *value)
{
    return *value ? (struct grosr_value){.type = GROSR_VALUE_TEXT,
                                         .integer = (int64_t)strlen(value),
                                         .text = value}
                  : (struct grosr_value){.type = GROSR_VALUE_NULL};
}

/* The number of a text in StringIds; NULL of none. */
static struct grosr_value name(struct grosr_store *store, const char *value, int *err)
{
    int64_t id = 0;

    if (!*value)
        return (struct grosr_value){.type = GROSR_VALUE_NULL};
    if (!*err)
        *err = grosr_store_string(store, value, strlen(value), &id);
    return integer(id);
}

static int add_warp(struct grosr_store *store, const struct grosr_core *core, const struct grosr_core_warp *w)
{
    static const char sql[] = "INSERT INTO GROSR_WARP VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
    const struct grosr_core_place *p = w->place == GROSR_CORE_NONE ? NULL : &core->place[w->place];
    const struct grosr_core_grid *grid = &core->grid[w->grid];
    struct grosr_value none = {.type = GROSR_VALUE_NULL};
    int err = 0;
    struct grosr_value value[COLUMNS] = {
        integer(w->device),
        name(store, grid->kernel, &err),
        integer((int64_t)grid->id),
        integer(w->sm),
        integer(w->id),
        integer(w->block[0]),
        integer(w->block[1]),
        integer(w->block[2]),
        w->warp == GROSR_CORE_NONE ? none : integer(w->warp),
        integer(w->valid),
        integer(w->active),
        p ? integer((int64_t)p->address) : none,
        p ? name(store, p->function, &err) : none,
        p && *p->function ? integer((int64_t)p->offset) : none,
        p ? name(store, p->file, &err) : none,
        p && p->line ? integer(p->line) : none,
        p ? name(store, p->inlined, &err) : none,
        text(grosr_core_wait_name(w->wait)),
        text(w->exception ? grosr_core_exception_name(w->exception) : ""),
    };

    return err ? err : grosr_store_execute(store, sql, value, COLUMNS, NULL);
}

static int add_address(struct grosr_store *store, const struct grosr_core *core,
                       const struct grosr_core_match *m)
{
    static const char sql[] = "INSERT INTO GROSR_WARP_ADDRESS VALUES (?,?,?,?,?,?,?,?,?,?,?)";
    const struct grosr_core_warp *w = &core->warp[m->warp];
    const struct grosr_core_name *n = &core->name[m->name];
    struct grosr_value none = {.type = GROSR_VALUE_NULL};
    int err = 0;
    struct grosr_value value[ADDRESS_COLUMNS] = {
        integer(w->device),
        integer(w->sm),
        integer(w->id),
        text(grosr_core_name_kind_text(n->kind)),
        name(store, n->text, &err),
        integer((int64_t)n->address),
        integer((int64_t)(m->address - n->address)),
        integer(m->lanes),
        m->is_read ? name(store, core->place[m->place].function, &err) : none,
        m->is_read ? integer((int64_t)m->load) : none,
        name(store, n->fact, &err),
    };

    return err ? err : grosr_store_execute(store, sql, value, ADDRESS_COLUMNS, NULL);
}

int grosr_core_store(const char *path, const struct grosr_core_sessions *sessions, const char *to)
{
    struct grosr_core *core;
    struct grosr_store *store = NULL;
    int err = grosr_core_open(&core, path);

    if (err)
        return err;
    err = grosr_core_match(core, sessions, path);
    if (!err)
        err = grosr_store_create(&store, to);
    for (uint32_t i = 0; !err && i < core->warps; i++)
        err = add_warp(store, core, &core->warp[i]);
    for (uint32_t i = 0; !err && i < core->matches; i++)
        err = add_address(store, core, &core->match[i]);
    if (!err)
        err = grosr_store_finish(store, NULL);
    grosr_store_close(store);
    grosr_core_free(core);
    return err;
}
