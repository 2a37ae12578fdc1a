-- a table of ours that is a view without end
DROP TABLE GROSR_LOSS;
CREATE VIEW GROSR_LOSS AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS ring, x AS position, x AS time, x AS count, 'dropped' AS reason FROM n;
