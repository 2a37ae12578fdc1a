-- views of views of views; nobody asks for them
CREATE VIEW v1 AS SELECT 1 AS x FROM GROSR_META a, GROSR_META b, GROSR_META c, GROSR_META d, GROSR_META e, GROSR_META f, GROSR_META g;
CREATE VIEW v2 AS SELECT a.x FROM v1 a, v1 b, v1 c, v1 d, v1 e, v1 f, v1 g;
CREATE VIEW v3 AS SELECT a.x FROM v2 a, v2 b, v2 c, v2 d, v2 e, v2 f, v2 g;
CREATE VIEW waits AS SELECT a.x FROM v3 a, v3 b, v3 c, v3 d, v3 e, v3 f, v3 g;
