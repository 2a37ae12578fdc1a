-- messages of the tracer about this trace: what it could not record, and why
SELECT time, session, topic, text FROM GROSR_NOTE ORDER BY time, session, topic, text;
