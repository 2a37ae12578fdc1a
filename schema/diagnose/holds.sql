-- what is held in session ?1; where a later hold of the same thing began, which only one can have, the end of this one was lost
WITH
open AS MATERIALIZED (
    SELECT h.worker, h.resource, k.resource AS number, h."index", coalesce(h.resource_name, h.resource || ' ' || h."index") AS name,
           h.start
    FROM holds h JOIN GROSR_RESOURCE_KIND k ON k.name = h.resource
    WHERE h.end IS NULL AND h.start IS NOT NULL AND h.session = ?1),
latest AS (
    SELECT resource, "index", max(start) AS start FROM GROSR_HOLD
    WHERE (resource, "index") IN (SELECT number, "index" FROM open) GROUP BY resource, "index")
SELECT o.worker, o.resource, o."index", o.name, o.start
FROM open o CROSS JOIN latest l ON l.resource = o.number AND l."index" = o."index"
WHERE l.start = o.start OR o.resource IN ('memory', 'room', 'item')
ORDER BY o.worker, o.start, o."index";
