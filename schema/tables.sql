-- Tables of a GROSR trace. Times are ns since the recording's time 0, which is its first session's start
-- (GROSR_SESSION.start_mono_ns of session 1), on the host's CLOCK_MONOTONIC; device times have been converted to it by
-- clock calibration. NULL: not known, because the event that has the value was lost or never written.
-- A recording may hold several sessions. Workers, rings, queues, functions and names are numbered across all of them:
-- a number belongs to one session only, which GROSR_WORKER, GROSR_RING, GROSR_QUEUE and GROSR_FUNCTION give.
-- The version is PRAGMA user_version, set by the store together with application_id (tracer/store/store.h).

CREATE TABLE GROSR_META (            -- facts about the file
    key   TEXT PRIMARY KEY,          -- 'grosr_version', 'complete' (1: closed properly), 'collector_error', 'chunk_events',
                                     -- 'chunk_raw_bytes', 'chunk_bytes' (the size of the events in chunks, raw and packed),
                                     -- 'kept_from' (what ended earlier was deleted, as asked for), 'cut_events' (from before it),
                                     -- 'unrecorded_sessions' (that waited to be recorded and were not, if there were any)
    value
) WITHOUT ROWID;

CREATE TABLE GROSR_SESSION (         -- each runtime, instrumented kernel and traced process
    session          INTEGER PRIMARY KEY,  -- in the order they were found, from 1
    pid              INTEGER NOT NULL,
    program          TEXT NOT NULL,
    device           TEXT NOT NULL,  -- 'cuda', 'host', or 'process': its API calls and NVTX only, no device events
    device_name      TEXT NOT NULL,
    sms              INTEGER NOT NULL,
    max_warps_per_sm INTEGER NOT NULL,
    lanes            INTEGER NOT NULL,
    first_worker     INTEGER NOT NULL DEFAULT 0, -- the number of its first worker; the session's own numbers are lower by that
    start_mono_ns    INTEGER NOT NULL,  -- CLOCK_MONOTONIC when it was made; session 1's is time 0
    start_real_ns    INTEGER NOT NULL,  -- CLOCK_REALTIME at the same instant
    end              INTEGER,           -- when the last event had been collected
    died             INTEGER NOT NULL DEFAULT 0, -- 1: the process was killed, or ended without closing the session (GROSR_NOTE)
    detached         INTEGER NOT NULL DEFAULT 0, -- 1: recording stopped before the kernel did
    stopped          INTEGER            -- when it, or its process, was first told to end, which ends all waits; NULL: not known, or never
);

CREATE TABLE GROSR_EVENT_KIND (      -- from schema/events.def
    kind        INTEGER PRIMARY KEY,
    name        TEXT NOT NULL,
    level       TEXT NOT NULL,
    payload     TEXT NOT NULL,
    description TEXT NOT NULL
);

CREATE TABLE GROSR_RESOURCE_KIND (   -- from schema/events.def
    resource    INTEGER PRIMARY KEY,
    name        TEXT NOT NULL,
    description TEXT NOT NULL
);

CREATE TABLE GROSR_FUNCTION (        -- task functions
    function INTEGER PRIMARY KEY,
    name     TEXT NOT NULL,
    session  INTEGER NOT NULL DEFAULT 1
);

CREATE TABLE GROSR_QUEUE (
    queue    INTEGER PRIMARY KEY,
    name     TEXT NOT NULL,
    capacity INTEGER NOT NULL,       -- tasks
    ports    INTEGER NOT NULL,
    session  INTEGER NOT NULL DEFAULT 1
);

CREATE TABLE GROSR_WORKER (          -- persistent warps
    worker   INTEGER PRIMARY KEY,
    sm       INTEGER,
    start    INTEGER,
    end      INTEGER,
    tasks    INTEGER NOT NULL DEFAULT 0,  -- run in all, from the worker's own counter
    busy_ns  INTEGER NOT NULL DEFAULT 0,  -- spent in tasks, by its own counter
    spawned  INTEGER NOT NULL DEFAULT 0,  -- by the tasks it ran, by its own counter
    shared   INTEGER NOT NULL DEFAULT 0,  -- tasks it gave to the shared rings for other workers, by its own counter
    session  INTEGER NOT NULL DEFAULT 1
);

CREATE TABLE GROSR_RING (            -- counters of every event ring; written = read + dropped + overwritten + unstored
    ring        INTEGER PRIMARY KEY,
    worker      INTEGER,             -- NULL: the host's ring
    capacity    INTEGER NOT NULL,    -- events
    written     INTEGER NOT NULL,    -- by the writer's own counter once closed
    read        INTEGER NOT NULL,    -- and stored
    dropped     INTEGER NOT NULL,
    overwritten INTEGER NOT NULL,
    closed      INTEGER NOT NULL,    -- 1: the writer closed it; 0: it did not, later events may be missing
    session     INTEGER NOT NULL DEFAULT 1,
    unstored    INTEGER NOT NULL DEFAULT 0 -- read by a collector that was killed, or could not write, before they were in the file
);

CREATE TABLE GROSR_TASK (            -- one row a run of a task's function; a task that suspends has several
    task     INTEGER NOT NULL,       -- number: from 0 in order of submission; 2^39 + worker * 2^27 + n: that worker's n-th spawn
    function INTEGER,
    worker   INTEGER,
    enqueue  INTEGER,                -- the host was about to publish it, the worker spawned it; NULL in later runs
    start    INTEGER,
    end      INTEGER,                -- NULL: had not ended, or the event was lost
    status   INTEGER,                -- 0, or a positive errno; 65535: another that is not 0; NULL if this run did not end the task
    next     INTEGER                 -- the function it resumes as; -1: none, it waits for its children; NULL: it does not resume
);

CREATE TABLE GROSR_WAIT (            -- one row a wait for a resource; NULL worker: a host thread
    worker   INTEGER,
    resource INTEGER NOT NULL,
    "index"  INTEGER NOT NULL,       -- which one, see GROSR_RESOURCE_KIND.description: the queue's number, ...
    start    INTEGER,
    end      INTEGER,
    session  INTEGER NOT NULL DEFAULT 1
);

CREATE TABLE GROSR_IDLE (            -- one row a sleep at the longest back-off, inside a wait
    worker INTEGER NOT NULL,
    start  INTEGER,
    end    INTEGER
);

CREATE TABLE GROSR_INSTANT (         -- events that are a point in time
    worker  INTEGER,                 -- NULL: a host thread
    time    INTEGER,
    kind    INTEGER NOT NULL,
    payload INTEGER NOT NULL,        -- fields as in GROSR_EVENT_KIND.payload; a name is GROSR_NAME.name modulo 65536
    session INTEGER NOT NULL DEFAULT 1
);

CREATE TABLE GROSR_LOSS (            -- one row a gap in a ring
    ring     INTEGER NOT NULL,
    position INTEGER NOT NULL,       -- in the ring's stream, where the gap is
    time     INTEGER,                -- when recording resumed; NULL: it did not
    count    INTEGER NOT NULL,       -- events missing
    reason   TEXT NOT NULL           -- 'dropped', 'overwritten', 'unstored'; 'damaged': read, its time cannot be
);

CREATE TABLE GROSR_QUEUE_SAMPLE (    -- the queues' counters, as sampled by the collector
    time      INTEGER NOT NULL,
    queue     INTEGER NOT NULL,
    enqueued  INTEGER NOT NULL,
    dequeued  INTEGER NOT NULL,
    completed INTEGER NOT NULL
);

CREATE TABLE GROSR_CLOCK (           -- every snapshot of the device's clock; empty if the device uses the host's clock
    device_ns   INTEGER NOT NULL,    -- the device's clock, read between host_before and host_after
    host        INTEGER,             -- that time by the map; NULL: there is no map, since no snapshot was usable
    bound_ns    INTEGER,             -- the true host time is within this of `host`
    session     INTEGER NOT NULL DEFAULT 1,
    host_before INTEGER,             -- when the host requested it; this and the next are NULL in files of versions before 3
    host_after  INTEGER,             -- when the host had the answer
    drift_ppb   INTEGER,             -- how much faster than the host's the device's clock is from here on; NULL: not known
    used        INTEGER NOT NULL DEFAULT 1, -- 1: the map has a point here; 0: its neighbours imply it, or it is impossible
    jump        INTEGER NOT NULL DEFAULT 0  -- 1: the clock jumped since the previous point
);

CREATE TABLE GROSR_CHUNK (           -- events stored but not yet converted to rows
    chunk          INTEGER PRIMARY KEY,
    ring           INTEGER NOT NULL,
    first_position INTEGER NOT NULL,
    count          INTEGER NOT NULL,
    drained_ns     INTEGER NOT NULL, -- CLOCK_MONOTONIC when they were read from the ring
    events         BLOB NOT NULL     -- count records, packed; the first byte is the format (tracer/store/chunk.c)
);

CREATE TABLE GROSR_CHECKPOINT (      -- checkpoints of sessions being recorded: where another collector continues if this one is killed
    session INTEGER PRIMARY KEY,
    state   BLOB NOT NULL            -- encoded by tracer/collect/source_checkpoint.c
);

CREATE TABLE GROSR_RANGE (           -- what a kernel marked with grosr_begin() and grosr_end()
    worker INTEGER,
    name   INTEGER NOT NULL,         -- GROSR_NAME.name
    start  INTEGER,
    end    INTEGER,                  -- NULL: had not ended, or the event was lost
    value  INTEGER                   -- given with its end; NULL: not known
);

CREATE TABLE GROSR_COUNTER (         -- values over time: of grosr_counter(), of a GPU's sensors, of hardware counters
    time   INTEGER NOT NULL,
    name   INTEGER NOT NULL,         -- GROSR_NAME.name
    worker INTEGER,                  -- NULL: not a worker's
    value  REAL NOT NULL
);

CREATE TABLE GROSR_HOLD (            -- one row a hold of a resource
    worker   INTEGER,
    resource INTEGER NOT NULL,
    "index"  INTEGER NOT NULL,       -- as in GROSR_WAIT
    start    INTEGER,
    end      INTEGER
);

CREATE TABLE GROSR_NAME (            -- of ranges, instants, counters and resources that programs named, and of GPUs' counters
    name    INTEGER PRIMARY KEY,     -- the program's number of it, plus 65536 for each session before; negative: a GPU's
    text    TEXT NOT NULL,
    unit    TEXT,                    -- of a counter's values
    session INTEGER NOT NULL DEFAULT 1
);

CREATE TABLE GROSR_STREAM (          -- counters of the records that a traced process wrote; written = read + dropped + unstored
    stream  INTEGER PRIMARY KEY,     -- (session - 1) * 64 + its number in the session
    session INTEGER NOT NULL,
    written INTEGER NOT NULL,        -- records
    read    INTEGER NOT NULL,
    dropped INTEGER NOT NULL,        -- because the stream was full
    unstored INTEGER NOT NULL DEFAULT 0 -- as in GROSR_RING
);

CREATE TABLE GROSR_NOTE (            -- messages of the tracer, each once
    time    INTEGER NOT NULL,
    session INTEGER NOT NULL,
    topic   TEXT NOT NULL,           -- 'cupti', 'nvtx', 'counters', 'end' and 'end unknown' (of a process), ...
    text    TEXT NOT NULL
);

CREATE TABLE GROSR_PENDING (         -- calls, launches and captures of traced processes that had not ended; a row goes when one has
    session     INTEGER NOT NULL,
    kind        TEXT NOT NULL,       -- 'call', 'kernel', 'memcpy', 'memset', 'host function', 'graph', 'capture', 'tracer';
                                     -- 'wait value', 'write value': a stream waits for a word in memory, or writes it
    start       INTEGER NOT NULL,    -- when the thread entered the call, issued the launch, began the capture
    tid         INTEGER,
    nameId      INTEGER,             -- StringIds.id; of a capture: the latest kernel in it; of a word: where, which value
    fullNameId  INTEGER,             -- StringIds.id
    correlationId INTEGER,
    contextId   INTEGER,
    streamId    INTEGER,             -- of a call: the stream that it waits for
    place       INTEGER,             -- of a launch: in its stream, from 1; what has a lower one comes before it
    waitsFor    TEXT,                -- of a call: 'stream', 'event', 'device'; NULL: its arguments do not say; of a wait for a value:
                                     -- 'host word', 'device word', 'word' (it is not known where), 'semaphore' (an external one)
    handle      INTEGER,             -- of that stream or event, or of the captured stream: the program's pointer; of a word: its address
    bytes       INTEGER,             -- of a copy, a fill, a word
    kernels     INTEGER,             -- in a graph or a capture; NULL: not known
    grid        TEXT,                -- of a kernel, as block
    block       TEXT,
    persistent  INTEGER NOT NULL DEFAULT 0  -- 1: a kernel that has a row of CUPTI_ACTIVITY_KIND_KERNEL already
);

CREATE TABLE GROSR_LAUNCHES (        -- what traced processes launched, and what CUPTI recorded of it
    session  INTEGER NOT NULL,
    kind     TEXT NOT NULL,          -- as in GROSR_PENDING; kernels with those in graphs, where their number is known; a graph
                                     -- that is recorded as a whole counts as one
    issued   INTEGER NOT NULL,
    recorded INTEGER,                -- of these, those whose record has come; NULL: CUPTI has no records of that kind
    PRIMARY KEY (session, kind)
) WITHOUT ROWID;

CREATE TABLE GROSR_SYSCALL (         -- one row a call of the operating system by device code, through the syscall proxy
    worker  INTEGER,                 -- NULL: another kernel of the program
    task    INTEGER,                 -- that made the call
    slot    INTEGER,                 -- the port of the mailbox
    nameId  INTEGER NOT NULL,        -- StringIds.id: 'read', 'write', ...
    start   INTEGER,                 -- when the worker made the request
    served  INTEGER,                 -- when the proxy saw it
    replied INTEGER,                 -- when the proxy had finished
    end     INTEGER,                 -- when the worker had the reply; NULL: it had not
    bytes   INTEGER,                 -- transferred; NULL: it is no call that transfers any
    result  INTEGER,                 -- of the system call; a negative errno if it failed; NULL: not known
    handle  INTEGER,                 -- the proxy's own number of the file, or of the directory of its path; -1: none
    session INTEGER NOT NULL
);

CREATE TABLE GROSR_HEAP (            -- GPU memory allocators, with their latest counters
    heap           INTEGER PRIMARY KEY,  -- (session - 1) * 16 + its number in the session
    session        INTEGER NOT NULL,
    time           INTEGER NOT NULL, -- when these counters were read from the device
    arena_bytes    INTEGER NOT NULL,
    chunk_bytes    INTEGER NOT NULL,
    debug          INTEGER NOT NULL, -- 1: with red zones and poisoning
    chunks_max     INTEGER NOT NULL, -- the most chunks that were in use at a time
    large_live     INTEGER NOT NULL, -- blocks of whole chunks that are allocated
    large_mallocs  INTEGER NOT NULL, -- ever
    large_frees    INTEGER NOT NULL,
    large_requested_bytes INTEGER NOT NULL, -- what the live ones were asked for with
    large_failures INTEGER NOT NULL, -- requests that found no memory, ever
    frees_foreign  INTEGER NOT NULL, -- frees refused: of a pointer outside the arena,
    frees_inner    INTEGER NOT NULL, -- of a pointer into a block,
    frees_twice    INTEGER NOT NULL  -- of a block that is not allocated
);

CREATE TABLE GROSR_HEAP_CLASS (      -- their size classes, with the latest counters
    heap            INTEGER NOT NULL,
    class           INTEGER NOT NULL,
    slot_bytes      INTEGER NOT NULL,
    slots           INTEGER NOT NULL, -- in a slab
    slabs           INTEGER NOT NULL,
    slabs_max       INTEGER NOT NULL, -- the most there were at a time
    used            INTEGER NOT NULL, -- slots that are allocated
    mallocs         INTEGER NOT NULL, -- ever
    frees           INTEGER NOT NULL,
    requested_bytes INTEGER NOT NULL, -- what all mallocs asked for, ever
    failures        INTEGER NOT NULL, -- requests that found no memory, ever
    PRIMARY KEY (heap, class)
) WITHOUT ROWID;

CREATE TABLE GROSR_HEAP_SAMPLE (     -- their counters over time, as the allocator's process published them
    time            INTEGER NOT NULL, -- when they were read from the device
    heap            INTEGER NOT NULL,
    free_chunks     INTEGER NOT NULL,
    empty_chunks    INTEGER NOT NULL, -- slabs without an allocated slot, which any request may have
    slab_chunks     INTEGER NOT NULL, -- slabs, the empty ones included
    large_chunks    INTEGER NOT NULL,
    used_bytes      INTEGER NOT NULL, -- of the blocks that are allocated: their slots and chunks
    requested_bytes INTEGER NOT NULL, -- what these were asked for with; of slots, by the mean request of their class
    largest_bytes   INTEGER NOT NULL, -- the largest request that could be satisfied
    live            INTEGER NOT NULL, -- blocks that are allocated
    mallocs         INTEGER NOT NULL, -- ever
    frees           INTEGER NOT NULL,
    failures        INTEGER NOT NULL, -- requests that found no memory, ever
    bad_frees       INTEGER NOT NULL  -- frees refused, ever
);

CREATE TABLE GROSR_HEAP_CLASS_SAMPLE ( -- the counters of the classes that had changed since the sample before
    time     INTEGER NOT NULL,
    heap     INTEGER NOT NULL,
    class    INTEGER NOT NULL,
    slabs    INTEGER NOT NULL,
    used     INTEGER NOT NULL,       -- slots
    mallocs  INTEGER NOT NULL,       -- ever
    frees    INTEGER NOT NULL,
    failures INTEGER NOT NULL
);

CREATE TABLE GROSR_HEAP_EVENT (      -- what begins or ends a block or a slab; GROSR_ALLOCATION and GROSR_SLAB are made of these
    time     INTEGER,
    session  INTEGER NOT NULL,
    kind     INTEGER NOT NULL,       -- GROSR_EVENT_KIND.kind, 26 to 31
    offset   INTEGER NOT NULL,       -- of the block or slab in the arena
    bytes    INTEGER,                -- malloc, large_malloc: requested; large_free: of the chunks
    class    INTEGER,                -- NULL: a large block
    worker   INTEGER,
    function INTEGER,                -- of the task; NULL: not in a task, or not known
    task     INTEGER
);

CREATE TABLE GROSR_HEAP_ERROR (      -- requests that found no memory, and frees that were refused
    time     INTEGER,
    session  INTEGER NOT NULL,
    kind     INTEGER NOT NULL,       -- 1: no memory; a free refused: 2 not the arena's pointer, 3 into a block, 4 not allocated
    value    INTEGER NOT NULL,       -- 1: the bytes requested; 2: the low 48 bits of the address; 3, 4: the offset in the arena
    worker   INTEGER,
    function INTEGER,
    task     INTEGER
);

CREATE TABLE GROSR_WARP (            -- where a GPU's warps stood, from a core dump (`grosr diagnose CORE -o FILE`)
    device    INTEGER NOT NULL,      -- in the dump, from 0
    kernel    INTEGER NOT NULL,      -- StringIds.id, like the following in words
    grid      INTEGER NOT NULL,      -- the driver's number of the launch, as the dump has it
    sm        INTEGER NOT NULL,
    slot      INTEGER NOT NULL,      -- the hardware's number of the warp in its SM
    blockX    INTEGER NOT NULL,
    blockY    INTEGER NOT NULL,
    blockZ    INTEGER NOT NULL,
    warp      INTEGER,               -- in its block; NULL: it has no valid lane
    valid     INTEGER NOT NULL,      -- lanes that have not ended, a bit each
    active    INTEGER NOT NULL,      -- those that stand at the address
    address   INTEGER,               -- of the instruction
    function  INTEGER,               -- StringIds.id; NULL: no module of the dump has the address
    offset    INTEGER,               -- of the instruction in the function
    file      INTEGER,               -- StringIds.id; NULL: no line is known
    line      INTEGER,
    inlined   INTEGER,               -- StringIds.id: the function inlined there, and its line
    wait      TEXT,                  -- 'warp barrier', 'mbarrier', 'block barrier', 'cluster barrier', 'grid barrier'
    exception TEXT                   -- NULL: none
);

CREATE TABLE GROSR_WARP_ADDRESS (    -- what those warps had in registers, of what is known by name
    device    INTEGER NOT NULL,      -- with sm and slot: the warp in GROSR_WARP
    sm        INTEGER NOT NULL,
    slot      INTEGER NOT NULL,
    kind      TEXT    NOT NULL,      -- 'lock', 'word', 'barrier', 'variable', 'argument', 'session'
    name      INTEGER NOT NULL,      -- StringIds.id, like the following in words
    address   INTEGER NOT NULL,      -- where it begins
    offset    INTEGER NOT NULL,      -- from there to where the registers, or the load, point
    lanes     INTEGER NOT NULL,      -- that have it, a bit each
    function  INTEGER,               -- StringIds.id: of the load that reads it, in a loop where the warp stood; NULL: it is in registers
    load      INTEGER,               -- the load's offset in the function
    fact      INTEGER                -- StringIds.id: what else is known; NULL: nothing
);

CREATE TABLE GROSR_PC_SAMPLE (       -- where the warps of kernels stood, and why (`grosr record --trace api,pc`): one row for
                                     -- each time bin, instruction and reason
    start     INTEGER NOT NULL,      -- of the time bin
    end       INTEGER NOT NULL,
    session   INTEGER NOT NULL,
    deviceId  INTEGER NOT NULL,
    contextId INTEGER NOT NULL,
    function  INTEGER,               -- StringIds.id: a kernel, or a function of device code that was not inlined
    fullName  INTEGER,               -- StringIds.id: with its arguments
    offset    INTEGER NOT NULL,      -- of the instruction in the function
    stall     INTEGER,               -- StringIds.id: 'long_scoreboard', 'barrier', 'selected', ... as CUPTI names them
    samples   INTEGER NOT NULL,
    notIssued INTEGER NOT NULL,      -- of these, those in which the warp's scheduler issued no instruction at all
    memory    INTEGER NOT NULL,      -- 1: the reason is a wait for memory
    file      INTEGER,               -- StringIds.id; NULL: no line is known
    line      INTEGER,
    inlined   INTEGER                -- StringIds.id: the function inlined there, and its line
);

CREATE TABLE GROSR_PC_FUNCTION (     -- the same by function: one row for each time bin and function, with the innermost loop
                                     -- that has most of its samples
    start         INTEGER NOT NULL,
    end           INTEGER NOT NULL,
    session       INTEGER NOT NULL,
    deviceId      INTEGER NOT NULL,
    contextId     INTEGER NOT NULL,
    function      INTEGER,           -- as in GROSR_PC_SAMPLE
    fullName      INTEGER,
    samples       INTEGER NOT NULL,
    low           INTEGER NOT NULL,  -- offsets of the loop's first and last instruction
    high          INTEGER NOT NULL,
    loop          INTEGER NOT NULL,  -- 0: the code is not known, and all samples lie between low and high
    endless       INTEGER NOT NULL,  -- 1: no instruction of the loop changes anything, so it does not end by itself
    loopSamples   INTEGER NOT NULL,  -- in the loop
    memorySamples INTEGER NOT NULL,  -- of these, waiting for memory
    stall         INTEGER,           -- StringIds.id: the most frequent reason in the loop
    stallSamples  INTEGER NOT NULL,
    file          INTEGER,           -- StringIds.id; NULL: no line is known
    firstLine     INTEGER,           -- of the loop
    lastLine      INTEGER
);

CREATE TABLE GROSR_PC_BIN (          -- PC samples of a context in a time bin, with those that are in no other table
    start     INTEGER NOT NULL,
    end       INTEGER NOT NULL,
    session   INTEGER NOT NULL,
    deviceId  INTEGER NOT NULL,
    contextId INTEGER NOT NULL,
    samples   INTEGER NOT NULL,      -- all, those that follow included
    dropped   INTEGER NOT NULL,      -- lost: by the hardware
    other     INTEGER NOT NULL,      -- of no kernel of the program's
    full      INTEGER NOT NULL       -- 1: the hardware's buffer was full; what was in it is lost and not counted
);

CREATE TABLE GROSR_FINDING (         -- results of diagnoses, as `grosr diagnose --json` prints them
    time      INTEGER NOT NULL,      -- of the diagnosis
    session   INTEGER NOT NULL,
    verdict   TEXT NOT NULL,         -- 'healthy', 'idle', 'slow', 'stalled', 'deadlock'
    kind      TEXT NOT NULL,
    workers   TEXT NOT NULL,         -- a JSON array of names: of workers, threads, kernels, whoever is concerned
    resources TEXT NOT NULL,         -- a JSON array of names
    cycle     TEXT,                  -- the cycle of waits, a JSON array of worker, resource, worker, ...; NULL: none
    since     INTEGER,               -- when it began; NULL: not known
    evidence  TEXT,                  -- what was read, in lines
    advice    TEXT,
    summary   TEXT                   -- one sentence
);

CREATE TABLE GROSR_TIME_BIN (        -- this and the following are summaries (tracer/summary/summary.h), made when the trace is closed
    bin   INTEGER PRIMARY KEY,       -- 40 to 100 equal parts of the trace, from 0
    start INTEGER NOT NULL,
    end   INTEGER NOT NULL           -- the next one's start
);

CREATE TABLE GROSR_DURATION (        -- distributions of durations
    measure  TEXT NOT NULL,          -- 'run', 'queued', ...: see SUMMARIES
    what     INTEGER NOT NULL,       -- function, worker, resource, ..., depending on the measure; -1: not known
    which    INTEGER NOT NULL,       -- SM, time bin, ..., depending on the measure; -1: not known
    bin      INTEGER NOT NULL,       -- of durations, in ascending order, each up to 1/16 wide; -1: duration not known
    n        INTEGER NOT NULL,       -- how many
    total_ns INTEGER NOT NULL,       -- their sum
    max_ns   INTEGER NOT NULL,       -- their maximum
    part     INTEGER NOT NULL,       -- depending on the measure, else 0
    PRIMARY KEY (measure, what, which, bin)
) WITHOUT ROWID;

CREATE TABLE GROSR_SM_BUSY (         -- existence and busy time of workers, by SM and time bin
    bin     INTEGER NOT NULL,        -- GROSR_TIME_BIN.bin
    session INTEGER NOT NULL,
    sm      INTEGER NOT NULL,        -- -1: not known
    life_ns INTEGER NOT NULL,        -- the time in the bin that its workers existed, summed
    busy_ns INTEGER NOT NULL,        -- of that, time in tasks
    PRIMARY KEY (bin, session, sm)
) WITHOUT ROWID;

CREATE TABLE GROSR_TASK_SLOWEST (    -- the 100 longest runs; columns as in GROSR_TASK
    task     INTEGER NOT NULL,
    function INTEGER,
    worker   INTEGER,
    enqueue  INTEGER,
    start    INTEGER,
    end      INTEGER,
    status   INTEGER,
    next     INTEGER
);

CREATE TABLE GROSR_TASK_CHAIN (      -- of the tasks that suspended, the 100 longest from enqueue to end
    task         INTEGER NOT NULL,
    session      INTEGER NOT NULL,
    function     INTEGER,            -- of the first run
    runs         INTEGER NOT NULL,
    enqueue      INTEGER NOT NULL,
    start        INTEGER NOT NULL,
    end          INTEGER NOT NULL,
    run_ns       INTEGER NOT NULL,   -- of all its runs
    suspended_ns INTEGER NOT NULL    -- between them
);

CREATE TABLE GROSR_ALLOCATION (      -- one row a block of GPU memory
    session         INTEGER NOT NULL,
    offset          INTEGER NOT NULL, -- in the arena
    class           INTEGER,         -- NULL: a large block
    requested_bytes INTEGER,         -- of large blocks, rounded up to 4096; NULL: the malloc was not recorded
    reserved_bytes  INTEGER,         -- the class's slot, or the chunks of a large block
    worker          INTEGER,         -- that allocated it
    function        INTEGER,         -- of the task that did
    task            INTEGER,
    start           INTEGER,         -- NULL: not recorded
    end             INTEGER,         -- NULL: it was not freed, or that was not recorded
    end_lost        INTEGER NOT NULL, -- 1: it was freed, since its memory was allocated anew; that was not recorded
    free_worker     INTEGER,         -- that freed it
    free_function   INTEGER,
    free_task       INTEGER
);

CREATE TABLE GROSR_SLAB (            -- one row a slab: a chunk that belonged to a size class
    session     INTEGER NOT NULL,
    class       INTEGER NOT NULL,
    offset      INTEGER NOT NULL,    -- in the arena
    start       INTEGER,
    end         INTEGER,             -- NULL: it was still a slab, or that was not recorded
    end_lost    INTEGER NOT NULL,    -- as in GROSR_ALLOCATION
    worker      INTEGER,             -- that made it one
    free_worker INTEGER              -- that released it
);

CREATE TABLE GROSR_RANGE_TEXT (      -- texts of NVTX ranges, numbered for GROSR_DURATION
    id   INTEGER PRIMARY KEY,
    text TEXT NOT NULL
);

CREATE TABLE StringIds (             -- as in an export of Nsight Systems, like all following tables
    id    INTEGER PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE TARGET_INFO_SESSION_START_TIME (  -- time 0
    utcEpochNs INTEGER,
    utcTime    TEXT,
    localTime  TEXT
);

CREATE TABLE PROCESSES (
    globalPid INTEGER,               -- pid << 24
    pid       INTEGER,
    name      TEXT                   -- GROSR_SESSION.program of its first session
);

CREATE TABLE ANALYSIS_DETAILS (      -- made when the trace is closed
    globalVid INTEGER NOT NULL,      -- 0
    duration  INTEGER NOT NULL,      -- ns
    startTime INTEGER NOT NULL,
    stopTime  INTEGER NOT NULL       -- the last session's end
);

CREATE TABLE TARGET_INFO_GPU (       -- one row a GPU, and one a host device, which its name says
    id                   INTEGER NOT NULL,  -- CUDA's number of it, or another if two processes mean different GPUs by that
    name                 TEXT,
    busLocation          TEXT,       -- on PCI
    isDiscrete           INTEGER,
    l2CacheSize          INTEGER,    -- bytes
    totalMemory          INTEGER,    -- bytes
    memoryBandwidth      INTEGER,    -- bytes/s
    clockRate            INTEGER,    -- Hz
    smCount              INTEGER,
    uuid                 TEXT,
    chipName             TEXT,       -- NULL: not known, since several chips have its compute capability
    cuDevice             INTEGER,    -- CUDA's number of it in the process that named it first
    constantMemory       INTEGER,    -- bytes
    maxRegistersPerBlock INTEGER,
    maxShmemPerBlock     INTEGER,    -- bytes
    maxShmemPerSm        INTEGER,    -- bytes
    maxRegistersPerSm    INTEGER,
    threadsPerWarp       INTEGER,
    asyncEngines         INTEGER,
    maxWarpsPerSm        INTEGER,
    maxBlocksPerSm       INTEGER,
    maxThreadsPerBlock   INTEGER,
    computeMajor         INTEGER,
    computeMinor         INTEGER
);

CREATE TABLE TARGET_INFO_CUDA_DEVICE (  -- which GPU a process means by CUDA's number of a device
    gpuId              INTEGER,      -- TARGET_INFO_GPU.id
    cudaId             INTEGER NOT NULL,  -- deviceId in the tables below
    pid                INTEGER NOT NULL,
    uuid               TEXT,
    numMultiprocessors INTEGER
);

CREATE TABLE TARGET_INFO_CUDA_CONTEXT_INFO (
    contextId    INTEGER NOT NULL,
    deviceId     INTEGER NOT NULL,
    nullStreamId INTEGER,
    processId    INTEGER NOT NULL
);

CREATE TABLE ThreadNames (
    nameId    INTEGER NOT NULL,      -- StringIds.id
    globalTid INTEGER NOT NULL       -- process and thread: pid << 24 | tid
);

CREATE TABLE GROSR_CUDA_NAME (       -- names that a program gave to CUDA objects, through NVTX
    kind      TEXT NOT NULL,         -- 'device', 'context', 'stream' or 'event'
    handle    INTEGER NOT NULL,      -- the program's pointer or number of it
    id        INTEGER,               -- deviceId, contextId or streamId in the tables below; NULL: not known
    name      TEXT NOT NULL,
    globalTid INTEGER NOT NULL       -- the thread that named it
);

CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (
    start                INTEGER NOT NULL,
    end                  INTEGER,    -- NULL: it had not ended
    deviceId             INTEGER NOT NULL,
    contextId            INTEGER NOT NULL,
    streamId             INTEGER NOT NULL,
    correlationId        INTEGER,    -- that of its launch in CUPTI_ACTIVITY_KIND_RUNTIME
    globalPid            INTEGER NOT NULL,  -- pid << 24
    demangledName        INTEGER NOT NULL,  -- StringIds.id
    shortName            INTEGER NOT NULL,  -- StringIds.id
    mangledName          INTEGER,    -- StringIds.id
    registersPerThread   INTEGER,
    gridX                INTEGER,
    gridY                INTEGER,
    gridZ                INTEGER,
    blockX               INTEGER,
    blockY               INTEGER,
    blockZ               INTEGER,
    staticSharedMemory   INTEGER,    -- bytes
    dynamicSharedMemory  INTEGER,    -- bytes
    localMemoryPerThread INTEGER,    -- bytes
    gridId               INTEGER,
    graphNodeId          INTEGER,
    persistent           INTEGER NOT NULL DEFAULT 0  -- 1: CUPTI has no record of it; times are from its own events or its launch
);

CREATE TABLE CUPTI_ACTIVITY_KIND_MEMCPY (
    start         INTEGER NOT NULL,
    end           INTEGER NOT NULL,
    deviceId      INTEGER NOT NULL,
    contextId     INTEGER NOT NULL,
    streamId      INTEGER NOT NULL,
    correlationId INTEGER,
    globalPid     INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    copyKind      INTEGER NOT NULL,  -- ENUM_CUDA_MEMCPY_OPER.id: 1 host to device, 2 device to host, 8 device to device, ...
    srcKind       INTEGER,           -- ENUM_CUDA_MEM_KIND.id: 0 pageable, 1 pinned, 2 device, ...
    dstKind       INTEGER,           -- ENUM_CUDA_MEM_KIND.id
    graphNodeId   INTEGER
);

CREATE TABLE CUPTI_ACTIVITY_KIND_MEMSET (
    start         INTEGER NOT NULL,
    end           INTEGER NOT NULL,
    deviceId      INTEGER NOT NULL,
    contextId     INTEGER NOT NULL,
    streamId      INTEGER NOT NULL,
    correlationId INTEGER,
    globalPid     INTEGER NOT NULL,
    value         INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    memKind       INTEGER,           -- ENUM_CUDA_MEM_KIND.id
    graphNodeId   INTEGER
);

CREATE TABLE CUPTI_ACTIVITY_KIND_GRAPH_TRACE (  -- launches of graphs, recorded as a whole: record --cuda-graph-trace graph
    start         INTEGER NOT NULL,
    end           INTEGER NOT NULL,
    deviceId      INTEGER,           -- of its first node, as the next; NULL: that is on the host
    contextId     INTEGER,
    streamId      INTEGER NOT NULL,
    correlationId INTEGER,
    globalPid     INTEGER NOT NULL,
    graphId       INTEGER NOT NULL,  -- CUPTI's number of it in its process
    nameId        INTEGER            -- StringIds.id: how many kernels are in it, and which; NULL: not known
);

CREATE TABLE CUPTI_ACTIVITY_KIND_SYNCHRONIZATION (
    start         INTEGER NOT NULL,
    end           INTEGER NOT NULL,
    deviceId      INTEGER,
    contextId     INTEGER NOT NULL,
    streamId      INTEGER,
    correlationId INTEGER,
    globalPid     INTEGER NOT NULL,
    syncType      INTEGER NOT NULL,  -- ENUM_CUPTI_SYNC_TYPE.id: 1 event, 2 stream waits event, 3 stream, 4 context
    eventId       INTEGER
);

CREATE TABLE CUPTI_ACTIVITY_KIND_RUNTIME (  -- calls of the runtime and driver APIs
    start         INTEGER NOT NULL,
    end           INTEGER,           -- NULL: it had not returned
    eventClass    INTEGER NOT NULL,  -- ENUM_NSYS_EVENT_CLASS.id: 0 runtime API, 1 driver API
    globalTid     INTEGER NOT NULL,
    correlationId INTEGER,
    nameId        INTEGER NOT NULL,  -- StringIds.id
    returnValue   INTEGER            -- NULL: it had not returned
);

CREATE TABLE NVTX_EVENTS (
    start        INTEGER,            -- NULL for names
    end          INTEGER,            -- NULL: not a range, or it had not ended
    eventType    INTEGER NOT NULL,   -- ENUM_NSYS_EVENT_TYPE.id: 33 category, 34 mark, 59 push/pop range, 60 start/end range, 75 domain
    rangeId      INTEGER,            -- of a start/end range
    category     INTEGER,
    color        INTEGER,            -- ARGB
    text         TEXT,               -- NULL: see textId
    globalTid    INTEGER,
    endGlobalTid INTEGER,            -- of a start/end range that another thread ended
    textId       INTEGER,            -- StringIds.id, of a registered string
    domainId     INTEGER NOT NULL,   -- 0: the default domain
    uint64Value  INTEGER,
    int64Value   INTEGER,
    doubleValue  REAL,
    uint32Value  INTEGER,
    int32Value   INTEGER,
    floatValue   REAL,
    jsonText     TEXT
);

CREATE TABLE META_DATA_CAPTURE (     -- what recorded
    name  TEXT NOT NULL,
    value TEXT
);

CREATE TABLE META_DATA_EXPORT (      -- what wrote the file, and whose tables these are
    name  TEXT NOT NULL,             -- 'EXPORT_SCHEMA_VERSION': the version of Nsight Systems' tables that StringIds and
    value TEXT                       -- what follows it keep to, as far as they have the same columns
);

CREATE TABLE ENUM_CUDA_MEMCPY_OPER ( -- copyKind, in words; like the following, from nsight.sql
    id    INTEGER PRIMARY KEY,
    name  TEXT,
    label TEXT
);

CREATE TABLE ENUM_CUDA_MEM_KIND (    -- srcKind, dstKind, memKind
    id    INTEGER PRIMARY KEY,
    name  TEXT,
    label TEXT
);

CREATE TABLE ENUM_CUPTI_SYNC_TYPE (  -- syncType
    id    INTEGER PRIMARY KEY,
    name  TEXT,
    label TEXT
);

CREATE TABLE ENUM_NSYS_EVENT_CLASS ( -- eventClass
    id    INTEGER PRIMARY KEY,
    name  TEXT,
    label TEXT
);

CREATE TABLE ENUM_NSYS_EVENT_TYPE (  -- eventType
    id    INTEGER PRIMARY KEY,
    name  TEXT,
    label TEXT
);
