-- The stable interface for people. Times in ns since the recording's time 0.
--
-- A view over tables with millions of rows joins them only with small tables, or by an index, so that its first rows, or a
-- part of the time, are available at once. CUDA and NVTX rows belong to a process; their session is its first one.
--
-- DuckDB, and what is built on it, parses all views of a file before it reads any of its tables, and writes them anew for
-- SQLite. So a view keeps to what both understand alike: no hexadecimal numbers, "end" in quotes unless its table stands
-- before it, a condition at each join, which is no bare `true`, IS for NULL alone, count(1), UNION between whole views only.

-- One row per run of a task's function: one for a task that never suspends, else several with the same number.
-- `state`: ended; open; or 'end lost': the event is missing, but its worker began something else later, or stopped. That is
-- known once the trace is complete.
CREATE VIEW tasks AS
SELECT t.task, f.name AS function, t.worker, w.sm, t.enqueue, t.start, t.end,
       t.start - t.enqueue AS queued_ns, t.end - t.start AS run_ns, t.status,
       CASE t.next WHEN -1 THEN '(nothing)' ELSE coalesce(n.name, '(' || t.next || ')') END AS next,
       t.task >> 39 & 1 AS spawned, w.session,
       CASE WHEN t.end IS NOT NULL OR t.status IS NOT NULL OR t.next IS NOT NULL THEN 'ended'
            WHEN NOT EXISTS (SELECT 1 FROM GROSR_META WHERE key = 'complete') THEN 'open'
            WHEN t.start < w.end OR t.start < (SELECT max(l.start) FROM GROSR_TASK l WHERE l.worker = t.worker)
                 OR t.start < (SELECT max(l.start) FROM GROSR_WAIT l WHERE l.worker = t.worker)
                 OR EXISTS (SELECT 1 FROM GROSR_RING r WHERE r.worker = t.worker AND r.closed) THEN 'end lost'
            ELSE 'open' END AS state
FROM GROSR_TASK t
LEFT JOIN GROSR_FUNCTION f ON f.function = t.function
LEFT JOIN GROSR_FUNCTION n ON n.function = t.next
LEFT JOIN GROSR_WORKER w ON w.worker = t.worker;

-- One row per wait; worker NULL: a host thread. `state` as in `tasks`.
CREATE VIEW waits AS
SELECT w.worker, k.name AS resource, w."index",
       coalesce(q.name, n.text || ' ' || (w."index" & 4294967295), iif(k.name = 'syscall_reply', 'port ' || w."index", NULL))
           AS resource_name,
       w.start, w.end, w.end - w.start AS wait_ns, w.session,
       CASE WHEN w.end IS NOT NULL THEN 'ended'
            WHEN NOT EXISTS (SELECT 1 FROM GROSR_META WHERE key = 'complete') THEN 'open'
            WHEN w.start < (SELECT l.end FROM GROSR_WORKER l WHERE l.worker = w.worker)
                 OR w.start < (SELECT max(l.start) FROM GROSR_TASK l WHERE l.worker = w.worker)
                 OR w.start < (SELECT max(l.start) FROM GROSR_WAIT l WHERE l.worker = w.worker)
                 OR EXISTS (SELECT 1 FROM GROSR_RING r WHERE r.worker = w.worker AND r.closed) THEN 'end lost'
            ELSE 'open' END AS state
FROM GROSR_WAIT w
JOIN GROSR_RESOURCE_KIND k ON k.resource = w.resource
LEFT JOIN GROSR_QUEUE q ON q.queue = w."index" AND k.name LIKE 'queue%'
LEFT JOIN GROSR_NAME n ON n.name = w."index" >> 32 AND k.name NOT LIKE 'queue%' AND k.name NOT LIKE 'syscall%';

-- One row per hold of a resource; the columns are those of `waits`. The joins too: with waits and holds in one helper view
-- SQLite would read all of both where an index now gives the part that is asked for.
CREATE VIEW holds AS
SELECT h.worker, k.name AS resource, h."index",
       coalesce(q.name, n.text || ' ' || (h."index" & 4294967295), iif(k.name = 'syscall_port', 'port ' || h."index", NULL))
           AS resource_name,
       h.start, h.end, h.end - h.start AS hold_ns, w.session
FROM GROSR_HOLD h
JOIN GROSR_RESOURCE_KIND k ON k.resource = h.resource
LEFT JOIN GROSR_QUEUE q ON q.queue = h."index" AND k.name LIKE 'queue%'
LEFT JOIN GROSR_NAME n ON n.name = h."index" >> 32 AND k.name NOT LIKE 'queue%' AND k.name NOT LIKE 'syscall%'
LEFT JOIN GROSR_WORKER w ON w.worker = h.worker;

-- Depth of each queue over time, as sampled by the collector.
CREATE VIEW queue_depth AS
SELECT s.time, q.name AS queue, s.enqueued - s.dequeued AS depth, q.capacity, s.enqueued, s.dequeued, s.completed, q.session
FROM GROSR_QUEUE_SAMPLE s
JOIN GROSR_QUEUE q ON q.queue = s.queue;

-- One row per persistent warp.
CREATE VIEW workers AS
SELECT w.worker, w.sm, w.start, w.end, w.tasks, w.busy_ns,
       round(100.0 * w.busy_ns / nullif(coalesce(w.end, s.end) - w.start, 0), 2) AS busy_pct, w.spawned, w.shared, w.session
FROM GROSR_WORKER w
JOIN GROSR_SESSION s ON s.session = w.session;

-- One row per system call.
CREATE VIEW syscalls AS
SELECT n.value AS call, s.worker, w.sm, s.task, s.slot, s.handle, s.start, s.served, s.replied, s.end,
       s.end - s.start AS duration_ns, s.served - s.start AS request_ns, s.replied - s.served AS served_ns,
       s.end - s.replied AS reply_ns, s.bytes, s.result, s.session
FROM GROSR_SYSCALL s
LEFT JOIN StringIds n ON n.id = s.nameId
LEFT JOIN GROSR_WORKER w ON w.worker = s.worker;

-- One row per block of GPU memory. `state` as in `tasks`, but 'end lost' only if its memory was allocated anew.
CREATE VIEW allocations AS
SELECT a.offset, a.class, a.requested_bytes, a.reserved_bytes, a.worker, w.sm, a.task, f.name AS function,
       a.start, a.end, a.end - a.start AS lifetime_ns, a.free_worker, a.free_task, g.name AS free_function,
       CASE WHEN a.end IS NOT NULL THEN 'ended' WHEN a.end_lost THEN 'end lost' ELSE 'open' END AS state, a.session
FROM GROSR_ALLOCATION a
LEFT JOIN GROSR_WORKER w ON w.worker = a.worker
LEFT JOIN GROSR_FUNCTION f ON f.function = a.function
LEFT JOIN GROSR_FUNCTION g ON g.function = a.free_function;

-- One row per chunk that belonged to a size class.
CREATE VIEW slabs AS
SELECT b.class, c.slot_bytes, b.offset, b.start, b.end, b.end - b.start AS lifetime_ns, b.worker, b.free_worker,
       CASE WHEN b.end IS NOT NULL THEN 'ended' WHEN b.end_lost THEN 'end lost' ELSE 'open' END AS state, b.session
FROM GROSR_SLAB b
LEFT JOIN GROSR_HEAP_CLASS c ON c.heap = (b.session - 1) * 16 AND c.class = b.class;

-- One row per request that found no memory and per free that was refused.
CREATE VIEW heap_errors AS
SELECT e.time, CASE e.kind WHEN 1 THEN 'no memory' WHEN 2 THEN 'free of a foreign pointer' WHEN 3 THEN 'free inside a block'
                           WHEN 4 THEN 'free of what is not allocated' ELSE 'error ' || e.kind END AS error,
       CASE e.kind WHEN 1 THEN e.value END AS requested_bytes, CASE e.kind WHEN 2 THEN printf('0x%x', e.value) END AS address,
       CASE WHEN e.kind IN (3, 4) THEN e.value END AS offset, e.worker, w.sm, e.task, f.name AS function, e.session
FROM GROSR_HEAP_ERROR e
LEFT JOIN GROSR_WORKER w ON w.worker = e.worker
LEFT JOIN GROSR_FUNCTION f ON f.function = e.function;

-- The GPU memory allocators over time. The derived values are those of tracer/session/heap_counters.h: `reserved` chunks
-- hold something, `used` blocks are allocated. Internal fragmentation is what of these nobody asked for, external what of
-- the free bytes the largest request that could be satisfied cannot have.
CREATE VIEW fragmentation AS
SELECT s.time, h.arena_bytes, (s.slab_chunks - s.empty_chunks + s.large_chunks) * h.chunk_bytes AS reserved_bytes,
       s.used_bytes, s.requested_bytes, h.arena_bytes - s.used_bytes AS free_bytes, s.largest_bytes, s.live,
       CASE WHEN s.used_bytes > 0 THEN round(1 - s.requested_bytes * 1.0 / s.used_bytes, 4) ELSE 0.0 END
           AS internal_fragmentation,
       CASE WHEN s.largest_bytes < h.arena_bytes - s.used_bytes
            THEN round(1 - s.largest_bytes * 1.0 / (h.arena_bytes - s.used_bytes), 4) ELSE 0.0 END AS external_fragmentation,
       s.mallocs, s.frees, s.failures, s.bad_frees, s.heap, h.session
FROM GROSR_HEAP_SAMPLE s
JOIN GROSR_HEAP h ON h.heap = s.heap;

-- One row per SM and time bin. warps_active_pct: the GPU's own counter, the mean over all its SMs.
CREATE VIEW sm_occupancy AS
WITH
scale AS (SELECT start AS origin, "end" - start AS width FROM GROSR_TIME_BIN WHERE bin = 0),
measured AS (
    SELECT (c.time - origin) / width AS bin, s.pid, avg(c.value) AS pct
    FROM GROSR_NAME n JOIN GROSR_COUNTER c ON c.name = n.name JOIN GROSR_SESSION s ON s.session = n.session JOIN scale ON 1 = 1
    WHERE n.text LIKE 'sm\_\_warps\_active%' ESCAPE '\' AND c.time >= origin GROUP BY 1, 2)
SELECT t.start, t.end, b.sm, round(b.life_ns * 1.0 / (t.end - t.start), 2) AS workers, b.busy_ns,
       round(100.0 * b.busy_ns / nullif(b.life_ns, 0), 2) AS busy_pct,
       round(100.0 * b.life_ns / (t.end - t.start) / nullif(s.max_warps_per_sm, 0), 2) AS occupancy_pct,
       round(m.pct, 2) AS warps_active_pct, b.session
FROM GROSR_SM_BUSY b
JOIN GROSR_TIME_BIN t ON t.bin = b.bin
JOIN GROSR_SESSION s ON s.session = b.session
LEFT JOIN measured m ON m.bin = b.bin AND m.pid = s.pid;

-- One row per kernel that was launched: `start` and `end` are NULL while CUPTI has not said. A runtime's own kernel, if CUPTI
-- has no record of it, has the times of its workers.
CREATE VIEW kernels AS
SELECT CAST(n.value AS TEXT) AS name, k.start, k.end, k.end - k.start AS duration_ns, CAST(k.launch AS INTEGER) AS launch,
       k.start - k.launch AS launch_latency_ns,
       k.gridX || 'x' || k.gridY || 'x' || k.gridZ AS grid, k.blockX || 'x' || k.blockY || 'x' || k.blockZ AS block,
       k.registersPerThread AS registers, k.staticSharedMemory + k.dynamicSharedMemory AS shared_bytes,
       k.deviceId AS device, k.streamId AS stream, k.correlationId AS correlation, CAST(d.value AS TEXT) AS full_name,
       k.persistent, CAST(k.globalPid >> 24 AS INTEGER) AS pid,
       CAST((SELECT min(session) FROM GROSR_SESSION WHERE pid = k.globalPid >> 24) AS INTEGER) AS session
FROM (SELECT *, (SELECT min(a.start) FROM CUPTI_ACTIVITY_KIND_RUNTIME a
                 WHERE a.correlationId = k.correlationId AND a.globalTid >> 24 = k.globalPid >> 24) AS launch
      FROM CUPTI_ACTIVITY_KIND_KERNEL k) k
LEFT JOIN StringIds n ON n.id = k.shortName
LEFT JOIN StringIds d ON d.id = k.demangledName
UNION ALL
SELECT CAST('persistent kernel' AS TEXT), CAST(w.start AS INTEGER), CAST(w.end AS INTEGER), w.end - w.start,
       CAST(NULL AS INTEGER), NULL, NULL, NULL, CAST(NULL AS INTEGER), NULL, CAST(NULL AS INTEGER), CAST(NULL AS INTEGER),
       CAST(NULL AS INTEGER), CAST('persistent kernel of ' || s.program AS TEXT), CAST(1 AS INTEGER), s.pid, s.session
FROM (SELECT session, min(start) AS start, CASE count(1) WHEN count("end") THEN max("end") END AS "end"
      FROM GROSR_WORKER WHERE start IS NOT NULL GROUP BY session) w
JOIN GROSR_SESSION s ON s.session = w.session
WHERE NOT EXISTS (SELECT 1 FROM CUPTI_ACTIVITY_KIND_KERNEL k WHERE k.persistent = 1 AND k.globalPid = s.pid << 24)
UNION ALL
SELECT CAST(n.value AS TEXT), CAST(NULL AS INTEGER), CAST(NULL AS INTEGER), NULL, CAST(p.start AS INTEGER), NULL, p.grid || '',
       p.block || '', CAST(NULL AS INTEGER), NULL, CAST(NULL AS INTEGER), p.streamId, p.correlationId, CAST(d.value AS TEXT),
       CAST(0 AS INTEGER), s.pid, CAST((SELECT min(session) FROM GROSR_SESSION o WHERE o.pid = s.pid) AS INTEGER)
FROM GROSR_PENDING p JOIN GROSR_SESSION s ON s.session = p.session
LEFT JOIN StringIds n ON n.id = p.nameId LEFT JOIN StringIds d ON d.id = p.fullNameId
WHERE p.kind = 'kernel' AND NOT p.persistent;

-- One row per call of the CUDA runtime or driver API.
CREATE VIEW api_calls AS
SELECT n.value AS name, CASE a.eventClass WHEN 0 THEN 'runtime' ELSE 'driver' END AS api, a.start, a.end,
       a.end - a.start AS duration_ns, a.returnValue AS return_value, a.correlationId AS correlation,
       a.globalTid >> 24 AS pid, a.globalTid & 16777215 AS tid,
       (SELECT min(session) FROM GROSR_SESSION WHERE pid = a.globalTid >> 24) AS session
FROM CUPTI_ACTIVITY_KIND_RUNTIME a
LEFT JOIN StringIds n ON n.id = a.nameId;

-- One row per call, launch and stream capture that had not ended. `ahead` and `behind`: launches of the same stream that come
-- before and after it and had not ended either; with none ahead it is the first of its stream, which may be running.
CREATE VIEW pending AS
SELECT p.kind, CAST(n.value AS TEXT) AS name, s.pid, p.tid, p.start, p.streamId AS stream, p.place,
       CASE WHEN p.place IS NOT NULL THEN row_number() OVER (l ORDER BY p.place) - 1 END AS ahead,
       CASE WHEN p.place IS NOT NULL THEN count(1) OVER l - row_number() OVER (l ORDER BY p.place) END AS behind,
       p.waitsFor AS waits_for, p.handle, p.bytes, p.kernels, p.grid, p.block, p.correlationId AS correlation,
       CAST(coalesce(d.value, n.value) AS TEXT) AS full_name, p.persistent,
       (SELECT min(session) FROM GROSR_SESSION o WHERE o.pid = s.pid) AS session
FROM GROSR_PENDING p JOIN GROSR_SESSION s ON s.session = p.session
LEFT JOIN StringIds n ON n.id = p.nameId LEFT JOIN StringIds d ON d.id = p.fullNameId
WINDOW l AS (PARTITION BY p.session, p.contextId, p.streamId, p.place IS NULL)
UNION ALL -- what has no row there: of a file of a version before 5
SELECT 'call', a.name, a.pid, a.tid, a.start, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, a.correlation, a.name, 0,
       a.session
FROM api_calls a WHERE a.end IS NULL AND NOT EXISTS (
    SELECT 1 FROM GROSR_PENDING p JOIN GROSR_SESSION s ON s.session = p.session
    WHERE p.kind = 'call' AND s.pid = a.pid AND p.tid = a.tid AND p.start = a.start)
UNION ALL
SELECT 'kernel', n.value, k.globalPid >> 24, NULL, k.start, k.streamId, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       k.gridX || 'x' || k.gridY || 'x' || k.gridZ, k.blockX || 'x' || k.blockY || 'x' || k.blockZ, k.correlationId, d.value,
       k.persistent, (SELECT min(session) FROM GROSR_SESSION o WHERE o.pid = k.globalPid >> 24)
FROM CUPTI_ACTIVITY_KIND_KERNEL k LEFT JOIN StringIds n ON n.id = k.shortName LEFT JOIN StringIds d ON d.id = k.demangledName
WHERE k.end IS NULL AND NOT EXISTS (
    SELECT 1 FROM GROSR_PENDING p JOIN GROSR_SESSION s ON s.session = p.session
    WHERE p.kind = 'kernel' AND s.pid = k.globalPid >> 24 AND p.correlationId = k.correlationId);

-- One row per range or mark of a program: by NVTX on the CPU, by grosr_begin() in a kernel.
CREATE VIEW ranges AS
SELECT CAST(coalesce(e.text, t.value) AS TEXT) AS name,
       CASE e.eventType WHEN 34 THEN 'mark' WHEN 59 THEN 'push/pop' ELSE 'start/end' END AS kind,
       e.start, e.end, e.end - e.start AS duration_ns,
       (SELECT coalesce(d.text, s.value) FROM NVTX_EVENTS d LEFT JOIN StringIds s ON s.id = d.textId
        WHERE e.domainId <> 0 AND d.domainId = e.domainId AND d.eventType = 75 AND d.start IS NULL
              AND coalesce(d.globalTid, e.globalTid) >> 24 = e.globalTid >> 24
        ORDER BY d.rowid DESC LIMIT 1) AS domain, -- the latest name: a program may give several
       (SELECT coalesce(c.text, s.value) FROM NVTX_EVENTS c LEFT JOIN StringIds s ON s.id = c.textId
        WHERE c.domainId = e.domainId AND c.category = e.category AND c.eventType = 33 AND c.start IS NULL
              AND coalesce(c.globalTid, e.globalTid) >> 24 = e.globalTid >> 24
        ORDER BY c.rowid DESC LIMIT 1) AS category, coalesce(e.uint64Value, e.int64Value, e.doubleValue, e.uint32Value,
       e.int32Value, e.floatValue) AS value, CAST(NULL AS INTEGER) AS worker, CAST(NULL AS INTEGER) AS sm,
       CAST(e.globalTid >> 24 AS INTEGER) AS pid, e.globalTid & 16777215 AS tid,
       CAST((SELECT min(session) FROM GROSR_SESSION WHERE pid = e.globalTid >> 24) AS INTEGER) AS session
FROM NVTX_EVENTS e
LEFT JOIN StringIds t ON t.id = e.textId
WHERE e.eventType IN (34, 59, 60)
UNION ALL
SELECT n.text, 'kernel', r.start, r.end, r.end - r.start, NULL, NULL, +r.value, r.worker, w.sm, s.pid, NULL, w.session
FROM GROSR_RANGE r
LEFT JOIN GROSR_NAME n ON n.name = r.name
LEFT JOIN GROSR_WORKER w ON w.worker = r.worker
LEFT JOIN GROSR_SESSION s ON s.session = w.session;

-- Where warps stood in a core dump.
CREATE VIEW warps AS
SELECT w.device, k.value AS kernel, w.grid, w.blockX, w.blockY, w.blockZ, w.warp, w.sm, w.slot, f.value AS function, w.offset,
       s.value AS file, w.line, i.value AS inlined, w.wait, w.exception, printf('0x%08x', w.valid) AS valid,
       printf('0x%08x', w.active) AS active, printf('0x%x', w.address) AS address
FROM GROSR_WARP w LEFT JOIN StringIds k ON k.id = w.kernel LEFT JOIN StringIds f ON f.id = w.function
LEFT JOIN StringIds s ON s.id = w.file LEFT JOIN StringIds i ON i.id = w.inlined;

-- What warps of a core dump had in registers, of what is known by name.
CREATE VIEW warp_addresses AS
SELECT a.device, k.value AS kernel, w.grid, w.blockX, w.blockY, w.blockZ, w.warp, a.sm, a.slot, a.kind, n.value AS name,
       printf('0x%x', a.address) AS address, a.offset, printf('0x%08x', a.lanes) AS lanes, f.value AS function, a.load,
       t.value AS fact
FROM GROSR_WARP_ADDRESS a LEFT JOIN GROSR_WARP w ON w.device = a.device AND w.sm = a.sm AND w.slot = a.slot
LEFT JOIN StringIds k ON k.id = w.kernel LEFT JOIN StringIds n ON n.id = a.name LEFT JOIN StringIds f ON f.id = a.function
LEFT JOIN StringIds t ON t.id = a.fact;

-- Where the warps of kernels stood, and why: one row for each time bin, instruction and reason.
CREATE VIEW pc_samples AS
SELECT p.start, p.end, p.deviceId AS device, p.contextId AS context, f.value AS function, n.value AS full_name, p.offset,
       t.value AS stall, p.samples, p.notIssued AS not_issued, p.memory, s.value AS file, p.line, i.value AS inlined, p.session
FROM GROSR_PC_SAMPLE p LEFT JOIN StringIds f ON f.id = p.function LEFT JOIN StringIds n ON n.id = p.fullName
LEFT JOIN StringIds t ON t.id = p.stall LEFT JOIN StringIds s ON s.id = p.file LEFT JOIN StringIds i ON i.id = p.inlined;

-- The same by function, with the loop in which most of its warps were.
CREATE VIEW pc_functions AS
SELECT p.start, p.end, p.deviceId AS device, p.contextId AS context, f.value AS function, n.value AS full_name, p.samples,
       p.low, p.high, p.loop, p.endless, p.loopSamples AS loop_samples, p.memorySamples AS memory_samples, t.value AS stall,
       p.stallSamples AS stall_samples, s.value AS file, p.firstLine AS first_line, p.lastLine AS last_line, p.session
FROM GROSR_PC_FUNCTION p LEFT JOIN StringIds f ON f.id = p.function LEFT JOIN StringIds n ON n.id = p.fullName
LEFT JOIN StringIds t ON t.id = p.stall LEFT JOIN StringIds s ON s.id = p.file;

-- The results of diagnoses.
CREATE VIEW findings AS
SELECT time, verdict, kind, summary, workers, resources, cycle, since, time - since AS since_ns, evidence, advice, session
FROM GROSR_FINDING;

-- Everything that has a time; ORDER BY start gives API calls, kernels, tasks and ranges in order. The casts give each column
-- one type in all parts: SQLite then merges the parts in the order of their indexes, and the first rows are available at
-- once. The same is true of `kernels` and `ranges`. It has the joins of `waits` and `holds` once more, since with a view for a
-- part SQLite builds and sorts all parts before the first row.
CREATE VIEW timeline AS
SELECT t.start, t.end, t.end - t.start AS duration_ns, 'task' AS kind, CAST(f.name AS TEXT) AS name,
       'worker ' || t.worker AS place, w.sm, w.session
FROM GROSR_TASK t LEFT JOIN GROSR_FUNCTION f ON f.function = t.function LEFT JOIN GROSR_WORKER w ON w.worker = t.worker
UNION ALL
SELECT i.start, i.end, i.end - i.start, 'wait',
       CAST(coalesce(n.text || ' ' || (i."index" & 4294967295), k.name || coalesce(' of ' || q.name, '')) AS TEXT),
       coalesce('worker ' || i.worker, 'host'), w.sm, i.session
FROM GROSR_WAIT i LEFT JOIN GROSR_RESOURCE_KIND k ON k.resource = i.resource
LEFT JOIN GROSR_NAME n ON n.name = i."index" >> 32 AND k.name NOT LIKE 'queue%' AND k.name NOT LIKE 'syscall%'
LEFT JOIN GROSR_QUEUE q ON q.queue = i."index" AND k.name LIKE 'queue%' LEFT JOIN GROSR_WORKER w ON w.worker = i.worker
UNION ALL
SELECT i.start, i.end, i.end - i.start, 'idle', CAST('asleep' AS TEXT), 'worker ' || i.worker, w.sm, w.session
FROM GROSR_IDLE i LEFT JOIN GROSR_WORKER w ON w.worker = i.worker
UNION ALL
SELECT h.start, h.end, h.end - h.start, 'hold',
       CAST(coalesce(n.text || ' ' || (h."index" & 4294967295), k.name || coalesce(' of ' || q.name, '')) AS TEXT),
       'worker ' || h.worker, w.sm, w.session
FROM GROSR_HOLD h LEFT JOIN GROSR_RESOURCE_KIND k ON k.resource = h.resource
LEFT JOIN GROSR_NAME n ON n.name = h."index" >> 32 AND k.name NOT LIKE 'queue%' AND k.name NOT LIKE 'syscall%'
LEFT JOIN GROSR_QUEUE q ON q.queue = h."index" AND k.name LIKE 'queue%'
LEFT JOIN GROSR_WORKER w ON w.worker = h.worker
UNION ALL
SELECT i.time, CAST(NULL AS INTEGER), NULL, 'instant', CAST(coalesce(n.text, k.name) AS TEXT),
       coalesce('worker ' || i.worker, 'host'), w.sm, i.session
FROM GROSR_INSTANT i LEFT JOIN GROSR_EVENT_KIND k ON k.kind = i.kind LEFT JOIN GROSR_WORKER w ON w.worker = i.worker
LEFT JOIN GROSR_NAME n ON k.name = 'instant' AND n.name = (i.payload >> 40) + 65536 * (i.session - 1)
UNION ALL
SELECT c.start, c.end, c.end - c.start, 'syscall', CAST(n.value AS TEXT), coalesce('worker ' || c.worker, 'port ' || c.slot),
       w.sm, c.session
FROM GROSR_SYSCALL c LEFT JOIN StringIds n ON n.id = c.nameId LEFT JOIN GROSR_WORKER w ON w.worker = c.worker
UNION ALL
SELECT e.time, CAST(NULL AS INTEGER), NULL, 'heap error',
       CAST(CASE e.kind WHEN 1 THEN 'no memory for ' || e.value || ' bytes' ELSE 'free refused' END AS TEXT),
       'worker ' || e.worker, w.sm, e.session
FROM GROSR_HEAP_ERROR e LEFT JOIN GROSR_WORKER w ON w.worker = e.worker
UNION ALL
SELECT r.start, r.end, r.end - r.start, 'range', CAST(n.text AS TEXT), 'worker ' || r.worker, w.sm, w.session
FROM GROSR_RANGE r LEFT JOIN GROSR_NAME n ON n.name = r.name LEFT JOIN GROSR_WORKER w ON w.worker = r.worker
UNION ALL
SELECT e.start, e.end, e.end - e.start, CASE e.eventType WHEN 34 THEN 'mark' ELSE 'range' END,
       CAST(coalesce(e.text, n.value) AS TEXT), 'thread ' || (e.globalTid & 16777215), CAST(NULL AS INTEGER),
       CAST((SELECT min(session) FROM GROSR_SESSION WHERE pid = e.globalTid >> 24) AS INTEGER)
FROM NVTX_EVENTS e LEFT JOIN StringIds n ON n.id = e.textId WHERE e.eventType IN (34, 59, 60)
UNION ALL
SELECT k.start, k.end, k.end - k.start, 'kernel', CAST(n.value AS TEXT), 'stream ' || k.streamId, CAST(NULL AS INTEGER),
       CAST((SELECT min(session) FROM GROSR_SESSION WHERE pid = k.globalPid >> 24) AS INTEGER)
FROM CUPTI_ACTIVITY_KIND_KERNEL k LEFT JOIN StringIds n ON n.id = k.shortName
UNION ALL
SELECT CAST(w.start AS INTEGER), CAST(w.end AS INTEGER), w.end - w.start, 'kernel', CAST('persistent kernel' AS TEXT),
       'its workers', CAST(NULL AS INTEGER), s.session
FROM (SELECT session, min(start) AS start, CASE count(1) WHEN count("end") THEN max("end") END AS "end"
      FROM GROSR_WORKER WHERE start IS NOT NULL GROUP BY session) w
JOIN GROSR_SESSION s ON s.session = w.session
WHERE NOT EXISTS (SELECT 1 FROM CUPTI_ACTIVITY_KIND_KERNEL k WHERE k.persistent = 1 AND k.globalPid = s.pid << 24)
UNION ALL
SELECT a.start, a.end, a.end - a.start, 'api', CAST(n.value AS TEXT), 'thread ' || (a.globalTid & 16777215),
       CAST(NULL AS INTEGER), CAST((SELECT min(session) FROM GROSR_SESSION WHERE pid = a.globalTid >> 24) AS INTEGER)
FROM CUPTI_ACTIVITY_KIND_RUNTIME a LEFT JOIN StringIds n ON n.id = a.nameId
UNION ALL
SELECT m.start, m.end, m.end - m.start, 'memcpy', CAST(m.bytes || ' bytes' AS TEXT), 'stream ' || m.streamId,
       CAST(NULL AS INTEGER), CAST((SELECT min(session) FROM GROSR_SESSION WHERE pid = m.globalPid >> 24) AS INTEGER)
FROM CUPTI_ACTIVITY_KIND_MEMCPY m
UNION ALL
SELECT m.start, m.end, m.end - m.start, 'memset', CAST(m.bytes || ' bytes' AS TEXT), 'stream ' || m.streamId,
       CAST(NULL AS INTEGER), CAST((SELECT min(session) FROM GROSR_SESSION WHERE pid = m.globalPid >> 24) AS INTEGER)
FROM CUPTI_ACTIVITY_KIND_MEMSET m
UNION ALL
SELECT g.start, g.end, g.end - g.start, 'graph', CAST(coalesce(n.value, 'graph ' || g.graphId) AS TEXT), 'stream ' || g.streamId,
       CAST(NULL AS INTEGER), CAST((SELECT min(session) FROM GROSR_SESSION WHERE pid = g.globalPid >> 24) AS INTEGER)
FROM CUPTI_ACTIVITY_KIND_GRAPH_TRACE g LEFT JOIN StringIds n ON n.id = g.nameId
UNION ALL
SELECT y.start, y.end, y.end - y.start, 'sync', CAST('synchronization' AS TEXT),
       coalesce('stream ' || y.streamId, 'context ' || y.contextId), CAST(NULL AS INTEGER),
       CAST((SELECT min(session) FROM GROSR_SESSION WHERE pid = y.globalPid >> 24) AS INTEGER)
FROM CUPTI_ACTIVITY_KIND_SYNCHRONIZATION y
UNION ALL
SELECT l.time, CAST(NULL AS INTEGER), NULL, 'loss', CAST(l.count || ' events ' || l.reason AS TEXT),
       coalesce('worker ' || r.worker, 'host'), w.sm, r.session
FROM GROSR_LOSS l LEFT JOIN GROSR_RING r ON r.ring = l.ring LEFT JOIN GROSR_WORKER w ON w.worker = r.worker
UNION ALL
SELECT o.time, CAST(NULL AS INTEGER), NULL, 'note', CAST(o.topic || ': ' || o.text AS TEXT), 'tracer',
       CAST(NULL AS INTEGER), o.session
FROM GROSR_NOTE o;

-- Whether to trust the trace: one row per ring, and one for all of them (ring NULL). `unaccounted` is 0 when the counters
-- reconcile; `verdict` describes what is missing.
CREATE VIEW trace_health AS
WITH
unbuilt AS (SELECT ring, sum(count) AS events FROM GROSR_CHUNK GROUP BY ring),
open_tasks AS (SELECT worker, session, count(1) AS n FROM tasks WHERE "end" IS NULL AND state = 'open' GROUP BY worker, session),
open_waits AS ( -- worker -1: host threads
    SELECT coalesce(worker, -1) AS worker, session, count(1) AS n FROM waits WHERE "end" IS NULL AND state = 'open'
    GROUP BY coalesce(worker, -1), session),
rings AS (
    SELECT r.ring, r.worker, r.written, r.read, r.dropped, r.overwritten, r.unstored,
           r.written - r.read - r.dropped - r.overwritten - r.unstored AS unaccounted,
           r.closed, coalesce(b.events, 0) AS unbuilt, coalesce(t.n, 0) + coalesce(w.n, 0) AS unfinished, s.died, s.detached, r.session
    FROM GROSR_RING r
    JOIN GROSR_SESSION s ON s.session = r.session
    LEFT JOIN unbuilt b ON b.ring = r.ring
    LEFT JOIN open_tasks t ON t.worker = r.worker AND t.session = r.session
    LEFT JOIN open_waits w ON w.worker = coalesce(r.worker, -1) AND w.session = r.session),
facts AS (
    SELECT coalesce((SELECT value FROM GROSR_META WHERE key = 'clock_error_ns'),
                    (SELECT max(bound_ns) FROM GROSR_CLOCK), 0) AS clock_error_ns,
           coalesce((SELECT value FROM GROSR_META WHERE key = 'complete'), 0) AS complete,
           (SELECT value FROM GROSR_META WHERE key = 'collector_error') AS error,
           (SELECT value FROM GROSR_META WHERE key = 'unrecorded_sessions') AS unrecorded,
           CASE WHEN EXISTS (SELECT 1 FROM GROSR_NOTE WHERE topic = 'end unknown')
                THEN 'process ended without closing its session' ELSE 'process died' END AS ended,
           coalesce(' from ' || (SELECT round(value / 1e9, 3) FROM GROSR_META WHERE key = 'kept_from') || ' s on', '')
               AS kept,
           (SELECT sum(dropped + unstored) FROM GROSR_STREAM) AS records_lost,
           (SELECT CASE WHEN sum(dropped) > 0 THEN sum(dropped) || ' of ' || sum(samples) || ' PC samples lost' END FROM GROSR_PC_BIN)
               AS samples_lost,
           (SELECT nullif(sum(full), 0) FROM GROSR_PC_BIN) AS full_bins,
           (SELECT coalesce(sum(issued - recorded), 0) FROM GROSR_LAUNCHES WHERE kind = 'kernel') +
           (SELECT count(1) FROM GROSR_PENDING
            WHERE kind IN ('memcpy', 'memset', 'host function') OR (kind = 'graph' AND kernels IS NULL)) AS launches_lost,
           (SELECT sum(count) || ' damaged events were left out' FROM GROSR_LOSS WHERE reason = 'damaged') AS damaged,
           (SELECT max(died) FROM GROSR_SESSION s
            WHERE NOT EXISTS (SELECT 1 FROM GROSR_RING r WHERE r.session = s.session)) AS died),
parts(total) AS (VALUES (0), (1)), -- each ring, all rings
counters AS (
    SELECT CASE p.total WHEN 0 THEN r.ring END AS ring, CASE p.total WHEN 0 THEN r.worker END AS worker,
           coalesce(sum(r.written), 0) AS written, coalesce(sum(r.read), 0) AS read, coalesce(sum(r.dropped), 0) AS dropped,
           coalesce(sum(r.overwritten), 0) AS overwritten, coalesce(sum(r.unstored), 0) AS unstored,
           coalesce(sum(r.unaccounted), 0) AS unaccounted, coalesce(min(r.closed), 1) AS closed,
           coalesce(sum(r.unbuilt), 0) AS unbuilt, coalesce(sum(r.unfinished), 0) AS unfinished,
           CASE p.total WHEN 0 THEN max(r.died)
               ELSE max(coalesce(max(r.died AND NOT r.closed), 0), coalesce((SELECT died FROM facts), 0)) END AS died,
           coalesce(max(r.detached), 0) AS detached, CASE p.total WHEN 0 THEN r.session END AS session
    FROM parts p LEFT JOIN rings r ON 1 = 1
    WHERE p.total = 1 OR r.ring IS NOT NULL
    GROUP BY p.total, CASE p.total WHEN 0 THEN r.ring END)
SELECT c.ring, c.worker, c.written, c.read, c.dropped, c.overwritten, c.unstored, c.unaccounted, c.closed, c.unbuilt,
       c.unfinished, f.clock_error_ns,
       CASE
           WHEN f.error IS NOT NULL THEN 'collector failed: ' || f.error ||
               CASE WHEN c.unbuilt THEN '; ' || c.unbuilt || ' events stored but not in the tables' ELSE '' END ||
               CASE WHEN c.dropped + c.overwritten + c.unstored THEN
                   '; ' || (c.dropped + c.overwritten + c.unstored) || ' of ' || c.written || ' events lost' ELSE '' END ||
               CASE WHEN c.ring IS NULL AND f.records_lost THEN
                   '; ' || f.records_lost || ' records of traced processes lost' ELSE '' END
           WHEN NOT f.complete THEN 'being recorded, or the collector was killed'
           WHEN c.unbuilt THEN c.unbuilt || ' events stored but not in the tables'
           WHEN c.unaccounted THEN c.unaccounted || ' events unaccounted for'
           WHEN c.died AND (c.ring IS NULL OR NOT c.closed) THEN
               f.ended || '; its last events may be missing' ||
               CASE WHEN c.ring IS NULL THEN coalesce('; ' || f.damaged, '') ELSE '' END
           WHEN NOT c.closed AND NOT c.detached THEN
               'cut off before its writer finished' ||
               CASE WHEN c.ring IS NULL THEN coalesce('; ' || f.damaged, '') ELSE '' END
           WHEN c.ring IS NULL AND f.unrecorded THEN
               f.unrecorded || CASE f.unrecorded WHEN 1 THEN ' session was' ELSE ' sessions were' END || ' not recorded'
           WHEN c.dropped + c.overwritten + c.unstored THEN
               (c.dropped + c.overwritten + c.unstored) || ' of ' || c.written || ' events lost' ||
               CASE WHEN c.ring IS NULL THEN coalesce('; ' || f.damaged, '') ELSE '' END
           WHEN c.ring IS NULL AND f.damaged IS NOT NULL THEN f.damaged
           WHEN c.ring IS NULL AND f.records_lost THEN f.records_lost || ' records of traced processes lost'
           WHEN c.ring IS NULL AND f.launches_lost THEN
               f.launches_lost || CASE f.launches_lost WHEN 1 THEN ' launch has' ELSE ' launches have' END || ' no record of CUPTI''s'
           WHEN c.ring IS NULL AND f.full_bins THEN
               'PC samples of ' || f.full_bins || CASE f.full_bins WHEN 1 THEN ' time bin' ELSE ' time bins' END ||
               ' lost: the hardware''s buffer was full'
           WHEN c.ring IS NULL AND f.samples_lost IS NOT NULL THEN f.samples_lost
           WHEN c.detached THEN 'complete' || f.kept || ' up to where recording stopped'
           ELSE 'complete' || f.kept
       END AS verdict, c.session
FROM counters c, facts f;

-- The device's clock against the host's: one row per snapshot. `used`: the map that converts times has a point there.
-- `residual_ns` is the distance of the middle of the round trip from the map.
CREATE VIEW clock_sync AS
SELECT c.host AS time, c.device_ns, c.device_ns - (c.host + z.start_mono_ns) AS offset_ns,
       coalesce(c.host_after - c.host_before, 2 * c.bound_ns) AS rtt_ns, c.bound_ns,
       c.drift_ppb / 1000.0 AS drift_ppm,
       coalesce((c.host_before + c.host_after) / 2 - c.host, 0) AS residual_ns, c.used, c.jump, c.session
FROM GROSR_CLOCK c
JOIN GROSR_SESSION z ON z.session = 1;
