-- percentiles of the time in the queue, of the tasks that started in each part of the trace
WITH
bins AS (
    SELECT which AS id, bin, sum(n) AS n, sum(total_ns) AS total_ns, max(max_ns) AS max_ns
    FROM GROSR_DURATION WHERE measure = 'queued' AND bin >= 0 GROUP BY which, bin),
ranked AS (
    SELECT *, sum(n) OVER (PARTITION BY id ORDER BY bin) AS upto, sum(n) OVER (PARTITION BY id) AS total FROM bins)
SELECT t.start, t.end, max(total) AS tasks, sum(total_ns) / max(total) AS mean_ns,
       min(CASE WHEN upto * 100 >= 50 * total THEN max_ns END) AS p50_ns,
       min(CASE WHEN upto * 100 >= 90 * total THEN max_ns END) AS p90_ns,
       min(CASE WHEN upto * 100 >= 99 * total THEN max_ns END) AS p99_ns,
       max(max_ns) AS max_ns
FROM GROSR_TIME_BIN t LEFT JOIN ranked ON id = t.bin GROUP BY t.bin ORDER BY t.bin;
