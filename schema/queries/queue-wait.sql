-- percentiles of the time tasks spent in the queue
WITH ranked AS (
    SELECT queued_ns, row_number() OVER (ORDER BY queued_ns) - 1 AS i, count(*) OVER () AS n
    FROM tasks WHERE queued_ns IS NOT NULL)
SELECT n AS tasks, min(queued_ns) AS min_ns,
       max(CASE WHEN i <= 0.50 * (n - 1) THEN queued_ns END) AS p50_ns,
       max(CASE WHEN i <= 0.90 * (n - 1) THEN queued_ns END) AS p90_ns,
       max(CASE WHEN i <= 0.99 * (n - 1) THEN queued_ns END) AS p99_ns,
       max(queued_ns) AS max_ns
FROM ranked GROUP BY n;
