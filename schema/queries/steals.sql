-- each worker: tasks run, spawned and given to others; of those it ran, how many others had spawned, their time queued
WITH moved AS (
    SELECT worker, count(*) AS n, round(avg(queued_ns)) AS mean_ns FROM tasks JOIN GROSR_SESSION s USING (session)
    WHERE spawned AND enqueue IS NOT NULL AND (task >> 27 & 4095) + s.first_worker <> worker GROUP BY worker)
SELECT w.worker, w.sm, w.tasks, w.spawned, w.shared, coalesce(m.n, 0) AS from_others, m.mean_ns AS mean_queued_ns
FROM workers w LEFT JOIN moved m USING (worker) ORDER BY w.worker;
