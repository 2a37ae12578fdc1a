-- each part of the trace: how busy the SMs' workers were: all, the least and the most busy SM, SMs without work
WITH sms AS (SELECT bin, session, busy_ns, life_ns, 100.0 * busy_ns / nullif(life_ns, 0) AS pct FROM GROSR_SM_BUSY)
SELECT t.start, t.end, s.session, count(*) AS sms, round(100.0 * sum(busy_ns) / nullif(sum(life_ns), 0), 2) AS busy_pct,
       round(min(pct), 2) AS min_pct, round(max(pct), 2) AS max_pct, sum(busy_ns = 0) AS without_work
FROM sms s JOIN GROSR_TIME_BIN t USING (bin) GROUP BY s.bin, s.session ORDER BY s.bin, s.session;
