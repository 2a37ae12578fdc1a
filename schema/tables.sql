-- Tables of a GROSR trace. Times are ns since the session began (GROSR_SESSION.start_mono_ns), on the host's
-- CLOCK_MONOTONIC; device times have been placed on it by clock calibration. NULL: not known, because the event that
-- would tell it was lost or never written.
-- The version is PRAGMA user_version, set by the store together with application_id (tracer/store.h).

CREATE TABLE GROSR_META (            -- facts about the file
    key   TEXT PRIMARY KEY,          -- 'grosr_version', 'complete' (1: closed properly), 'collector_error', ...
    value
) WITHOUT ROWID;

CREATE TABLE GROSR_SESSION (
    session          INTEGER PRIMARY KEY,
    pid              INTEGER NOT NULL,
    program          TEXT NOT NULL,
    device           TEXT NOT NULL,  -- 'cuda' or 'host'
    device_name      TEXT NOT NULL,
    sms              INTEGER NOT NULL,
    max_warps_per_sm INTEGER NOT NULL,
    lanes            INTEGER NOT NULL,
    start_mono_ns    INTEGER NOT NULL,  -- CLOCK_MONOTONIC at time 0
    start_real_ns    INTEGER NOT NULL,  -- CLOCK_REALTIME at time 0
    end              INTEGER,           -- when the last event had been collected
    died             INTEGER NOT NULL DEFAULT 0, -- 1: the process ended without closing the session
    detached         INTEGER NOT NULL DEFAULT 0  -- 1: recording stopped before the kernel did
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
    name     TEXT NOT NULL
);

CREATE TABLE GROSR_QUEUE (
    queue    INTEGER PRIMARY KEY,
    name     TEXT NOT NULL,
    capacity INTEGER NOT NULL,       -- tasks
    ports    INTEGER NOT NULL
);

CREATE TABLE GROSR_WORKER (          -- persistent warps
    worker   INTEGER PRIMARY KEY,
    sm       INTEGER,
    start    INTEGER,
    end      INTEGER,
    tasks    INTEGER NOT NULL DEFAULT 0,  -- run in all, from the worker's own counter
    busy_ns  INTEGER NOT NULL DEFAULT 0,  -- spent in tasks, likewise
    spawned  INTEGER NOT NULL DEFAULT 0,  -- tasks that those it ran have spawned, likewise
    shared   INTEGER NOT NULL DEFAULT 0   -- tasks it gave to the shared rings, for other workers, likewise
);

CREATE TABLE GROSR_RING (            -- the books of every event ring; written = read + dropped + overwritten
    ring        INTEGER PRIMARY KEY,
    worker      INTEGER,             -- NULL: the host's ring
    capacity    INTEGER NOT NULL,    -- events
    written     INTEGER NOT NULL,    -- by the writer's own count once closed
    read        INTEGER NOT NULL,
    dropped     INTEGER NOT NULL,
    overwritten INTEGER NOT NULL,
    closed      INTEGER NOT NULL     -- 1: the writer closed it; 0: it was cut off, later events may be missing
);

CREATE TABLE GROSR_TASK (            -- one row a run of a task's function; a task that suspends has several
    task     INTEGER NOT NULL,       -- number: from 0 in order of submission; 2^39 + worker * 2^27 + n: that worker's n-th spawn
    function INTEGER,
    worker   INTEGER,
    enqueue  INTEGER,                -- the host was about to publish it, the worker spawned it; NULL in later runs
    start    INTEGER,
    end      INTEGER,                -- NULL: had not ended, or the event was lost
    status   INTEGER,                -- 0, or a positive errno; NULL if this run did not end the task
    next     INTEGER                 -- the function it goes on as; -1: none, it waits for its children; NULL: it does not
);

CREATE TABLE GROSR_WAIT (            -- one row a wait for a resource; NULL worker: a host thread
    worker   INTEGER,
    resource INTEGER NOT NULL,
    "index"  INTEGER NOT NULL,       -- which one: the queue's number
    start    INTEGER,
    end      INTEGER
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
    payload INTEGER NOT NULL         -- GROSR_EVENT_KIND.payload tells the fields
);

CREATE TABLE GROSR_LOSS (            -- one row a gap in a ring
    ring     INTEGER NOT NULL,
    position INTEGER NOT NULL,       -- in the ring's stream, where the gap is
    time     INTEGER,                -- when recording went on; NULL: it did not
    count    INTEGER NOT NULL,       -- events missing
    reason   TEXT NOT NULL           -- 'dropped' or 'overwritten'
);

CREATE TABLE GROSR_QUEUE_SAMPLE (    -- the queues' counters, as the collector saw them
    time      INTEGER NOT NULL,
    queue     INTEGER NOT NULL,
    enqueued  INTEGER NOT NULL,
    dequeued  INTEGER NOT NULL,
    completed INTEGER NOT NULL
);

CREATE TABLE GROSR_CLOCK (           -- the clock snapshots that times were placed by; none: the device uses the host's clock
    device_ns INTEGER NOT NULL,      -- the device's clock
    host      INTEGER NOT NULL,      -- host time, by the middle of the round trip
    bound_ns  INTEGER NOT NULL       -- the true host time is within this of `host`
);

CREATE TABLE GROSR_CHUNK (           -- events stored but not yet turned into rows
    chunk          INTEGER PRIMARY KEY,
    ring           INTEGER NOT NULL,
    first_position INTEGER NOT NULL,
    count          INTEGER NOT NULL,
    drained_ns     INTEGER NOT NULL, -- CLOCK_MONOTONIC when they were read from the ring
    events         BLOB NOT NULL     -- count records of 16 bytes (tracer/event.h), little-endian
);
