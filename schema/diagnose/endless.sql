-- tasks of session ?1 that had not ended, and the runs of their functions that had: how many, and the longest; of the latest
-- also the median, and what nine tenths of them are at most
WITH
opened AS (SELECT worker, task, function, start FROM tasks WHERE end IS NULL AND state = 'open' AND session = ?1),
names AS MATERIALIZED (SELECT function, name FROM GROSR_FUNCTION WHERE name IN (SELECT function FROM opened)),
ended AS (
    SELECT n.name, r.function, count(*) AS ended, max(r.end - r.start) AS longest_ns
    FROM GROSR_TASK r JOIN names n ON n.function = r.function WHERE r.end IS NOT NULL GROUP BY r.function),
lengths AS (
    SELECT r.function, r.end - r.start AS ns, row_number() OVER (PARTITION BY r.function ORDER BY r.end - r.start) AS place,
           count(*) OVER (PARTITION BY r.function) AS n
    FROM GROSR_TASK r JOIN names m ON m.function = r.function
    WHERE r.end IS NOT NULL AND r.rowid > (SELECT max(rowid) - 100000 FROM GROSR_TASK)),
spread AS (
    SELECT function, min(CASE WHEN 2 * place >= n THEN ns END) AS median_ns, min(CASE WHEN 10 * place >= 9 * n THEN ns END) AS most_ns
    FROM lengths GROUP BY function)
SELECT t.worker, t.task, t.function, t.start, d.ended, d.longest_ns, s.median_ns, s.most_ns
FROM opened t JOIN ended d ON d.name = t.function LEFT JOIN spread s ON s.function = d.function
ORDER BY t.start, t.worker LIMIT 16;
