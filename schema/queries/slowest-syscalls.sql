-- the 20 system calls of device code that took longest, and where: until the host saw them, there, and until the warp resumed
SELECT session, call, slot, worker, task, handle, bytes, result, start, duration_ns, request_ns, served_ns, reply_ns
FROM syscalls
WHERE duration_ns IS NOT NULL
ORDER BY duration_ns DESC, session, start, slot, call, handle LIMIT 20;
