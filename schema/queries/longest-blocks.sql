-- the 20 longest-lived blocks of GPU memory; those that were not freed count until their session's end
SELECT a.session, a.offset, a.class, a.requested_bytes, a.reserved_bytes, a.function, a.task, a.worker, a.start, a.end,
       coalesce(a.end, s.end) - a.start AS lived_ns, a.free_function, a.free_worker, a.state
FROM allocations a JOIN GROSR_SESSION s ON s.session = a.session
WHERE a.start IS NOT NULL AND a.state <> 'end lost'
ORDER BY lived_ns DESC, a.session, a.start, a.offset LIMIT 20;
