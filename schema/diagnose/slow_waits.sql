-- the 16 oldest waits in session ?1 for what was held: how often others got it since
WITH
open AS MATERIALIZED (
    SELECT w.worker, k.resource, w."index", coalesce(w.resource_name, w.resource || ' ' || w."index") AS name, w.start
    FROM waits w JOIN GROSR_RESOURCE_KIND k ON k.name = w.resource
    WHERE w.end IS NULL AND w.state = 'open' AND w.session = ?1 AND w.worker IS NOT NULL
          AND w.resource NOT LIKE 'queue%' AND w.resource NOT LIKE 'syscall%'),
held AS (SELECT resource, "index" FROM GROSR_HOLD WHERE (resource, "index") IN (SELECT resource, "index" FROM open)),
oldest AS MATERIALIZED (
    SELECT * FROM open WHERE (resource, "index") IN (SELECT resource, "index" FROM held) ORDER BY start, worker LIMIT 16)
SELECT w.worker, w.name, w.start,
       (SELECT count(*) FROM GROSR_HOLD h WHERE h.resource = w.resource AND h."index" = w."index" AND h.start > w.start
        AND h.worker <> w.worker) AS overtaken
FROM oldest w ORDER BY w.start, w.worker;
