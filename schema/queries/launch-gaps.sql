-- each CUDA stream: how long it was idle between the end of a kernel and the start of the next
WITH
bins AS (
    SELECT what, which, bin, sum(n) AS n, sum(total_ns) AS total_ns, max(max_ns) AS max_ns
    FROM GROSR_DURATION WHERE measure = 'kernel_gap' AND bin >= 0 GROUP BY what, which, bin),
ranked AS (
    SELECT *, sum(n) OVER (PARTITION BY what, which ORDER BY bin) AS upto, sum(n) OVER (PARTITION BY what, which) AS total FROM bins)
SELECT what >> 24 AS pid, what & 0xffffff AS device, which AS stream, total AS gaps, sum(total_ns) AS total_ns,
       sum(total_ns) / total AS mean_ns,
       min(CASE WHEN upto * 100 >= 50 * total THEN max_ns END) AS p50_ns,
       min(CASE WHEN upto * 100 >= 90 * total THEN max_ns END) AS p90_ns,
       min(CASE WHEN upto * 100 >= 99 * total THEN max_ns END) AS p99_ns,
       max(max_ns) AS max_ns
FROM ranked GROUP BY what, which ORDER BY total_ns DESC, what, which;
