-- each worker: tasks run, spawned and given to others; of those it ran, how many others had spawned, their time queued
WITH moved AS (
    SELECT what AS worker, sum(n) AS n, sum(total_ns) / sum(CASE WHEN bin >= 0 THEN n END) AS mean_ns
    FROM GROSR_DURATION WHERE measure = 'stolen' GROUP BY what)
SELECT w.worker, w.sm, w.tasks, w.spawned, w.shared, coalesce(m.n, 0) AS from_others, m.mean_ns AS mean_queued_ns
FROM workers w LEFT JOIN moved m USING (worker) ORDER BY w.worker;
