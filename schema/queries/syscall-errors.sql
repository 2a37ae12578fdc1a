-- system calls that failed, by call and errno, and those that were never answered
SELECT session, call, -result AS errno, count(*) AS calls, min(coalesce(start, served)) AS first, max(coalesce(start, served)) AS last
FROM syscalls
WHERE result < 0 OR replied IS NULL
GROUP BY session, call, result
ORDER BY session, calls DESC, call, errno;
