-- each CUDA kernel: how often it ran, total time and percentiles
WITH
names AS (
    SELECT what AS id, min(which) AS brief FROM GROSR_DURATION WHERE measure = 'kernel_name' GROUP BY what),
bins AS (
    SELECT what, which, bin, n, total_ns, max_ns FROM GROSR_DURATION WHERE measure = 'kernel'),
ranked AS (
    SELECT *, sum(CASE WHEN bin >= 0 THEN n END) OVER (PARTITION BY what, which ORDER BY bin) AS upto,
           sum(CASE WHEN bin >= 0 THEN n END) OVER (PARTITION BY what, which) AS total FROM bins)
SELECT coalesce(b.value, s.value) AS name, which >> 24 AS pid, which & 0xffffff AS device, sum(n) AS kernels,
       sum(CASE WHEN bin < 0 THEN n ELSE 0 END) AS unfinished, sum(total_ns) AS total_ns,
       min(CASE WHEN upto * 100 >= 50 * total THEN max_ns END) AS p50_ns,
       min(CASE WHEN upto * 100 >= 90 * total THEN max_ns END) AS p90_ns,
       min(CASE WHEN upto * 100 >= 99 * total THEN max_ns END) AS p99_ns,
       max(CASE WHEN bin >= 0 THEN max_ns END) AS max_ns, s.value AS full_name
FROM ranked LEFT JOIN StringIds s ON s.id = what
LEFT JOIN names n ON n.id = what LEFT JOIN StringIds b ON b.id = n.brief
GROUP BY what, which ORDER BY total_ns DESC, s.value, which;
