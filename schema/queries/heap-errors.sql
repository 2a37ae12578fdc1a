-- GPU memory requests that failed and frees that were refused, by kind and task function; `counted`: by the allocator itself
WITH
counted AS (
    SELECT session, 1 AS kind, large_failures + coalesce((SELECT sum(failures) FROM GROSR_HEAP_CLASS c WHERE c.heap = h.heap), 0)
           AS n FROM GROSR_HEAP h
    UNION ALL SELECT session, 2, frees_foreign FROM GROSR_HEAP
    UNION ALL SELECT session, 3, frees_inner FROM GROSR_HEAP
    UNION ALL SELECT session, 4, frees_twice FROM GROSR_HEAP),
seen AS (
    SELECT session, kind, function, count(*) AS events, min(time) AS first, max(time) AS last, max(value) AS max_value
    FROM GROSR_HEAP_ERROR GROUP BY session, kind, function),
kinds AS (SELECT session, kind FROM counted WHERE n GROUP BY 1, 2 UNION SELECT session, kind FROM seen)
SELECT k.session, CASE k.kind WHEN 1 THEN 'no memory' WHEN 2 THEN 'free of a foreign pointer' WHEN 3 THEN 'free inside a block'
                              WHEN 4 THEN 'free of what is not allocated' ELSE 'error ' || k.kind END AS error,
       f.name AS function, coalesce(s.events, 0) AS events,
       (SELECT sum(n) FROM counted c WHERE c.session = k.session AND c.kind = k.kind) AS counted,
       s.first, s.last, CASE k.kind WHEN 1 THEN s.max_value END AS max_requested_bytes
FROM kinds k LEFT JOIN seen s ON s.session = k.session AND s.kind = k.kind
LEFT JOIN GROSR_FUNCTION f ON f.function = s.function
ORDER BY k.session, k.kind, events DESC, f.name;
