-- of the tasks that suspended, the 20 that took longest from enqueue to end: runs, and where the time went
SELECT c.task, c.session, f.name AS function, c.runs, c.enqueue, c.end - c.enqueue AS latency_ns, c.start - c.enqueue AS queued_ns,
       c.run_ns, c.suspended_ns
FROM GROSR_TASK_CHAIN c LEFT JOIN GROSR_FUNCTION f ON f.function = c.function
ORDER BY latency_ns DESC, c.session, c.task LIMIT 20;
