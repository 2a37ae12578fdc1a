#!/usr/bin/perl
# `grosr diagnose`: verdicts of live processes and of what dead ones left, as text and JSON; watching; bad operands.
use strict;
use warnings;
use File::Basename qw(dirname);
use File::Copy qw(copy);
use FindBin;
use lib $FindBin::Bin;
use Grosr;
use Test::More;
use Time::HiRes qw(sleep time);

my $dir = scratch();
my $stuck = dirname($GROSR) . '/tests/traced/stuck_workers';
-x $stuck or plan(skip_all => "$stuck has not been built");

sub diagnose
{
    my @option = ref $_[0] ? (shift()) : ();
    return grosr(@option, 'diagnose', @_);
}

# Starts tests/traced/stuck_workers and waits for its session.
sub stuck
{
    my $p = start($stuck, @_);
    until_true(sub { my ($segment) = segments($p->{pid}); $segment && slurp($segment) =~ /\AGROSSGR/ }) or diag('no session');
    return $p;
}

sub kinds { return join(' ', map { $_->{kind} } @{$_[0]->{findings}}) }

# ---- healthy, and stopped ----

my $run = live('--tasks', '50000');
my $r = diagnose($run->{pid});
is("$r->{code} $r->{stderr}", '0 ', 'a busy run: exit code 0, nothing on stderr');
like($r->{stdout}, qr/\A(?:healthy|idle): process $run->{pid}, session 0 \(host, arith\)\n/, 'the verdict first, and of what');
like($r->{stdout}, qr/tasks in queues: \d+/, 'and what goes on');
my $j = json_of(diagnose($run->{pid}, '--json'));
like($j->{verdict}, qr/^(?:healthy|idle)$/, '--json: the verdict');
is(ref $j->{findings}, 'ARRAY', 'findings');
is($j->{threshold_ns}, 1e9, 'the threshold');
like($j->{$_}, qr/\S/, $_) for qw(source state);
is(json_of(diagnose("$run->{pid}.0", '--json', '--threshold', '0.25'))->{threshold_ns}, 250000000, 'PID.INDEX, --threshold');

kill('STOP', $run->{pid});
sleep(0.6);
$j = json_of($r = diagnose($run->{pid}, '--json', '--threshold', '0.3'));
kill('CONT', $run->{pid});
like("$r->{code} $j->{verdict}", qr/^0 (?:healthy|idle)$/, 'a stopped process is not stalled');
is(kinds($j), 'process_stopped', 'but remarked on');
is($j->{findings}[0]{verdict}, 'healthy', 'as a remark');

kill('KILL', $run->{pid});
finish($run);
$r = diagnose($run->{pid});
is($r->{code}, 0, 'a busy run that was killed was not stuck');
like($r->{stdout}, qr/\A(?:healthy|idle): process $run->{pid}, session 0 \(host, arith\), which has died\n/, 'which is said');
unlink(segments($run->{pid}));

# ---- a deadlock: live, and left behind ----

my $p = stuck(50);
$r = diagnose($p->{pid}, '--threshold', '0.5');
is("$r->{code} $r->{stderr}", '3 ', 'a deadlock: exit code 3');
like($r->{stdout}, qr/\Adeadlock: process $p->{pid}, session 0 \(host, stuck\)\n\nlock_cycle, for \S+:\n/,
     'the verdict, then the finding');
like($r->{stdout}, qr/^  worker 0 waits for lock 1, which worker 1 holds/m, 'in a sentence');
like($r->{stdout}, qr/^    - worker 0 has held lock 0 for /m, 'its evidence, a line each');
like($r->{stdout}, qr/^  What to do:\n    \S/m, 'what to do');
unlike($r->{stdout}, qr/\033/, 'no colors where stdout is no terminal');
like(diagnose($p->{pid}, '--color', 'always')->{stdout}, qr/\A\033\[[0-9;]+mdeadlock\033\[0m: /, 'colors if asked for');
$j = json_of(diagnose($p->{pid}, '--json'));
is($j->{verdict}, 'deadlock', '--json');
my $f = $j->{findings}[0];
is_deeply([sort @{$f->{workers}}], ['worker 0', 'worker 1'], 'workers');
is_deeply([sort @{$f->{resources}}], ['lock 0', 'lock 1'], 'resources');
is(join(', ', @{$f->{cycle}}), 'worker 0, lock 1, worker 1, lock 0', 'the cycle');
cmp_ok($f->{since_ns}, '>', 5e8, 'since when');
cmp_ok(scalar(@{$f->{evidence}}), '>=', 4, 'evidence, a string for each line');
like($f->{$_}, qr/\S/, $_) for qw(summary advice);

my $other = stuck();
says_one_line(diagnose(), 2, qr/several sessions are running; choose one by its PID/, 'without an operand: which one?')
    if (my @all = glob('/dev/shm/grosr.*')) >= 2;
kill('KILL', $other->{pid});
finish($other);
unlink(segments($other->{pid}));

kill('KILL', $p->{pid});
finish($p);
my ($segment) = segments($p->{pid});
copy($segment, "$dir/segment");
for my $operand ($p->{pid}, $segment, "$dir/segment") {
    $r = diagnose($operand, '--json', '--threshold', '0.5');
    $j = json_of($r);
    is("$r->{code} $j->{verdict} " . kinds($j), '3 deadlock lock_cycle', "the same of what it left: $operand");
}
like($j->{source}, qr/which has died/, 'that it has died is said');
cmp_ok($j->{findings}[0]{since_ns}, '<', 120e9, 'and for how long it had been so when it died');
unlink($segment);

# ---- a trace ----

my $trace = "$dir/trace.db";
is(grosr('run', 'arith', '--device', 'host', '--tasks', '2000', '-o', $trace)->{code}, 0, 'a recorded run');
$r = diagnose($trace, '--json');
is("$r->{code} " . json_of($r)->{verdict}, '0 healthy', 'of a run that has ended, nothing is stuck');

# ---- watching ----

$p = stuck(1500);
my $start = time();
$r = diagnose({env => {OUT => "$dir/told"}}, $p->{pid}, '--watch', '--threshold', '0.5', '--on-stall',
              'echo "$GROSR_PID $GROSR_VERDICT" >>"$OUT"; exit 5');
is($r->{code}, 3, '--watch ends with 3 when it has found a stall');
cmp_ok(time() - $start, '<', 20, 'soon');
like($r->{stdout}, qr/\A\d\d:\d\d:\d\d healthy: .*\n/, 'a line for the verdict before');
like($r->{stdout}, qr/^deadlock: .*\n\nlock_cycle, /m, 'then the whole diagnosis');
is(slurp("$dir/told"), "$p->{pid} deadlock\n", '--on-stall: the command runs once, and knows what for');
is($r->{stderr}, "grosr: the command of --on-stall ended with exit code 5\n", 'how it ended is reported');
kill('KILL', $p->{pid});
finish($p);
unlink(segments($p->{pid}));

$p = stuck();
my $watch = start($GROSR, 'diagnose', $p->{pid}, '--watch', '--json');
until_true(sub { length slurp($watch->{out}) });
kill('KILL', $p->{pid});
finish($p);
$r = finish($watch);
is("$r->{code} $r->{stderr}", '0 ', '--watch ends with 0 when the process ends');
is($r->{stdout} =~ tr/\n//, 1, '--json: an object for each verdict');
is(json_of($r)->{verdict}, 'healthy', 'which was healthy all the time');
unlink(segments($p->{pid}));

$p = stuck();
$watch = start($GROSR, 'diagnose', $p->{pid}, '--watch');
until_true(sub { length slurp($watch->{out}) });
kill('INT', $watch->{pid});
is(finish($watch)->{code}, 0, 'and on a signal');
kill('KILL', $p->{pid});
finish($p);
unlink(segments($p->{pid}));

# ---- what cannot be seen, and wrong usage ----

$r = diagnose($$);
is($r->{code}, 1, 'a process without a session: exit code 1');
like($r->{stdout}, qr/thread $$ \(.*\): state [RS]/, 'what is known of it');
like($r->{stderr}, qr/process $$ has no GROSR session, .* `grosr record -- CMD`/, 'and how to see more');
says_one_line(diagnose('4194999'), 1, qr/there is no process 4194999/, 'no such process');
says_one_line(diagnose("$dir/none"), 1, qr{cannot read \Q$dir\E/none: No such file}, 'no such file');
spew("$dir/empty", '');
says_one_line(diagnose("$dir/empty"), 1, qr{\Q$dir\E/empty is not}, 'an empty file');
spew("$dir/text", "not a session\n" x 1000);
says_one_line(diagnose("$dir/text"), 1, qr{\Q$dir\E/text is not a GROSR session}, 'no session');
says_one_line(diagnose($dir), 1, qr/\Q$dir\E/, 'a folder');
says_one_line(diagnose("$dir/text", '--watch'), 2, qr/--watch needs a process/, 'a file cannot be watched');
says_one_line(diagnose($$, '--on-stall', 'true'), 2, qr/--on-stall is for --watch/, '--on-stall without --watch');
says_one_line(diagnose($$, '--threshold', $_), 2, qr/--threshold takes seconds from 0.05/, "--threshold $_") for '0', 'x', '-1';
says_one_line(diagnose(1, 2), 2, qr/unexpected operand '2'/, 'two operands');
done_testing();
