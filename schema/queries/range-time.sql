-- each range that programs marked, with NVTX or in a kernel: how often, those that had not ended, total, mean and longest time
WITH
parts AS (
    SELECT measure, what, which >> 24 AS pid, CASE measure WHEN 'nvtx' THEN which & 0xffffff END AS domain, sum(n) AS n,
           sum(CASE WHEN bin < 0 THEN n ELSE 0 END) AS unfinished, sum(total_ns) AS total_ns,
           max(CASE WHEN bin >= 0 THEN max_ns END) AS max_ns
    FROM GROSR_DURATION WHERE measure IN ('nvtx', 'range') GROUP BY 1, 2, 3, 4),
named AS (
    SELECT CASE p.measure WHEN 'range' THEN 'kernel' ELSE 'nvtx' END AS kind,
           (SELECT coalesce(d.text, s.value) FROM NVTX_EVENTS d LEFT JOIN StringIds s ON s.id = d.textId
            WHERE p.domain <> 0 AND d.domainId = p.domain AND d.eventType = 75 AND d.start IS NULL
                  AND coalesce(d.globalTid >> 24, p.pid) = p.pid ORDER BY d.rowid DESC LIMIT 1) AS domain,
           CASE p.measure WHEN 'range' THEN n.text ELSE coalesce(t.text, '(others)') END AS name, p.n, unfinished, total_ns, max_ns
    FROM parts p LEFT JOIN GROSR_NAME n ON n.name = p.what LEFT JOIN GROSR_RANGE_TEXT t ON t.id = p.what)
SELECT kind, domain, name, sum(n) AS ranges, sum(unfinished) AS unfinished, sum(total_ns) AS total_ns,
       sum(total_ns) / nullif(sum(n) - sum(unfinished), 0) AS mean_ns, max(max_ns) AS max_ns
FROM named GROUP BY kind, domain, name ORDER BY total_ns DESC, kind, domain, name;
