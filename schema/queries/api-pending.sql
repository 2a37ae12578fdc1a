-- calls of the CUDA APIs that have not returned, how long they had lasted, and kernels of their process that had not ended
SELECT a.name, a.api, a.pid, a.tid, a.start, coalesce(s.end, now.ns) - a.start AS age_ns,
       (SELECT group_concat(name, ', ') FROM (
            SELECT k.name FROM kernels k WHERE k.end IS NULL AND k.pid = a.pid ORDER BY k.name)) AS running_kernels
FROM api_calls a LEFT JOIN GROSR_SESSION s USING (session)
-- While it is recorded: by the wall clock, to a millisecond.
LEFT JOIN (SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000000 - utcEpochNs AS ns
           FROM TARGET_INFO_SESSION_START_TIME LIMIT 1) now
WHERE a.end IS NULL ORDER BY a.start, a.tid;
