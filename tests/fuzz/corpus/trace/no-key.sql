-- names without a key: every row would be met by each of them
DROP TABLE StringIds;
CREATE TABLE StringIds (id INTEGER, value TEXT);
WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 500) INSERT INTO StringIds SELECT 1, 'same' FROM n;
INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL SELECT 1,2,0,1,1,1,16777216,1,1,1,1,1,1,1,1,1,1,0,0,0,1,1,0 FROM StringIds;
