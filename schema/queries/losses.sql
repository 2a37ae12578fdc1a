-- where events are missing, and how many
SELECT ring, position, time, count, reason FROM GROSR_LOSS ORDER BY ring, position;
