-- why the slowest 1 % of each function's tasks took longer than its median ones: each cause's share of the excess
WITH
bins AS (
    SELECT what AS function, bin, sum(n) AS n, max(max_ns) AS max_ns
    FROM GROSR_DURATION WHERE measure = 'latency' AND bin >= 0 GROUP BY what, bin),
ranked AS (
    SELECT *, sum(n) OVER f AS upto, sum(n) OVER (PARTITION BY function) AS total, lag(max_ns, 1, -1) OVER f AS above
    FROM bins WINDOW f AS (PARTITION BY function ORDER BY bin)),
middle AS (SELECT * FROM ranked WHERE 2 * upto >= total AND 2 * (upto - n) < total),
-- The slow bins. The one in which the last hundredth begins is among them if that brings them nearer to a hundredth.
cuts AS (
    SELECT r.function, m.above AS middle_above, m.max_ns AS middle_to, 1 + m.n / 1000 AS middle_every,
           min(r.above) AS slow_above, sum(r.n) AS slow_n, 1 + sum(r.n) / 2000 AS slow_every
    FROM ranked r JOIN middle m ON m.function = r.function
    WHERE r.bin > m.bin AND 100 * r.upto > 99 * r.total
          AND (r.upto = r.total OR 100 * (r.upto - r.n) > 99 * r.total
               OR 10000 * (r.total - r.upto + r.n) * (r.total - r.upto) <= r.total * r.total)
    GROUP BY r.function),
-- First runs with the ends of their tasks; those that suspended end with a later run.
chains AS (
    SELECT t.rowid AS id, t.task, t.function, t.worker, t.enqueue, t.start, max(r.end) AS end
    FROM GROSR_TASK t CROSS JOIN GROSR_WORKER w ON w.worker = t.worker CROSS JOIN GROSR_TASK r ON r.task = t.task AND r.start >= t.start
    JOIN GROSR_WORKER o ON o.worker = r.worker AND o.session = w.session
    WHERE t.next IS NOT NULL AND t.enqueue IS NOT NULL AND t.start IS NOT NULL AND r.status IS NOT NULL GROUP BY t.rowid),
-- Slow and median tasks, of many some. The many that are neither are left out first.
firsts AS (
    SELECT t.rowid AS id, t.task, t.worker, t.enqueue, t.start, t.end, c.*
    FROM GROSR_TASK t CROSS JOIN cuts c ON c.function = coalesce(t.function, -1)
    WHERE t.next IS NULL AND t.start IS NOT NULL AND t.end - t.enqueue > c.middle_above
          AND (t.end - t.enqueue <= c.middle_to OR t.end - t.enqueue > c.slow_above)
    UNION ALL
    SELECT t.id, t.task, t.worker, t.enqueue, t.start, t.end, c.* FROM chains t JOIN cuts c ON c.function = coalesce(t.function, -1)),
picked AS MATERIALIZED (
    SELECT f.id, f.task, w.session, w.sm, f.enqueue, f.start, f.end, f.function, f.end - f.enqueue > f.slow_above AS slow
    FROM firsts f LEFT JOIN GROSR_WORKER w ON w.worker = f.worker
    WHERE CASE WHEN f.end - f.enqueue > f.slow_above THEN (f.id * 2654435761 >> 16) % f.slow_every = 0
               WHEN f.end - f.enqueue > f.middle_above AND f.end - f.enqueue <= f.middle_to
               THEN (f.id * 2654435761 >> 16) % f.middle_every = 0 END),
runs AS MATERIALIZED (
    SELECT p.id, p.function, p.slow, r.worker, r.start, r.end,
           r.start - lag(r.end) OVER (PARTITION BY p.id ORDER BY r.start) AS away_ns
    FROM picked p CROSS JOIN GROSR_TASK r ON r.task = p.task JOIN GROSR_WORKER w ON w.worker = r.worker AND w.session = p.session
    WHERE r.start BETWEEN p.start AND p.end),
ran AS (SELECT id, sum(end - start) AS run_ns, sum(away_ns) AS away_ns FROM runs GROUP BY id),
-- Waits in the runs. One without an end was given up, or its end was lost.
waits_in AS MATERIALIZED (
    SELECT r.id, r.function, r.slow, k.name AS resource, w."index", w.end IS NULL AS open,
           coalesce(min(w.end, r.end), r.end) - w.start AS ns
    FROM runs r CROSS JOIN GROSR_WAIT w ON w.worker = r.worker AND w.start >= r.start AND w.start < r.end
    JOIN GROSR_RESOURCE_KIND k ON k.resource = w.resource WHERE k.name <> 'queue_not_empty'),
waited AS (
    SELECT id, sum(CASE WHEN NOT open AND resource NOT IN ('memory', 'syscall_reply') THEN ns END) AS shared_ns,
           sum(CASE WHEN NOT open AND resource = 'memory' THEN ns END) AS memory_ns,
           sum(CASE WHEN NOT open AND resource = 'syscall_reply' THEN ns END) AS reply_ns,
           sum(CASE WHEN open THEN ns END) AS open_ns
    FROM waits_in GROUP BY id),
calls_in AS MATERIALIZED (
    SELECT p.id, p.function, p.slow, c.nameId, c.handle, max(c.start, p.start) AS start, min(coalesce(c.end, c.replied), p.end) AS end
    FROM GROSR_SYSCALL c CROSS JOIN picked p ON p.task = c.task AND p.session = c.session
    WHERE c.start < p.end AND coalesce(c.end, c.replied) > p.start),
called AS (SELECT id, sum(end - start) AS call_ns FROM calls_in GROUP BY id),
called_in_runs AS (
    SELECT c.id, sum(max(0, min(c.end, r.end) - max(c.start, r.start))) AS call_ns
    FROM calls_in c JOIN runs r ON r.id = c.id GROUP BY c.id),
-- How long requests for memory failed, from the first to the last; and requests that took whole chunks.
failed AS (
    SELECT p.id, max(e.time) - min(e.time) AS failed_ns FROM GROSR_HEAP_ERROR e CROSS JOIN picked p
    ON p.task = e.task AND p.session = e.session WHERE e.kind = 1 AND e.time BETWEEN p.start AND p.end GROUP BY p.id),
chunked AS (
    SELECT DISTINCT p.id FROM GROSR_HEAP_EVENT e CROSS JOIN picked p ON p.task = e.task AND p.session = e.session
    WHERE e.kind IN (26, 28) AND e.time BETWEEN p.start AND p.end),
-- The GPU's clock, from one value to the next other one; not with several GPUs, since it is not known which is whose.
gpu AS (SELECT min(name) AS name FROM GROSR_NAME WHERE text GLOB 'GPU * SM clock' HAVING count(*) = 1),
changes AS (
    SELECT c.time, c.value AS mhz, lag(c.value) OVER (ORDER BY c.time) AS before
    FROM GROSR_COUNTER c JOIN gpu ON gpu.name = c.name WHERE c.value > 0),
clocks AS MATERIALIZED (
    SELECT time AS start, lead(time, 1, 9223372036854775807) OVER (ORDER BY time) AS end, mhz, max(mhz) OVER () AS max_mhz
    FROM changes WHERE mhz IS NOT before),
clocked AS (
    SELECT p.id, sum((min(c.end, p.end) - max(c.start, p.start)) * c.mhz) / sum(min(c.end, p.end) - max(c.start, p.start)) AS mhz,
           c.max_mhz
    FROM picked p JOIN GROSR_SESSION s ON s.session = p.session AND s.device = 'cuda'
    JOIN clocks c ON c.start < p.end AND c.end > p.start GROUP BY p.id),
-- Workers in tasks on the SM, in the part of the trace in which the first run began.
beside AS (
    SELECT p.id, b.busy_ns * 1.0 / (t.end - t.start) AS busy FROM picked p JOIN GROSR_TIME_BIN t ON p.start >= t.start AND p.start < t.end
    JOIN GROSR_SM_BUSY b ON b.bin = t.bin AND b.session = p.session AND b.sm = coalesce(p.sm, -1)),
-- The lanes of a warp may wait at the same time: together they have waited no longer than the runs took.
tasks_with AS (
    SELECT p.id, p.function, p.slow, p.start - p.enqueue AS queued_ns, p.end - p.start - coalesce(r.run_ns, 0) AS not_run_ns,
           coalesce(r.run_ns, 0) AS run_ns, coalesce(r.away_ns, 0) AS away_ns, coalesce(w.shared_ns, 0) AS shared_ns,
           max(coalesce(w.memory_ns, 0), coalesce(f.failed_ns, 0)) AS memory_ns,
           max(coalesce(w.reply_ns, 0), coalesce(i.call_ns, 0)) AS call_ns, coalesce(w.open_ns, 0) AS open_ns,
           min(coalesce(c.call_ns - i.call_ns, 0), coalesce(r.away_ns, 0)) AS called_away_ns,
           h.id IS NOT NULL AS chunks, k.mhz, 1 - k.mhz / k.max_mhz AS slower, b.busy
    FROM picked p LEFT JOIN ran r ON r.id = p.id LEFT JOIN waited w ON w.id = p.id LEFT JOIN failed f ON f.id = p.id
    LEFT JOIN called c ON c.id = p.id LEFT JOIN called_in_runs i ON i.id = p.id LEFT JOIN chunked h ON h.id = p.id
    LEFT JOIN clocked k ON k.id = p.id LEFT JOIN beside b ON b.id = p.id),
scaled AS MATERIALIZED (
    SELECT *, run_ns * 1.0 / max(run_ns, shared_ns + memory_ns + call_ns + open_ns, 1) AS scale,
           run_ns - min(run_ns, shared_ns + memory_ns + call_ns + open_ns) AS busy_ns FROM tasks_with),
causes(cause) AS (
    VALUES ('total'), ('queueing'), ('sharing'), ('allocation'), ('system calls'), ('suspension'), ('clock'), ('execution'),
           ('unknown')),
parts AS MATERIALIZED (
    SELECT id, function, slow, cause, CASE cause
               WHEN 'total' THEN queued_ns + not_run_ns + run_ns
               WHEN 'queueing' THEN queued_ns
               WHEN 'sharing' THEN shared_ns * scale
               WHEN 'allocation' THEN memory_ns * scale
               WHEN 'system calls' THEN call_ns * scale + called_away_ns
               WHEN 'suspension' THEN away_ns - called_away_ns
               WHEN 'clock' THEN busy_ns * slower
               WHEN 'execution' THEN busy_ns * (1 - coalesce(slower, 0))
               ELSE not_run_ns - away_ns + open_ns * scale END AS ns
    FROM scaled CROSS JOIN causes),
means AS (
    SELECT function, cause, avg(CASE WHEN slow THEN ns END) AS slow_ns, avg(CASE WHEN NOT slow THEN ns END) AS median_ns
    FROM parts GROUP BY function, cause),
-- Of each slow task the cause of which it has most more than the median ones.
firsts_of AS (
    SELECT p.function, p.cause, row_number() OVER (PARTITION BY p.id ORDER BY p.ns - m.median_ns DESC, p.cause) AS place
    FROM parts p JOIN means m ON m.function = p.function AND m.cause = p.cause WHERE p.slow AND p.cause <> 'total'),
led AS (SELECT function, cause, count(*) AS n FROM firsts_of WHERE place = 1 GROUP BY function, cause),
of_function AS (
    SELECT s.function, sum(s.slow) AS sampled, sum(s.slow AND s.chunks) AS chunked, sum(NOT s.slow AND s.chunks) AS median_chunked,
           sum(NOT s.slow) AS medians, avg(CASE WHEN s.slow THEN s.mhz END) AS mhz,
           avg(CASE WHEN NOT s.slow THEN s.mhz END) AS median_mhz, avg(CASE WHEN s.slow THEN s.busy END) AS busy,
           avg(CASE WHEN NOT s.slow THEN s.busy END) AS median_busy
    FROM scaled s GROUP BY s.function),
waits_for AS (
    SELECT w.function, coalesce(n.text || ' ' || (w."index" & 0xffffffff), w.resource) AS name, sum(w.ns) AS ns
    FROM waits_in w LEFT JOIN GROSR_NAME n ON n.name = w."index" >> 32 AND w.resource NOT LIKE 'queue%' AND w.resource NOT LIKE 'sys%'
    WHERE w.slow AND NOT w.open AND w.resource NOT IN ('memory', 'syscall_reply') GROUP BY w.function, name),
calls_for AS (
    SELECT c.function, n.value || coalesce(' of handle ' || nullif(c.handle, -1), '') AS name, sum(c.end - c.start) AS ns
    FROM calls_in c JOIN StringIds n ON n.id = c.nameId WHERE c.slow GROUP BY c.function, name),
-- The greatest of each, which SQLite's bare columns beside max() are of.
most_waits AS (SELECT function, name, max(ns) AS ns FROM waits_for GROUP BY function),
most_calls AS (SELECT function, name, max(ns) AS ns FROM calls_for GROUP BY function)
SELECT f.name AS function, m.cause,
       round(100.0 * (m.slow_ns - m.median_ns) / nullif(t.slow_ns - t.median_ns, 0), 1) + 0.0 AS share_pct,
       CAST(round(m.slow_ns - m.median_ns) AS INTEGER) AS excess_ns, CAST(round(m.slow_ns) AS INTEGER) AS slow_ns,
       CAST(round(m.median_ns) AS INTEGER) AS median_ns,
       CASE WHEN m.cause = 'total' THEN c.slow_n
            WHEN m.slow_ns IS NOT NULL THEN CAST(round(coalesce(l.n, 0) * 1.0 * c.slow_n / o.sampled) AS INTEGER) END AS tasks,
       CASE m.cause
           WHEN 'sharing' THEN 'most for ' || w.name
           WHEN 'system calls' THEN 'most in ' || s.name
           WHEN 'allocation' THEN CASE WHEN o.chunked THEN
               (100 * o.chunked / o.sampled) || ' % of the tasks took whole chunks, of the median ones ' ||
               (100 * o.median_chunked / o.medians) || ' %; how long that took is not recorded' END
           WHEN 'clock' THEN coalesce(CAST(round(o.mhz) AS INTEGER) || ' MHz, of the median ones ' ||
                                      CAST(round(o.median_mhz) AS INTEGER), 'no values of its GPU''s SM clock at that time')
           WHEN 'execution' THEN round(o.busy, 1) || ' workers in tasks on the SM, of the median ones ' || round(o.median_busy, 1)
           WHEN 'unknown' THEN CASE WHEN m.slow_ns > 0 THEN 'ends of runs or waits were not recorded' END
       END AS note
FROM means m JOIN means t ON t.function = m.function AND t.cause = 'total' JOIN cuts c ON c.function = m.function
JOIN of_function o ON o.function = m.function LEFT JOIN GROSR_FUNCTION f ON f.function = m.function
LEFT JOIN led l ON l.function = m.function AND l.cause = m.cause
LEFT JOIN most_waits w ON w.function = m.function LEFT JOIN most_calls s ON s.function = m.function
ORDER BY (t.slow_ns - t.median_ns) * c.slow_n DESC, m.function, m.cause <> 'total', coalesce(m.slow_ns - m.median_ns, -1) DESC, m.cause;
