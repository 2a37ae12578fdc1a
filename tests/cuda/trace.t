#!/usr/bin/perl
# Kernels of somebody's own, instrumented with grosr/trace.h, on a GPU: the example's persistent kernel, and many launches
# of kernels that are not persistent.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../cli";
use Grosr;
use Test::More;

needs_cuda();
my ($nvcc) = needs_nvcc();
have('pkg-config') or plan(skip_all => 'pkg-config is not installed');

my $dir = scratch();
my $prefix = "$dir/prefix";
my $db = "$dir/p.db";
delete @ENV{grep { /^(MAKE|MFLAGS|VARIANT$|LANES$|V$)/ } keys %ENV};
is(run_it('make', '-s', '-C', $ROOT, "PREFIX=$prefix", 'install')->{code}, 0, 'make install');
for my $source ("$prefix/share/doc/grosr/example-trace/pipe.cu", "$ROOT/tests/cuda/launches.cu", "$ROOT/tests/cuda/deadlock.cu") {
    my ($name) = $source =~ m{(\w+)\.cu$};
    my $r = run_it({env => {PKG_CONFIG_PATH => "$prefix/lib/pkgconfig"}}, '/bin/sh', '-c',
                   "$nvcc -O3 -std=c++17 -arch=native $source -o $dir/$name " . '$(pkg-config --cflags --libs grosr)');
    is($r->{code}, 0, "nvcc builds $name") or BAIL_OUT($r->{stderr});
}

sub of_name { my ($table, $name) = @_; return "FROM $table t JOIN GROSR_NAME n USING (name) WHERE n.text = '$name'" }

# ---- a persistent kernel ----

my $items = 20000;
my $r = grosr('record', '-o', $db, '--', "$dir/pipe", $items);
is("$r->{code} $r->{stdout}", "0 @{[4 * $items]} items went through 4 channels\n", 'the example, recorded') or
    diag($r->{stderr});
my $lost = value($db, 'SELECT sum(dropped + overwritten) FROM GROSR_RING');
for my $range (qw(produce consume)) {
    my $n = value($db, "SELECT count(*) " . of_name('GROSR_RANGE', $range));
    ok($lost ? $n <= 4 * $items : $n == 4 * $items, "every item is a range `$range` ($n, $lost events lost)");
}
is(value($db, 'SELECT count(*) FROM GROSR_RANGE t JOIN workers w USING (worker) WHERE t.start < w.start OR t.end > w.end ' .
              'OR t.start > t.end'), 0, 'in the life of its warp');
is(value($db, 'SELECT count(*) FROM GROSR_HOLD a JOIN GROSR_HOLD b ON a."index" = b."index" AND a.rowid < b.rowid ' .
              'AND a.start < b.end AND b.start < a.end'), 0, 'nobody holds what another holds');
cmp_ok(value($db, 'SELECT count(DISTINCT sm) FROM workers'), '>', 1, 'more than one SM ran it');
balanced($db, 'the books balance');
cmp_ok(value($db, 'SELECT count(*) FROM GROSR_CLOCK'), '>=', 2, 'the clocks were compared before and after');
my $bound = value($db, 'SELECT max(bound_ns) FROM GROSR_CLOCK');
ok(defined $bound && $bound > 0 && $bound < 100000, 'well: to ' . ($bound // '?') . ' ns');

# It polls: levels reach it while it runs, and its warps answer the clock.
my $p = start("$dir/pipe", 0);
ok(until_true(sub { segments($p->{pid}) && json_of(grosr('top', $p->{pid}, '--once', '--json'))->{trace}{written} > 1000 }),
   'a kernel without end');
for my $level (qw(counters full)) {
    my $a = start($GROSR, 'record', '--attach', $p->{pid}, '--level', $level, '-o', "$dir/$level.db");
    my $seen = $level eq 'full' ? "count(*) > 1000 " . of_name('GROSR_RANGE', 'consume')
                                : 'count(*) = 16 FROM GROSR_INSTANT WHERE kind = 11 AND payload = 1';
    ok(until_true(sub { peek("$dir/$level.db", "SELECT $seen") }), "hears of level $level");
    kill('INT', $a->{pid});
    finish($a, 300);
    balanced("$dir/$level.db", 'the books balance');
}
cmp_ok(value("$dir/full.db", 'SELECT count(*) FROM GROSR_CLOCK'), '>=', 2, 'the clocks were compared while it ran');
$bound = value("$dir/full.db", 'SELECT min(bound_ns) FROM GROSR_CLOCK');
ok(defined $bound && $bound < 5000, 'by warps that poll: to ' . ($bound // '?') . ' ns at best');
kill('INT', $p->{pid});
finish($p);
like("$p->{code} $p->{stdout}", qr/^0 \d+ items went/, 'it ends when it is asked to, and every item was right') or
    diag($p->{stderr});
no_segments($p, 'no segment is left');

# ---- launches ----

$r = grosr('record', '-o', $db, '--', "$dir/launches");
like("$r->{code} $r->{stdout}", qr/^0 \d+ right$/, 'many launches in two streams, recorded') or diag($r->{stderr});
my ($warps, $alone) = (100 * 24 * 4, 100 * 24);
is(value($db, 'SELECT count(*) ' . of_name('GROSR_RANGE', 'pass') . ' AND start <= end'), $warps, 'each warp has its range');
is(value($db, 'SELECT count(*) ' . of_name('GROSR_RANGE', 'alone') . ' AND start <= end'), 20 * $alone,
   'and each lane that is alone its own');
is(value($db, 'SELECT count(*) FROM GROSR_INSTANT WHERE kind = 21'), 20 * $warps, 'with every step');
is(value($db, 'SELECT sum(dropped + overwritten) FROM GROSR_RING'), 0, 'nothing is lost, in rings of 16');
is(value($db, 'WITH l AS (SELECT value AS launch, min(start) AS start, max(end) AS end ' . of_name('GROSR_RANGE', 'pass') .
              ' GROUP BY value) SELECT count(*) FROM l a JOIN l b ON b.launch = a.launch + 1 WHERE b.start < a.end'), 0,
   'launches of one stream follow each other');
balanced($db, 'the books balance');

# ---- a deadlock ----

$r = grosr('record', '--window', '0.3', '--until', 'stall:1', '--persistent', 'deadlock', '-o', $db, '--', "$dir/deadlock", '2000');
says_one_line($r, 3, qr/\Agrosr: nothing has moved for 1\.\d s in process \d+: 2 workers wait, worker 0 for lock 1; /,
              'two blocks that take two locks in opposite orders');
is(join(' ', map { "$_->{worker}:$_->{resource_name}" } sql($db, 'SELECT worker, resource_name FROM holds WHERE end IS NULL ORDER BY 1')),
   '0:lock 0 1:lock 1', 'the trace tells what each of them holds');
is(join(' ', map { "$_->{worker}:$_->{resource_name}" } sql($db, 'SELECT worker, resource_name FROM waits WHERE end IS NULL ORDER BY 1')),
   '0:lock 1 1:lock 0', 'and what it waits for');
my $kept = value($db, q{SELECT value FROM GROSR_META WHERE key = 'kept_from'});
my $stopped = value($db, 'SELECT max(start) FROM GROSR_WAIT WHERE end IS NULL');
ok($kept > $stopped - 8e8 && $kept < $stopped - 3e8 + 1e6, 'what is kept is the time before the stall')
    or diag("kept from $kept, stalled at $stopped");
is(value($db, "SELECT count(*) FROM GROSR_RANGE WHERE end < $kept OR start IS NULL"), 0, 'nothing older');
cmp_ok(value($db, "SELECT count(*) " . of_name('GROSR_RANGE', 'work') . " AND end < $kept + 1e8"), '>', 100, 'from its beginning');
is(value($db, q{SELECT count(*) FROM CUPTI_ACTIVITY_KIND_KERNEL WHERE end IS NULL}), 1, 'the kernel has not ended')
    if value($db, q{SELECT count(*) FROM GROSR_SESSION WHERE device = 'process'});
balanced($db, 'the books balance');
my $hung = value($db, q{SELECT pid FROM GROSR_SESSION WHERE program = 'deadlock' AND device = 'cuda'});
ok(process_runs($hung), 'the program goes on');
kill('INT', $hung);
ok(until_true(sub { !process_runs($hung) }), 'until it is told to end');

# ---- the latest part of a run at full rate ----

$p = start($GROSR, 'run', 'arith', '--device', 'cuda', '--seconds', '6');
ok(until_true(sub { segments($p->{pid}) && json_of(grosr('top', $p->{pid}, '--once', '--json'))->{tasks}{done} }), 'a run');
$r = run_it($GROSR, 'record', '--window', '0.1', '--attach', $p->{pid}, '-o', $db);
is($r->{code}, 0, 'of which the last tenth of a second is kept') or diag($r->{stderr});
finish($p);
is($p->{code}, 0, 'every result was right') or diag($p->{stderr});
my ($end) = value($db, 'SELECT end FROM GROSR_SESSION');
$kept = value($db, q{SELECT value FROM GROSR_META WHERE key = 'kept_from'});
cmp_ok($kept, '<=', $end - 5e7, 'and said so');
is(value($db, "SELECT count(*) FROM tasks WHERE end < $kept"), 0, 'nothing older');
cmp_ok(value($db, 'SELECT count(*) FROM tasks'), '>', 1e5, 'and the tasks of that time');
my $cut = value($db, q{SELECT value FROM GROSR_META WHERE key = 'cut_events'});
note("$cut events were left out, " . value($db, 'SELECT sum(read) FROM GROSR_RING') . ' read, ' .
     value($db, 'SELECT sum(dropped) FROM GROSR_RING') . ' dropped; ' .
     value($db, 'SELECT count(*) FROM tasks WHERE start IS NULL') . ' tasks without their start');
balanced($db, 'the books balance');
integrity($db, 'the file is sound');
done_testing();
