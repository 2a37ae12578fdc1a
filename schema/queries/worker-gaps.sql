-- each SM's workers between two tasks: time neither in tasks nor waiting (the scheduler's own), and time waiting
WITH
bins AS (
    SELECT what AS session, which AS sm, bin, sum(n) AS n, sum(total_ns) AS total_ns, max(max_ns) AS max_ns,
           sum(part) AS waited_ns
    FROM GROSR_DURATION WHERE measure = 'gap' GROUP BY what, which, bin),
ranked AS (
    SELECT *, sum(n) OVER (PARTITION BY session, sm ORDER BY bin) AS upto, sum(n) OVER (PARTITION BY session, sm) AS total
    FROM bins)
SELECT session, sm, total AS gaps, sum(total_ns) AS total_ns, sum(total_ns) / total AS mean_ns,
       min(CASE WHEN upto * 100 >= 50 * total THEN max_ns END) AS p50_ns,
       min(CASE WHEN upto * 100 >= 90 * total THEN max_ns END) AS p90_ns,
       min(CASE WHEN upto * 100 >= 99 * total THEN max_ns END) AS p99_ns,
       max(max_ns) AS max_ns, sum(waited_ns) AS waited_ns
FROM ranked GROUP BY session, sm ORDER BY total_ns DESC, session, sm;
