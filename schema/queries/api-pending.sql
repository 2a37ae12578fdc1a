-- what had not ended: API calls and what they wait for, the first launch of each stream, how many are behind it, captures
WITH p AS MATERIALIZED (
    SELECT p.*, coalesce(s.end, now.ns) - p.start AS age_ns
    FROM pending p LEFT JOIN GROSR_SESSION s USING (session)
    -- While it is recorded: by the wall clock, to a millisecond.
    LEFT JOIN (SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000000 - utcEpochNs AS ns
               FROM TARGET_INFO_SESSION_START_TIME LIMIT 1) now),
streams AS MATERIALIZED (SELECT pid, stream, min(start) AS start FROM p WHERE place IS NOT NULL GROUP BY pid, stream),
-- CUPTI withholds the record of a transfer while a kernel behind it runs. One that had nothing to wait for, in its stream or
-- another, has ended: nothing moves as slowly as 100 MB/s, and a stream writes a word at once.
o AS (SELECT p.*, p.kind IN ('memcpy', 'memset', 'write value') AND p.age_ns > 1000000000 + 10 * coalesce(p.bytes, 0) AND NOT EXISTS (
          SELECT 1 FROM streams e WHERE e.pid = p.pid AND e.start < p.start AND e.stream IS NOT p.stream)
          AS over
      FROM p),
first AS MATERIALIZED (
    SELECT o.*, coalesce(sum(NOT o.over) OVER (PARTITION BY o.session, o.stream, o.place IS NULL ORDER BY o.place
                         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) = 0 OR o.place IS NULL AS is_first FROM o),
runs AS MATERIALIZED (
    SELECT pid, group_concat(name, ', ') AS names
    FROM (SELECT pid, name FROM first WHERE kind IN ('kernel', 'graph') AND is_first ORDER BY pid, start) GROUP BY pid)
SELECT f.kind, f.name, f.pid, f.tid, f.waits_for, f.stream, f.start, f.age_ns, f.behind, f.kernels,
       iif(f.kind = 'call', r.names, NULL) AS may_run
FROM first f LEFT JOIN runs r ON r.pid = f.pid
WHERE f.is_first AND (NOT f.over OR f.behind = 0)
ORDER BY f.kind <> 'call', f.start, f.tid;
