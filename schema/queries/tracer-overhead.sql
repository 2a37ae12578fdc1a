-- what tracing cost: events, losses, events for a run of a task, and on a GPU their time by the 40 ns that one was measured to take
WITH
rings AS (
    SELECT session, sum(written) AS events, sum(dropped + overwritten) AS lost FROM GROSR_RING
    WHERE worker IS NOT NULL GROUP BY session),
lives AS (
    SELECT session, sum(w.tasks) AS runs, sum(coalesce(w.end, s.end) - w.start) AS worker_ns
    FROM GROSR_WORKER w JOIN GROSR_SESSION s USING (session) GROUP BY session)
SELECT s.session, s.device, r.events, r.lost, l.runs, round(1.0 * r.events / nullif(l.runs, 0), 2) AS events_per_run,
       l.worker_ns, CASE s.device WHEN 'cuda' THEN 40 * r.events END AS tracing_ns,
       CASE s.device WHEN 'cuda' THEN round(4000.0 * r.events / nullif(l.worker_ns, 0), 3) END AS tracing_pct
FROM GROSR_SESSION s JOIN rings r USING (session) LEFT JOIN lives l USING (session) ORDER BY s.session;
