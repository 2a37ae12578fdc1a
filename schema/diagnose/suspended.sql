-- tasks of session ?1 whose latest run ended and that have not resumed
SELECT t.task, t.next, t.end FROM (
    SELECT task, worker, next, max(start) AS start, end FROM GROSR_TASK GROUP BY task) t
JOIN GROSR_WORKER w ON w.worker = t.worker
WHERE t.next IS NOT NULL AND t.end IS NOT NULL AND w.session = ?1 ORDER BY t.end, t.task LIMIT 100;
