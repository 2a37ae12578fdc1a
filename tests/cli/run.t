#!/usr/bin/perl
# `grosr run`: every task completes and is checked, and the trace tells of every one of them.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Grosr;
use Test::More;

my $dir = scratch();
my @host = ('--device', 'host');

sub number_ok
{
    my ($value, $name) = @_;
    ok(defined $value && !ref $value && $value =~ /^-?\d+(\.\d+)?(e[-+]?\d+)?$/i, "$name is a number");
}

# ---- the acceptance run ----

my $db = "$dir/t.db";
my $run = grosr('run', 'arith', '--tasks', '100000', '-o', $db, '--json', @host);
is($run->{code}, 0, 'a traced run of 100000 tasks: exit 0') or diag($run->{stderr});
is($run->{stderr}, '', 'and not a word on stderr');
my $j = json_of($run);
is($j->{completed}, 100000, 'completed 100000');
is($j->{errors}, 0, 'errors 0');
is($j->{trace}{dropped}, 0, 'dropped 0');
is($j->{trace}{overwritten}, 0, 'overwritten 0');
is($j->{trace}{written}, $j->{trace}{read}, 'all that was written was read');
is($j->{workload}, 'arith', 'JSON: workload');
is($j->{device}, 'host', 'JSON: device');
like($j->{device_name}, qr/\S/, 'JSON: device_name');
is($j->{tasks}, 100000, 'JSON: tasks');
is($j->{trace}{file}, $db, 'JSON: trace.file');
number_ok($j->{$_}, "JSON: $_") for qw(workers elapsed_ns tasks_per_s);
cmp_ok($j->{elapsed_ns}, '>', 0, 'JSON: elapsed_ns > 0');
no_segments($run, 'no segment is left');
is(join(' ', glob("$dir/*")), $db, 'one plain file, no journal beside it');

is(value($db, 'SELECT count(*) FROM tasks'), 100000, 'the trace has 100000 tasks');
is(value($db, 'SELECT count(DISTINCT task) FROM tasks'), 100000, 'each of them once');
is(value($db, 'SELECT max(task) FROM tasks'), 99999, 'numbered from 0');
is(value($db, 'SELECT count(*) FROM tasks WHERE enqueue <= start AND start <= end AND enqueue >= 0'), 100000,
   'each with enqueue <= start <= end');
is(value($db, 'SELECT count(*) FROM tasks WHERE status = 0 AND worker IS NOT NULL AND sm IS NOT NULL'), 100000,
   'each with a status, a worker and an SM');
is(join(' ', map { "$_->{function} $_->{n}" }
        sql($db, 'SELECT function, count(*) AS n FROM tasks GROUP BY 1 ORDER BY 1')),
   'add 50000 mul 50000', 'half of them add, half multiply');
is(value($db, 'SELECT count(*) FROM tasks t JOIN workers w USING (worker) WHERE t.start < w.start OR t.end > w.end'),
   0, 'no task runs outside the life of its worker');
is(value($db, 'SELECT count(*) FROM (SELECT start, lag(end) OVER (PARTITION BY worker ORDER BY start, end) AS before' .
              ' FROM tasks) WHERE start < before'), 0, 'a worker runs one task at a time');
is(value($db, 'SELECT sum(tasks) FROM workers'), 100000, 'the workers\' own counters agree');
is(value($db, 'SELECT count(*) FROM queue_depth WHERE depth < 0 OR depth > capacity OR completed > dequeued'), 0,
   'queue samples are consistent');
is(value($db, 'SELECT enqueued || \' \' || dequeued || \' \' || completed FROM queue_depth ORDER BY time DESC LIMIT 1'),
   '100000 100000 100000', 'the last of them says that all is done');
balanced($db, 'trace_health balances for every ring');
is(value($db, 'SELECT verdict FROM trace_health WHERE ring IS NULL'), 'complete', 'its verdict: complete');
is(value($db, 'SELECT count(*) FROM trace_health WHERE closed = 0 OR unfinished <> 0 OR unbuilt <> 0'), 0,
   'every ring was closed, every span finished');
is(value($db, 'SELECT sum(read) FROM trace_health WHERE ring IS NOT NULL'), $j->{trace}{read},
   'the trace and the JSON count the same events');
is(value($db, 'SELECT pid FROM GROSR_SESSION'), $run->{pid}, 'the trace names the process');
is(value($db, 'SELECT died FROM GROSR_SESSION'), 0, 'which did not die');
is(value($db, 'SELECT count(*) FROM GROSR_LOSS'), 0, 'no losses');
integrity($db, 'SQLite finds the file sound');

# Every kind and resource of the one list is in the trace's lookup tables.
my $list = slurp("$ROOT/schema/events.def");
$list =~ s{/\*.*?\*/}{}gs;
my %kinds = map { $_ => 1 } $list =~ /^GROSR_EVENT\(\d+, \w+, (\w+)/mg;
my %resources = map { $_ => 1 } $list =~ /^GROSR_RESOURCE\(\d+, \w+, (\w+)/mg;
cmp_ok(scalar(keys %kinds), '>', 0, 'schema/events.def lists kinds');
is_deeply({map { $_->{name} => 1 } sql($db, 'SELECT name FROM GROSR_EVENT_KIND')}, \%kinds,
          'GROSR_EVENT_KIND holds them all');
is_deeply({map { $_->{name} => 1 } sql($db, 'SELECT name FROM GROSR_RESOURCE_KIND')}, \%resources,
          'GROSR_RESOURCE_KIND too');

# ---- untraced, text, list ----

$run = grosr('run', 'arith', '--tasks', '5000', '--json', @host);
is($run->{code}, 0, 'an untraced run');
$j = json_of($run);
is($j->{completed}, 5000, 'completes');
ok(exists $j->{trace}{file} && !defined $j->{trace}{file}, 'JSON: trace.file is null');
is("$j->{trace}{read} $j->{trace}{dropped}", '0 0', 'nobody read, nothing was dropped: a flight recorder');
no_segments($run, 'no segment is left');

$run = grosr('run', 'arith', '--tasks', '1000', '-o', "$dir/text.db", @host);
is($run->{code}, 0, 'a run with text');
like($run->{stdout}, qr/^arith on .*host.*: 1000 of 1000 tasks completed, 0 errors\n/, 'says what completed');
like($run->{stdout}, qr/tasks\/s/, 'says how fast');
like($run->{stdout}, qr/\Q$dir\E\/text\.db/, 'names the trace');
no_segments($run, 'no segment is left');

$run = grosr('run', 'arith', '--tasks', '1', '-o', $db, '--json', @host);
is(json_of($run)->{completed}, 1, 'one task');
is(value($db, 'SELECT count(*) FROM tasks'), 1, 'and an older trace of that name is replaced');

$run = grosr('run', '--list');
is($run->{code}, 0, '--list');
like($run->{stdout}, qr/^$_\s+\S/m, "has $_ with a description") for qw(arith spawn pipeline);
unlike($run->{stdout}, qr/^\S+\s*$/m, 'a description for each');

# ---- workers ----

for my $workers (1, 2, 4) {
    $run = grosr('run', 'arith', '--tasks', '20000', '--workers', $workers, '-o', $db, '--json', @host);
    $j = json_of($run);
    is("$run->{code} $j->{completed} $j->{errors} $j->{workers} $j->{trace}{dropped}", "0 20000 0 $workers 0",
       "--workers $workers");
    is(value($db, 'SELECT count(*) FROM workers'), $workers, 'as many in the trace');
    is(value($db, 'SELECT count(*) FROM tasks WHERE enqueue <= start AND start <= end'), 20000, 'with every task');
    balanced($db, 'balanced');
    no_segments($run, 'no segment is left');
}

# ---- levels ----

my %instants;
for my $level (qw(off counters spans full)) {
    $run = grosr('run', 'arith', '--tasks', '20000', '--level', $level, '-o', $db, '--json', @host);
    $j = json_of($run);
    is("$run->{code} $j->{completed} $j->{errors} $j->{trace}{dropped}", '0 20000 0 0', "--level $level");
    my $tasks = value($db, 'SELECT count(*) FROM tasks');
    my $counted = value($db, 'SELECT sum(tasks) FROM workers');
    if ($level eq 'off' || $level eq 'counters') {
        is($j->{trace}{written}, 0, 'records no event');
        is($tasks, 0, 'and no task');
    } else {
        is($tasks, 20000, 'records every task');
    }
    is($counted, $level eq 'off' ? 0 : 20000, $level eq 'off' ? 'nor counts any' : 'the workers count them');
    cmp_ok(value($db, 'SELECT sum(busy_ns) FROM workers'), '>', 0, 'and their time') unless $level eq 'off';
    $instants{$level} = value($db, 'SELECT count(*) FROM GROSR_INSTANT JOIN GROSR_EVENT_KIND USING (kind)' .
                                   ' WHERE name = \'queue_take\'');
    balanced($db, 'balanced');
    is(value($db, 'SELECT verdict FROM trace_health WHERE ring IS NULL'), 'complete', 'complete');
    no_segments($run, 'no segment is left');
}
is($instants{spans}, 0, 'spans records no queue_take');
cmp_ok($instants{full}, '>', 0, 'full does');

# ---- seconds ----

# Repeats a workload for so long; on a loaded machine once may take that, so that it is given more.
sub repeat
{
    my ($workload) = @_;
    my ($r, $of);
    for my $seconds (0.3, 3, 20) {
        $r = grosr('run', $workload, '--tasks', '1000', '--seconds', $seconds, '--level', 'counters', '--json', @host);
        $of = json_of($r);
        last if $r->{code} || $of->{tasks} > 1000;
    }
    return ($r, $of);
}

($run, $j) = repeat('arith');
is($run->{code}, 0, '--seconds');
cmp_ok($j->{elapsed_ns}, '>=', 300000000, 'runs that long');
cmp_ok($j->{completed}, '>', 1000, 'repeating the workload');
is($j->{completed}, $j->{tasks}, 'and completes all of it');
no_segments($run, 'no segment is left');

# ---- tasks that spawn tasks, and tasks that wait for others ----

for my $workload (qw(spawn pipeline)) {
    for my $workers (1, 3) {
        $run = grosr('run', $workload, '--tasks', '30001', '--workers', $workers, '-o', $db, '--json', @host);
        is("$run->{code} $run->{stderr}", '0 ', "$workload, $workers workers: exit 0 and not a word");
        $j = json_of($run);
        my $n = $j->{tasks};
        is("$j->{workload} $j->{completed} $j->{errors} $j->{trace}{dropped}", "$workload $n 0 0", 'all completed, none wrong');
        # A pipeline that gets fewer frames than it wants has other windows.
        cmp_ok(abs($n - 30001), '<=', $workload eq 'spawn' ? 0 : 3000, 'as many as were asked for');
        cmp_ok($j->{spawned}, '>', 26000, 'nearly all of them spawned by tasks');
        is(value($db, 'SELECT count(*) FROM tasks'), $n, 'a row for each run');
        is(value($db, 'SELECT count(*) FROM tasks WHERE spawned AND enqueue IS NOT NULL'), $j->{spawned},
           'as many tasks are spawned');
        is(value($db, 'SELECT count(DISTINCT task) FROM tasks WHERE spawned'), $j->{spawned},
           'each with a number of its own');
        is(value($db, 'SELECT count(*) FROM (SELECT task >> 27 & 4095 AS spawner, count(*) AS n,' .
                      ' max(task & 0x7ffffff) AS last FROM tasks WHERE spawned AND enqueue IS NOT NULL GROUP BY 1)' .
                      ' s LEFT JOIN workers w ON w.worker = s.spawner WHERE n <> last + 1 OR w.spawned IS NOT n'), 0,
           'counted from 0 by each worker, as its own counter says');
        is(value($db, 'SELECT sum(spawned) FROM workers'), $j->{spawned}, 'the workers\' counters sum up to it');
        is(value($db, 'SELECT sum(tasks) FROM workers'), $n, 'and to the runs');
        is(value($db, 'SELECT count(*) FROM workers w WHERE tasks <> (SELECT count(*) FROM tasks t WHERE t.worker = w.worker)'),
           0, 'for each worker too');
        is(value($db, 'SELECT count(*) FROM tasks WHERE enqueue IS NOT NULL AND NOT (enqueue <= start AND start <= end)'),
           0, 'first runs: enqueue <= start <= end');
        is(value($db, 'SELECT count(*) FROM (SELECT enqueue, row_number() OVER (PARTITION BY task ORDER BY start) AS k' .
                      ' FROM tasks) WHERE (k = 1) <> (enqueue IS NOT NULL)'), 0, 'only first runs were enqueued');
        is(value($db, 'SELECT count(*) FROM (SELECT function, next, lead(function) OVER (PARTITION BY task ORDER BY start)' .
                      ' AS after FROM tasks) WHERE next IS NOT after AND next <> \'(nothing)\''), 0,
           'a suspended task goes on as it said');
        is(value($db, 'SELECT count(*) FROM tasks WHERE status <> 0'), 0, 'none failed');
        my $shared = value($db, 'SELECT sum(shared) FROM workers');
        my $moved = value($db, 'SELECT count(*) FROM tasks WHERE spawned AND enqueue IS NOT NULL AND (task >> 27 & 4095) <> worker');
        if ($workers == 1) {
            is("$shared $moved", '0 0', 'one worker gives nothing away');
        } elsif ($workload eq 'spawn') {    # a task that waits starts where its last signal came from
            cmp_ok($moved, '<=', $shared, 'no more ran elsewhere than were given away');
        }
        balanced($db, 'balanced');
        is(value($db, 'SELECT verdict FROM trace_health WHERE ring IS NULL'), 'complete', 'complete');
        no_segments($run, 'no segment is left');
    }

    $run = grosr('run', $workload, '--tasks', '5000', '--json', @host);
    $j = json_of($run);
    is("$run->{code} $j->{completed} $j->{errors} $j->{trace}{read}", "0 $j->{tasks} 0 0", "$workload, untraced");
    for my $tasks (1, 2, 66, 521) {
        $j = json_of(grosr('run', $workload, '--tasks', $tasks, '--json', @host));
        is("$j->{tasks} $j->{completed} $j->{errors}", "$tasks $tasks 0", "$workload, $tasks in all");
    }
    for my $level (qw(off counters full)) {
        $run = grosr('run', $workload, '--tasks', '5000', '--level', $level, '-o', $db, '--json', @host);
        $j = json_of($run);
        is("$run->{code} $j->{completed}", "0 $j->{tasks}", "$workload, --level $level");
        is(value($db, 'SELECT sum(tasks) FROM workers'), $level eq 'off' ? 0 : $j->{tasks}, 'the workers count, or do not');
    }
    is(value($db, 'SELECT count(*) FROM tasks'), $j->{tasks}, 'full: every run is there');
    ($run, $j) = repeat($workload);
    cmp_ok($j->{elapsed_ns}, '>=', 300000000, "$workload, --seconds");
    is("$run->{code} $j->{completed} $j->{errors}", "0 $j->{tasks} 0", 'again and again');
    cmp_ok($j->{tasks}, '>', 1000, 'more than once');

    my $p = start($GROSR, 'run', $workload, '--seconds', '600', '--json', @host);
    ok(until_true(sub {
        my $top = grosr('top', $p->{pid}, '--once', '--json');
        return $top->{code} == 0 && json_of($top)->{tasks}{spawned} > 0;
    }), "$workload runs, and top sees tasks spawned");
    signal_group($p, 'INT');
    finish($p);
    like($p->{stderr}, qr/\Agrosr: interrupted after \d+ tasks\n\z/, 'SIGINT ends it with a word');
    is($p->{code}, 1, 'exit 1');
    is(json_of($p)->{errors}, 0, 'and nothing was wrong');
    no_segments($p, 'no segment is left');
}

# ---- reading a file, through system calls ----

$run = grosr('run', 'read', '--tasks', 3000, '--json', @host);
$j = json_of($run);
is("$run->{code} $j->{tasks} $j->{completed} $j->{errors}", '0 3000 3000 0', 'read: every chunk is right') or diag($run->{stderr});
is(join(' ', glob('/dev/shm/grosr-read-*')), '', 'and its file is removed');
spew("$dir/file", join('', map { pack('Q', $_ * 77777) } 1 .. 30000) . 'odd');
symlink("$dir/file", "$dir/link");
for my $name ('file', 'link') {
    $run = grosr('run', 'read', '--file', "$dir/$name", '--tasks', 100, '--json', @host);
    $j = json_of($run);
    is("$run->{code} $j->{completed} $j->{errors}", '0 100 0', "read: a $name of any length") or diag($run->{stderr});
}
$run = grosr('run', 'read', '--sandbox', '--tasks', 500, '--json', @host);
if ($run->{stderr} =~ /without libseccomp/) {
    is($run->{code}, 1, 'read: no sandbox without libseccomp');
} else {
    $j = json_of($run);
    is("$run->{code} $j->{completed} $j->{errors}", '0 500 0', 'read: in a sandbox') or diag($run->{stderr});
}
for my $bad (["$dir/none", qr/none': No such file/], [$dir, qr/not a regular file/], ['/dev/null', qr/not a regular file/]) {
    $run = grosr('run', 'read', '--file', $bad->[0], '--tasks', 10, @host);
    is($run->{code}, 1, "read: $bad->[0] fails");
    like($run->{stderr}, $bad->[1], 'with a reason');
    no_segments($run, 'and leaves no segment');
}
# Each call of a recorded run is in the trace, with its times in order and the bytes that it moved.
$run = grosr('run', 'read', '--file', "$dir/file", '--tasks', 300, '-o', "$dir/read.db", @host);
is($run->{code}, 0, 'read: recorded') or diag($run->{stderr});
is(value("$dir/read.db", q{SELECT group_concat(call || ' ' || n) FROM (SELECT call, count(*) AS n FROM syscalls GROUP BY call)}),
   'close 1,openat 1,pread 298', 'read: a row for each call');
is(value("$dir/read.db", q{SELECT count(*) FROM syscalls WHERE start <= served AND served <= replied AND replied <= end
       AND slot < 64 AND session = 1 AND task IS NOT NULL AND worker IS NOT NULL AND result >= 0}), 300, 'read: its times are in order');
is(value("$dir/read.db", q{SELECT count(*) FROM syscalls c JOIN tasks t ON t.task = c.task WHERE t.start <= c.start AND c.end <= t.end}),
   300, 'read: each is inside of its task');
is(value("$dir/read.db", q{SELECT count(DISTINCT handle) FROM syscalls WHERE call IN ('pread', 'close')}), 1, 'read: of one handle');
is(value("$dir/read.db", q{SELECT max(bytes) FROM syscalls WHERE call = 'pread'}), 16384, 'read: a chunk each');
is(value("$dir/read.db", q{SELECT written = read AND dropped = 0 FROM GROSR_STREAM}), 1, 'read: no record was lost');
like(grosr('export', "$dir/read.db", '--format', 'chrome')->{stdout}, qr/"system calls, port \d+"/, 'read: a track for a port');
$run = grosr('run', 'read', '--tasks', 100, '--level', 'counters', '-o', "$dir/read.db", @host);
is($run->{code} . ' ' . value("$dir/read.db", 'SELECT count(*) FROM syscalls'), '0 0', 'read: no rows below the level spans');

for my $option (['--file', 'x'], ['--sandbox']) {
    $run = grosr('run', 'arith', @$option, @host);
    is($run->{code}, 2, "$option->[0] is for `read`");
}

done_testing();
