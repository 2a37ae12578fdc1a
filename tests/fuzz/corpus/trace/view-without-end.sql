-- views of our names that never end: ours are laid over them
CREATE VIEW tasks AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS task, x AS function, x AS start, x AS end FROM n;
CREATE VIEW trace_health AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT NULL AS ring, x AS verdict FROM n;
CREATE VIEW export_tasks AS SELECT * FROM tasks;
