-- the slowest 1 % of the tasks, from enqueue to end, against the rest: which functions, and how long in the queue
WITH
bins AS (SELECT bin, sum(n) AS n FROM GROSR_DURATION WHERE measure = 'latency' AND bin >= 0 GROUP BY bin),
ranked AS (SELECT bin, sum(n) OVER (ORDER BY bin) AS upto, sum(n) OVER () AS total FROM bins),
cut AS (SELECT min(bin) AS bin FROM ranked WHERE upto * 100 >= 99 * total),
parts AS (
    SELECT d.bin >= c.bin AS slow, what, sum(n) AS n, sum(total_ns) AS total_ns, sum(part) AS queued_ns, max(max_ns) AS max_ns
    FROM GROSR_DURATION d, cut c WHERE measure = 'latency' AND d.bin >= 0 GROUP BY 1, 2)
SELECT CASE slow WHEN 1 THEN 'slowest' ELSE 'rest' END AS part, f.name AS function, n AS tasks,
       round(100.0 * n / sum(n) OVER (PARTITION BY slow), 2) AS tasks_pct, total_ns / n AS mean_ns,
       queued_ns / n AS mean_queued_ns, (total_ns - queued_ns) / n AS mean_after_ns,
       round(100.0 * queued_ns / nullif(total_ns, 0), 1) AS queued_pct, max_ns
FROM parts LEFT JOIN GROSR_FUNCTION f ON f.function = what ORDER BY slow DESC, n DESC, what;
