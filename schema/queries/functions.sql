-- each task function: how many, total, mean and longest run, mean time in the queue, failures
SELECT function, count(*) AS tasks, sum(run_ns) AS total_ns, round(avg(run_ns)) AS mean_ns, max(run_ns) AS max_ns,
       round(avg(queued_ns)) AS mean_queued_ns, sum(status <> 0) AS failed
FROM tasks GROUP BY function ORDER BY total_ns DESC;
