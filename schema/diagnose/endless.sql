-- tasks of session ?1 that had not ended, and the runs of their functions that had: how many, and the longest
SELECT t.worker, t.task, t.function, t.start, d.ended, d.longest_ns
FROM tasks t JOIN (
    SELECT f.name, count(*) AS ended, max(r.end - r.start) AS longest_ns FROM GROSR_TASK r
    JOIN GROSR_FUNCTION f ON f.function = r.function WHERE r.end IS NOT NULL GROUP BY r.function) d ON d.name = t.function
WHERE t.end IS NULL AND t.state = 'open' AND t.session = ?1 ORDER BY t.start, t.worker LIMIT 16;
