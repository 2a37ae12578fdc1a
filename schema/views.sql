-- The stable interface for people. Times in ns since the session began.

-- One row a run of a task's function: one for a task that never suspends, several with the same number else.
CREATE VIEW tasks AS
SELECT t.task, f.name AS function, t.worker, w.sm, t.enqueue, t.start, t.end,
       t.start - t.enqueue AS queued_ns, t.end - t.start AS run_ns, t.status,
       CASE t.next WHEN -1 THEN '(nothing)' ELSE coalesce(n.name, '(' || t.next || ')') END AS next,
       t.task >> 39 & 1 AS spawned, w.session
FROM GROSR_TASK t
LEFT JOIN GROSR_FUNCTION f ON f.function = t.function
LEFT JOIN GROSR_FUNCTION n ON n.function = t.next
LEFT JOIN GROSR_WORKER w ON w.worker = t.worker;

-- One row a wait; worker NULL: a host thread.
CREATE VIEW waits AS
SELECT w.worker, k.name AS resource, w."index", q.name AS resource_name, w.start, w.end,
       w.end - w.start AS wait_ns, w.session
FROM GROSR_WAIT w
JOIN GROSR_RESOURCE_KIND k ON k.resource = w.resource
LEFT JOIN GROSR_QUEUE q ON q.queue = w."index" AND k.name LIKE 'queue%';

-- Depth of each queue over time, as sampled by the collector.
CREATE VIEW queue_depth AS
SELECT s.time, q.name AS queue, s.enqueued - s.dequeued AS depth, q.capacity, s.enqueued, s.dequeued, s.completed, q.session
FROM GROSR_QUEUE_SAMPLE s
JOIN GROSR_QUEUE q ON q.queue = s.queue;

-- One row a persistent warp.
CREATE VIEW workers AS
SELECT w.worker, w.sm, w.start, w.end, w.tasks, w.busy_ns,
       round(100.0 * w.busy_ns / nullif(coalesce(w.end, s.end) - w.start, 0), 2) AS busy_pct, w.spawned, w.shared, w.session
FROM GROSR_WORKER w
JOIN GROSR_SESSION s ON s.session = w.session;

-- How far to trust the trace: one row a ring, and one for all of them (ring NULL). `unaccounted` is 0 when the books
-- balance; `verdict` says in words what is missing.
CREATE VIEW trace_health AS
WITH
unbuilt AS (SELECT ring, sum(count) AS events FROM GROSR_CHUNK GROUP BY ring),
unfinished AS (
    SELECT worker, session, sum(n) AS spans FROM (
        SELECT worker, w.session, count(*) AS n FROM GROSR_TASK t JOIN GROSR_WORKER w USING (worker)
        WHERE t.end IS NULL GROUP BY worker
        UNION ALL
        SELECT worker, session, count(*) FROM GROSR_WAIT WHERE end IS NULL GROUP BY worker, session)
    GROUP BY worker, session),
rings AS (
    SELECT r.ring, r.worker, r.written, r.read, r.dropped, r.overwritten,
           r.written - r.read - r.dropped - r.overwritten AS unaccounted,
           r.closed, coalesce(b.events, 0) AS unbuilt, coalesce(u.spans, 0) AS unfinished, s.died, s.detached, r.session
    FROM GROSR_RING r
    JOIN GROSR_SESSION s ON s.session = r.session
    LEFT JOIN unbuilt b ON b.ring = r.ring
    LEFT JOIN unfinished u ON u.worker IS r.worker AND u.session = r.session),
facts AS (
    SELECT coalesce((SELECT value FROM GROSR_META WHERE key = 'clock_error_ns'),
                    (SELECT max(bound_ns) FROM GROSR_CLOCK), 0) AS clock_error_ns,
           coalesce((SELECT value FROM GROSR_META WHERE key = 'complete'), 0) AS complete,
           (SELECT value FROM GROSR_META WHERE key = 'collector_error') AS error),
books AS (
    SELECT * FROM rings
    UNION ALL
    SELECT NULL, NULL, sum(written), sum(read), sum(dropped), sum(overwritten), sum(unaccounted), min(closed),
           sum(unbuilt), sum(unfinished), max(died AND NOT closed), max(detached), NULL
    FROM rings)
SELECT b.ring, b.worker, b.written, b.read, b.dropped, b.overwritten, b.unaccounted, b.closed, b.unbuilt,
       b.unfinished, f.clock_error_ns,
       CASE
           WHEN f.error IS NOT NULL THEN 'collector failed: ' || f.error
           WHEN NOT f.complete THEN 'being recorded, or the collector was killed'
           WHEN b.unbuilt THEN b.unbuilt || ' events stored but not in the tables'
           WHEN b.unaccounted THEN b.unaccounted || ' events unaccounted for'
           WHEN b.died AND NOT b.closed THEN 'process died; its last events may be missing'
           WHEN NOT b.closed AND NOT b.detached THEN 'cut off before its writer finished'
           WHEN b.dropped + b.overwritten THEN
               (b.dropped + b.overwritten) || ' of ' || b.written || ' events lost'
           WHEN b.detached THEN 'complete up to where recording stopped'
           ELSE 'complete'
       END AS verdict, b.session
FROM books b, facts f;

-- The device's clock against the host's: one row a snapshot. `used`: the map, by which times were placed, has a point
-- there. `residual_ns` is how far the middle of the round trip is from the map.
CREATE VIEW clock_sync AS
SELECT c.host AS time, c.device_ns, c.device_ns - (c.host + z.start_mono_ns) AS offset_ns,
       coalesce(c.host_after - c.host_before, 2 * c.bound_ns) AS rtt_ns, c.bound_ns,
       c.drift_ppb / 1000.0 AS drift_ppm,
       coalesce((c.host_before + c.host_after) / 2 - c.host, 0) AS residual_ns, c.used, c.jump, c.session
FROM GROSR_CLOCK c
JOIN GROSR_SESSION z ON z.session = 1;
