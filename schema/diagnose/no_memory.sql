-- tasks of session ?1 that had not ended and had asked for memory that there was not
SELECT t.worker, t.task, max(e.value) AS bytes, min(e.time) AS since
FROM GROSR_HEAP_ERROR e JOIN tasks t ON t.task = e.task AND t.worker = e.worker
WHERE e.kind = 1 AND e.session = ?1 AND t.session = ?1 AND t.end IS NULL AND t.state = 'open' AND e.time >= t.start
GROUP BY t.worker, t.task ORDER BY t.worker, t.task;
