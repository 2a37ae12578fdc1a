-- what warps of a core dump had in registers: `read`, by a load of the loop that they stood in, or held; `one`: a warp, as block:warp
SELECT device, kernel, kind, name, address, CASE WHEN load IS NULL THEN 'held' ELSE 'read' END AS how,
       CASE WHEN load IS NULL THEN NULL ELSE printf('%s+0x%x', function, load) END AS load, fact,
       count(DISTINCT sm || ':' || slot) AS warps, min(offset) AS min_offset, max(offset) AS max_offset,
       min(CASE WHEN blockY OR blockZ THEN blockX || ',' || blockY || ',' || blockZ ELSE blockX END || ':' || warp) AS one
FROM warp_addresses GROUP BY device, kernel, grid, kind, name, address, how, load, fact
ORDER BY device, kernel, how DESC, warps DESC, name;
