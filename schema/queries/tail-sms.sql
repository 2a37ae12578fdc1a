-- on which SMs the slowest 1 % of the tasks ended, and how long those had queued
WITH
bins AS (SELECT bin, sum(n) AS n FROM GROSR_DURATION WHERE measure = 'latency' AND bin >= 0 GROUP BY bin),
ranked AS (SELECT bin, sum(n) OVER (ORDER BY bin) AS upto, sum(n) OVER () AS total FROM bins),
cut AS (SELECT min(bin) AS bin FROM ranked WHERE upto * 100 >= 99 * total),
sms AS (
    SELECT f.session, nullif(which, -1) AS sm, sum(n) AS tasks, sum(CASE WHEN d.bin >= c.bin THEN n ELSE 0 END) AS slow,
           sum(CASE WHEN d.bin >= c.bin THEN total_ns END) AS total_ns, sum(CASE WHEN d.bin >= c.bin THEN part END) AS queued_ns
    FROM GROSR_DURATION d JOIN cut c LEFT JOIN GROSR_FUNCTION f ON f.function = d.what
    WHERE measure = 'latency' AND d.bin >= 0 GROUP BY f.session, which)
SELECT session, sm, tasks, slow, round(100.0 * slow / tasks, 2) AS slow_pct, total_ns / slow AS mean_slow_ns,
       queued_ns / slow AS mean_slow_queued_ns
FROM sms ORDER BY slow_pct DESC, slow DESC, session, sm;
