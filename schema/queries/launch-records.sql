-- launches of each traced process by kind, and how many of them have a record of CUPTI's
SELECT s.pid, s.program, l.kind, l.issued, l.recorded, l.issued - l.recorded AS without_record
FROM GROSR_LAUNCHES l JOIN GROSR_SESSION s USING (session) ORDER BY s.session, l.kind;
