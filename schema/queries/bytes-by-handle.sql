-- bytes that system calls read and wrote, by handle
SELECT session, handle, sum(call IN ('read', 'pread')) AS reads,
       coalesce(sum(CASE WHEN call IN ('read', 'pread') THEN bytes ELSE 0 END), 0) AS read_bytes,
       sum(call IN ('write', 'pwrite')) AS writes,
       coalesce(sum(CASE WHEN call IN ('write', 'pwrite') THEN bytes ELSE 0 END), 0) AS written_bytes,
       count(CASE WHEN result < 0 THEN 1 END) AS failed, min(start) AS first, max(end) AS last
FROM syscalls
WHERE call IN ('read', 'pread', 'write', 'pwrite')
GROUP BY session, handle
ORDER BY read_bytes + written_bytes DESC, session, handle;
