-- the latest system call in each port of session ?1 that had no reply; `served`: the proxy had taken it up; `result`: what it got later
SELECT c.worker, c.slot, n.value AS name, c.start, c.served, c.handle, c.task, c.result
FROM (SELECT worker, slot, nameId, max(start) AS start, served, replied, end, handle, task, result FROM GROSR_SYSCALL
      WHERE session = ?1 AND slot IS NOT NULL GROUP BY slot) c
JOIN StringIds n ON n.id = c.nameId
WHERE c.end IS NULL AND c.replied IS NULL ORDER BY c.slot;
