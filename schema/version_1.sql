-- A file of version 1 seen as one of version 2, by views that hide its tables from the connection that makes them.
CREATE TEMP VIEW GROSR_TASK AS SELECT *, NULL AS next FROM main.GROSR_TASK;
CREATE TEMP VIEW GROSR_WORKER AS SELECT *, 0 AS spawned, 0 AS shared FROM main.GROSR_WORKER;
