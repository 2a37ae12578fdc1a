/*
 * Where every warp of a GPU stood, from a GPU core dump: what the driver writes when a kernel fails
 * (CUDA_ENABLE_COREDUMP_ON_EXCEPTION) or when it is asked to (arm.h). Neither a GPU nor a debugger is needed.
 *
 * The format is NVIDIA's, documented in the toolkit's cudacoredump.h: an ELF file whose sections are tables
 * of devices, contexts, modules, grids, SMs, blocks (CTAs), warps and lanes. A section's sh_link is the table
 * that its parent is a row of, sh_info the row. Rows may be longer than known here, and older drivers' are
 * shorter: sh_entsize is their size, and fields behind it are 0. A full GPU has more sections than the file's
 * header can count, whose number is in section 0. A warp's program counter is in its lanes' rows; only valid
 * lanes have rows.
 *
 * A core dump is not trusted. What cannot be followed makes an error of one line; nothing is guessed.
 */
#ifndef GROSR_COREDUMP_H
#define GROSR_COREDUMP_H

#include "../findings/findings.h"

#define GROSR_CORE_NONE UINT32_MAX

/* What a warp waits for, as far as its instruction and its lines tell. */
enum grosr_core_wait {
    GROSR_CORE_WAIT_NONE,
    GROSR_CORE_WAIT_WARP,     /* __syncwarp() */
    GROSR_CORE_WAIT_MBARRIER, /* cuda::barrier, TMA */
    GROSR_CORE_WAIT_BLOCK,    /* __syncthreads() and its kind */
    GROSR_CORE_WAIT_CLUSTER,
    GROSR_CORE_WAIT_GRID, /* grid.sync() */
    GROSR_CORE_WAITS
};

struct grosr_core_device {
    const char *name; /* "NVIDIA H100 80GB HBM3"; "" if it is not said */
    uint32_t sms, warps_per_sm, sm_major, sm_minor;
};

struct grosr_core_grid {
    uint32_t device;
    uint64_t id, context, module, entry;
    char *kernel; /* its name, or "kernel at 0x..." */
    uint32_t grid[3], block[3];
    char *arguments;                    /* "0x7f1200000000, 3"; "" if they are not known */
    uint32_t blocks, warps, exceptions; /* that are in the dump */
    bool misstated; /* `grid` is too small: the driver writes 1x1x1 for a cooperative launch */
};

/* Where a program counter points. Lines are of the function whose code it is; what was inlined there is text.
 */
struct grosr_core_place {
    uint64_t address, offset;
    char *function; /* "" if no module has the address */
    char *file;     /* with its folder; "" without line information */
    uint32_t line;
    char *inlined; /* "sync_grids_wait (sync.h:98)"; "" */
    enum grosr_core_wait wait;
    uint32_t spot; /* the same for places of the same function, line and wait */
};

struct grosr_core_warp {
    uint32_t device, grid, sm, id; /* id: in its SM */
    uint32_t block[3];
    uint32_t warp; /* in its block; GROSR_CORE_NONE: it has no lanes */
    uint32_t valid, active;
    uint32_t place, other; /* of the active lanes; of others, if they stand elsewhere, or GROSR_CORE_NONE */
    enum grosr_core_wait wait;
    uint32_t exception;      /* 0: none */
    uint32_t row;            /* among the dump's warps, in the order of its tables */
    uint32_t match, matches; /* of the core's: the first, and how many */
};

/* What is known at an address; the first kinds say more than the later ones. */
enum grosr_core_name_kind {
    GROSR_CORE_LOCK, /* that a worker of a session waits for, in a bounded wait that was reported */
    GROSR_CORE_WORD,
    GROSR_CORE_BARRIER,
    GROSR_CORE_VARIABLE, /* of a module, in global memory */
    GROSR_CORE_ARGUMENT, /* of a kernel, that may be a pointer; it reaches to the next multiple of 256 */
    GROSR_CORE_SESSION,  /* a part of a session's segment */
    GROSR_CORE_NAME_KINDS
};

struct grosr_core_name {
    enum grosr_core_name_kind kind;
    uint64_t address, bytes;
    char *text; /* "lock journal 0", "variable flag", "argument 2 of segment_steps" */
    char *fact; /* "held by worker 3 for 2.1 s"; "" */

    /* Whose warps may mean it; GROSR_CORE_NONE: all of the process, of the device. */
    uint32_t device, grid;
    uint64_t context; /* with a device */
};

/* What a warp has of it: the address is in registers, or a load in the loop where the warp stands reads it.
 */
struct grosr_core_match {
    uint32_t warp, name;
    uint64_t address; /* in registers, or that of the load: in the name's bytes */
    uint32_t lanes;   /* bits */
    bool is_read;
    uint32_t place; /* if it is read: where those lanes stand, in the loop */
    uint64_t load;  /* and the load's offset in its function */
    uint32_t bytes; /* that the load reads: 4, 8; 0: not known */
};

/* Warps of a grid that stand at the same spot in the same way. */
struct grosr_core_group {
    uint32_t grid, first, warps; /* first: the warp that stands for them */
    uint32_t blocks;             /* that they are of, at most: neighbours in order are counted once */
};

/* An SM that reports a failure of a warp which has left. */
struct grosr_core_fault {
    uint32_t device, sm, exception;
    uint32_t place; /* GROSR_CORE_NONE: not known */
};

struct grosr_core {
    struct grosr_core_device *device;
    struct grosr_core_grid *grid;
    struct grosr_core_place *place;
    struct grosr_core_warp *warp;
    struct grosr_core_group *group; /* by grid, the largest first */
    struct grosr_core_fault *fault;
    struct grosr_core_name *name;   /* by address */
    struct grosr_core_match *match; /* by warp, then by kind of name */
    uint32_t devices, grids, places, warps, groups, faults, names, matches;
    uint32_t driver_major, driver_minor, timestamp; /* 0: not said */
};

/* Reads a core dump. -EINVAL and what is wrong with it, -ENOMEM, or -errno of the file. */
int grosr_core_open(struct grosr_core **core, const char *path);
/* The same of bytes, which must stay until it is freed. */
int grosr_core_read(struct grosr_core **core, const void *bytes, uint64_t size);
void grosr_core_free(struct grosr_core *core); /* NULL is allowed */

/* ---- what is in registers ---- */

/*
 * What the sessions of a process know by address: the locks, words and barriers that reported waits are for,
 * and, while it lives, where their segments are mapped. Best taken before a dump is asked for, which the
 * process may not survive. None is no error. -ENOMEM.
 */
struct grosr_core_sessions;
int grosr_core_sessions_of(struct grosr_core_sessions **sessions, uint32_t pid);
void grosr_core_sessions_free(struct grosr_core_sessions *sessions); /* NULL is allowed */

/*
 * Finds what the registers of the core's warps point to: variables of its modules, the kernels' arguments,
 * and what `sessions` know. The whole 64-bit address has to be equal, or to lie in what is named. What could
 * as well be numbers is left out: addresses below 4 GiB, and, of registers that no load is seen to use, those
 * whose lower half is below 64 KiB, and those in something larger than 16 MiB. Registers that cannot be
 * followed to their warp are left out. Once for a core. -ENOMEM.
 *
 * `sessions` NULL: those of the process that the path names, as the driver does (core.PID.nvcudmp), if the
 * dump was made in their time; path NULL: none.
 */
int grosr_core_match(struct grosr_core *core, const struct grosr_core_sessions *sessions, const char *path);

/* "lock", "word", "barrier", "variable", "argument", "session". */
const char *grosr_core_name_kind_text(enum grosr_core_name_kind kind);

/* Of warps `first` to `first` + `warps`, which stand at one spot: what they have of names, as lines; those
 * that say most, at most `room` of them. Returns how many; the caller frees each. */
uint32_t grosr_core_match_lines(const struct grosr_core *core, uint32_t first, uint32_t warps, char **line,
                                uint32_t room);

/* Words: "Warp Illegal Address"; "block barrier", "" for none. */
const char *grosr_core_exception_name(uint32_t exception);
const char *grosr_core_wait_name(enum grosr_core_wait wait);

/* "steps.cu:30", or "segment_steps+0x80"; and "steps.cu:30 in segment_steps, waiting at a grid barrier,
   inlined sync_grids_wait (sync.h:98)". Both return how long the text is. */
int grosr_core_spot_text(const struct grosr_core *core, uint32_t place, char *text, size_t size);
int grosr_core_place_text(const struct grosr_core *core, uint32_t place, enum grosr_core_wait wait,
                          char *text, size_t size);

/* Whether the file is a GPU core dump. */
bool grosr_core_is(const char *path);

/*
 * Adds what a core dump shows: kernels that failed, and barriers at which warps wait in vain, as findings;
 * where all warps stand as remarks, and what they have in registers of what is known by name. A core dump is
 * one moment: that warps wait proves nothing by itself. `sessions` as for grosr_core_match().
 */
int grosr_diagnose_core(const char *path, const struct grosr_core_sessions *sessions,
                        struct grosr_findings *findings);

#endif
