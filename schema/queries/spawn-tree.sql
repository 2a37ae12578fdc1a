-- each task function: runs, tasks that others spawned, suspensions, time suspended until the task went on
WITH runs AS (
    SELECT function, spawned AND enqueue IS NOT NULL AS spawned, next,
           CASE WHEN next <> '(nothing)' THEN lead(start) OVER (PARTITION BY task ORDER BY start) - end END AS away_ns
    FROM tasks)
SELECT function, count(*) AS runs, sum(spawned) AS spawned, count(next) AS suspended, sum(away_ns) AS suspended_ns,
       round(avg(away_ns)) AS mean_suspended_ns, max(away_ns) AS max_suspended_ns
FROM runs GROUP BY function ORDER BY runs DESC, function;
