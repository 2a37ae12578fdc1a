-- sessions with workers, as of when each is judged, and what its queues say then
--
-- That is its stop, `until`, which releases whoever waits. One that did not close by itself is judged as of the latest time that
-- is known of it, unless it was stopped and its workers have ended; if some have not, as of its stop first. The stop is the host's
-- time: by as much as the device's may be wrong it is put before it, so that nothing that it released seems to have come first.
--
-- Samples are in the order of time, so what a queue had then is found by bisection, and what it had before and next beside it.
WITH RECURSIVE
moments AS (
    SELECT s.session,
           s.stopped - min(coalesce((SELECT max(c.bound_ns) FROM GROSR_CLOCK c WHERE c.session = s.session), 0), 100000000) AS until
    FROM GROSR_SESSION s WHERE s.device <> 'process' AND s.stopped IS NOT NULL
    UNION ALL
    SELECT s.session, NULL FROM GROSR_SESSION s
    WHERE s.device <> 'process' AND (s.end IS NULL OR s.died OR s.detached) AND (s.stopped IS NULL OR EXISTS (
        SELECT 1 FROM GROSR_WORKER w WHERE w.session = s.session AND w.start IS NOT NULL AND w.end IS NULL))),
places(session, until, time, low, high, middle) AS ( -- samples up to `low` are not later than `time`, those from `high` on are
    SELECT m.session, m.until, coalesce(m.until, s.end, 9223372036854775807), 0, r.high, r.high / 2
    FROM moments m JOIN GROSR_SESSION s ON s.session = m.session
    JOIN (SELECT coalesce(max(rowid), 0) + 1 AS high FROM GROSR_QUEUE_SAMPLE) r ON 1
    UNION -- which ends, whatever the file has for numbers of rows
    SELECT session, until, time, iif(later, low, middle), iif(later, middle, high), iif(later, low + middle, middle + high) / 2
    FROM (SELECT 0 AS later UNION ALL SELECT 1) JOIN places ON high - low > 1
        AND later = coalesce((SELECT s.time FROM GROSR_QUEUE_SAMPLE s WHERE s.rowid <= middle ORDER BY s.rowid DESC LIMIT 1) > time, 0)),
last AS (
    SELECT p.session, p.until, q.queue, (SELECT s.rowid FROM GROSR_QUEUE_SAMPLE s WHERE s.queue = q.queue AND s.rowid <= p.low
                                         ORDER BY s.rowid DESC LIMIT 1) AS sample
    FROM places p JOIN GROSR_QUEUE q ON q.session = p.session WHERE p.high - p.low <= 1),
seen AS ( -- `before`: the latest with other values
    SELECT l.session, l.until, l.queue, s.time, s.enqueued, s.dequeued, s.completed,
           (SELECT n.dequeued FROM (SELECT queue, dequeued FROM GROSR_QUEUE_SAMPLE WHERE rowid > l.sample ORDER BY rowid LIMIT 1000) n
            WHERE n.queue = l.queue LIMIT 1) AS taken, -- by then: after a stop nothing is
           (SELECT o.rowid FROM GROSR_QUEUE_SAMPLE o WHERE o.queue = l.queue AND o.rowid < l.sample
            AND (o.enqueued, o.dequeued, o.completed) <> (s.enqueued, s.dequeued, s.completed) ORDER BY o.rowid DESC LIMIT 1) AS before
    FROM last l JOIN GROSR_QUEUE_SAMPLE s ON s.rowid = l.sample),
queues AS (
    SELECT session, until, max(time) AS looked, sum(enqueued) AS enqueued, sum(enqueued - completed) AS uncompleted,
           sum(max(enqueued - max(dequeued, coalesce(taken, 0)), 0)) AS untaken,
           max((SELECT n.time FROM GROSR_QUEUE_SAMPLE n WHERE n.queue = seen.queue AND n.rowid > seen.before ORDER BY n.rowid LIMIT 1))
               AS moved
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
