-- the locks and the like of session ?1 that were waited for most from ?2 to ?3, of those that were held: for how long in all
SELECT coalesce(w.resource_name, w.resource || ' ' || w."index") AS name, sum(min(coalesce(w.end, ?3), ?3) - max(w.start, ?2)) AS waited_ns
FROM waits w JOIN GROSR_RESOURCE_KIND k ON k.name = w.resource
WHERE w.session = ?1 AND w.worker IS NOT NULL AND w.state <> 'end lost' AND w.start < ?3 AND coalesce(w.end, ?3) > ?2
      AND w.resource NOT LIKE 'queue%' AND w.resource NOT LIKE 'syscall%'
GROUP BY k.resource, w."index"
HAVING EXISTS (SELECT 1 FROM GROSR_HOLD h WHERE h.resource = k.resource AND h."index" = w."index")
ORDER BY waited_ns DESC LIMIT 16;
