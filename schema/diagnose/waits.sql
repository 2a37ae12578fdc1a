-- what is waited for in session ?1, but for a task to run; `released`: it was held before
WITH
open AS MATERIALIZED (
    SELECT w.worker, w.resource, k.resource AS number, w."index", coalesce(w.resource_name, w.resource || ' ' || w."index") AS name,
           w.start
    FROM waits w JOIN GROSR_RESOURCE_KIND k ON k.name = w.resource
    WHERE w.end IS NULL AND w.state = 'open' AND w.session = ?1 AND w.resource <> 'queue_not_empty'),
held AS (SELECT resource, "index" FROM GROSR_HOLD WHERE (resource, "index") IN (SELECT number, "index" FROM open))
SELECT worker, resource, "index", name, start, (number, "index") IN (SELECT resource, "index" FROM held) AS released
FROM open ORDER BY worker, start, "index";
