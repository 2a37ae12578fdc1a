-- GPU memory that was not freed, by the task function that allocated it: blocks, bytes, the first and the last malloc
SELECT a.session, f.name AS function, count(*) AS blocks, sum(a.requested_bytes) AS requested_bytes,
       sum(a.reserved_bytes) AS reserved_bytes, count(DISTINCT a.task) AS tasks, min(a.start) AS first_start,
       max(a.start) AS last_start
FROM GROSR_ALLOCATION a LEFT JOIN GROSR_FUNCTION f ON f.function = a.function
WHERE a.end IS NULL AND NOT a.end_lost
GROUP BY a.session, a.function ORDER BY reserved_bytes DESC, a.session, f.name;
