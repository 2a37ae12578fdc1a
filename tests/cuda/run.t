#!/usr/bin/perl
# The acceptance of `grosr run` on a GPU.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../cli";
use Grosr;
use Test::More;
use Time::HiRes qw(time);

my ($gpu) = grep { $_->{device} eq 'cuda' } @{json_of(grosr('info', '--json'))->{devices}};
plan(skip_all => 'no CUDA device: ' . (json_of(grosr('info', '--json'))->{cuda_absent} // '?')) unless $gpu;

my $dir = scratch();
my $db = "$dir/t.db";
my @arith = ('run', 'arith', '--device', 'cuda', '--json');
diag("on $gpu->{name}, $gpu->{sms} SMs, $gpu->{default_workers} of $gpu->{max_workers} workers, $gpu->{detail}");

sub completes
{
    my ($name, $tasks, @more) = @_;
    my $run = grosr(@arith, '--tasks', $tasks, @more);
    my $j = json_of($run);
    is(join(' ', $run->{code}, map { $_ // 'undef' } @$j{qw(completed errors device)}), "0 $tasks 0 cuda", $name) or
        diag($run->{stderr});
    no_segments($run, 'no segment is left');
    return $j;
}

# ---- every task in the trace ----

my $j = completes('100000 tasks, traced', 100000, '-o', $db);
is("$j->{trace}{dropped} $j->{trace}{overwritten}", '0 0', 'no event is lost');
is($j->{trace}{written}, $j->{trace}{read}, 'all are read');
is(value($db, 'SELECT count(*) FROM tasks'), 100000, 'every task is in the trace');
is(value($db, 'SELECT count(DISTINCT task) FROM tasks'), 100000, 'once');
is(value($db, 'SELECT count(*) FROM tasks WHERE enqueue <= start AND start <= end'), 100000,
   'each with enqueue <= start <= end, across two clocks');
is(value($db, 'SELECT count(*) FROM tasks WHERE status = 0 AND worker IS NOT NULL AND sm IS NOT NULL'), 100000,
   'each with its status, worker and SM');
is(value($db, 'SELECT count(*) FROM tasks t JOIN workers w USING (worker) WHERE t.start < w.start OR t.end > w.end'), 0,
   'no task runs outside the life of its worker');
is(value($db, 'SELECT sum(tasks) FROM workers'), 100000, 'the workers\' counters agree');
cmp_ok(value($db, 'SELECT count(DISTINCT sm) FROM tasks'), '>', 1, 'more than one SM ran them');
balanced($db, 'the books of every ring balance');
is(value($db, 'SELECT verdict FROM trace_health WHERE ring IS NULL'), 'complete', 'the trace is complete');
cmp_ok(value($db, 'SELECT count(*) FROM GROSR_CLOCK'), '>=', 2, 'the clocks were compared');
my $bound = value($db, 'SELECT max(clock_error_ns) FROM trace_health');
ok(defined $bound && $bound > 0 && $bound < 1e6, 'to less than a millisecond') or diag($bound // 'NULL');
diag("clock error bound: $bound ns; $j->{tasks_per_s} tasks/s traced");
integrity($db, 'the file is sound');

# ---- many, few, wide ----

$j = completes('10 M tasks, untraced', 10000000);
diag(sprintf('%.1f M tasks/s untraced', $j->{tasks_per_s} / 1e6));
$j = completes('10 M tasks, traced at spans', 10000000, '-o', $db);
is($j->{trace}{written}, $j->{trace}{read} + $j->{trace}{dropped} + $j->{trace}{overwritten}, 'its books balance');
balanced($db, 'of every ring');
is(value($db, 'SELECT count(*) FROM tasks WHERE enqueue > start OR start > end'), 0, 'no times in disorder');
diag(sprintf('%.1f M tasks/s traced, %d of %d events dropped', $j->{tasks_per_s} / 1e6, @{$j->{trace}}{qw(dropped written)}));

completes('--workers 1', 20000, '--workers', 1, '-o', $db);
is(value($db, 'SELECT count(*) FROM tasks'), 20000, 'every task is in the trace');
$j = completes("--workers $gpu->{max_workers}, all that fit", 1000000, '--workers', $gpu->{max_workers},
               '--overflow', 'block', '-o', $db);
is($j->{workers}, $gpu->{max_workers}, 'as many workers');
balanced($db, 'the books balance');
is(value($db, 'SELECT count(*) FROM workers WHERE start IS NOT NULL AND end IS NOT NULL'), $gpu->{max_workers},
   'all of them started and stopped');
says_one_line(grosr(@arith, '--workers', $gpu->{max_workers} + 1), 2, qr/at most $gpu->{max_workers} workers/,
              'one more than fit is refused');

SKIP: {
    skip("$gpu->{name} has $gpu->{sms} SMs", 4) if $gpu->{sms} < 8;
    completes('--sms 8', 100000, '--sms', 8, '-o', $db);
    cmp_ok(value($db, 'SELECT count(DISTINCT sm) FROM workers'), '<=', 8, 'on no more than 8 SMs');
    says_one_line(grosr(@arith, '--sms', $gpu->{sms} + 1), 2, qr/$gpu->{sms} SMs/, 'more SMs than there are');
}

# ---- levels, losses ----

$j = completes('--level off', 100000, '--level', 'off', '-o', $db);
is($j->{trace}{written}, 0, 'writes no event');
$j = completes('--level counters', 100000, '--level', 'counters', '-o', $db);
is("$j->{trace}{written} " . value($db, 'SELECT sum(tasks) FROM workers'), '0 100000', 'counts, and writes no event');
$j = completes('--level full', 100000, '--level', 'full', '-o', $db);
cmp_ok(value($db, 'SELECT count(*) FROM GROSR_INSTANT JOIN GROSR_EVENT_KIND USING (kind) WHERE name = \'queue_take\''),
       '>', 0, 'has queue_take');
for my $overflow (qw(drop overwrite block)) {
    $j = completes("--ring 64 --overflow $overflow", 200000, '--ring', 64, '--overflow', $overflow, '-o', $db);
    is($j->{trace}{written}, $j->{trace}{read} + $j->{trace}{dropped} + $j->{trace}{overwritten}, 'its books balance');
    balanced($db, 'of every ring');
    is("$j->{trace}{dropped} $j->{trace}{overwritten}", '0 0', 'nothing is lost') if $overflow eq 'block';
}

# ---- the end ----

# One worker that waits for the collector: what half a second brings is turned into rows in a few.
my @slow = ('--workers', 1, '--ring', 1024, '--overflow', 'block');

for my $signal (qw(INT TERM)) {
    unlink($db); # or the trace before is what is looked at
    my $p = start($GROSR, @arith, '--seconds', '600', @slow, '-o', $db);
    ok(until_true(sub { (peek($db, 'SELECT sum(read) FROM GROSR_RING') || 0) > 1000 || ended($p) }, 120), 'a traced run is going on');
    my $top = json_of(grosr('top', $p->{pid}, '--once', '--json'));
    my $q = $top->{queues}[0];
    ok($q->{depth} == $q->{enqueued} - $q->{dequeued} && $q->{dequeued} <= $q->{enqueued},
       '`top` sees a queue whose counters agree') or diag(JSON::PP->new->encode($q));
    my $began = time();
    kill($signal, $p->{pid});
    my $stopped = until_true(sub { !segments($p->{pid}) || ended($p) });
    my $took = time() - $began;
    finish($p);
    is("$p->{code} $p->{signal}", '1 0', "SIG$signal: exit 1") or diag($p->{stderr});
    cmp_ok($took, '<', 30, sprintf('the kernel stops (%.2f s)', $took));
    is(value($db, 'SELECT value FROM GROSR_META WHERE key = \'complete\''), 1, 'the trace is closed properly');
    balanced($db, 'and balanced');
    no_segments($p, 'no segment is left');
}
{
    my $p = start($GROSR, @arith, '--seconds', '600', '--level', 'off');
    ok(until_true(sub { ended($p) || segments($p->{pid}) && grosr('top', $p->{pid}, '--once')->{code} == 0 }), 'an untraced run');
    my $began = time();
    kill('INT', $p->{pid});
    finish($p);
    my $took = time() - $began;
    is("$p->{code} $p->{signal}", '1 0', 'SIGINT: exit 1');
    cmp_ok($took, '<', 5, sprintf('within 5 s (%.2f s)', $took));
    no_segments($p, 'no segment is left');
}
{
    unlink($db); # or the trace before is what is looked at
    my $p = start($GROSR, @arith, '--seconds', '600', @slow, '-o', $db);
    ok(until_true(sub { (peek($db, 'SELECT sum(read) FROM GROSR_RING') || 0) > 1000 || ended($p) }, 120), 'a traced run is going on');
    my ($collector) = children($p->{pid});
    kill('KILL', $p->{pid});
    finish($p);
    ok(until_true(sub { !process_runs($collector) }, 120), 'kill -9: the collector finishes');
    is(value($db, 'SELECT died FROM GROSR_SESSION'), 1, 'and marks the session as died');
    balanced($db, 'the books balance');
    integrity($db, 'the file is sound');
    no_segments($p, 'the segment is removed');
    completes('the GPU is free for the next', 10000);
}

done_testing();
