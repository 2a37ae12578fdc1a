-- the workers of session ?1: what each is in, and its latest event but for the search for a task; `silent`: it ran without any
--
-- A trace that is complete has indexes, by which a worker's latest task and wait are found at once; of others all rows are read once.
WITH
complete AS (SELECT EXISTS (SELECT 1 FROM GROSR_META WHERE key = 'complete') AS yes),
opened AS (SELECT worker, task, function, min(start) AS start FROM GROSR_TASK
           WHERE end IS NULL AND status IS NULL AND next IS NULL GROUP BY worker),
held AS (SELECT worker, max(max(start, coalesce(end, start))) AS latest FROM GROSR_HOLD GROUP BY worker),
marked AS (SELECT worker, max(max(coalesce(start, end), coalesce(end, start))) AS latest, sum(end IS NULL) AS open FROM GROSR_RANGE
           GROUP BY worker),
noted AS (SELECT worker, max(time) AS latest FROM GROSR_INSTANT WHERE worker IS NOT NULL GROUP BY worker),
ran AS (SELECT l.worker, max(l.start), coalesce(l.end, l.start) AS latest FROM complete c CROSS JOIN GROSR_TASK l
        WHERE NOT c.yes GROUP BY l.worker),
waited AS (SELECT l.worker, max(l.start), coalesce(l.end, l.start) AS latest FROM complete c CROSS JOIN GROSR_WAIT l
           WHERE NOT c.yes AND l.resource <> 1 GROUP BY l.worker)
SELECT w.worker, w.start, w.end, t.task, coalesce(f.name, 'function ' || t.function) AS function, t.start AS task_since,
       max(coalesce(w.start, 0), coalesce(t.start, 0), coalesce(h.latest, 0), coalesce(r.latest, 0), coalesce(i.latest, 0),
           coalesce(iif(c.yes, (SELECT coalesce(l.end, l.start) FROM GROSR_TASK l WHERE l.worker = w.worker
                                ORDER BY l.start DESC LIMIT 1), a.latest), 0),
           coalesce(iif(c.yes, (SELECT coalesce(l.end, l.start) FROM GROSR_WAIT l WHERE l.worker = w.worker AND l.resource <> 1
                                ORDER BY l.start DESC LIMIT 1), b.latest), 0)) AS latest,
       coalesce(r.open, 0) AS open_ranges,
       w.worker IN (SELECT l.worker FROM GROSR_WAIT l WHERE l.resource = 1 AND l.end IS NULL) AS seeks,
       w.sm IS NOT NULL AND w.start IS NULL AS silent
FROM complete c CROSS JOIN GROSR_WORKER w
LEFT JOIN opened t ON t.worker = w.worker AND (NOT c.yes OR EXISTS (
    SELECT 1 FROM tasks v WHERE v.worker = t.worker AND v.start = t.start AND v.task = t.task AND v.state = 'open'))
LEFT JOIN GROSR_FUNCTION f ON f.function = t.function
LEFT JOIN held h ON h.worker = w.worker
LEFT JOIN marked r ON r.worker = w.worker
LEFT JOIN noted i ON i.worker = w.worker
LEFT JOIN ran a ON a.worker = w.worker
LEFT JOIN waited b ON b.worker = w.worker
WHERE w.session = ?1 ORDER BY w.worker;
