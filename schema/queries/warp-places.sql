-- where warps stood in a core dump, the place of most first; `one`: a warp there, as block:warp
WITH named AS (
    SELECT *, CASE WHEN blockY OR blockZ THEN blockX || ',' || blockY || ',' || blockZ ELSE blockX END AS block,
           coalesce(file || ':' || line, CASE WHEN offset IS NOT NULL THEN printf('+0x%x', offset) END, address) AS place
    FROM warps)
SELECT device, kernel, function, place, inlined, wait, exception, count(*) AS warps, count(DISTINCT block) AS blocks,
       min(block || ':' || warp) AS one
FROM named GROUP BY device, kernel, grid, function, place, inlined, wait, exception ORDER BY device, kernel, warps DESC, place;
