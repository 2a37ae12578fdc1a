-- each device clock: snapshots, their error bounds, the last offset to the host's clock, and how it drifted
WITH
ends AS (
    SELECT session, count(*) AS snapshots, min(bound_ns) AS best_bound_ns, max(bound_ns) AS worst_bound_ns,
           min(device_ns) AS d0, max(device_ns) AS d1, min(host) AS h0, max(host) AS h1
    FROM GROSR_CLOCK GROUP BY session)
SELECT session, snapshots, best_bound_ns, worst_bound_ns, h1 - d1 AS offset_ns,
       round(1e6 * ((h1 - h0) - (d1 - d0)) / nullif(d1 - d0, 0), 3) AS drift_ppm
FROM ends ORDER BY session;
