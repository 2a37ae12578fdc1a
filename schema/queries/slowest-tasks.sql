-- the 20 longest runs of tasks, with where, how long they had queued, what they went on as
SELECT task, function, worker, sm, queued_ns, run_ns, start, next FROM tasks ORDER BY run_ns DESC, task LIMIT 20;
