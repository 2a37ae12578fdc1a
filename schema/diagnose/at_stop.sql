-- whether session ?1 may have been stuck or slow at ?3, when it was stopped
--
-- It was not if all was done then (?4 tasks were not completed), or if it moved after ?2 and nothing in the trace lasted as long. What
-- workers wait for lately may be a thing that is always taken, if it is not a task.
WITH
workers AS (
    SELECT w.worker,
           (SELECT coalesce(t.end > ?3, 1) FROM GROSR_TASK t WHERE t.worker = w.worker AND t.start <= ?3
            ORDER BY t.start DESC LIMIT 1) AS in_task,
           (SELECT x.resource <> 1 AND coalesce(x.end > ?2, 1) FROM GROSR_WAIT x WHERE x.worker = w.worker AND x.start <= ?3
            ORDER BY x.start DESC LIMIT 1) AS waits,
           EXISTS (SELECT 1 FROM GROSR_TASK t WHERE t.worker = w.worker AND t.start > ?2 AND t.start <= ?3) AS moved
    FROM GROSR_WORKER w WHERE w.session = ?1 AND w.start <= ?3),
session AS (SELECT max(waits) AS waits, max(in_task) AS in_task, max(moved) AS moved FROM workers)
SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM GROSR_META WHERE key = 'complete') THEN ?4 <> 0 -- there are no indexes yet
            WHEN waits THEN 1
            WHEN coalesce(in_task, 0) = 0 AND ?4 = 0 THEN 0
            WHEN coalesce(moved, 0) = 0 THEN 1
            ELSE EXISTS (SELECT 1 FROM GROSR_DURATION WHERE measure = 'run' AND max_ns >= ?3 - ?2)
                OR EXISTS (SELECT 1 FROM GROSR_DURATION WHERE measure = 'wait' AND what <> 1 AND max_ns >= ?3 - ?2)
                OR EXISTS (SELECT 1 FROM GROSR_TASK WHERE "end" IS NULL AND +start <= ?2)
                OR EXISTS (SELECT 1 FROM GROSR_WAIT WHERE "end" IS NULL AND +start <= ?2 AND resource <> 1) END
FROM session;
