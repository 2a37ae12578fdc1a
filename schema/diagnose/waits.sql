-- what is waited for in session ?1, but for a task to run; `released`: it was held before
SELECT w.worker, w.resource, w."index", coalesce(w.resource_name, w.resource || ' ' || w."index") AS name, w.start,
       EXISTS (SELECT 1 FROM GROSR_HOLD h WHERE h.resource = k.resource AND h."index" = w."index") AS released
FROM waits w JOIN GROSR_RESOURCE_KIND k ON k.name = w.resource
WHERE w.end IS NULL AND w.state = 'open' AND w.session = ?1 AND w.resource <> 'queue_not_empty'
ORDER BY w.worker, w.start, w."index";
