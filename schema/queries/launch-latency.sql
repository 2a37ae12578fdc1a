-- each CUDA kernel: time from the start of the API call that launched it to its own start
WITH
names AS (
    SELECT what AS id, min(which) AS brief FROM GROSR_DURATION WHERE measure = 'kernel_name' GROUP BY what),
bins AS (
    SELECT what AS id, bin, sum(n) AS n, sum(total_ns) AS total_ns, max(max_ns) AS max_ns
    FROM GROSR_DURATION WHERE measure = 'launch' AND bin >= 0 GROUP BY what, bin),
ranked AS (
    SELECT *, sum(n) OVER (PARTITION BY id ORDER BY bin) AS upto, sum(n) OVER (PARTITION BY id) AS total FROM bins)
SELECT coalesce(b.value, s.value) AS name, total AS launches, sum(total_ns) / total AS mean_ns,
       min(CASE WHEN upto * 100 >= 50 * total THEN max_ns END) AS p50_ns,
       min(CASE WHEN upto * 100 >= 90 * total THEN max_ns END) AS p90_ns,
       min(CASE WHEN upto * 100 >= 99 * total THEN max_ns END) AS p99_ns,
       max(max_ns) AS max_ns, s.value AS full_name
FROM ranked LEFT JOIN StringIds s ON s.id = ranked.id
LEFT JOIN names n ON n.id = ranked.id LEFT JOIN StringIds b ON b.id = n.brief GROUP BY ranked.id ORDER BY max_ns DESC, s.value;
