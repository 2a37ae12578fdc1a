-- each SM: workers, tasks, time in tasks, busiest SMs first
SELECT sm, count(*) AS workers, sum(tasks) AS tasks, sum(busy_ns) AS busy_ns, round(avg(busy_pct), 2) AS busy_pct
FROM workers GROUP BY sm ORDER BY busy_ns DESC;
