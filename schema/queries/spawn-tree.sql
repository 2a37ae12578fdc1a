-- each task function: runs, tasks that others spawned, suspensions, time suspended until the task resumed
WITH parts AS (
    SELECT what AS function, sum(CASE measure WHEN 'run' THEN n ELSE 0 END) AS runs,
           sum(CASE measure WHEN 'spawned' THEN n ELSE 0 END) AS spawned,
           sum(CASE measure WHEN 'suspended' THEN n ELSE 0 END) AS suspended,
           sum(CASE WHEN measure = 'suspended' AND bin >= 0 THEN n END) AS resumed,
           sum(CASE WHEN measure = 'suspended' AND bin >= 0 THEN total_ns END) AS suspended_ns,
           max(CASE WHEN measure = 'suspended' AND bin >= 0 THEN max_ns END) AS max_ns
    FROM GROSR_DURATION WHERE measure IN ('run', 'spawned', 'suspended') GROUP BY what)
SELECT f.name AS function, runs, spawned, suspended, suspended_ns, suspended_ns / resumed AS mean_suspended_ns,
       max_ns AS max_suspended_ns
FROM parts LEFT JOIN GROSR_FUNCTION f USING (function) ORDER BY runs DESC, parts.function;
