-- percentiles of the time tasks spent in the queue
WITH
bins AS (
    SELECT bin, sum(n) AS n, sum(total_ns) AS total_ns, max(max_ns) AS max_ns
    FROM GROSR_DURATION WHERE measure = 'queued' AND bin >= 0 GROUP BY bin),
ranked AS (SELECT *, sum(n) OVER (ORDER BY bin) AS upto, sum(n) OVER () AS total FROM bins)
SELECT total AS tasks, sum(total_ns) / total AS mean_ns,
       min(CASE WHEN upto * 100 >= 50 * total THEN max_ns END) AS p50_ns,
       min(CASE WHEN upto * 100 >= 90 * total THEN max_ns END) AS p90_ns,
       min(CASE WHEN upto * 100 >= 99 * total THEN max_ns END) AS p99_ns,
       max(max_ns) AS max_ns
FROM ranked GROUP BY total;
