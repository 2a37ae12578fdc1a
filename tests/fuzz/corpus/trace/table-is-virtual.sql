-- a table of ours that is a virtual one
DROP TABLE GROSR_LOSS;
CREATE VIRTUAL TABLE GROSR_LOSS USING fts5(ring, position, time, count, reason);
