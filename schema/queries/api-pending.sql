-- calls of the CUDA APIs that have not returned, how long they had lasted, and kernels of their process that had not ended
SELECT a.name, a.api, a.pid, a.tid, a.start, s.end - a.start AS age_ns,
       (SELECT group_concat(name, ', ') FROM (
            SELECT k.name FROM kernels k WHERE k.end IS NULL AND k.pid = a.pid ORDER BY k.name)) AS running_kernels
FROM api_calls a LEFT JOIN GROSR_SESSION s USING (session) WHERE a.end IS NULL ORDER BY a.start, a.tid;
