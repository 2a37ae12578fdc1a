-- a schema that has been written to
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET rootpage = 2 WHERE name LIKE 'GROSR_T%';
UPDATE sqlite_schema SET sql = replace(sql, 'INTEGER', 'BLOB COLLATE NOCASE') WHERE name = 'GROSR_WAIT';
