/*
 * What a process's sessions know by address (coredump.h). A reported bounded wait says where it looks
 * (wait_facts.h); an mbarrier's address, which is an offset in shared memory, is no address here. Segments
 * are registered with the device where the process has them mapped, so that a part of one has the address
 * that /proc/PID/maps gives it.
 *
 * Sessions of the host device are left out: their addresses are those of the CPU's memory.
 */
#include "coredump_parts.h"

#include "../base/error.h"
#include "../session/session.h"
#include "../session/wait_facts.h"
#include "../findings/findings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS 1000000000u
#define SLACK_S   10u /* between a process's last sign of life and a dump's time */

/* Takes the texts also when it fails. */
static int add(struct grosr_core_sessions *sessions, struct core_known known)
{
    struct core_known *grown = sessions->known;

    if (sessions->count == sessions->room) {
        sessions->room = sessions->room ? 2 * sessions->room : 64;
        grown = (struct core_known *)realloc(sessions->known, sessions->room * sizeof(*grown));
        sessions->known = grown ? grown : sessions->known;
    }
    if (!grown || !known.name.text || !known.name.fact) {
        free(known.name.text);
        free(known.name.fact);
        sessions->room = sessions->count;
        return grosr_fail(ENOMEM, "out of memory");
    }
    sessions->known[sessions->count++] = known;
    return 0;
}

/* ---- waits ---- */

static bool is_known(const struct grosr_core_sessions *sessions, uint32_t from,
                     const struct grosr_core_name *n)
{
    for (uint32_t i = from; i < sessions->count; i++)
        if (sessions->known[i].name.address == n->address && sessions->known[i].name.kind == n->kind &&
            !strcmp(sessions->known[i].name.text, n->text))
            return true;
    return false;
}

/* "held by worker 3 for 2.1 s", "it was 3, and has to be 4"; both times are the device's. */
static char *describe(const struct grosr_wait_facts *f)
{
    static const char *const until[] = {"", "has to be", "must not be", "has to be at least"};
    uint64_t held_ns = (f->updated - f->holder_since) & GROSR_TIME_MASK;
    char duration[32] = "", *text = NULL;
    int length = -1;

    if (f->kind == GROSR_WAIT_LOCK && held_ns < GROSR_TIME_MASK / 2)
        grosr_duration_text(duration, sizeof(duration), held_ns);
    if (f->kind == GROSR_WAIT_WORD)
        length =
            asprintf(&text, "which was %" PRIu64 " and %s %" PRIu64, f->seen, until[f->until], f->wanted);
    else if (f->kind == GROSR_WAIT_BARRIER)
        length = asprintf(&text, "where %" PRIu64 " of %" PRIu64 " have arrived", f->seen, f->wanted);
    else if (!f->held)
        length = asprintf(&text, "which was free");
    else if (f->holder == GROSR_WAIT_NOBODY)
        length =
            asprintf(&text, "held by somebody who is not recorded%s%s", *duration ? " for " : "", duration);
    else
        length =
            asprintf(&text, "held by worker %" PRIu32 "%s%s", f->holder, *duration ? " for " : "", duration);
    return length < 0 ? NULL : text;
}

static int add_wait(struct grosr_core_sessions *sessions, const struct grosr_session *session, uint32_t first,
                    const struct grosr_wait_facts *f)
{
    static const enum grosr_core_name_kind kind[] = {[GROSR_WAIT_WORD] = GROSR_CORE_WORD,
                                                     [GROSR_WAIT_LOCK] = GROSR_CORE_LOCK,
                                                     [GROSR_WAIT_BARRIER] = GROSR_CORE_BARRIER};
    const char *given = grosr_session_name(session, GROSR_NAME_USER, f->name);
    char name[GROSR_NAME_BYTES] = "", *text = NULL;
    uint32_t word_bytes = f->kind == GROSR_WAIT_LOCK ? 8 : f->kind == GROSR_WAIT_WORD ? f->bits / 8 : 0;

    if (given)
        grosr_session_copy_text(name, given, sizeof(name));
    else
        snprintf(name, sizeof(name), "resource %" PRIu32, f->name);
    if (asprintf(&text, "%s %s %" PRIu32, grosr_core_name_kind_text(kind[f->kind]), name, f->index) < 0)
        return grosr_fail(ENOMEM, "out of memory");
    struct core_known known = {.name = {.kind = kind[f->kind],
                                        .address = f->address,
                                        .bytes = word_bytes ? word_bytes : 8,
                                        .text = text,
                                        .device = GROSR_CORE_NONE,
                                        .grid = GROSR_CORE_NONE},
                               .owner = sessions->owners - 1,
                               .word_bytes = word_bytes};
    if (is_known(sessions, first, &known.name)) {
        free(text);
        return 0;
    }
    known.name.fact = describe(f);
    return add(sessions, known);
}

static int add_waits(struct grosr_core_sessions *sessions, const struct grosr_session *session)
{
    uint32_t first = sessions->count;
    int err = 0;

    for (uint32_t i = 0; !err && i < session->header.workers; i++) {
        struct grosr_wait_facts f;
        if (grosr_wait_facts_read(session, i, &f) && f.kind != GROSR_WAIT_MBARRIER &&
            f.address >= CORE_ADDRESS_MIN && f.address < CORE_ADDRESS_END)
            err = add_wait(sessions, session, first, &f);
    }
    return err;
}

/* ---- where segments are mapped ---- */

struct part {
    const char *text;
    uint64_t at, bytes;
};

/* A part of a mapping, which has the segment's bytes from `offset` on at `address`. */
static int add_part(struct grosr_core_sessions *sessions, uint32_t index, const struct part *part,
                    uint64_t address, uint64_t bytes, uint64_t offset)
{
    uint64_t from = part->at > offset ? part->at : offset, end = part->at + part->bytes;
    char *text = NULL;

    end = end < offset + bytes ? end : offset + bytes;
    if (from >= end)
        return 0;
    if (asprintf(&text, "%s of session %" PRIu32, part->text, index) < 0)
        text = NULL;
    return add(sessions, (struct core_known){.name = {.kind = GROSR_CORE_SESSION,
                                                      .address = address + (from - offset),
                                                      .bytes = end - from,
                                                      .text = text,
                                                      .fact = strdup(""),
                                                      .device = GROSR_CORE_NONE,
                                                      .grid = GROSR_CORE_NONE},
                                             .owner = sessions->owners - 1});
}

static int add_mapping(struct grosr_core_sessions *sessions, const struct grosr_session *session,
                       uint64_t address, uint64_t bytes, uint64_t offset)
{
    const struct grosr_session_header *h = &session->header;
    const struct part part[] = {
        {"the control words", 0, sizeof(*h)},
        {"the workers' states", h->workers_at, h->workers * sizeof(struct grosr_worker_entry)},
        {"the waits", h->waits_at, h->workers * sizeof(struct grosr_wait_entry)},
        {"the rings' counters", h->rings_at, h->rings * sizeof(struct grosr_ring)},
        {"the queues' counters", h->queues_at, h->queues * sizeof(struct grosr_queue_entry)},
        {"the ports for system calls", h->mailbox_at, h->mailbox_ports ? h->mailbox_bytes : 0},
    };
    int err = 0;

    for (size_t i = 0; !err && i < sizeof(part) / sizeof(part[0]); i++)
        err = add_part(sessions, h->index, &part[i], address, bytes, offset);
    for (uint32_t i = 0; !err && i < h->rings; i++) {
        struct part ring = {"the events", session->ring[i].slots_at,
                            ((uint64_t)session->ring[i].capacity + 1) * sizeof(struct grosr_pair)};
        err = add_part(sessions, h->index, &ring, address, bytes, offset);
    }
    return err;
}

/* START-END PERMISSIONS OFFSET DEVICE INODE PATH, in hexadecimal but for the inode. */
static int add_mappings(struct grosr_core_sessions *sessions, const struct grosr_session *session)
{
    char path[64], *line = NULL;
    size_t room = 0;
    int err = 0;

    snprintf(path, sizeof(path), "/proc/%" PRIu32 "/maps", session->header.pid);
    FILE *maps = fopen(path, "re");
    if (!maps)
        return 0; /* it has ended since, or is another user's */
    snprintf(path, sizeof(path), "/dev/shm/grosr.%" PRIu32 ".%" PRIu32, session->header.pid,
             session->header.index);
    while (!err && getline(&line, &room, maps) > 0) {
        uint64_t from, end, offset;
        int at = 0;
        line[strcspn(line, "\n")] = 0;
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*s %n", &from, &end, &offset, &at) ==
                3 &&
            at && !strcmp(line + at, path) && from >= CORE_ADDRESS_MIN && from < end)
            err = add_mapping(sessions, session, from, end - from, offset);
    }
    free(line);
    fclose(maps);
    return err;
}

/* ---- sessions ---- */

static int add_session(struct grosr_core_sessions *sessions, const struct grosr_session *session)
{
    const struct grosr_session_header *h = &session->header;
    struct core_owner *grown =
        (struct core_owner *)realloc(sessions->owner, (sessions->owners + 1) * sizeof(*sessions->owner));
    uint64_t heartbeat = sys_load_relaxed(&grosr_session_live(session)->heartbeat_ns);

    if (!grown)
        return grosr_fail(ENOMEM, "out of memory");
    sessions->owner = grown;
    bool lives = grosr_session_alive(session);
    uint64_t lived_ns = heartbeat > h->start_mono_ns ? heartbeat - h->start_mono_ns : 0;
    sessions->owner[sessions->owners++] =
        (struct core_owner){h->start_real_ns / SECOND_NS,
                            lives ? UINT64_MAX : (h->start_real_ns + lived_ns) / SECOND_NS + SLACK_S};
    int err = add_waits(sessions, session);
    return err || !lives ? err : add_mappings(sessions, session);
}

int grosr_core_sessions_of(struct grosr_core_sessions **out, uint32_t pid)
{
    struct grosr_core_sessions *sessions = (struct grosr_core_sessions *)calloc(1, sizeof(*sessions));
    struct grosr_session_id *id = NULL;
    int count = sessions ? grosr_session_list(&id) : 0, err = 0;

    *out = NULL;
    if (!sessions || count == -ENOMEM)
        err = grosr_fail(ENOMEM, "out of memory");
    for (int i = 0; !err && i < count; i++) {
        struct grosr_session *session;
        if (id[i].pid != pid || grosr_session_open(&session, pid, id[i].index))
            continue; /* another's, damaged, or gone: there are no names then */
        if (!strcmp(session->header.device, "cuda"))
            err = add_session(sessions, session);
        grosr_session_close(session);
    }
    free(id);
    if (err)
        grosr_core_sessions_free(sessions);
    else
        *out = sessions;
    return err;
}

void grosr_core_sessions_free(struct grosr_core_sessions *sessions)
{
    if (!sessions)
        return;
    for (uint32_t i = 0; i < sessions->count; i++) {
        free(sessions->known[i].name.text);
        free(sessions->known[i].name.fact);
    }
    free(sessions->known);
    free(sessions->owner);
    free(sessions);
}

/* ---- in a core ---- */

/* What is known of a word: in the dump, if that has it, or when the wait was last reported. */
static char *fact_of(const struct core_reader *reader, const struct core_known *known)
{
    uint64_t value = 0;
    char *text = NULL;
    int length;

    if (!known->word_bytes || !core_memory(reader, known->name.address, known->word_bytes, &value))
        return strdup(known->name.fact);
    uint64_t holder = value >> GROSR_LOCK_HOLDER_SHIFT;
    if (known->name.kind == GROSR_CORE_WORD)
        length = asprintf(&text, "%s; in the dump it was %" PRIu64, known->name.fact, value);
    else if (value == 0)
        length = asprintf(&text, "free in the dump");
    else if (holder == 0 || holder == GROSR_LOCK_UNKNOWN)
        length = asprintf(&text, "%s", known->name.fact);
    else
        length = asprintf(&text, "%s; in the dump worker %" PRIu64 " holds it", known->name.fact, holder - 1);
    return length < 0 ? NULL : text;
}

static bool is_of_time(const struct core_owner *owner, uint64_t timestamp)
{
    return timestamp && timestamp + 1 >= owner->from_s && timestamp <= owner->until_s;
}

int core_name_sessions(struct core_reader *reader, const struct grosr_core_sessions *sessions, bool all)
{
    int err = 0;

    for (uint32_t i = 0; !err && i < sessions->count; i++) {
        const struct core_known *known = &sessions->known[i];
        if (!all && !is_of_time(&sessions->owner[known->owner], reader->core.timestamp))
            continue;
        struct grosr_core_name name = known->name;
        name.text = strdup(name.text);
        name.fact = fact_of(reader, known);
        err = core_add_name(&reader->core, name);
    }
    return err;
}
