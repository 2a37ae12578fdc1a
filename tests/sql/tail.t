#!/usr/bin/perl
# What made the slowest 1 % of the tasks slow (`tail-causes`), on traces that are made up so that this is known: a cause each,
# several together, and what the events cannot say.
#
# 198 tasks are queued for 100 ns and run for 900; two more have what the case adds. Each task has a worker of its own.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../cli";
use Grosr;
use Test::More;

have('sqlite3') or plan(skip_all => 'there is no sqlite3 to fill a trace with');

my $dir = scratch();
my $schema = "$ROOT/schema";
my ($version) = slurp("$schema/schema.h") =~ /define GROSR_SCHEMA_VERSION (\d+)/;
my $begin = sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;\nBEGIN;\n", 0x47524f53, $version) .
    slurp("$schema/tables.sql") . slurp("$schema/views.sql") . q{
INSERT INTO GROSR_META VALUES ('complete', 1);
INSERT INTO GROSR_SESSION (session, pid, program, device, device_name, sms, max_warps_per_sm, lanes, start_mono_ns, start_real_ns, end)
    VALUES (1, 1, 'app', 'cuda', 'GPU', 1, 64, 32, 0, 0, 10000000);
INSERT INTO GROSR_RESOURCE_KIND VALUES (1, 'queue_not_empty', ''), (4, 'syscall_port', ''), (5, 'syscall_reply', ''),
    (6, 'lock', ''), (9, 'memory', ''), (10, 'room', '');
INSERT INTO GROSR_FUNCTION VALUES (0, 'work', 1), (1, 'later', 1);
INSERT INTO GROSR_NAME VALUES (3, 'table', NULL, 1);
INSERT INTO StringIds VALUES (1, 'read'), (2, 'write');
};
my ($n, $at) = (0, 0);

sub begin_of { return 100_000 + 20_000 * $_[0] }    # when task i is submitted

# A task: of `run` ns after `queued` ns, with rows of its own.
sub task
{
    my ($i, $queued, $run, @rows) = @_;
    my ($from, $start) = (begin_of($i), begin_of($i) + $queued);
    return "INSERT INTO GROSR_WORKER (worker, sm, start, end) VALUES ($i, 0, 0, 10000000);\n" .
        "INSERT INTO GROSR_TASK VALUES ($i, 0, $i, $from, $start, " . ($start + $run) . ", 0, NULL);\n" . join('', @rows);
}

# A wait of task i for `ns`, from `after` ns of its run on; and a system call.
sub waits
{
    my ($i, $resource, $index, $queued, $after, $ns) = @_;
    my $start = begin_of($i) + $queued + $after;
    return "INSERT INTO GROSR_WAIT VALUES ($i, $resource, $index, $start, " . (defined $ns ? $start + $ns : 'NULL') . ", 1);\n";
}
sub calls
{
    my ($i, $name, $start, $ns, $worker) = @_;
    my $end = $start + $ns;
    $worker //= $i;
    return "INSERT INTO GROSR_SYSCALL VALUES ($worker, $i, 0, $name, $start, $start, $end, $end, 0, 0, 5, 1);\n";
}

# The rows of the question in a trace of the usual tasks and those that are given; by cause, "share excess slow median tasks".
sub causes
{
    my ($usual, @rows) = @_;
    my $db = "$dir/" . $n++ . '.db';
    spew("$db.sql", join('', $begin, (map { task($_, 100, 900) } 0 .. $usual - 1), @rows, "COMMIT;\n"));
    my $r = run_it({out => '/dev/null'}, 'sqlite3', '-bail', $db, ".read $db.sql");
    is("$r->{code}$r->{stderr}", '0', 'the rows of a trace') or BAIL_OUT('no trace');
    my $answer = json_of(grosr('query', $db, 'tail-causes', '--format', 'json'));
    return map { my $row = $_; ($row->{cause} => $row) } @$answer;
}

sub says
{
    my ($row) = @_;
    return join(' ', map { $row->{$_} // 'NULL' } qw(share_pct excess_ns slow_ns median_ns tasks));
}

# The slow tasks' excess is 9000 ns, and `cause` is all of it.
sub one_cause
{
    my ($cause, $note, @rows) = @_;
    my %by = causes(198, @rows);
    is(says($by{total}), '100 9000 10000 1000 2', "$cause: the excess");
    is("$by{$cause}{share_pct} $by{$cause}{excess_ns} $by{$cause}{tasks}", '100 9000 2', "$cause is all of it");
    is(join(' ', map { "$_ $by{$_}{excess_ns}" } grep { $_ ne $cause && $_ ne 'total' && $by{$_}{excess_ns} } sort keys %by), '',
       "$cause: and nothing else any");
    like($by{$cause}{note} // '', $note, "$cause: the note") if $note;
    return %by;
}
sub for_both { my ($rows) = @_; return map { $rows->($_) } 198, 199 }

# ---- a cause each ----

one_cause('queueing', undef, for_both(sub { task($_[0], 9100, 900) }));
my %by = one_cause('execution', qr/^\d+\.\d workers in tasks on the SM, of the median ones \d+\.\d$/,
                   for_both(sub { task($_[0], 100, 9900) }));
is(says($by{clock}), 'NULL NULL NULL NULL NULL', 'a clock of which nothing was recorded is unknown, not nothing');
like($by{clock}{note}, qr/^no values/, 'and said so');
one_cause('sharing', qr/^most for table 7$/,
          for_both(sub { task($_[0], 100, 9900, waits($_[0], 6, (3 << 32) + 7, 100, 50, 8000),
                              waits($_[0], 10, (3 << 32) + 1, 100, 8100, 900), waits($_[0], 4, 0, 100, 9100, 100)) }));
one_cause('allocation', undef, for_both(sub { task($_[0], 100, 9900, waits($_[0], 9, 3 << 32, 100, 50, 9000)) }));
%by = one_cause('allocation', qr/^100 % of the tasks took whole chunks, of the median ones 0 %; how long that took is not recorded$/,
          for_both(sub {
              my ($i) = @_;
              my $start = begin_of($i) + 200;
              return task($i, 100, 9900,
                  (map { "INSERT INTO GROSR_HEAP_ERROR VALUES ($start + $_, 1, 1, 64, $i, 0, $i);\n" } 0, 4000, 9000),
                  "INSERT INTO GROSR_HEAP_EVENT VALUES ($start + 9001, 1, 26, 0, NULL, 3, $i, 0, $i);\n");
          }));
one_cause('system calls', qr/^most in read of handle 5$/,
          for_both(sub { my ($i) = @_; return task($i, 100, 9900, calls($i, 1, begin_of($i) + 200, 8000),
                                                   calls($i, 2, begin_of($i) + 8300, 1000)) }));
one_cause('system calls', undef, for_both(sub { task($_[0], 100, 9900, waits($_[0], 5, 2, 100, 50, 9000)) }));

# Suspended in the middle: 450 ns, away, 450 ns.
sub suspends
{
    my ($i, $away, @rows) = @_;
    my ($from, $start) = (begin_of($i), begin_of($i) + 100);
    return "INSERT INTO GROSR_WORKER (worker, sm, start, end) VALUES ($i, 0, 0, 10000000);\n" .
        "INSERT INTO GROSR_TASK VALUES ($i, 0, $i, $from, $start, $start + 450, NULL, 1);\n" .
        "INSERT INTO GROSR_TASK VALUES ($i, 1, $i, NULL, $start + 450 + $away, $start + 900 + $away, 0, NULL);\n" . join('', @rows);
}
one_cause('suspension', undef, for_both(sub { suspends($_[0], 9000) }));
one_cause('system calls', qr/^most in read/,
          for_both(sub { suspends($_[0], 9000, calls($_[0], 1, begin_of($_[0]) + 550, 9000, 'NULL')) }));

# At a quarter of its clock the GPU takes 3600 ns for 900.
{
    my $clock = "INSERT INTO GROSR_NAME VALUES (-2, 'GPU 0 SM clock', 'MHz', 1);\n" .
        join('', map { sprintf("INSERT INTO GROSR_COUNTER VALUES (%d, -2, NULL, %d);\n", @$_) }
                 [0, 2000], [begin_of(50), 2000], [begin_of(198), 500]);
    my @slow = for_both(sub { task($_[0], 100, 3600) });
    my %by = causes(198, $clock, @slow);
    is(says($by{total}), '100 2700 3700 1000 2', 'clock: the excess');
    is(says($by{clock}), '100 2700 2700 0 2', 'clock is all of it');
    is($by{execution}{excess_ns}, 0, 'and execution is as long as ever');
    is($by{clock}{note}, '500 MHz, of the median ones 2000', 'clock: the note');
    %by = causes(198, $clock, "INSERT INTO GROSR_NAME VALUES (-10, 'GPU 1 SM clock', 'MHz', 1);\n", @slow);
    is(says($by{clock}), 'NULL NULL NULL NULL NULL', 'with two GPUs it is not known whose clock it is');
    %by = causes(198, $clock =~ s/VALUES \(0, -2/VALUES (9000000, -2/r =~ s/VALUES \(\d{7}, -2/VALUES (9000000, -2/gr, @slow);
    is(says($by{clock}), 'NULL NULL NULL NULL NULL', 'nor is it before the first value');
    %by = causes(198, $clock, "UPDATE GROSR_SESSION SET device = 'host';\n", @slow);
    is(says($by{clock}), 'NULL NULL NULL NULL NULL', 'nor does the GPU slow the host device down');
}

# ---- several, and what is not known ----

{
    # 4500 ns in the queue, 2700 for a lock, 1800 in a call; in the one more, in the other less.
    my %by = causes(198, task(198, 5600, 5400, waits(198, 6, 3 << 32, 5600, 100, 3000), calls(198, 1, begin_of(198) + 9000, 1500)),
                    task(199, 3600, 5400, waits(199, 6, 3 << 32, 3600, 100, 2400), calls(199, 1, begin_of(199) + 6500, 2100)));
    is(says($by{total}), '100 9000 10000 1000 2', 'several: the excess');
    is(says($by{queueing}), '50 4500 4600 100 2', 'several: queueing');
    is(says($by{sharing}), '30 2700 2700 0 0', 'several: sharing');
    is(says($by{'system calls'}), '20 1800 1800 0 0', 'several: system calls');
    is(says($by{execution}), '0 0 900 900 0', 'several: execution');
}
one_cause('unknown', qr/^ends of runs or waits were not recorded$/,
          for_both(sub { task($_[0], 100, 9900, waits($_[0], 6, 3 << 32, 100, 900, undef)) }));
{
    # The end of the first run was lost: 450 ns of it, and 8550 ns away.
    my %by = causes(198, for_both(sub { suspends($_[0], 8550) =~ s/\S+ \+ 450, NULL, 1/NULL, NULL, 1/r }));
    is(says($by{unknown}), '105.3 9000 9000 0 2', 'a run without an end: how long it and the suspension took is unknown');
    is(says($by{execution}), '-5.3 -450 450 900 0', 'of execution is known what the later run took');
}
{
    # Two lanes of the warp wait at the same time for all of the run: no longer than that.
    my %by = causes(198, for_both(sub { task($_[0], 100, 9900, (waits($_[0], 6, 3 << 32, 100, 0, 9900)) x 2) }));
    is("$by{sharing}{slow_ns} $by{execution}{slow_ns} $by{unknown}{slow_ns}", '9900 0 0',
       'waits of several lanes are no longer than the run');
}

# ---- which tasks are slow ----

is(join(' ', causes(100)), '', 'tasks that take equally long have no tail');
for my $case ([990, 10], [985, 15], [995, 5], [99, 1], [3, 1]) {
    my ($usual, $slow) = @$case;
    my %by = causes($usual, map { task($_, 9100, 900) } $usual .. $usual + $slow - 1);
    is(says($by{total}), "100 9000 10000 1000 $slow", "$slow of @{[$usual + $slow]} tasks are slow");
}
{
    # Two functions, each by its own measure; a task of the same number in another session is another one.
    my %by = causes(198, for_both(sub { task($_[0], 100, 9900, waits($_[0], 6, 3 << 32, 100, 0, 9000)) }),
        q{INSERT INTO GROSR_SESSION (session, pid, program, device, device_name, sms, max_warps_per_sm, lanes, start_mono_ns, start_real_ns)
          VALUES (2, 2, 'other', 'host', 'host', 1, 1, 1, 0, 0);
          INSERT INTO GROSR_WORKER (worker, sm, start, session) VALUES (900, 0, 0, 2);
          INSERT INTO GROSR_TASK VALUES (198, 1, 900, 0, 10, 5000000, 0, NULL), (199, 1, 900, NULL, 5000000, 6000000, 0, NULL);
          INSERT INTO GROSR_SYSCALL VALUES (900, 198, 0, 1, 20, 20, 4900000, 4900000, 0, 0, 5, 2);});
    is("$by{sharing}{function} " . says($by{sharing}), 'work 100 9000 9000 0 2', 'sessions and functions are kept apart');
}

# ---- the remark of a diagnosis ----

# A trace in which 20 of 1020 tasks wait in the queue for `ns` more, with its summaries stored.
sub with_tail
{
    my ($ns, @rows) = @_;
    my $db = "$dir/remark-$ns-" . @rows . '.db';
    my @tasks = ((map { task($_, 100, 900) } 0 .. 999), (map { task($_, 100 + $ns, 900) } 1000 .. 1019));
    spew("$db.sql", join('', $begin, @tasks, @rows, "COMMIT;\n"));
    my $r = run_it({out => '/dev/null'}, 'sqlite3', '-bail', $db, ".read $db.sql");
    is("$r->{code}$r->{stderr}", '0', 'the rows of a trace') or BAIL_OUT('no trace');
    my @durations = @{json_of(grosr('query', $db, 'SELECT * FROM GROSR_DURATION', '--format', 'json'))};
    my @columns = qw(measure what which bin n total_ns max_ns part);
    my $values = join(', ', map { my $d = $_; '(' . join(', ', map { "'$d->{$_}'" } @columns) . ')' } @durations);
    $r = run_it('sqlite3', '-bail', $db, "INSERT INTO GROSR_META VALUES ('summaries', 1); INSERT INTO GROSR_DURATION VALUES $values");
    is("$r->{code}$r->{stderr}", '0', 'and its summaries');
    return json_of(grosr('diagnose', $db, '--json'));
}
{
    my $j = with_tail(200_000);
    my ($f) = @{$j->{findings}};
    is("$j->{verdict} $f->{verdict} $f->{kind}", 'healthy healthy heavy_tail', 'a heavy tail is a remark, and the verdict is healthy');
    is($f->{summary}, 'the slowest 1 % of the tasks of work took 201 times as long as its median ones', 'it says how heavy');
    like(ref $f->{evidence} ? join("\n", @{$f->{evidence}}) : $f->{evidence},
         qr/^work: 100 % of the difference is queueing$/m, 'and why');
    is(join(' ', map { $_->{kind} } @{with_tail(8_000)->{findings}}), '', 'microseconds are not remarked');
    # Two workers that wait for each other's lock: that is what matters.
    $j = with_tail(200_000, map { "INSERT INTO GROSR_WORKER (worker, sm, start) VALUES ($_, 0, 0);
        INSERT INTO GROSR_HOLD VALUES ($_, 6, (3 << 32) + $_, 10, NULL);
        INSERT INTO GROSR_WAIT VALUES ($_, 6, (3 << 32) + 8001 - $_ + 8000, 20, NULL, 1);
        UPDATE GROSR_SESSION SET died = 1, end = 100000000000, device = 'host';
        INSERT OR IGNORE INTO GROSR_QUEUE VALUES (0, 'submit', 8, 1, 1);
        INSERT INTO GROSR_QUEUE_SAMPLE VALUES (99000000000, 0, 9, 9, 8);" } 8000, 8001);
    is("$j->{verdict} " . join(' ', map { $_->{kind} } @{$j->{findings}}), 'deadlock lock_cycle', 'nor is a tail where something is stuck');
}

# ---- recorded workloads ----

{
    my $db = "$dir/slow.db";
    grosr('run', 'stall:disk', '--device', 'host', '--workers', '4', '--seconds', '1.2', '-o', $db);
    my ($calls) = grep { $_->{cause} eq 'system calls' } @{json_of(grosr('query', $db, 'tail-causes', '--format', 'json'))};
    cmp_ok($calls->{share_pct}, '>', 95, 'the reads of something slow are the cause');
    like($calls->{note}, qr/^most in read of handle \d+$/, 'and named');
    unlink($db);
    is(grosr('run', 'spawn', '--device', 'host', '--tasks', '20000', '--workers', '2', '-o', $db)->{code}, 0, 'a workload');
    my $answer = json_of(grosr('query', $db, 'tail-causes', '--format', 'json'));
    my %sum;
    for my $row (@$answer) {
        $sum{$row->{function}}{$row->{cause} eq 'total' ? 'total' : 'parts'} += $row->{excess_ns} // 0;
        $sum{$row->{function}}{tasks} += ($row->{tasks} // 0) * ($row->{cause} eq 'total' ? 1 : -1);
    }
    cmp_ok(scalar(keys %sum), '>', 0, 'a recorded workload has a tail');
    is(join(' ', grep { abs($sum{$_}{total} - $sum{$_}{parts}) > 8 } sort keys %sum), '', 'the causes make up the excess');
    is(join(' ', grep { abs($sum{$_}{tasks}) > 8 } sort keys %sum), '', 'and each slow task has one of them above all');
}

done_testing();
