-- waits in session ?1 for what a worker holds that has begun another task since
SELECT w.worker, coalesce(w.resource_name, w.resource || ' ' || w."index") AS name, w.start, h.worker AS holder, max(h.start) AS held
FROM waits w JOIN holds h ON h.resource = w.resource AND h."index" = w."index" AND h.worker <> w.worker
WHERE w.end IS NULL AND w.state = 'open' AND w.session = ?1 AND h.session = ?1 AND h.end IS NULL
      AND NOT EXISTS (SELECT 1 FROM holds l WHERE l.resource = h.resource AND l."index" = h."index" AND l.start > h.start)
      AND EXISTS (SELECT 1 FROM GROSR_TASK t WHERE t.worker = h.worker AND t.start > h.start)
GROUP BY w.worker, name ORDER BY w.start, w.worker LIMIT 16;
