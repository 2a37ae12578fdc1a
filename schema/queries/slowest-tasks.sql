-- the 20 tasks that ran longest, with where and how long they had queued
SELECT task, function, worker, sm, queued_ns, run_ns, start FROM tasks ORDER BY run_ns DESC, task LIMIT 20;
