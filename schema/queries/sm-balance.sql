-- each SM: workers, tasks, time in tasks, that as a share of the mean SM's, busiest SMs first
WITH sms AS (
    SELECT session, sm, count(*) AS workers, sum(tasks) AS tasks, sum(busy_ns) AS busy_ns, round(avg(busy_pct), 2) AS busy_pct
    FROM workers GROUP BY session, sm)
SELECT session, sm, workers, tasks, busy_ns, busy_pct,
       round(100.0 * busy_ns / nullif(avg(busy_ns) OVER (PARTITION BY session), 0), 1) AS of_mean_pct
FROM sms ORDER BY busy_ns DESC, session, sm;
