-- what had not ended when the trace did: runs of tasks, waits, API calls, kernels; the oldest 50
SELECT kind, name, place, start, session FROM (
    SELECT 'task' AS kind, function AS name, 'worker ' || worker AS place, start, session FROM tasks
    WHERE end IS NULL AND state = 'open'
    UNION ALL
    SELECT 'wait', resource || coalesce(' of ' || resource_name, ''), coalesce('worker ' || worker, 'host'), start, session
    FROM waits WHERE end IS NULL AND state = 'open'
    UNION ALL
    SELECT 'api', name, 'thread ' || tid, start, session FROM api_calls WHERE end IS NULL
    UNION ALL
    SELECT 'kernel', name, coalesce('stream ' || stream, 'its workers'), coalesce(start, launch), session FROM kernels k
    WHERE end IS NULL
          AND NOT (stream IS NULL AND EXISTS (SELECT 1 FROM GROSR_SESSION s WHERE s.session = k.session
                                              AND s.end IS NOT NULL AND NOT s.died AND NOT s.detached)))
ORDER BY start, kind, place LIMIT 50;
