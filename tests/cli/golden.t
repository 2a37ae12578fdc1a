#!/usr/bin/perl
# The traces in traces/ stay readable, whatever their schema version: each is complete and balanced, and every canned
# query answers.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Digest::SHA qw(sha256_hex);
use Grosr;
use Test::More;

my @traces = glob("$FindBin::Bin/../../traces/*.db");
cmp_ok(scalar(@traces), '>', 0, 'there are golden traces');
my @names = map { m{([^/]+)\.sql$} } glob("$FindBin::Bin/../../schema/queries/*.sql");

for my $trace (@traces) {
    my ($name) = $trace =~ m{([^/]+)$};
    integrity($trace, "$name is sound");
    balanced($trace, "$name: its rings' books balance") if value($trace, 'SELECT count(*) FROM GROSR_RING');
    is(value($trace, 'SELECT count(*) FROM GROSR_STREAM WHERE written <> read + dropped + unstored'), 0,
       "$name: and its streams'");
    like(value($trace, 'SELECT verdict FROM trace_health WHERE ring IS NULL'),
         $name =~ /-hang-/ ? qr/\Aprocess died;/ : qr/\Acomplete( from [\d.]+ s on up to where recording stopped)?\z/,
         "$name is what it is");
    # One of its kind is asked everything. Under ASan sql/golden.t asks the same queries.
    for my $query ($name =~ /-hang-(?!stream-order)/ || $GROSR =~ /asan/ ? 'api-pending' : @names) {
        is(grosr('query', $trace, $query)->{code}, 0, "$name: $query");
    }
    is(grosr('info', $trace)->{code}, 0, "$name: info");
}

# What is known of this one: 1,000 tasks on an H100, each once, in order across two clocks.
my $h100 = "$FindBin::Bin/../../traces/h100-arith-1000.db";
is(value($h100, 'SELECT count(DISTINCT task) FROM tasks'), 1000, 'h100-arith-1000: every task');
is(value($h100, 'SELECT count(*) FROM tasks WHERE enqueue <= start AND start <= end AND status = 0'), 1000,
   'h100-arith-1000: enqueue <= start <= end');
is(value($h100, 'SELECT device FROM GROSR_SESSION'), 'cuda', 'h100-arith-1000: labelled as what it is');

# And of this one: 301 small kernels beside one that did not end, every record after the call that made it.
my $cupti = "$FindBin::Bin/../../traces/h100-cupti.db";
is(value($cupti, "SELECT count(*) || ' ' || count(DISTINCT correlation) FROM kernels WHERE name = 'small'"), '301 301',
   'h100-cupti: every kernel');
is(value($cupti, "SELECT sum(launch IS NULL OR launch > start OR start >= end) FROM kernels"), 0, 'h100-cupti: launch < start < end');
is(value($cupti, "SELECT count(*) FROM kernels e JOIN kernels k ON k.start > e.start AND k.end < e.end WHERE e.persistent"), 300,
   'h100-cupti: all but the first beside the persistent one');
is(value($cupti, "SELECT name FROM TARGET_INFO_GPU"), 'NVIDIA H100 80GB HBM3', 'h100-cupti: the device');
my $spawn = "$FindBin::Bin/../../traces/h100-spawn.db";
is(value($spawn, 'SELECT count(DISTINCT task) FROM tasks WHERE start <= end'), 600, 'h100-spawn: every task');
is(value($spawn, "SELECT count(*) FROM kernels k JOIN tasks t ON t.start >= k.start AND t.end <= k.end WHERE k.persistent"),
   value($spawn, 'SELECT count(*) FROM tasks'), 'h100-spawn: each inside its kernel');

# And of this one: what led to a deadlock, and the deadlock; with the GPU's own count of 2 of its 132 SMs.
my $deadlock = "$FindBin::Bin/../../traces/h100-deadlock.db";
is(join(' ', map { "$_->{worker}:$_->{held}:$_->{wanted}" }
        sql($deadlock, 'SELECT h.worker, h.resource_name AS held, w.resource_name AS wanted FROM holds h JOIN waits w USING (worker) ' .
            'WHERE h.end IS NULL AND w.end IS NULL ORDER BY 1')), '0:lock 0:lock 1 1:lock 1:lock 0',
   'h100-deadlock: who holds what, and waits');
cmp_ok(value($deadlock, "SELECT count(*) FROM ranges WHERE name = 'work' AND kind = 'kernel'"), '>', 1000,
       'h100-deadlock: and what led to it');
is(join(' ', map { $_->{n} } sql($deadlock, "SELECT topic || ' ' || count(*) AS n FROM GROSR_NOTE GROUP BY topic ORDER BY 1")),
   'counters 1 stall 1', 'h100-deadlock: it is noted');
my $sms = q{SELECT avg(value) FROM GROSR_COUNTER JOIN GROSR_NAME USING (name) WHERE substr(text, 1, 10) = 'sm__cycles'};
ok(abs(value($deadlock, $sms) - 200 / 132) < 0.01, 'h100-deadlock: 2 of 132 SMs are active');

# Programs that hung on an H100 until they were killed: what they hung in is in their traces, and what was pending.
my %hang = (
    'grid-barrier' => ['grid_barrier', qr/kernel segment_steps .* barrier of the grid/, 'cudaDeviceSynchronize'],
    'stream-order' => ['stream_order_cycle', qr/collective_a runs in stream 13 with collective_b behind it; collective_b runs in/,
                       'cudaStreamSynchronize'],
    'host-function' => ['host_function_stuck', qr/host function .* waits for mutex .*, which thread \d+ in cudaStreamSynchronize holds/,
                        'cudaStreamSynchronize'],
    'default-stream' => ['default_stream_order', qr/kernel consume_message .* copy to the device of 4 bytes .* cannot start/, ''],
    'copy-behind-kernel' => ['copy_behind_kernel', qr/kernel user_kernel .* copy to the device of 27 bytes .* cannot start/,
                             'cudaDeviceSynchronize cudaMemcpy'],
);
for my $what (sort keys %hang) {
    my ($kind, $summary, $calls) = @{$hang{$what}};
    my $trace = "$FindBin::Bin/../../traces/h100-hang-$what.db";
    my $r = grosr('diagnose', $trace, '--json');
    my $j = json_of($r);
    is("$r->{code} $j->{verdict} $j->{findings}[0]{kind}", "3 deadlock $kind", "h100-hang-$what: $kind");
    like($j->{findings}[0]{summary}, $summary, "h100-hang-$what: who waits for what");
    is(value($trace, "SELECT coalesce(group_concat(name, ' '), '') FROM (SELECT name FROM pending WHERE kind = 'call' ORDER BY name)"),
       $calls, "h100-hang-$what: the pending calls");
}

# The first is of schema version 1, and read as one of today's, without being touched.
my $new = scratch() . '/t.db';
is(grosr('run', 'arith', '--device', 'host', '--tasks', '100', '-o', $new)->{code}, 0, 'a trace of today');
my $digest = sha256_hex(slurp($h100));
is(value($h100, 'PRAGMA user_version'), 1, 'h100-arith-1000: schema version 1');
isnt(value($new, 'PRAGMA user_version'), 1, 'not the version of today');
my @names_now = map { $_->{name} } sql($new, "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'");
cmp_ok(scalar(@names_now), '>', 15, 'tables and views of today');
for my $table (@names_now) {
    my @columns = map { (grosr('query', $_, "SELECT * FROM $table LIMIT 0", '--format', 'csv')->{stdout}) } $new, $h100;
    like($columns[0], qr/\w/, "$table: has columns");
    is($columns[1], $columns[0], "$table: version 1 is seen with the same");
}
is(value($h100, 'SELECT count(*) FROM tasks WHERE next IS NULL AND spawned = 0'), 1000, 'its tasks: none suspended, none spawned');
is(value($h100, 'SELECT sum(spawned) + sum(shared) FROM workers'), 0, 'its workers: none spawned');
is(sha256_hex(slurp($h100)), $digest, 'and the file is as it was, byte for byte');

done_testing();
