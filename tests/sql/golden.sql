-- A small trace that has something of everything, for tests/sql/golden.t. The answer of each query and view was worked out
-- by hand from the comments here and is in expected.txt.
--
-- Three sessions: a runtime with three workers on two SMs of a GPU; the API calls and ranges of the process of that runtime;
-- and a runtime of another process, on the host, that died.
INSERT INTO GROSR_META VALUES ('grosr_version', '0.1.0'), ('complete', 1);
INSERT INTO GROSR_SESSION (session, pid, program, device, device_name, sms, max_warps_per_sm, lanes, first_worker,
                           start_mono_ns, start_real_ns, end, died, detached) VALUES
    (1, 100, 'app', 'cuda', 'GPU', 2, 4, 32, 0, 7000000, 90000000, 5000, 0, 0),
    (2, 100, 'app', 'process', '', 0, 0, 0, 3, 7000100, 90000100, 5000, 0, 1),
    (3, 200, 'other', 'host', 'host threads', 1, 1, 1, 3, 7001000, 90001000, 4000, 1, 0);
INSERT INTO GROSR_EVENT_KIND VALUES (16, 'task_share', 'full', 'count:16 task:40', ''),
    (21, 'instant', 'spans', 'name:16 value:40', '');
INSERT INTO GROSR_RESOURCE_KIND VALUES (1, 'queue_not_empty', ''), (2, 'queue_not_full', ''), (3, 'named', ''),
    (4, 'syscall_port', ''), (5, 'syscall_reply', ''),
    (6, 'lock', ''), (7, 'barrier', ''), (8, 'dependency', ''), (9, 'memory', ''), (10, 'room', ''), (11, 'item', '');
INSERT INTO GROSR_FUNCTION VALUES (0, 'add', 1), (1, 'mul', 1), (2, 'tree', 1), (3, 'add', 3);
INSERT INTO GROSR_QUEUE VALUES (0, 'submit', 8, 1, 1), (1, 'submit', 4, 1, 3);

-- Workers 0 and 1 are on SM 0, worker 2 on SM 1, all from 0 to 5000; worker 3 is the host's, from 1000, and has no end:
-- it counts until its session's, 4000. So 300 ns of workers' life lie in each 100 ns, and 400 from 1000 to 4000.
INSERT INTO GROSR_WORKER (worker, sm, start, end, tasks, busy_ns, spawned, shared, session) VALUES
    (0, 0, 0, 5000, 6, 450, 0, 0, 1),
    (1, 0, 0, 5000, 5, 950, 3, 2, 1),
    (2, 1, 0, 5000, 3, 450, 0, 0, 1),
    (3, 0, 1000, NULL, 1, 100, 0, 0, 3);

-- Ring 3 is the host's of session 1. Counters: 138 written = 132 read + 4 dropped + 2 overwritten.
INSERT INTO GROSR_RING (ring, worker, capacity, written, read, dropped, overwritten, closed, session) VALUES
    (0, 0, 64, 40, 36, 4, 0, 1, 1),
    (1, 1, 64, 50, 50, 0, 0, 1, 1),
    (2, 2, 64, 30, 28, 0, 2, 1, 1),
    (3, NULL, 64, 8, 8, 0, 0, 1, 1),
    (4, 3, 64, 10, 10, 0, 0, 0, 3);
INSERT INTO GROSR_LOSS VALUES (0, 20, 1200, 4, 'dropped'), (2, 10, NULL, 2, 'overwritten');

-- Task 5 suspends and resumes as the same function on the other SM after 500 ns; task 6 only waits for its child. The
-- children are spawned by worker 1: 2^39 + 1 * 2^27 + n = 549890031616 + n; two of the three run on worker 2.
-- Task 7 and the host's task 1 do not end; of task 9 only the end is known. Tasks 0 and 1 are in two sessions.
INSERT INTO GROSR_TASK (task, function, worker, enqueue, start, end, status, next) VALUES
    --                                               queued  run  latency
    (0, 0, 0, 100, 200, 300, 0, NULL),            --    100  100      200
    (1, 1, 0, 100, 320, 520, 0, NULL),            --    220  200      420
    (2, 0, 0, 100, 1000, 1050, 0, NULL),          --    900   50      950
    (3, 0, 1, 150, 250, 450, 0, NULL),            --    100  200      300
    (4, 1, 1, 150, 460, 960, 22, NULL),           --    310  500      810, failed
    (5, 2, 1, 600, 1100, 1200, NULL, 2),          --    500  100     1200, to the end of the later run
    (549890031616, 0, 2, 1150, 1250, 1350, 0, NULL), -- 100  100      200
    (549890031617, 1, 2, 1160, 1400, 1650, 0, NULL), -- 240  250      490
    (5, 2, 2, NULL, 1700, 1800, 0, NULL),         --         100
    (6, 2, 1, 1300, 1500, 1600, NULL, -1),        --    200  100
    (549890031618, 0, 1, 1550, 1610, 1660, 0, NULL), --  60   50      110
    (7, 1, 0, 1900, 2000, NULL, NULL, NULL),      --    100
    (8, 0, 0, 2500, 3000, 3100, 0, NULL),         --    500  100      600
    (9, NULL, 0, NULL, NULL, 3500, 0, NULL),
    (0, 3, 3, 1200, 1300, 1400, 0, NULL),         --    100  100      200
    (1, 3, 3, 1200, 1500, NULL, NULL, NULL);      --    300

-- Worker 2 waits from 1355 to 1360 for the fifth `lock`, which is name 3 of session 1: 3 * 2^32 + 5 = 12884901893.
-- Worker 0: 520 to 1000 without a task, 450 of it waiting; 1050 to 2000, 800 of it waiting. Worker 1: 960 to 1100, 120 of
-- it waiting. Left of their gaps: 20, 30, 150 and 10, 20, 300, 10; of worker 2's 45 and 50.
INSERT INTO GROSR_WAIT (worker, resource, "index", start, end, session) VALUES
    (0, 1, 0, 540, 990, 1),
    (1, 1, 0, 970, 1090, 1),
    (0, 1, 0, 1100, 1900, 1),
    (NULL, 2, 0, 700, 800, 1),
    (2, 3, 12884901893, 1355, 1360, 1),
    (2, 1, 0, 4000, NULL, 1);
INSERT INTO GROSR_IDLE VALUES (0, 600, 980);
INSERT INTO GROSR_HOLD VALUES (0, 3, 12884901893, 205, 215), (1, 3, 12884901893, 1300, NULL);
INSERT INTO GROSR_INSTANT (worker, time, kind, payload, session) VALUES (1, 455, 16, 0, 1),
    (2, 1500, 21, 3298534883337, 1); -- name 3, value 9: 3 * 2^40 + 9
INSERT INTO GROSR_QUEUE_SAMPLE VALUES (1000, 0, 8, 0, 0), (2000, 0, 9, 5, 5), (3000, 0, 10, 10, 10), (2000, 1, 2, 2, 1);

-- In 5000 ns of the device's clock the host's goes 10 further.
-- From the second snapshot on: 4000 for its 4010, which is 4000 / 4010 - 1 = -2493766 / 10^9. The third is as an older
-- file has it, without its bracket; then twice the bound is the round trip.
INSERT INTO GROSR_CLOCK (device_ns, host, bound_ns, session, host_before, host_after, drift_ppb, used, jump) VALUES
    (1000000, 0, 40, 1, -30, 40, 0, 1, 0), (1001000, 1000, 60, 1, 950, 1050, -2493766, 1, 0),
    (1005000, 5010, 50, 1, NULL, NULL, NULL, 1, 1);

INSERT INTO GROSR_NAME VALUES (0, 'phase', NULL, 1), (1, 'sm__warps_active.avg.pct_of_peak_sustained_active', '%', 2),
    (2, 'progress', NULL, 1),
    (3, 'lock', NULL, 1);
INSERT INTO GROSR_RANGE VALUES (0, 0, 210, 290, 7), (1, 0, 300, NULL, NULL);
INSERT INTO GROSR_COUNTER VALUES (210, 1, NULL, 40), (290, 1, NULL, 60), (220, 2, 0, 3);
INSERT INTO GROSR_NOTE VALUES (50, 2, 'cupti', 'forever withholds the records of other kernels');

-- System calls of session 1: a read, one that was never answered, a write of another kernel and a refused one.
INSERT INTO StringIds VALUES (900, 'pwrite');
INSERT INTO GROSR_SYSCALL VALUES (0, 0, 3, 13, 220, 230, 260, 280, 4096, 4096, 5, 1),
                                 (1, 3, 4, 13, 300, 310, NULL, NULL, NULL, NULL, 5, 1),
                                 (NULL, NULL, 6, 900, 5100, 5150, 5250, 5300, 512, 512, 6, 1),
                                 (NULL, NULL, 6, 900, 5400, 5410, 5420, 5500, 0, -9, 7, 1);

-- The heap of session 1: an arena of 16 chunks of 64 KiB. Class 3 has slots of 64 bytes; class 0 was never used.
INSERT INTO GROSR_HEAP VALUES (0, 1, 4900, 1048576, 65536, 0, 6, 0, 1, 1, 0, 2, 1, 0, 3);
INSERT INTO GROSR_HEAP_CLASS VALUES (0, 0, 16, 4096, 0, 0, 0, 0, 0, 0, 0), (0, 3, 64, 1024, 2, 3, 512, 1000, 488, 40000, 1);
INSERT INTO GROSR_HEAP_SAMPLE VALUES (1000, 0, 13, 0, 1, 2, 131072, 98304, 458752, 2, 10, 8, 0, 0),
    (1010, 0, 13, 0, 1, 2, 131072, 131072, 917504, 2, 12, 10, 0, 0),
    (3000, 0, 14, 1, 2, 0, 64, 48, 1048512, 1, 20, 19, 3, 4);
INSERT INTO GROSR_HEAP_CLASS_SAMPLE VALUES (3000, 0, 3, 2, 1, 20, 19, 1);
-- Chunk 1 is a slab from 235 to 1300 and again from 1900. In it, from 65536 on: a block that another worker frees; one that
-- is not freed; two one after the other, the second allocated at the time of the first one's free, its event first; one
-- whose free was lost and the next in its place; one whose malloc was lost. And a large block of two chunks.
INSERT INTO GROSR_HEAP_EVENT VALUES (1900, 1, 26, 65536, NULL, 3, 2, 0, 549890031616), (235, 1, 26, 65536, NULL, 3, 0, 0, 0),
    (1300, 1, 27, 65536, NULL, 3, 1, NULL, NULL),
    (270, 1, 31, 65536, NULL, 3, 1, 1, 4), (240, 1, 30, 65536, 50, 3, 0, 0, 0),
    (1260, 1, 30, 65600, 20, 3, 2, 0, 549890031616),
    (300, 1, 30, 65664, 64, 3, 0, 0, 0), (400, 1, 30, 65664, 60, 3, 1, 0, 3), (400, 1, 31, 65664, NULL, 3, 0, 0, 0),
    (450, 1, 31, 65664, NULL, 3, 1, 0, 3),
    (500, 1, 30, 65728, 40, 3, 0, 1, 1), (600, 1, 30, 65728, 44, 3, 1, 1, 4), (700, 1, 31, 65728, NULL, 3, 1, 1, 4),
    (800, 1, 31, 65792, NULL, 3, 2, NULL, NULL),
    (1110, 1, 28, 131072, 69632, NULL, 1, 2, 5), (1750, 1, 29, 131072, 131072, NULL, 2, 2, 5);
INSERT INTO GROSR_HEAP_ERROR VALUES (1500, 1, 1, 2097152, 1, 2, 6), (1505, 1, 1, 4096, 1, 2, 6), (1510, 1, 4, 65536, 1, 2, 6),
    (1520, 1, 2, 4096, 2, NULL, NULL);

-- Three warps of a kernel in a core dump: two at a barrier, and one that is in no module and has failed.
INSERT INTO StringIds VALUES (90, 'steps'), (91, '/src/steps.cu'), (92, 'sync (sync.h:98)');
INSERT INTO GROSR_WARP VALUES (0, 90, 7, 3, 1, 0, 0, 0, 0, 4294967295, 1, 4096, 90, 64, 91, 20, 92, 'grid barrier', NULL),
    (0, 90, 7, 3, 2, 0, 0, 0, 1, 4294967295, 4294967295, 4112, 90, 80, 91, 20, 92, 'grid barrier', NULL),
    (0, 90, 7, 4, 0, 1, 2, 0, 0, 1, 1, 20480, NULL, NULL, NULL, NULL, NULL, NULL, 'Warp Illegal Address');

-- What two of them had in registers: a lock that the first polls, an argument; and a warp that is not in the dump.
INSERT INTO StringIds VALUES (190, 'lock journal 0'), (191, 'held by worker 3 for 2.1 s'), (192, 'argument 2 of steps');
INSERT INTO GROSR_WARP_ADDRESS VALUES (0, 3, 1, 'lock', 190, 139836095430656, 0, 4294967295, 90, 896, 191),
    (0, 3, 1, 'argument', 192, 139836095430400, 64, 3, NULL, NULL, NULL),
    (0, 3, 2, 'argument', 192, 139836095430400, 0, 4294967295, NULL, NULL, NULL),
    (0, 4, 1, 'argument', 192, 139836095430400, 0, 1, NULL, NULL, NULL);

-- PC samples of two time bins: of a loop with a line, of a function without, and some that were dropped.
INSERT INTO StringIds VALUES (93, 'poll'), (94, 'poll(int*)'), (95, 'long_scoreboard'), (96, 'selected'), (97, 'sum(float*)'), (98, 'sum'),
    (99, 'wait (lock.h:7)');
INSERT INTO GROSR_PC_SAMPLE VALUES (0, 1000, 2, 0, 1, 93, 94, 128, 95, 90, 80, 1, 91, 12, 99),
    (0, 1000, 2, 0, 1, 93, 94, 144, 96, 10, 0, 0, 91, 13, NULL),
    (1000, 2000, 2, 0, 1, 93, 94, 128, 95, 60, 60, 1, 91, 12, 99), (1000, 2000, 2, 0, 1, 93, 94, 128, 96, 30, 0, 0, 91, 12, 99),
    (1000, 2000, 2, 0, 1, 98, 97, 48, 96, 10, 0, 0, NULL, NULL, NULL);
INSERT INTO GROSR_PC_FUNCTION VALUES (0, 1000, 2, 0, 1, 93, 94, 100, 128, 160, 1, 0, 100, 90, 95, 90, 91, 12, 13),
    (1000, 2000, 2, 0, 1, 93, 94, 90, 128, 160, 1, 0, 90, 60, 95, 60, 91, 12, 13),
    (1000, 2000, 2, 0, 1, 98, 97, 10, 48, 48, 0, 0, 10, 0, 96, 10, NULL, NULL, NULL);
INSERT INTO GROSR_PC_BIN VALUES (0, 1000, 2, 0, 1, 105, 0, 5, 0), (1000, 2000, 2, 0, 1, 103, 3, 0, 0);

INSERT INTO GROSR_FINDING VALUES (4500, 1, 'stalled', 'lost_wakeup', '["worker 2"]', '["queue 0"]', NULL, 4000,
    'the queue has tasks', 'signal after publishing', 'worker 2 waits for a task in queue 0, which nobody is left to supply');

INSERT INTO StringIds VALUES (1, 'cudaLaunchKernel'), (2, 'cudaMemcpyAsync'), (3, 'saxpy'), (4, 'saxpy(int, float*)'),
    (5, 'reduce'), (6, 'reduce(float*)'), (7, 'forever'), (8, 'forever()'), (9, 'cuLaunchKernel'),
    (10, 'cudaDeviceSynchronize'), (11, 'step'), (12, 'main'), (13, 'read');
INSERT INTO ThreadNames VALUES (12, 1677721701);
INSERT INTO TARGET_INFO_SESSION_START_TIME VALUES (90000000, '1970-01-01T00:00:00', '1970-01-01T00:00:00');
INSERT INTO TARGET_INFO_GPU (id, name, smCount) VALUES (0, 'GPU', 2);
INSERT INTO TARGET_INFO_CUDA_DEVICE (gpuId, cudaId, pid) VALUES (0, 0, 100);
INSERT INTO TARGET_INFO_CUDA_CONTEXT_INFO VALUES (1, 0, 7, 100);

-- Process 100 is 100 << 24 = 1677721600, its thread 101 is 1677721701; thread 201 of process 200 is 3355443401. The first
-- launch is a driver call inside a runtime call with the same id; the other process has that id too.
INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES
    (100, 140, 0, 1677721701, 1, 1, 0),
    (110, 130, 1, 1677721701, 1, 9, 0),
    (200, 230, 0, 1677721701, 2, 1, 0),
    (300, 360, 0, 1677721701, 3, 2, 0),
    (400, 440, 0, 1677721701, 4, 1, 0),
    (450, 490, 0, 1677721701, 5, 1, 0),
    (600, 610, 0, 1677721701, 6, 1, 700),
    (700, NULL, 0, 1677721701, 7, 10, NULL),
    (900, 950, 0, 3355443401, 1, 1, 0);

-- On stream 7 of process 100: 150 to 250, a gap of 10, 260 to 300, a gap of 200, 500 to 560. The one on stream 8 has no
-- launch, the one on stream 9 no end.
INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL (start, end, deviceId, contextId, streamId, correlationId, globalPid, demangledName,
    shortName, registersPerThread, gridX, gridY, gridZ, blockX, blockY, blockZ, staticSharedMemory, dynamicSharedMemory,
    persistent) VALUES
    (150, 250, 0, 1, 7, 1, 1677721600, 4, 3, 32, 4, 1, 1, 128, 1, 1, 0, 1024, 0),
    (260, 300, 0, 1, 7, 2, 1677721600, 6, 5, 24, 2, 2, 1, 64, 1, 1, 512, 0, 0),
    (500, 560, 0, 1, 7, 4, 1677721600, 4, 3, 32, 4, 1, 1, 128, 1, 1, 0, 1024, 0),
    (520, 580, 0, 1, 8, NULL, 1677721600, 4, 3, 32, 4, 1, 1, 128, 1, 1, 0, 1024, 0),
    (495, NULL, 0, 1, 9, 5, 1677721600, 8, 7, 64, 2, 1, 1, 32, 1, 1, 0, 0, 1),
    (1000, 1100, 0, 1, 7, 1, 3355443200, 4, 3, 32, 4, 1, 1, 128, 1, 1, 0, 1024, 0);
INSERT INTO CUPTI_ACTIVITY_KIND_MEMCPY VALUES
    (310, 410, 0, 1, 7, 3, 1677721600, 1000, 1, 2, 3, NULL),
    (420, 520, 0, 1, 7, NULL, 1677721600, 3000, 1, 2, 3, NULL),
    (600, 650, 0, 1, 7, NULL, 1677721600, 500, 2, 3, 2, NULL);
INSERT INTO CUPTI_ACTIVITY_KIND_MEMSET VALUES (660, 670, 0, 1, 7, NULL, 1677721600, 0, 64, 3, NULL);

-- A graph is launched twice, and one whose name is not known and whose first node is on the host.
INSERT INTO StringIds VALUES (195, 'graph of 2 kernels: saxpy');
INSERT INTO CUPTI_ACTIVITY_KIND_GRAPH_TRACE VALUES
    (680, 700, 0, 1, 7, NULL, 1677721600, 5, 195), (710, 770, 0, 1, 7, NULL, 1677721600, 5, 195),
    (705, 735, NULL, NULL, 8, NULL, 1677721600, 6, NULL);
INSERT INTO CUPTI_ACTIVITY_KIND_SYNCHRONIZATION VALUES (800, 900, 0, 1, 7, NULL, 1677721600, 3, NULL);

-- A domain and a category have a row each; `step` comes as text and as a registered string; the last range does not end.
INSERT INTO NVTX_EVENTS (start, end, eventType, rangeId, category, text, globalTid, textId, domainId, uint64Value) VALUES
    (NULL, NULL, 75, NULL, NULL, 'lib', 1677721600, NULL, 1, NULL),
    (NULL, NULL, 33, NULL, 5, 'io', 1677721600, NULL, 1, NULL),
    (50, 450, 59, NULL, NULL, 'step', 1677721701, NULL, 0, NULL),
    (500, 900, 59, NULL, NULL, NULL, 1677721701, 11, 0, NULL),
    (120, 320, 60, 9, 5, 'copy', 1677721701, NULL, 1, 42),
    (130, NULL, 34, NULL, NULL, 'here', 1677721701, NULL, 1, NULL),
    (4000, NULL, 59, NULL, NULL, 'last', 1677721701, NULL, 0, NULL);

-- What had not ended: the call and the persistent kernel, which have rows above; in stream 7 a copy before two kernels, in
-- stream 8 a host function before a graph of three kernels; stream 9 captures two. The tracer's own flush waits too.
INSERT INTO GROSR_PENDING (session, kind, start, tid, nameId, fullNameId, correlationId, contextId, streamId, place, waitsFor,
                           bytes, kernels, grid, block, persistent) VALUES
    (2, 'call', 700, 101, 10, NULL, 9, NULL, NULL, NULL, 'device', NULL, NULL, NULL, NULL, 0),
    (2, 'kernel', 450, 101, 7, 8, 5, 1, 9, 1, NULL, NULL, NULL, '2x1x1', '32x1x1', 1),
    (2, 'kernel', 680, 101, 5, 6, 12, 1, 7, 11, NULL, NULL, NULL, '2x2x1', '64x1x1', 0),
    (2, 'memcpy', 670, 101, 2, NULL, 11, 1, 7, 10, NULL, 4096, NULL, NULL, NULL, 0),
    (2, 'kernel', 690, 101, 3, 4, 13, 1, 7, 12, NULL, NULL, NULL, '4x1x1', '128x1x1', 0),
    (2, 'host function', 650, 101, 12, NULL, 14, 1, 8, 3, NULL, NULL, NULL, NULL, NULL, 0),
    (2, 'graph', 660, 101, 11, NULL, 15, 1, 8, 4, NULL, NULL, 3, NULL, NULL, 0),
    (2, 'capture', 640, NULL, 5, NULL, NULL, 1, 10, NULL, NULL, NULL, 2, NULL, NULL, 0),
    (2, 'tracer', 710, 102, 13, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0);
INSERT INTO GROSR_LAUNCHES VALUES (2, 'kernel', 9, 4), (2, 'memcpy', 4, 3), (2, 'host function', 1, NULL);
