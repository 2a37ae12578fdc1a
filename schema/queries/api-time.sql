-- each function of the CUDA APIs: calls, those that have not returned, those that returned an error, total time and percentiles
WITH
bins AS (
    SELECT what, which, bin, n, total_ns, max_ns, part FROM GROSR_DURATION WHERE measure = 'api'),
ranked AS (
    SELECT *, sum(CASE WHEN bin >= 0 THEN n END) OVER (PARTITION BY what, which ORDER BY bin) AS upto,
           sum(CASE WHEN bin >= 0 THEN n END) OVER (PARTITION BY what, which) AS total FROM bins)
SELECT s.value AS name, CASE which WHEN 0 THEN 'runtime' ELSE 'driver' END AS api, sum(n) AS calls,
       sum(CASE WHEN bin < 0 THEN n ELSE 0 END) AS pending, sum(part) AS errors, sum(total_ns) AS total_ns,
       min(CASE WHEN upto * 100 >= 50 * total THEN max_ns END) AS p50_ns,
       min(CASE WHEN upto * 100 >= 90 * total THEN max_ns END) AS p90_ns,
       min(CASE WHEN upto * 100 >= 99 * total THEN max_ns END) AS p99_ns,
       max(CASE WHEN bin >= 0 THEN max_ns END) AS max_ns
FROM ranked LEFT JOIN StringIds s ON s.id = what GROUP BY what, which ORDER BY total_ns DESC, s.value, which;
