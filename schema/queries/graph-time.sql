-- CUDA graphs recorded as a whole: how often each was launched, total time and percentiles
WITH
bins AS (
    SELECT what, which, bin, n, total_ns, max_ns FROM GROSR_DURATION WHERE measure = 'graph'),
ranked AS (
    SELECT *, sum(CASE WHEN bin >= 0 THEN n END) OVER (PARTITION BY what, which ORDER BY bin) AS upto,
           sum(CASE WHEN bin >= 0 THEN n END) OVER (PARTITION BY what, which) AS total FROM bins)
SELECT coalesce(s.value, 'graph') AS name, which >> 24 AS pid, nullif(which & 0xffffff, 0xffffff) AS device, sum(n) AS launches,
       sum(total_ns) AS total_ns, min(CASE WHEN upto * 100 >= 50 * total THEN max_ns END) AS p50_ns,
       min(CASE WHEN upto * 100 >= 90 * total THEN max_ns END) AS p90_ns,
       min(CASE WHEN upto * 100 >= 99 * total THEN max_ns END) AS p99_ns, max(max_ns) AS max_ns
FROM ranked LEFT JOIN StringIds s ON s.id = what GROUP BY what, which ORDER BY total_ns DESC, s.value, which;
