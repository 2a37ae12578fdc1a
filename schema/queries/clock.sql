-- each device clock: snapshots, those the map goes through, jumps, error bounds, its last offset to the host's clock and drift
SELECT session, count(*) AS snapshots, sum(used) AS used, sum(jump) AS jumps, min(bound_ns) AS best_bound_ns,
       max(bound_ns) AS worst_bound_ns, min(rtt_ns) AS best_rtt_ns,
       (SELECT offset_ns FROM clock_sync l WHERE l.session = c.session AND l.used ORDER BY l.device_ns DESC LIMIT 1) AS offset_ns,
       (SELECT drift_ppm FROM clock_sync l WHERE l.session = c.session AND l.drift_ppm IS NOT NULL
        ORDER BY l.device_ns DESC LIMIT 1) AS drift_ppm
FROM clock_sync c GROUP BY session ORDER BY session;
