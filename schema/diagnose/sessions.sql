-- sessions with workers that had not closed: as of when they are judged, and what their queues say
WITH
last AS (SELECT queue, max(time) AS time, enqueued, dequeued, completed FROM GROSR_QUEUE_SAMPLE GROUP BY queue),
queues AS (
    SELECT q.session, sum(l.enqueued - l.dequeued) AS untaken, sum(l.enqueued - l.completed) AS uncompleted, max(l.time) AS looked,
           -- When the values it has now were first seen, if it was seen with others before.
           max((SELECT min(s.time) FROM GROSR_QUEUE_SAMPLE s WHERE s.queue = l.queue
                AND (s.enqueued, s.dequeued, s.completed) = (l.enqueued, l.dequeued, l.completed)
                AND EXISTS (SELECT 1 FROM GROSR_QUEUE_SAMPLE o WHERE o.queue = l.queue
                            AND (o.enqueued, o.dequeued, o.completed) <> (l.enqueued, l.dequeued, l.completed)))) AS moved
    FROM last l JOIN GROSR_QUEUE q ON q.queue = l.queue GROUP BY q.session)
SELECT s.session, s.pid, s.program, s.device, s.died, s.end,
       CASE WHEN s.detached THEN s.end ELSE max(coalesce(s.end, 0), coalesce(q.looked, 0),
           coalesce((SELECT max(c.host_after) FROM GROSR_CLOCK c WHERE c.session = s.session), 0)) END AS as_of,
       q.moved, q.untaken, q.uncompleted
FROM GROSR_SESSION s LEFT JOIN queues q ON q.session = s.session
WHERE s.device <> 'process' AND (s.end IS NULL OR s.died OR s.detached)
ORDER BY s.session;
