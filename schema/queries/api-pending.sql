-- what had not ended: API calls and what they wait for, the first launch of each stream, how many are behind it, captures
SELECT p.kind, p.name, p.pid, p.tid, p.waits_for, p.stream, p.start, coalesce(s.end, now.ns) - p.start AS age_ns, p.behind,
       p.kernels, CASE WHEN p.kind = 'call' THEN
           (SELECT group_concat(name, ', ') FROM (SELECT k.name FROM pending k WHERE k.kind IN ('kernel', 'graph')
            AND k.pid = p.pid AND coalesce(k.ahead, 0) = 0 ORDER BY k.start)) END AS may_run
FROM pending p LEFT JOIN GROSR_SESSION s USING (session)
-- While it is recorded: by the wall clock, to a millisecond.
LEFT JOIN (SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000000 - utcEpochNs AS ns
           FROM TARGET_INFO_SESSION_START_TIME LIMIT 1) now
WHERE coalesce(p.ahead, 0) = 0
ORDER BY p.kind <> 'call', p.start, p.tid;
