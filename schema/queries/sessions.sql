-- the sessions in the trace: process, device, workers, runs of tasks, when, how it ended
WITH work AS (SELECT session, count(*) AS workers, sum(tasks) AS runs FROM GROSR_WORKER GROUP BY session)
SELECT s.session, s.pid, s.program, s.device, s.device_name, coalesce(w.workers, 0) AS workers, coalesce(w.runs, 0) AS runs,
       s.start_mono_ns - (SELECT start_mono_ns FROM GROSR_SESSION WHERE session = 1) AS start, s.end,
       CASE WHEN s.died THEN 'died' WHEN s.detached THEN 'recording stopped' WHEN s.end IS NULL THEN 'not ended' ELSE 'closed' END
           AS ending
FROM GROSR_SESSION s LEFT JOIN work w USING (session) ORDER BY s.session;
