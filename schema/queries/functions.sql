-- each task function: runs, total, mean and longest time, mean time in the queue, suspensions, failures
WITH f AS (
    SELECT what AS function, sum(CASE measure WHEN 'run' THEN n ELSE 0 END) AS runs,
           sum(CASE measure WHEN 'run' THEN total_ns END) AS total_ns,
           sum(CASE WHEN measure = 'run' AND bin >= 0 THEN n END) AS timed,
           max(CASE WHEN measure = 'run' AND bin >= 0 THEN max_ns END) AS max_ns,
           sum(CASE measure WHEN 'queued' THEN total_ns END) AS queued_ns,
           sum(CASE WHEN measure = 'queued' AND bin >= 0 THEN n END) AS queued,
           sum(CASE measure WHEN 'suspended' THEN n ELSE 0 END) AS suspended,
           sum(CASE measure WHEN 'failed' THEN n ELSE 0 END) AS failed
    FROM GROSR_DURATION WHERE measure IN ('run', 'queued', 'suspended', 'failed') GROUP BY what)
SELECT name AS function, runs, total_ns, total_ns / timed AS mean_ns, max_ns,
       queued_ns / queued AS mean_queued_ns, suspended, failed
FROM f LEFT JOIN GROSR_FUNCTION USING (function) ORDER BY total_ns DESC, f.function;
