-- the lines at which warps of kernels stood most often, and the reason; without lines, instructions; memory_pct: waiting for memory
WITH
placed AS (
    SELECT full_name, function, coalesce(file || ':' || line, printf('+0x%x', "offset")) AS place, inlined, stall,
           memory, sum(samples) AS samples
    FROM pc_samples GROUP BY full_name, function, place, inlined, stall),
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY full_name, place, inlined ORDER BY samples DESC, stall) AS rank FROM placed)
SELECT function, place, inlined, sum(samples) AS samples,
       round(100.0 * sum(samples) / (SELECT sum(samples) FROM placed), 1) AS pct,
       max(CASE rank WHEN 1 THEN stall END) AS stall,
       round(100.0 * max(CASE rank WHEN 1 THEN samples END) / sum(samples), 1) AS stall_pct,
       round(100.0 * sum(memory * samples) / sum(samples), 1) AS memory_pct
FROM ranked GROUP BY full_name, place, inlined ORDER BY samples DESC, function, place LIMIT 100;
