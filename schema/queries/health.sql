-- whether to trust the trace: losses, clock error, unfinished spans, verdict
SELECT verdict, written, read, dropped, overwritten, unaccounted, unfinished, clock_error_ns
FROM trace_health WHERE ring IS NULL;
