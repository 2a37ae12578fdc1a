-- What `grosr export` reads: temporary views, one for each kind of item on the timeline, all with the same first columns
-- (tracer/export/export.c merges them in order of start):
--
--     start, end   NULL end: not ended; a point in time has end = start
--     name
--     a, b, c, d   the track: a session or a process, and the place in it
--     flow, role   events with the same a and flow are linked by arrows; role 1: from here, 2: through here (the nodes of a
--                  graph that one call launches), 3: to here
--     others       arguments, named as the column; NULL is left out. For counters: the value and its unit
--
-- export_resource() is the export's own function: the name that the program gave a resource, else the kind of resource.

CREATE TEMP VIEW export_submits AS   -- b: the spawning worker; NULL: the host
SELECT t.enqueue AS start, t.enqueue AS end, CASE WHEN t.spawned THEN 'spawn' ELSE 'submit' END AS name, t.session AS a,
       CASE WHEN t.spawned THEN (t.task >> 27 & 4095) + s.first_worker END AS b, NULL AS c, NULL AS d,
       t.task AS flow, 1 AS role
FROM tasks t LEFT JOIN GROSR_SESSION s ON s.session = t.session
WHERE t.enqueue IS NOT NULL;

-- An arrow leads to a run from where the task was enqueued, or from the run before it.
CREATE TEMP VIEW export_tasks AS     -- b: the worker
SELECT t.start, t.end, coalesce(t.function, 'function not known') AS name, t.session AS a, t.worker AS b, NULL AS c, NULL AS d,
       t.task AS flow,
       CASE WHEN t.enqueue IS NOT NULL OR (t.task, t.session) IN (
                SELECT e.task, e.session FROM tasks e WHERE e.next IS NOT NULL AND e.next <> '(nothing)')
            THEN CASE WHEN t.next IS NULL OR t.next = '(nothing)' THEN 3 ELSE 2 END
            ELSE CASE WHEN t.next IS NULL OR t.next = '(nothing)' THEN 0 ELSE 1 END END AS role,
       t.task, t.queued_ns, t.status, t.next
FROM tasks t
WHERE t.start IS NOT NULL;

CREATE TEMP VIEW export_waits AS     -- b: the worker; NULL: a host thread
SELECT start, end, 'wait ' || export_resource(resource, resource_name) AS name, session AS a,
       worker AS b, NULL AS c, NULL AS d, NULL AS flow, 0 AS role, "index", resource_name
FROM waits
WHERE start IS NOT NULL;

CREATE TEMP VIEW export_idle AS      -- b: the worker
SELECT i.start, i.end, 'idle' AS name, w.session AS a, i.worker AS b, NULL AS c, NULL AS d, NULL AS flow, 0 AS role
FROM GROSR_IDLE i LEFT JOIN GROSR_WORKER w ON w.worker = i.worker
WHERE i.start IS NOT NULL;

CREATE TEMP VIEW export_ranges AS    -- b: the worker
SELECT r.start, r.end, coalesce(n.text, 'range ' || r.name) AS name, n.session AS a, r.worker AS b, NULL AS c, NULL AS d,
       NULL AS flow, 0 AS role, r.value
FROM GROSR_RANGE r LEFT JOIN GROSR_NAME n ON n.name = r.name
WHERE r.start IS NOT NULL;

CREATE TEMP VIEW export_holds AS     -- b: the worker
SELECT start, end, 'hold ' || export_resource(resource, resource_name) AS name, session AS a,
       worker AS b, NULL AS c, NULL AS d, NULL AS flow, 0 AS role, "index", resource_name
FROM holds
WHERE start IS NOT NULL;

CREATE TEMP VIEW export_syscalls AS  -- b: the port
SELECT coalesce(start, served) AS start, end, call AS name, session AS a, slot AS b, NULL AS c, NULL AS d, NULL AS flow,
       0 AS role, worker, task, handle, bytes, result, request_ns, served_ns, reply_ns
FROM syscalls
WHERE coalesce(start, served) IS NOT NULL;

CREATE TEMP VIEW export_ends AS      -- ends whose start was not recorded; b: the worker
SELECT end AS start, end, coalesce(function, 'task') || ' ended' AS name, session AS a, worker AS b, NULL AS c, NULL AS d,
       NULL AS flow, 0 AS role, task, status, next, 'not recorded' AS start_time
FROM tasks WHERE start IS NULL AND end IS NOT NULL
UNION ALL
SELECT end, end, 'wait ' || export_resource(resource, resource_name) || ' ended', session, worker,
       NULL, NULL, NULL, 0, NULL, NULL, NULL, 'not recorded'
FROM waits WHERE start IS NULL AND end IS NOT NULL
UNION ALL
SELECT i.end, i.end, 'idle ended', w.session, i.worker, NULL, NULL, NULL, 0, NULL, NULL, NULL, 'not recorded'
FROM GROSR_IDLE i LEFT JOIN GROSR_WORKER w ON w.worker = i.worker WHERE i.start IS NULL AND i.end IS NOT NULL
UNION ALL
SELECT r.end, r.end, coalesce(n.text, 'range') || ' ended', n.session, r.worker, NULL, NULL, NULL, 0, NULL, NULL, NULL, 'not recorded'
FROM GROSR_RANGE r LEFT JOIN GROSR_NAME n ON n.name = r.name WHERE r.start IS NULL AND r.end IS NOT NULL
UNION ALL
SELECT end, end, 'hold ' || export_resource(resource, resource_name) || ' ended', session, worker,
       NULL, NULL, NULL, 0, NULL, NULL, NULL, 'not recorded'
FROM holds WHERE start IS NULL AND end IS NOT NULL;

CREATE TEMP VIEW export_instants AS  -- b: the worker; NULL: a host thread. `fields` describes `payload`
SELECT i.time AS start, i.time AS end, coalesce(k.name, 'event ' || i.kind) AS name, i.session AS a, i.worker AS b, NULL AS c,
       NULL AS d, NULL AS flow, 0 AS role, i.payload, k.payload AS fields
FROM GROSR_INSTANT i LEFT JOIN GROSR_EVENT_KIND k ON k.kind = i.kind
WHERE i.time IS NOT NULL;

-- A loss whose time is not known is at the start of its session, if nothing was before it, else at the end.
CREATE TEMP VIEW export_losses AS    -- b: the worker; NULL: a host thread
SELECT coalesce(l.time, CASE l.position WHEN 0 THEN s.start_mono_ns - o.start_mono_ns ELSE s.end END, 0) AS start,
       coalesce(l.time, CASE l.position WHEN 0 THEN s.start_mono_ns - o.start_mono_ns ELSE s.end END, 0) AS end, 'events lost' AS name,
       r.session AS a, r.worker AS b, NULL AS c, NULL AS d, NULL AS flow, 0 AS role,
       l.count, l.reason, l.position, CASE WHEN l.time IS NULL THEN 'not known' END AS time
FROM GROSR_LOSS l
LEFT JOIN GROSR_RING r ON r.ring = l.ring
LEFT JOIN GROSR_SESSION s ON s.session = r.session
LEFT JOIN (SELECT start_mono_ns FROM GROSR_SESSION ORDER BY session LIMIT 1) o;

CREATE TEMP VIEW export_queues AS    -- b: the queue
SELECT s.time AS start, s.time AS end, 'queue ' || coalesce(q.name, s.queue) || ' depth' AS name, q.session AS a, s.queue AS b,
       NULL AS c, NULL AS d, NULL AS flow, 0 AS role, s.enqueued - s.dequeued AS value, 'tasks' AS unit
FROM GROSR_QUEUE_SAMPLE s LEFT JOIN GROSR_QUEUE q ON q.queue = s.queue;

CREATE TEMP VIEW export_counters AS  -- b: the counter's name; c: the worker, if it is a worker's
SELECT c.time AS start, c.time AS end, coalesce(n.text, 'counter ' || c.name) || coalesce(' of worker ' || c.worker, '') AS name,
       n.session AS a, c.name AS b, c.worker AS c, NULL AS d, NULL AS flow, 0 AS role, c.value, n.unit
FROM GROSR_COUNTER c LEFT JOIN GROSR_NAME n ON n.name = c.name;

CREATE TEMP VIEW export_heaps AS     -- b: the GPU memory allocator; c: which of its values
SELECT time AS start, time AS end, 'GPU memory used' AS name, session AS a, heap AS b, 0 AS c, NULL AS d, NULL AS flow, 0 AS role,
       used_bytes AS value, 'bytes' AS unit FROM fragmentation
UNION ALL SELECT time, time, 'GPU memory requested', session, heap, 1, NULL, NULL, 0, requested_bytes, 'bytes' FROM fragmentation
UNION ALL SELECT time, time, 'GPU memory reserved', session, heap, 2, NULL, NULL, 0, reserved_bytes, 'bytes' FROM fragmentation
UNION ALL SELECT time, time, 'GPU memory internal fragmentation', session, heap, 3, NULL, NULL, 0,
                 round(100 * internal_fragmentation, 2), '%' FROM fragmentation
UNION ALL SELECT time, time, 'GPU memory external fragmentation', session, heap, 4, NULL, NULL, 0,
                 round(100 * external_fragmentation, 2), '%' FROM fragmentation;

CREATE TEMP VIEW export_heap_errors AS  -- b: the worker
SELECT time AS start, time AS end, error AS name, session AS a, worker AS b, NULL AS c, NULL AS d, NULL AS flow, 0 AS role,
       requested_bytes, address, offset, task, function
FROM heap_errors
WHERE time IS NOT NULL;

CREATE TEMP VIEW export_clocks AS
SELECT host AS start, host AS end, 'clock error bound' AS name, session AS a, NULL AS b, NULL AS c, NULL AS d, NULL AS flow,
       0 AS role, bound_ns AS value, 'ns' AS unit
FROM GROSR_CLOCK;

CREATE TEMP VIEW export_notes AS
SELECT time AS start, time AS end, topic AS name, session AS a, NULL AS b, NULL AS c, NULL AS d, NULL AS flow, 0 AS role, text
FROM GROSR_NOTE;

-- CUPTI and NVTX. a: the process.

CREATE TEMP VIEW export_nvtx AS      -- b: the thread
SELECT n.start, n.end, coalesce(n.text, s.value, 'range') AS name, n.globalTid >> 24 AS a, n.globalTid AS b, NULL AS c, NULL AS d,
       NULL AS flow, 0 AS role, p.text AS domain, g.text AS category,
       coalesce(n.uint64Value, n.int64Value, n.doubleValue, n.uint32Value, n.int32Value, n.floatValue) AS payload, n.jsonText AS json
FROM NVTX_EVENTS n
LEFT JOIN StringIds s ON s.id = n.textId
LEFT JOIN (SELECT domainId, max(text) AS text FROM NVTX_EVENTS WHERE eventType = 75 GROUP BY domainId) p ON p.domainId = n.domainId
LEFT JOIN (SELECT domainId, category, max(text) AS text FROM NVTX_EVENTS WHERE eventType = 33 GROUP BY domainId, category) g
    ON g.domainId = n.domainId AND g.category = n.category
WHERE n.eventType = 59 AND n.start IS NOT NULL;

CREATE TEMP VIEW export_nvtx_marks AS  -- b: the thread
SELECT n.start, n.start AS end, coalesce(n.text, s.value, 'mark') AS name, n.globalTid >> 24 AS a, n.globalTid AS b, NULL AS c,
       NULL AS d, NULL AS flow, 0 AS role,
       coalesce(n.uint64Value, n.int64Value, n.doubleValue, n.uint32Value, n.int32Value, n.floatValue) AS payload, n.jsonText AS json
FROM NVTX_EVENTS n
LEFT JOIN StringIds s ON s.id = n.textId
WHERE n.eventType = 34 AND n.start IS NOT NULL;

CREATE TEMP VIEW export_nvtx_ranges AS  -- ranges that may overlap and end in another thread
SELECT n.start, n.end, coalesce(n.text, s.value, 'range') AS name, n.globalTid >> 24 AS a, NULL AS b, NULL AS c, NULL AS d,
       NULL AS flow, 0 AS role, n.rangeId AS range, n.globalTid & 0xffffff AS thread, n.endGlobalTid & 0xffffff AS end_thread,
       coalesce(n.uint64Value, n.int64Value, n.doubleValue, n.uint32Value, n.int32Value, n.floatValue) AS payload, n.jsonText AS json
FROM NVTX_EVENTS n
LEFT JOIN StringIds s ON s.id = n.textId
WHERE n.eventType = 60 AND n.start IS NOT NULL;

CREATE TEMP VIEW export_api AS       -- b: the thread. An arrow leaves a call that put something on a stream
SELECT r.start, r.end, coalesce(s.value, 'call') AS name, r.globalTid >> 24 AS a, r.globalTid AS b, NULL AS c, NULL AS d,
       r.correlationId AS flow,
       (r.globalTid >> 24, r.correlationId) IN (
           SELECT globalPid >> 24, correlationId FROM CUPTI_ACTIVITY_KIND_KERNEL
           UNION ALL SELECT globalPid >> 24, correlationId FROM CUPTI_ACTIVITY_KIND_MEMCPY
           UNION ALL SELECT globalPid >> 24, correlationId FROM CUPTI_ACTIVITY_KIND_MEMSET
           UNION ALL SELECT globalPid >> 24, correlationId FROM CUPTI_ACTIVITY_KIND_GRAPH_TRACE) AS role,
       r.correlationId AS correlation, r.returnValue AS result
FROM CUPTI_ACTIVITY_KIND_RUNTIME r
LEFT JOIN StringIds s ON s.id = r.nameId;

CREATE TEMP VIEW export_kernels AS   -- b: the device; c: the context; d: the stream
SELECT k.start, k.end, coalesce(s.value, d.value, 'kernel') AS name, k.globalPid >> 24 AS a, k.deviceId AS b, k.contextId AS c,
       k.streamId AS d, k.correlationId AS flow,
       CASE WHEN k.graphNodeId IS NULL THEN 3 ELSE 2 END * ((k.globalPid >> 24, k.correlationId) IN (
           SELECT globalTid >> 24, correlationId FROM CUPTI_ACTIVITY_KIND_RUNTIME)) AS role,
       d.value AS demangled, k.gridX || ' x ' || k.gridY || ' x ' || k.gridZ AS grid,
       k.blockX || ' x ' || k.blockY || ' x ' || k.blockZ AS block, k.registersPerThread AS registers,
       k.staticSharedMemory AS static_shared_bytes, k.dynamicSharedMemory AS dynamic_shared_bytes,
       k.localMemoryPerThread AS local_bytes, k.correlationId AS correlation, k.graphNodeId AS graph_node,
       nullif(k.persistent, 0) AS persistent
FROM CUPTI_ACTIVITY_KIND_KERNEL k
LEFT JOIN StringIds s ON s.id = k.shortName
LEFT JOIN StringIds d ON d.id = k.demangledName;

CREATE TEMP VIEW export_copies AS    -- b: the device; c: the context; d: the stream
SELECT m.start, m.end, 'copy' || CASE m.copyKind WHEN 1 THEN ' host to device' WHEN 2 THEN ' device to host'
           WHEN 3 THEN ' host to array' WHEN 4 THEN ' array to host' WHEN 5 THEN ' array to array' WHEN 6 THEN ' array to device'
           WHEN 7 THEN ' device to array' WHEN 8 THEN ' device to device' WHEN 9 THEN ' host to host'
           WHEN 10 THEN ' between devices' ELSE '' END AS name,
       m.globalPid >> 24 AS a, m.deviceId AS b, m.contextId AS c, m.streamId AS d, m.correlationId AS flow,
       CASE WHEN m.graphNodeId IS NULL THEN 3 ELSE 2 END * ((m.globalPid >> 24, m.correlationId) IN (
           SELECT globalTid >> 24, correlationId FROM CUPTI_ACTIVITY_KIND_RUNTIME)) AS role,
       m.bytes, m.correlationId AS correlation, m.graphNodeId AS graph_node
FROM CUPTI_ACTIVITY_KIND_MEMCPY m;

CREATE TEMP VIEW export_sets AS      -- b: the device; c: the context; d: the stream
SELECT m.start, m.end, 'set memory' AS name, m.globalPid >> 24 AS a, m.deviceId AS b, m.contextId AS c, m.streamId AS d,
       m.correlationId AS flow,
       CASE WHEN m.graphNodeId IS NULL THEN 3 ELSE 2 END * ((m.globalPid >> 24, m.correlationId) IN (
           SELECT globalTid >> 24, correlationId FROM CUPTI_ACTIVITY_KIND_RUNTIME)) AS role,
       m.bytes, m.value, m.correlationId AS correlation, m.graphNodeId AS graph_node
FROM CUPTI_ACTIVITY_KIND_MEMSET m;

CREATE TEMP VIEW export_graphs AS    -- b: the device; c: the context; d: the stream
SELECT g.start, g.end, coalesce(s.value, 'graph ' || g.graphId) AS name, g.globalPid >> 24 AS a, g.deviceId AS b,
       g.contextId AS c, g.streamId AS d, g.correlationId AS flow,
       3 * ((g.globalPid >> 24, g.correlationId) IN (
           SELECT globalTid >> 24, correlationId FROM CUPTI_ACTIVITY_KIND_RUNTIME)) AS role,
       g.graphId AS graph, g.correlationId AS correlation
FROM CUPTI_ACTIVITY_KIND_GRAPH_TRACE g
LEFT JOIN StringIds s ON s.id = g.nameId;

CREATE TEMP VIEW export_syncs AS     -- b: the device, if known; c: the context
SELECT y.start, y.end, CASE y.syncType WHEN 1 THEN 'wait for event' WHEN 2 THEN 'stream waits for event'
           WHEN 3 THEN 'wait for stream' WHEN 4 THEN 'wait for context' ELSE 'synchronize' END AS name,
       y.globalPid >> 24 AS a, y.deviceId AS b, y.contextId AS c, NULL AS d, NULL AS flow, 0 AS role,
       y.streamId AS stream, y.eventId AS event, y.correlationId AS correlation
FROM CUPTI_ACTIVITY_KIND_SYNCHRONIZATION y;
