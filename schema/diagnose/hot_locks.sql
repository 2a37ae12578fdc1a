-- the locks and the like of session ?1, of those that were held: for how long from ?2 to ?3 at least half of the workers waited for it
--
-- If those who wait began to after ?2, somebody has acquired it since: what stands still is not slow.
WITH
lately AS (
    SELECT k.resource, w."index", coalesce(w.resource_name, w.resource || ' ' || w."index") AS name, w.start AS since,
           max(w.start, ?2) AS start, min(coalesce(w.end, ?3), ?3) AS end
    FROM waits w JOIN GROSR_RESOURCE_KIND k ON k.name = w.resource
    WHERE w.session = ?1 AND w.worker IS NOT NULL AND w.state <> 'end lost' AND w.start < ?3 AND coalesce(w.end, ?3) > ?2
          AND w.resource NOT LIKE 'queue%' AND w.resource NOT LIKE 'syscall%'),
half AS (SELECT max(2, (count(*) + 1) / 2) AS workers FROM GROSR_WORKER WHERE session = ?1 AND end IS NULL),
firsts AS (SELECT resource, "index", min(since) AS since FROM lately GROUP BY resource, "index"),
changes AS (
    SELECT resource, "index", name, start AS time, 1 AS change FROM lately
    UNION ALL SELECT resource, "index", name, end, -1 FROM lately),
waiting AS (
    SELECT resource, "index", name, lead(time) OVER (PARTITION BY resource, "index" ORDER BY time, change) - time AS ns,
           sum(change) OVER (PARTITION BY resource, "index" ORDER BY time, change ROWS UNBOUNDED PRECEDING) AS workers
    FROM changes),
hot AS MATERIALIZED (
    SELECT w.resource, w."index", w.name, sum(w.ns) AS hot_ns FROM waiting w JOIN half ON w.workers >= half.workers
    GROUP BY w.resource, w."index"),
held AS (
    SELECT resource, "index", max(start) AS latest FROM GROSR_HOLD
    WHERE (resource, "index") IN (SELECT resource, "index" FROM hot) GROUP BY resource, "index")
SELECT w.name, w.hot_ns
FROM hot w CROSS JOIN firsts f ON f.resource = w.resource AND f."index" = w."index"
CROSS JOIN held h ON h.resource = w.resource AND h."index" = w."index" AND (f.since <= ?2 OR h.latest > f.since)
ORDER BY w.hot_ns DESC LIMIT 16;
