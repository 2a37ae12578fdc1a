-- waits in session ?1 for what a worker holds that has begun another task since
--
-- By an index, if the trace is complete (workers.sql).
WITH
complete AS (SELECT EXISTS (SELECT 1 FROM GROSR_META WHERE key = 'complete') AS yes),
waiting AS MATERIALIZED (
    SELECT w.worker, k.resource, w."index", coalesce(w.resource_name, w.resource || ' ' || w."index") AS name, w.start
    FROM waits w JOIN GROSR_RESOURCE_KIND k ON k.name = w.resource WHERE w.end IS NULL AND w.state = 'open' AND w.session = ?1),
latest AS (
    SELECT resource, "index", max(start) AS start FROM GROSR_HOLD
    WHERE (resource, "index") IN (SELECT resource, "index" FROM waiting) GROUP BY resource, "index"),
begun AS (
    SELECT t.worker, max(t.start) AS start FROM complete c CROSS JOIN GROSR_TASK t WHERE NOT c.yes GROUP BY t.worker),
held AS MATERIALIZED (
    SELECT h.worker, h.resource, h."index", h.start
    FROM complete c CROSS JOIN GROSR_HOLD h CROSS JOIN latest l ON l.resource = h.resource AND l."index" = h."index" AND l.start = h.start
    JOIN GROSR_WORKER w ON w.worker = h.worker AND w.session = ?1
    LEFT JOIN begun b ON b.worker = h.worker
    WHERE h.end IS NULL
          AND iif(c.yes, EXISTS (SELECT 1 FROM GROSR_TASK t WHERE t.worker = h.worker AND t.start > h.start), b.start > h.start))
SELECT w.worker, w.name, w.start, h.worker AS holder, max(h.start) AS held
FROM waiting w CROSS JOIN held h ON h.resource = w.resource AND h."index" = w."index" AND h.worker <> w.worker
GROUP BY w.worker, w.name ORDER BY w.start, w.worker LIMIT 16;
