-- each part of the trace: runs of tasks that started, per second, time in tasks and its share of the workers' time
WITH
runs AS (SELECT which AS bin, sum(n) AS runs FROM GROSR_DURATION WHERE measure = 'queued' GROUP BY which),
busy AS (SELECT bin, sum(busy_ns) AS busy_ns, sum(life_ns) AS life_ns FROM GROSR_SM_BUSY GROUP BY bin)
SELECT t.start, t.end, coalesce(r.runs, 0) AS runs, 1000000000 * coalesce(r.runs, 0) / (t.end - t.start) AS runs_per_s,
       coalesce(b.busy_ns, 0) AS busy_ns, round(100.0 * b.busy_ns / nullif(b.life_ns, 0), 2) AS busy_pct
FROM GROSR_TIME_BIN t LEFT JOIN runs r USING (bin) LEFT JOIN busy b USING (bin) ORDER BY t.bin;
