-- the tables as they were at ?3, as if the process had been killed then: named before a question, in whose place it reads them
GROSR_RING AS NOT MATERIALIZED (SELECT ring, worker, 0 AS closed, session FROM main.GROSR_RING),
GROSR_WORKER AS NOT MATERIALIZED (
    SELECT worker, sm, iif(start <= ?3, start, NULL) AS start, iif("end" <= ?3, "end", NULL) AS "end", session FROM main.GROSR_WORKER),
GROSR_TASK AS NOT MATERIALIZED (
    SELECT rowid, task, function, worker, enqueue, start, iif("end" <= ?3, "end", NULL) AS "end", iif("end" > ?3, NULL, status) AS status,
           iif("end" > ?3, NULL, next) AS next
    FROM main.GROSR_TASK WHERE start <= ?3),
GROSR_WAIT AS NOT MATERIALIZED (
    SELECT worker, resource, "index", start, iif("end" <= ?3, "end", NULL) AS "end", session FROM main.GROSR_WAIT WHERE start <= ?3),
GROSR_HOLD AS NOT MATERIALIZED (
    SELECT worker, resource, "index", start, iif("end" <= ?3, "end", NULL) AS "end" FROM main.GROSR_HOLD WHERE start <= ?3),
GROSR_RANGE AS NOT MATERIALIZED (
    SELECT worker, name, start, iif("end" <= ?3, "end", NULL) AS "end" FROM main.GROSR_RANGE WHERE coalesce(start, "end") <= ?3),
GROSR_INSTANT AS NOT MATERIALIZED (SELECT worker, time, kind, payload, session FROM main.GROSR_INSTANT WHERE time <= ?3),
GROSR_SYSCALL AS NOT MATERIALIZED (
    SELECT worker, task, slot, nameId, start, iif(served <= ?3, served, NULL) AS served, iif(replied <= ?3, replied, NULL) AS replied,
           iif("end" <= ?3, "end", NULL) AS "end", result, handle, session
    FROM main.GROSR_SYSCALL WHERE start <= ?3),
GROSR_HEAP_ERROR AS NOT MATERIALIZED (SELECT time, session, kind, value, worker, function, task FROM main.GROSR_HEAP_ERROR WHERE time <= ?3)
