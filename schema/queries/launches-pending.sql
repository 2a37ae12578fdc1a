-- launches that had not ended, in the order of their streams: the first of each may be running, the others wait behind it
SELECT p.stream, p.place, p.ahead, p.kind, p.name, p.pid, p.tid, p.start, coalesce(s.end, now.ns) - p.start AS age_ns, p.grid,
       p.bytes, p.kernels, p.correlation
FROM pending p LEFT JOIN GROSR_SESSION s USING (session)
LEFT JOIN (SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000000 - utcEpochNs AS ns
           FROM TARGET_INFO_SESSION_START_TIME LIMIT 1) now
WHERE p.kind IN ('kernel', 'memcpy', 'memset', 'host function', 'graph', 'wait value', 'write value')
ORDER BY p.pid, p.stream, p.place, p.start;
