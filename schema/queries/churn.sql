-- GPU memory blocks by the task function that allocated them: how many, bytes asked for, those that had not ended, lifetimes
WITH
bins AS (
    SELECT what, bin, sum(n) AS n, sum(total_ns) AS total_ns, max(max_ns) AS max_ns, sum(part) AS bytes
    FROM GROSR_DURATION WHERE measure = 'block' GROUP BY what, bin),
ranked AS (
    SELECT *, sum(CASE WHEN bin >= 0 THEN n END) OVER (PARTITION BY what ORDER BY bin) AS upto,
           sum(CASE WHEN bin >= 0 THEN n END) OVER (PARTITION BY what) AS total FROM bins)
SELECT f.session, f.name AS function, sum(r.n) AS blocks, sum(r.bytes) AS requested_bytes,
       sum(r.bytes) / sum(r.n) AS mean_bytes, sum(CASE WHEN r.bin < 0 THEN r.n ELSE 0 END) AS unfinished,
       min(CASE WHEN upto * 100 >= 50 * total THEN max_ns END) AS p50_ns,
       min(CASE WHEN upto * 100 >= 99 * total THEN max_ns END) AS p99_ns,
       max(CASE WHEN bin >= 0 THEN max_ns END) AS max_ns
FROM ranked r LEFT JOIN GROSR_FUNCTION f ON f.function = r.what
GROUP BY r.what ORDER BY blocks DESC, r.what;
