-- sessions with workers, as of when each is judged, and what its queues say then
--
-- That is its stop, `until`, which releases whoever waits. One that did not close by itself is judged as of the latest time that
-- is known of it, unless it was stopped and its workers have ended; if some have not, as of its stop first. The stop is the host's
-- time: by as much as the device's may be wrong it is put before it, so that nothing that it released seems to have come first.
WITH
moments AS (
    SELECT s.session,
           s.stopped - min(coalesce((SELECT max(c.bound_ns) FROM GROSR_CLOCK c WHERE c.session = s.session), 0), 100000000) AS until
    FROM GROSR_SESSION s WHERE s.device <> 'process' AND s.stopped IS NOT NULL
    UNION ALL
    SELECT s.session, NULL FROM GROSR_SESSION s
    WHERE s.device <> 'process' AND (s.end IS NULL OR s.died OR s.detached) AND (s.stopped IS NULL OR EXISTS (
        SELECT 1 FROM GROSR_WORKER w WHERE w.session = s.session AND w.start IS NOT NULL AND w.end IS NULL))),
last AS (
    SELECT m.session, m.until, s.queue, max(s.time) AS time, s.enqueued, s.dequeued, s.completed
    FROM GROSR_QUEUE_SAMPLE s CROSS JOIN GROSR_QUEUE q ON q.queue = s.queue CROSS JOIN moments m ON m.session = q.session
    WHERE s.time <= coalesce(m.until, s.time) GROUP BY m.session, m.until, s.queue),
seen AS ( -- when the values it has then were first seen, if it was seen with others before; after a stop no task is taken
    SELECT l.session, l.until, l.time AS looked, l.enqueued, l.completed, max(s.dequeued) AS taken,
           max(s.time <= l.time AND (s.enqueued, s.dequeued, s.completed) <> (l.enqueued, l.dequeued, l.completed)) AS differed,
           min(iif((s.enqueued, s.dequeued, s.completed) = (l.enqueued, l.dequeued, l.completed), s.time, NULL)) AS first
    FROM GROSR_QUEUE_SAMPLE s CROSS JOIN last l ON l.queue = s.queue GROUP BY l.session, l.until, l.queue),
queues AS (
    SELECT session, until, max(looked) AS looked, max(iif(differed, first, NULL)) AS moved, sum(enqueued) AS enqueued,
           sum(max(enqueued - taken, 0)) AS untaken, sum(enqueued - completed) AS uncompleted
    FROM seen GROUP BY session, until)
SELECT s.session, s.pid, s.program, s.device, s.died, s.end,
       CASE WHEN m.until IS NOT NULL THEN m.until WHEN s.detached THEN s.end ELSE max(coalesce(s.end, 0), coalesce(q.looked, 0),
           coalesce((SELECT max(c.host_after) FROM GROSR_CLOCK c WHERE c.session = s.session), 0)) END AS as_of,
       q.moved, q.untaken, q.uncompleted, m.until IS NOT NULL AS at_stop, s.start_mono_ns, s.start_real_ns,
       q.enqueued + (SELECT sum(w.spawned) FROM GROSR_WORKER w WHERE w.session = s.session) AS tasks,
       (SELECT sum(w.tasks) FROM GROSR_WORKER w WHERE w.session = s.session) AS run
FROM moments m JOIN GROSR_SESSION s ON s.session = m.session
LEFT JOIN queues q ON q.session = m.session AND q.until IS m.until
ORDER BY s.session, at_stop DESC;
