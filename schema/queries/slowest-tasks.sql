-- the 20 longest runs of tasks: where, time in the queue, what they resumed as
SELECT t.task, f.name AS function, t.worker, w.sm, t.start - t.enqueue AS queued_ns, t.end - t.start AS run_ns, t.start,
       CASE t.next WHEN -1 THEN '(nothing)' ELSE coalesce(n.name, '(' || t.next || ')') END AS next
FROM GROSR_TASK_SLOWEST t
LEFT JOIN GROSR_FUNCTION f ON f.function = t.function
LEFT JOIN GROSR_FUNCTION n ON n.function = t.next
LEFT JOIN GROSR_WORKER w ON w.worker = t.worker
ORDER BY run_ns DESC, t.task, t.start LIMIT 20;
