-- each counter: its unit, its samples, minimum, mean and maximum
SELECT n.session, coalesce(n.text, 'counter ' || c.name) AS name, n.unit, count(*) AS samples, min(c.value) AS min,
       round(avg(c.value), 3) AS avg, max(c.value) AS max
FROM GROSR_COUNTER c LEFT JOIN GROSR_NAME n ON n.name = c.name
GROUP BY c.name ORDER BY n.session, n.text, c.name;
