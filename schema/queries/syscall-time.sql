-- where the time of system calls goes, by call: crossing to the host, being made there, crossing back and resuming
SELECT session, call, count(*) AS calls, sum(duration_ns) AS total_ns, CAST(round(avg(duration_ns)) AS INTEGER) AS mean_ns,
       max(duration_ns) AS max_ns, round(100.0 * sum(request_ns) / nullif(sum(duration_ns), 0), 1) AS request_pct,
       round(100.0 * sum(served_ns) / nullif(sum(duration_ns), 0), 1) AS served_pct,
       round(100.0 * sum(reply_ns) / nullif(sum(duration_ns), 0), 1) AS reply_pct
FROM syscalls
WHERE duration_ns IS NOT NULL
GROUP BY session, call
ORDER BY session, total_ns DESC, call;
