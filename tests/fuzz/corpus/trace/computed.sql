-- a column that is computed, at length, whenever it is read
DROP TABLE GROSR_IDLE;
CREATE TABLE GROSR_IDLE (worker INTEGER, start INTEGER, end AS (length(printf('%*c', 100000000, 'x'))));
INSERT INTO GROSR_IDLE VALUES (0, 1);
