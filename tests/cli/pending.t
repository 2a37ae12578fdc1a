#!/usr/bin/perl
# What a recorded program is in is known while it hangs, after it was killed, and after its recorder was; which kernels may be
# running; and of which launches there is no record. With a double of the driver and of CUPTI, so that no GPU is needed.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use File::Basename qw(dirname);
use Grosr;
use JSON::PP qw(decode_json);
use Test::More;

my $program = dirname($GROSR) . '/tests/traced/hang';
-x $program or plan(skip_all => 'built without CUPTI\'s header: the CUDA toolkit has it');
my $dir = scratch();
my $db = "$dir/p.db";
$ENV{GROSR_CUPTI} = dirname($GROSR) . '/tests/traced/double/libcuda.so.1';
$ENV{CUPTI_DOUBLE} = 'stuck';    # while a call waits inside the driver, so does what our own threads ask of CUPTI
delete @ENV{qw(CUDA_INJECTION64_PATH GROSR_PERSISTENT CUDA_LAUNCH_BLOCKING)};

sub start_recording
{
    unlink($db);
    return start($GROSR, 'record', '-o', $db, '--', $program, @_);
}

sub let_end
{
    my ($p) = @_;
    kill('USR1', children($p->{pid}));
    return finish($p);
}

sub list { return join(' ', map { join('|', map { $_ // '-' } @$_) } @_) }
sub verdict { return value($db, 'SELECT verdict FROM trace_health WHERE ring IS NULL') }
# Of kernels, what Nsight's clients read has an end in each row: a launch that has none is in a table of ours.
my $endless = 'SELECT count(*) FROM CUPTI_ACTIVITY_KIND_KERNEL WHERE start IS NULL OR end IS NULL';
sub notes { return value($db, "SELECT group_concat(text, x'0a') FROM GROSR_NOTE WHERE topic = 'cupti'") // '' }

# What is pending, without the tracer's own: calls with what they wait for, and launches with their place.
my $pending = q{SELECT group_concat(w, ' ') FROM (SELECT kind || ':' || name || coalesce('@' || stream, '') || coalesce('#' || ahead, '') ||
    coalesce('~' || waits_for, '') || coalesce('=' || kernels, '') AS w FROM pending WHERE kind <> 'tracer'
    ORDER BY kind, name, stream, place)};

# ---- hangs: each is known while it lasts ----

my @cases = (
    # A kernel that has ended before the other is given by a wait: no doubt about which one runs.
    ['free', 'call:cudaFree~device kernel:server@9#0', 'server'],
    ['copy', 'call:cudaDeviceSynchronize~device call:cudaMemcpy@7~stream kernel:server@8#0 memcpy:copy@7#0', 'server'],
    ['second', 'call:cudaStreamSynchronize@8~stream kernel:server@8#1 kernel:work@8#0 kernel:work@8#2', 'work'],
    ['capture', 'capture:work@8=1', undef],
    ['blocking', 'call:cudaLaunchKernel kernel:server@8#0', 'server'],
    ['swapped', 'call:cudaStreamSynchronize@8~stream kernel:collective_a@8#0 kernel:collective_a@9#1 kernel:collective_b@8#1 ' .
                'kernel:collective_b@9#0', 'collective_a, collective_b'],
    ['poll', 'kernel:server@8#0 memcpy:copy@7#0', undef],
    ['graph', 'call:cudaStreamSynchronize@8~stream graph:graph of 3 kernels: work, server@8#0=3 kernel:work@8#1',
     'graph of 3 kernels: work, server'],
);
for my $case (@cases) {
    my ($what, $expected, $may_run) = @$case;
    my $p = start_recording($what);
    my $found = '';
    ok(until_true(sub { ($found = peek($db, $pending) // '') eq $expected }, 20), "$what: what hangs is known while it does")
        or diag("found:  $found\nwanted: $expected");
    is(peek($db, $endless), 0, 'no row of Nsight\'s kernels is without its times');
    my $rows = json_of(grosr('query', $db, 'api-pending', '--json'));
    is(list(map { [$_->{may_run}] } grep { $_->{kind} eq 'call' } @$rows), join(' ', map { $may_run } 1 .. ($what eq 'copy' ? 2 : 1)),
       'api-pending says for what') if defined $may_run;
    my $r = let_end($p);
    is($r->{code}, 0, 'it ends when it may') or diag($r->{stderr});
    is(value($db, 'SELECT count(*) FROM GROSR_PENDING'), 0, 'then nothing is pending');
    is(value($db, 'SELECT count(*) FROM api_calls WHERE end IS NULL'), 0, 'no call has a row without its end');
    is(value($db, 'SELECT count(*) || count(start) || count(end) FROM kernels') =~ /^(\d+)\1\1$/ ? 1 : 0, 1,
       'each kernel has one row, with its times');
    is(verdict(), 'complete', 'all is recorded') or diag(notes());
}

# The name of a host function is what the loader knows.
my $p = start_recording('function');
my $found = '';
ok(until_true(sub { ($found = peek($db, $pending) // '') =~
        /^call:cudaStreamSynchronize\@8~stream host function:\S+\@8#0 kernel:work\@8#1$/ }, 20),
   'function: the host function is the first of its stream, and a kernel is behind it') or diag($found);
sleep(3);    # longer than the time after which a kernel is said to withhold records
is(notes(), '', 'no kernel is blamed');
is(let_end($p)->{code}, 0, 'it ends when it may');

# What waits for another stream is not the one to leave out.
$p = start_recording('behind');
ok(until_true(sub { peek($db, "SELECT count(*) FROM GROSR_NOTE WHERE text LIKE '%stream 8: server%; with --persistent%'") }, 20),
   'behind: which launches may be running is said');
like(notes(), qr/; with --persistent 'server' the records of the others come at once\z/, 'behind: and which one is to be left out');
is(let_end($p)->{code}, 0, 'it ends when it may');

# ---- at once: while the thread that flushes is stuck itself ----

$p = start_recording('free');
ok(until_true(sub { peek($db, "SELECT count(*) FROM pending WHERE kind = 'tracer' AND name = 'cuptiActivityFlushAll'") }, 20),
   'the tracer\'s own flush waits for the driver, and that is known');
my $seen = peek($db, "SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) - (utcEpochNs + p.start) / 1000000 " .
                     "FROM pending p, TARGET_INFO_SESSION_START_TIME WHERE p.name = 'cudaFree'");
cmp_ok($seen, '<', 5000, 'so is the call that it waits for, soon');
ok(until_true(sub { peek($db, "SELECT count(*) FROM GROSR_NOTE WHERE text LIKE '%stream 9: server; with --persistent ''server''%'") }, 20),
   'the kernel that withholds records is named');
sleep(2);
my $r = let_end($p);
is(value($db, "SELECT count(*) FROM GROSR_NOTE WHERE topic = 'cupti'"), 1, 'once');
like($r->{stderr}, qr/\Agrosr: [^\n]*\bserver\b[^\n]*\n\z/, 'and to the user, in one line');
is(verdict(), 'complete', 'its record has come');

# ---- calls come and go ----

$r = finish(start_recording('slow'));
is($r->{code}, 0, 'calls of 400 ms') or diag($r->{stderr});
is(value($db, "SELECT count(*) || '|' || sum(end - start > 100000000) || '|' || sum(return_value = 0) FROM api_calls " .
              "WHERE name = 'cudaDeviceSynchronize'"), '3|3|3', 'each has one row, completed');
is(value($db, 'SELECT count(*) FROM GROSR_PENDING'), 0, 'and none is pending');

# ---- a program that ends while it hangs ----

my $begin = time();
$r = finish(start_recording('leave'));
is("$r->{code} $r->{stdout}", "0 done\n", 'a program ends while a thread of it hangs, and what asks the driver with it');
cmp_ok(time() - $begin, '<', 20, 'soon');
is(value($db, $pending), $cases[0][1], 'what that thread hung in stays in the trace');
like(verdict(), qr/^1 launch has no record/, 'which is not complete');

# ---- a program that is killed ----

$p = start_recording('swapped');
until_true(sub { (peek($db, 'SELECT count(*) FROM pending') // 0) >= 5 }, 20);
kill('KILL', children($p->{pid}));
$r = finish($p);
is(value($db, $pending), $cases[5][1], 'killed: what it hung in stays in the trace');
is(value($db, "SELECT count(*) FROM kernels WHERE end IS NULL AND start IS NULL AND launch IS NOT NULL"), 4, 'kernels have rows');
is(value($db, "SELECT count(*) FROM api_calls WHERE end IS NULL AND name = 'cudaStreamSynchronize'"), 1, 'as the call has');
is(value($db, $endless), 0, 'in a table of ours');
# The records of the two that have ended have come if CUPTI was asked before the others began.
my ($counts, @other) = sql($db, 'SELECT * FROM GROSR_LAUNCHES');
like("$counts->{kind} $counts->{issued} $counts->{recorded} " . @other, qr/^kernel 6 [02] 0$/, 'they are counted');
my $missing = $counts->{issued} - $counts->{recorded};
like(notes(), qr/\b$missing launched kernels\b.*collective_a.*collective_b/s, 'which kernels have no record is said');
isnt(verdict(), 'complete', 'the trace is not complete');

# ---- a recorder that is killed, and then its program ----

$p = start_recording('free');
until_true(sub { (peek($db, 'SELECT count(*) FROM pending') // 0) >= 2 }, 20);
my ($child) = children($p->{pid});
kill('KILL', $p->{pid});
finish($p);
is(value($db, "SELECT count(*) FROM pending WHERE name IN ('cudaFree', 'server')"), 2, 'recorder killed: what it knew is in its file');
kill('KILL', $child);
until_true(sub { !process_runs($child) });
$db = "$dir/r.db";
$r = grosr('recover', $child, '-o', $db);
is($r->{code}, 0, 'the segment is recovered') or diag($r->{stderr});
is(value($db, "SELECT group_concat(w, ' ') FROM (SELECT kind || ':' || name AS w FROM pending WHERE kind <> 'tracer' ORDER BY kind)"),
   'call:cudaFree kernel:server', 'and has it too');
is(value($db, "SELECT count(*) FROM api_calls WHERE name = 'cudaFree' AND end IS NULL"), 1, 'as a row of its calls');
unlink(segments($child));
$db = "$dir/p.db";

# ---- records that never came ----

delete $ENV{CUPTI_DOUBLE};
$r = finish(start_recording('exit'));
is($r->{code}, 0, 'a child that leaves by _exit') or diag($r->{stderr});
my ($launches) = map { [@$_{qw(issued recorded)}] }
    sql($db, 'SELECT sum(issued) AS issued, sum(recorded) AS recorded FROM GROSR_LAUNCHES');
my $rows = value($db, 'SELECT count(*) FROM kernels');
is($launches->[0], 200, 'all its launches are counted');
is($launches->[1], $rows, 'and how many are in the trace');
if ($rows < 200) { # it is, but for a child that was delayed
    like(verdict(), qr/\b@{[200 - $rows]} launches have no record/, 'the verdict says how many are not');
    like(notes(), qr/\b@{[200 - $rows]} launched kernels.*_exit/s, 'and why');
}

$r = finish(start_recording('other', 0));
like($r->{stdout}, qr/its own profiler: refused, [1-9]\d* kernels\ndone/, 'a program with its own CUPTI has its records')
    or diag($r->{stderr});
is(value($db, 'SELECT count(*) FROM kernels WHERE end IS NOT NULL'), 100, 'what came before it took over is in the trace');
is(list(map { [@$_{qw(issued recorded)}] } sql($db, 'SELECT * FROM GROSR_LAUNCHES')), '300|100', 'what came later is counted');
like(verdict(), qr/^200 launches have no record/, 'and the verdict says so');
my ($at) = notes() =~ /launched from ([\d.]+) s on; .*another user of CUPTI/;
cmp_ok($at // 0, '>=', 0.4, 'a note says since when, and why');
is(scalar(() = $r->{stderr} =~ /\n/g), 1, 'the user is told in one line') or diag($r->{stderr});
cmp_ok(value($db, 'SELECT count(*) FROM GROSR_PENDING'), '==', 0, 'nothing of it is said to be pending');

$p = start_recording('other', 8000);
ok(until_true(sub { peek($db, "SELECT count(*) FROM GROSR_NOTE WHERE text LIKE 'no record has come of 200 kernels that %'") }, 20),
   'where it lasts, that is noticed while it does');
signal_group($p, 'INT');
finish($p);
done_testing();
