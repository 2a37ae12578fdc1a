-- each size class of the GPU memory allocator: its slabs, slots in use, mallocs and mean request, unused bytes, failures
SELECT * FROM (
    SELECT h.session, c.class, c.slot_bytes, c.slabs, c.slabs_max, c.slabs * c.slots AS slots, c.used,
           round(100.0 * c.used / nullif(c.slabs * c.slots, 0), 2) AS used_pct, c.mallocs, c.frees,
           c.requested_bytes / nullif(c.mallocs, 0) AS mean_request_bytes,
           round(100 - 100.0 * c.requested_bytes / nullif(c.mallocs * 1.0 * c.slot_bytes, 0), 2) AS unused_pct, c.failures
    FROM GROSR_HEAP_CLASS c JOIN GROSR_HEAP h ON h.heap = c.heap WHERE c.mallocs OR c.failures OR c.slabs_max
    UNION ALL
    SELECT h.session, NULL, h.chunk_bytes, NULL, NULL, NULL, h.large_live, NULL, h.large_mallocs, h.large_frees,
           NULL, NULL, h.large_failures
    FROM GROSR_HEAP h WHERE h.large_mallocs OR h.large_failures
)
ORDER BY session, class IS NULL, class;
