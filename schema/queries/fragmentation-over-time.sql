-- each part of the trace: the GPU memory allocator's use and fragmentation at its end and at most, mallocs and frees
WITH
samples AS (
    SELECT t.bin, f.*, row_number() OVER (PARTITION BY t.bin, f.heap ORDER BY f.time DESC) AS latest
    FROM GROSR_TIME_BIN t JOIN fragmentation f ON f.time >= t.start AND f.time < t.end),
parts AS (
    SELECT s.bin, s.session, s.heap, count(*) AS samples, max(s.used_bytes) AS max_used_bytes,
           max(s.internal_fragmentation) AS max_internal, max(s.external_fragmentation) AS max_external,
           max(s.mallocs) AS mallocs, min(s.mallocs) AS first_mallocs, max(s.frees) AS frees, min(s.frees) AS first_frees
    FROM samples s GROUP BY s.bin, s.heap)
SELECT p.session, t.start, t.end, p.samples, l.live, l.reserved_bytes, l.used_bytes, l.requested_bytes, p.max_used_bytes,
       l.internal_fragmentation, p.max_internal, l.external_fragmentation, p.max_external,
       p.mallocs - coalesce(lag(p.mallocs) OVER (PARTITION BY p.heap ORDER BY p.bin), p.first_mallocs) AS mallocs,
       p.frees - coalesce(lag(p.frees) OVER (PARTITION BY p.heap ORDER BY p.bin), p.first_frees) AS frees
FROM parts p JOIN GROSR_TIME_BIN t ON t.bin = p.bin JOIN samples l ON l.bin = p.bin AND l.heap = p.heap AND l.latest = 1
ORDER BY p.heap, t.bin;
