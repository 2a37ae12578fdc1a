-- texts where numbers should be, and bytes that are no text
INSERT INTO GROSR_SESSION VALUES (1,'pid',char(27)||'[31m','x'||char(10)||char(0x202e),CAST(x'c3280aff00' AS TEXT),'sms',x'00','lanes','one','start','real','end','no','no','stop');
INSERT INTO GROSR_WORKER VALUES (0,'sm','start','end','n',x'ff','s','s','session');
INSERT INTO GROSR_TASK VALUES ('task','function','worker','enqueue','start','end','status','next'),(x'','',x'',x'',x'00',x'ff','','');
INSERT INTO GROSR_FUNCTION VALUES (1,'f"\'||char(7)||char(0x9b)||char(0xfeff),'one');
INSERT INTO GROSR_NAME VALUES (1,char(9)||char(127)||'"\',char(27),1),(2,CAST(x'f48fbfbff0808080eda080' AS TEXT),NULL,1);
INSERT INTO GROSR_COUNTER VALUES (1,1,'worker','value'),(2,2,NULL,x'00');
INSERT INTO GROSR_RANGE VALUES (0,1,1,2,'v'),(0,2,1,2,x'');
INSERT INTO GROSR_NOTE VALUES ('time',1,char(27)||']0;title'||char(7),'a'||char(0)||'b');
INSERT INTO NVTX_EVENTS (start,end,eventType,text,globalTid,domainId,jsonText) VALUES (1,2,59,CAST(x'ff1b5b324a' AS TEXT),'tid','d','}'),(1,2,60,'"',0,0,'"');
