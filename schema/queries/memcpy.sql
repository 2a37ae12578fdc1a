-- CUDA copies by direction: how many, bytes, time, bandwidth while one was in progress, the longest
SELECT CASE what WHEN 1 THEN 'host to device' WHEN 2 THEN 'device to host' WHEN 8 THEN 'device to device'
                 WHEN 9 THEN 'host to host' WHEN 10 THEN 'peer to peer' ELSE 'other (' || what || ')' END AS direction,
       which >> 24 AS pid, which & 0xffffff AS device, sum(n) AS copies, sum(part) AS bytes, sum(total_ns) AS total_ns,
       round(1.0 * sum(part) / nullif(sum(total_ns), 0), 3) AS gb_per_s, max(max_ns) AS max_ns
FROM GROSR_DURATION WHERE measure = 'copy' GROUP BY what, which ORDER BY bytes DESC, what, which;
