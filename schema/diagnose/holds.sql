-- what is held in session ?1; where a later hold of the same thing began, which only one can have, the end of this one was lost
SELECT h.worker, h.resource, h."index", coalesce(h.resource_name, h.resource || ' ' || h."index") AS name, h.start
FROM holds h JOIN GROSR_RESOURCE_KIND k ON k.name = h.resource
WHERE h.end IS NULL AND h.start IS NOT NULL AND h.session = ?1
      AND (h.resource IN ('memory', 'room', 'item')
           OR NOT EXISTS (SELECT 1 FROM GROSR_HOLD l WHERE l.resource = k.resource AND l."index" = h."index" AND l.start > h.start))
ORDER BY h.worker, h.start, h."index";
