-- the 16 oldest waits in session ?1: how often others got the thing since
SELECT w.worker, coalesce(w.resource_name, w.resource || ' ' || w."index") AS name, w.start,
       (SELECT count(*) FROM GROSR_HOLD h WHERE h.resource = k.resource AND h."index" = w."index" AND h.start > w.start
        AND h.worker <> w.worker) AS overtaken
FROM waits w JOIN GROSR_RESOURCE_KIND k ON k.name = w.resource
WHERE w.end IS NULL AND w.state = 'open' AND w.session = ?1 AND w.worker IS NOT NULL
      AND w.resource NOT LIKE 'queue%' AND w.resource NOT LIKE 'syscall%'
      AND EXISTS (SELECT 1 FROM GROSR_HOLD h WHERE h.resource = k.resource AND h."index" = w."index")
ORDER BY w.start, w.worker LIMIT 16;
