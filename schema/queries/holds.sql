-- each resource that was held: how often, holds that had not ended, total time and percentiles
WITH
bins AS (
    SELECT what, which, bin, n, total_ns, max_ns FROM GROSR_DURATION WHERE measure = 'hold'),
ranked AS (
    SELECT *, sum(CASE WHEN bin >= 0 THEN n END) OVER (PARTITION BY what, which ORDER BY bin) AS upto,
           sum(CASE WHEN bin >= 0 THEN n END) OVER (PARTITION BY what, which) AS total FROM bins)
SELECT k.name AS resource, which AS "index", coalesce(q.name, n.text || ' ' || (which & 0xffffffff)) AS name,
       sum(ranked.n) AS holds,
       sum(CASE WHEN bin < 0 THEN ranked.n ELSE 0 END) AS unfinished, sum(total_ns) AS total_ns,
       min(CASE WHEN upto * 100 >= 50 * total THEN max_ns END) AS p50_ns,
       min(CASE WHEN upto * 100 >= 90 * total THEN max_ns END) AS p90_ns,
       min(CASE WHEN upto * 100 >= 99 * total THEN max_ns END) AS p99_ns,
       max(CASE WHEN bin >= 0 THEN max_ns END) AS max_ns
FROM ranked LEFT JOIN GROSR_RESOURCE_KIND k ON k.resource = what
LEFT JOIN GROSR_QUEUE q ON q.queue = which AND k.name LIKE 'queue%'
LEFT JOIN GROSR_NAME n ON n.name = which >> 32 AND k.name NOT LIKE 'queue%' AND k.name NOT LIKE 'syscall%'
GROUP BY what, which ORDER BY total_ns DESC, what, which;
