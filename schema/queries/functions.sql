-- each task function: how many runs, total, mean and longest, mean time in the queue, suspensions, failures
SELECT function, count(*) AS runs, sum(run_ns) AS total_ns, round(avg(run_ns)) AS mean_ns, max(run_ns) AS max_ns,
       round(avg(queued_ns)) AS mean_queued_ns, count(next) AS suspended, count(nullif(status, 0)) AS failed
FROM tasks GROUP BY function ORDER BY total_ns DESC;
