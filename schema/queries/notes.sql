-- what the tracer has to say about this trace: what it could not get, and why
SELECT time, session, topic, text FROM GROSR_NOTE ORDER BY time, session, topic, text;
