-- each queue: its maximum and mean depth as sampled, and how long it was full
SELECT session, queue, capacity, count(*) AS samples, max(depth) AS max_depth, round(avg(depth), 1) AS mean_depth,
       round(100.0 * avg(depth >= capacity), 2) AS full_pct, max(enqueued) AS enqueued, max(dequeued) AS dequeued
FROM queue_depth GROUP BY session, queue ORDER BY session, queue;
