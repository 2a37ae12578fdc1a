/*
 * Records: what a process tells of itself, beside the events of its devices. A record is a header and a body,
 * together `bytes` long, a multiple of 8; strings in it are as long as they say and end in no NUL. They
 * follow the fixed part, in the order of their lengths.
 *
 * A string that comes often is sent once in each stream, as a TEXT record with a number, and named by that
 * number in the records of that stream that come after it. Numbers are from 1; 0 is no string. A string that
 * is too long for a record is sent in parts, which become one string when the last has come; threads that
 * share a stream may interleave their parts of the same string.
 *
 * Times are CLOCK_MONOTONIC ns. A reader trusts nothing in a record (records.c).
 */
#ifndef GROSR_RECORD_H
#define GROSR_RECORD_H

#include "gpu.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GROSR_RECORD_MAX      65536u     /* bytes of a record */
#define GROSR_RECORD_TEXT_MAX 16383u     /* bytes of a string in it; a longer one is sent in parts */
#define GROSR_TEXT_MAX        (1u << 20) /* bytes of a string; a longer one is cut, and ends in its hash */
#define GROSR_RECORD_NO_TEXT  UINT32_MAX /* for a string's number: there is none, not even an empty one */

enum grosr_record_kind {
    GROSR_RECORD_NOTE = 1,      /* struct grosr_record_note: a word to the user */
    GROSR_RECORD_TEXT,          /* struct grosr_record_text: a string that later records name */
    GROSR_RECORD_THREAD_NAME,   /* struct grosr_record_name: what a thread is called; replaces */
    GROSR_RECORD_OBJECT_NAME,   /* struct grosr_record_name: what a CUDA object is called */
    GROSR_RECORD_NVTX_DOMAIN,   /* struct grosr_record_name: what a domain is called */
    GROSR_RECORD_NVTX_CATEGORY, /* struct grosr_record_name: what a category of a domain is called */
    GROSR_RECORD_NVTX_MARK,     /* struct grosr_record_nvtx */
    GROSR_RECORD_NVTX_PUSH,  /* struct grosr_record_nvtx: a range of its thread and domain begins, inside the
                                one there */
    GROSR_RECORD_NVTX_START, /* struct grosr_record_nvtx: a range begins that any thread may end */
    GROSR_RECORD_NVTX_POP,   /* struct grosr_record_nvtx_end: the thread's latest range of that domain ends */
    GROSR_RECORD_NVTX_END,   /* struct grosr_record_nvtx_end: the range of that number ends */
    GROSR_RECORD_CUDA_CALL,  /* struct grosr_record_cuda_call: a call of an API of CUDA */
    GROSR_RECORD_CUDA_KERNEL, /* struct grosr_record_cuda_kernel: a kernel that ran, or a persistent one */
    GROSR_RECORD_CUDA_MEMCPY, /* struct grosr_record_cuda_op, as the next two */
    GROSR_RECORD_CUDA_MEMSET,
    GROSR_RECORD_CUDA_SYNC,
    GROSR_RECORD_CUDA_DEVICE,      /* struct grosr_record_cuda_device */
    GROSR_RECORD_CUDA_CONTEXT,     /* struct grosr_record_cuda_context */
    GROSR_RECORD_TEXT_PART,        /* struct grosr_record_part: of a string that later records name */
    GROSR_RECORD_SYSCALLS,         /* struct grosr_record_syscalls: a packet of system calls of device code */
    GROSR_RECORD_CUDA_PC,          /* struct grosr_record_cuda_pc: samples of an instruction */
    GROSR_RECORD_CUDA_PC_FUNCTION, /* struct grosr_record_cuda_pc_function: samples of a function */
    GROSR_RECORD_CUDA_PC_BIN,      /* struct grosr_record_cuda_pc_bin: all samples of a context */
    GROSR_RECORD_CUDA_GRAPH,       /* struct grosr_record_cuda_graph: a launch of a graph that ran */
};

struct grosr_record {
    uint32_t bytes; /* this header included */
    uint32_t kind;  /* enum grosr_record_kind; unknown ones are skipped */
};

struct grosr_record_note {
    struct grosr_record head;
    uint64_t time;
    uint16_t topic_bytes, text_bytes;
    uint32_t unused;
    /* topic, text */
};

struct grosr_record_text {
    struct grosr_record head;
    uint32_t number;
    uint32_t text_bytes;
    /* text */
};

struct grosr_record_part {
    struct grosr_record head;
    uint32_t number;
    uint32_t text_bytes;
    uint32_t offset; /* in the string: as many bytes have come before */
    uint32_t total;  /* of the string; at most GROSR_TEXT_MAX */
    /* text */
};

enum grosr_object {
    GROSR_OBJECT_DEVICE = 1,
    GROSR_OBJECT_CONTEXT,
    GROSR_OBJECT_STREAM,
    GROSR_OBJECT_EVENT,
};

struct grosr_record_name {
    struct grosr_record head;
    uint32_t tid;    /* who gave the name; of THREAD_NAME: whose it is */
    uint32_t object; /* enum grosr_object; 0 in records of threads, domains and categories */
    uint32_t domain;
    uint32_t category;
    uint64_t handle; /* of an object: the pointer or number that the program has for it */
    int64_t number;  /* of an object: what activity records call it; -1: not known */
    uint32_t text_bytes;
    uint32_t text; /* the number of a long string; 0: the text follows */
    /* text */
};

enum grosr_nvtx_payload {
    GROSR_NVTX_NONE,
    GROSR_NVTX_UINT64,
    GROSR_NVTX_INT64,
    GROSR_NVTX_DOUBLE,
    GROSR_NVTX_UINT32,
    GROSR_NVTX_INT32,
    GROSR_NVTX_FLOAT,
};

struct grosr_record_nvtx {
    struct grosr_record head;
    uint64_t time;
    uint32_t tid;
    uint32_t domain;  /* 0: the default one */
    uint64_t range;   /* of START: its number in the process */
    uint64_t payload; /* its bits, in the low bytes */
    uint32_t category;
    uint32_t color; /* ARGB; 0: none was given */
    uint32_t text;  /* the number of a registered or a long string, or NO_TEXT; 0: the text follows */
    uint16_t text_bytes;
    uint16_t payload_type; /* enum grosr_nvtx_payload */
    /* text */
};

struct grosr_record_nvtx_end {
    struct grosr_record head;
    uint64_t time;
    uint32_t tid;
    uint32_t domain; /* of POP */
    uint64_t range;  /* of END */
};

/* What CUPTI tells. Its numbers of devices, contexts, streams and correlations are those of the process. */
struct grosr_record_cuda_call {
    struct grosr_record head;
    uint64_t start;
    uint64_t end; /* 0: it has not returned */
    uint32_t tid;
    uint32_t correlation;
    uint32_t name; /* the number of a string */
    int32_t result;
    uint32_t api; /* 0: runtime; 1: driver */
    uint32_t unused;
};

enum grosr_cuda_kernel_state {
    GROSR_CUDA_KERNEL_RAN,
    GROSR_CUDA_KERNEL_STARTS, /* a persistent one: `end` is 0 */
    GROSR_CUDA_KERNEL_ENDS,   /* that has been told of: `start`, `end` and `persistent` count */
};

struct grosr_record_cuda_kernel {
    struct grosr_record head;
    uint64_t start, end; /* 0: not known */
    uint32_t device, context, stream;
    uint32_t correlation;
    uint32_t grid[3], block[3];
    uint32_t registers_per_thread;
    uint32_t static_shared_bytes, dynamic_shared_bytes; /* of a block */
    uint32_t local_bytes;                               /* of a thread */
    int64_t grid_id;
    uint64_t graph_node; /* 0: none */
    uint32_t state;      /* enum grosr_cuda_kernel_state */
    /* Numbers of strings: as the linker has it, as the source has it, and without its arguments. */
    uint32_t mangled_name, full_name, name;
    uint64_t persistent; /* its number among the process's persistent launches, from 1; 0: it is none */
};

struct grosr_record_cuda_op {
    struct grosr_record head;
    uint64_t start, end;
    uint32_t device, context, stream;
    uint32_t correlation;
    uint64_t bytes;
    uint64_t graph_node; /* 0: none */
    uint32_t kind;       /* of memcpy: CUpti_ActivityMemcpyKind; sync: CUpti_ActivitySynchronizationType */
    uint32_t from, to;   /* CUpti_ActivityMemoryKind; of memset: `to` */
    uint32_t value;      /* of memset: the value; of sync: the event */
};

struct grosr_record_cuda_graph {
    struct grosr_record head;
    uint64_t start, end;
    uint32_t device, context, stream; /* device, context: of its first node; INT_MAX: that is on the host */
    uint32_t correlation;
    uint32_t graph; /* CUPTI's number of it */
    uint32_t name;  /* a string; 0: not known */
};

struct grosr_record_cuda_device {
    struct grosr_record head;
    struct grosr_gpu gpu;
    uint32_t text_bytes;
    uint32_t unused;
    /* its name */
};

struct grosr_record_cuda_context {
    struct grosr_record head;
    uint32_t context, device, null_stream, unused;
};

/* Why warps stood at an instruction, and how often. */
struct grosr_record_cuda_stall {
    uint32_t name; /* the number of a string */
    uint32_t samples;
    uint32_t not_issued; /* of these, those in which their scheduler issued no instruction of any warp */
    uint32_t memory;     /* 1: it is a wait for memory */
};

/* PC samples of a context in a time bin: of an instruction. */
struct grosr_record_cuda_pc {
    struct grosr_record head;
    uint64_t start, end; /* of the bin */
    uint64_t offset;     /* of the instruction in its function */
    uint32_t device, context;
    uint32_t name, full_name; /* the numbers of strings, as those of a kernel */
    uint32_t file, line;      /* file: the number of a string; 0: no line is known */
    uint32_t inlined;         /* the number of a string: the function inlined there, and its line; 0: none */
    uint32_t count;
    /* struct grosr_record_cuda_stall[count] */
};

#define GROSR_PC_LOOP    1u /* `low` and `high` are a loop's; else they hold all samples */
#define GROSR_PC_ENDLESS 2u /* nothing in that loop changes anything */
#define GROSR_PC_WAITS   4u /* all samples are of warps that wait: in loops that only poll, or at barriers */

/* ... of a function, and of the innermost loop of it that has most of them. */
struct grosr_record_cuda_pc_function {
    struct grosr_record head;
    uint64_t start, end;
    uint64_t low, high; /* offsets of the loop's first and last instruction */
    uint32_t device, context;
    uint32_t name, full_name;
    uint32_t file, first_line, last_line; /* of the loop */
    uint32_t flags;                       /* GROSR_PC_* */
    uint64_t samples;                     /* of the function */
    uint64_t loop_samples;                /* of these, in the loop */
    uint64_t memory_samples;              /* of those, waiting for memory */
    uint32_t stall;                       /* the most frequent reason in the loop: the number of a string */
    uint32_t stall_samples;
};

/* ... and of all, those that were lost too. */
struct grosr_record_cuda_pc_bin {
    struct grosr_record head;
    uint64_t start, end;
    uint64_t samples; /* dropped ones included */
    uint64_t dropped; /* by the hardware, or with a buffer that was full */
    uint64_t other;   /* of no kernel of the program's */
    uint32_t device, context;
    uint32_t full; /* 1: the hardware's buffer was full, and what was in it is lost */
    uint32_t unused;
};

/* One of the calls of a packet. */
struct grosr_record_syscall {
    uint64_t task;    /* that made it; of a packet that is no worker's: 0 */
    uint64_t done_ns; /* when it was answered; 0: it was not, and there is no result */
    int64_t result;
    int32_t handle;
    uint32_t call; /* schema/events.def */
};

#define GROSR_RECORD_NO_WORKER 0xffffu

struct grosr_record_syscalls {
    struct grosr_record head;
    uint64_t issued_ns, resumed_ns; /* low 48 bits of the device's time; resumed_ns 0: not known */
    uint64_t seen_ns;               /* when the host took the packet */
    uint32_t port;
    uint16_t worker; /* GROSR_RECORD_NO_WORKER: another kernel of the program */
    uint16_t count;
    /* struct grosr_record_syscall[count] */
};

static_assert(sizeof(struct grosr_record_syscall) == 32 && sizeof(struct grosr_record_syscalls) == 40,
              "system calls");
static_assert(sizeof(struct grosr_record_cuda_call) == 48, "call");
static_assert(sizeof(struct grosr_record_cuda_kernel) == 120, "kernel");
static_assert(sizeof(struct grosr_record_cuda_op) == 72, "memcpy, memset, synchronization");
static_assert(sizeof(struct grosr_record_cuda_graph) == 48, "launch of a graph");
static_assert(sizeof(struct grosr_record_cuda_device) == 128, "device");
static_assert(sizeof(struct grosr_record_cuda_context) == 24, "context");
static_assert(sizeof(struct grosr_record_cuda_stall) == 16 && sizeof(struct grosr_record_cuda_pc) == 64,
              "samples of an instruction");
static_assert(sizeof(struct grosr_record_cuda_pc_function) == 104, "samples of a function");
static_assert(sizeof(struct grosr_record_cuda_pc_bin) == 64, "samples of a context");
static_assert(sizeof(struct grosr_record_note) == 24, "note");
static_assert(sizeof(struct grosr_record_text) == 16, "text");
static_assert(sizeof(struct grosr_record_part) == 24, "part of a text");
static_assert(sizeof(struct grosr_record_name) == 48, "name");
static_assert(sizeof(struct grosr_record_nvtx) == 56, "range or mark");
static_assert(sizeof(struct grosr_record_nvtx_end) == 32, "end of a range");

#endif
