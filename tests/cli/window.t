#!/usr/bin/perl
# Recordings that keep their latest part, that begin at a time, and that end when a session stalls.
# Runs with few: it judges where windows of half a second begin, and stalls of less than a second.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use File::Basename qw(dirname);
use Grosr;
use Test::More;
use Time::HiRes qw(sleep);

have('pkg-config') or plan(skip_all => 'pkg-config is not installed');
my $dir = scratch();
my $db = "$dir/w.db";
my $deadlock = "$dir/deadlock";
delete @ENV{grep { /^(MAKE|MFLAGS|VARIANT$|LANES$|V$)/ } keys %ENV};
is(run_it('make', '-s', '-C', $ROOT, "PREFIX=$dir/prefix", 'install')->{code}, 0, 'make install');
my $built = run_it({env => {PKG_CONFIG_PATH => "$dir/prefix/lib/pkgconfig"}}, '/bin/sh', '-c',
                   "gcc -O2 -std=gnu17 -Wall -Wextra -Werror -x c $ROOT/tests/cuda/deadlock.cu -x none -o $deadlock " .
                   '$(pkg-config --cflags --libs grosr)');
is("$built->{code} $built->{stderr}", '0 ', 'a program that works, and deadlocks') or BAIL_OUT('no program');

sub meta { my ($key) = @_; return value($db, "SELECT value FROM GROSR_META WHERE key = '$key'") }

# The processes of that name among a recorder's children.
sub program_of { my ($p) = @_; return until_true(sub { (children($p->{pid}))[0] }) }

# What a file with less than all holds: everything that ended from $from on, and nothing else.
sub keeps_from
{
    my ($from, $how) = @_;
    is(value($db, "SELECT count(*) FROM GROSR_RANGE WHERE end < $from"), 0, "$how: nothing that ended before");
    is(value($db, 'SELECT count(*) FROM GROSR_RANGE WHERE start IS NULL'), 0, 'what is there has its start');
    is(value($db, 'SELECT sum(read) FROM GROSR_RING'),
       meta('cut_events') + value($db, "SELECT sum(time >= $from) FROM (SELECT start AS time FROM GROSR_RANGE " .
           'UNION ALL SELECT end FROM GROSR_RANGE UNION ALL SELECT start FROM GROSR_WAIT UNION ALL SELECT end FROM GROSR_WAIT ' .
           'UNION ALL SELECT start FROM GROSR_HOLD UNION ALL SELECT end FROM GROSR_HOLD ' .
           'UNION ALL SELECT start FROM GROSR_WORKER UNION ALL SELECT end FROM GROSR_WORKER ' .
           'UNION ALL SELECT time FROM GROSR_INSTANT)'), 'every event is in a table, or counted as left out');
    like(value($db, 'SELECT verdict FROM trace_health WHERE ring IS NULL'),
         qr/\A(complete from [\d.]+ s on|\d+ of \d+ events lost)/, 'the verdict says so');
    cmp_ok(value($db, 'SELECT min(start) FROM GROSR_TIME_BIN'), '>', $from - 1e9, 'bins of time begin there');
    is(value($db, 'SELECT count(*) FROM GROSR_CHUNK'), 0, 'nothing is left in chunks');
    balanced($db, 'the books balance');
    integrity($db, 'the file is sound');
}

# ---- the latest part ----

my $p = start($GROSR, 'record', '--window', '0.5', '-o', $db, '--', $deadlock, '100000');
my $program = program_of($p);
ok(until_read($db, 1000), 'a recording that keeps half a second');
ok(until_recorded($db, 2), 'goes on for two seconds');
is(peek($db, 'SELECT count(*) FROM GROSR_RANGE'), 0, 'has no rows of events while it runs');
my $held = peek($db, 'SELECT sum(count) FROM GROSR_CHUNK') / peek($db, 'SELECT sum(read) FROM GROSR_RING');
cmp_ok($held, '<', 0.9, 'and not all of the events');
kill('INT', $program);
finish($p);
is("$p->{code} $p->{stderr}", '0 ', 'it ends with the program');
my $end = value($db, 'SELECT end FROM GROSR_SESSION');
my $from = meta('kept_from');
my $last = value($db, 'SELECT max(end) FROM GROSR_WORKER');
ok($from >= $last - 5e8 && $from <= $end - 4e8, 'half a second before the last event is the first that is kept') or
    diag("from $from, last event $last, end $end");
keeps_from($from, 'of the rest');
cmp_ok(value($db, 'SELECT min(end) FROM GROSR_RANGE'), '<', $from + 4e8, 'the half second is there from its beginning');
is(value($db, 'SELECT count(*) FROM GROSR_WORKER WHERE start < end AND start < ' . ($end - 15e8)), 2,
   'with the lives of workers, which began before');

$p = grosr('record', '--window', '1000', '-o', $db, '--', '/bin/sh', '-c', "timeout -s INT 0.5 $deadlock 100000; true");
is("$p->{code} $p->{stderr}", '0 ', 'a window that is longer than the recording');
is(meta('kept_from'), undef, 'leaves nothing out');
is(value($db, 'SELECT sum(read) FROM GROSR_RING'),
   value($db, 'SELECT 2 * count(*) FROM GROSR_RANGE') +
       value($db, 'SELECT (SELECT count(start) + count(end) FROM GROSR_WAIT) + (SELECT count(start) + count(end) FROM GROSR_HOLD) + ' .
                  '(SELECT count(start) + count(end) FROM GROSR_WORKER)'), 'every event is in a table');
is(value($db, 'SELECT verdict FROM trace_health WHERE ring IS NULL'), 'complete', 'and the trace complete');

# Ends that were lost do not make what they ended stay.
$p = grosr('record', '--window', '0.3', '-o', $db, '--', $GROSR, 'run', 'arith', '--device', 'host', '--seconds', '1.5',
           '--ring', '64', '--overflow', 'drop');
is($p->{code}, 0, 'a window, and rings that are too small');
cmp_ok(value($db, 'SELECT sum(count) FROM GROSR_LOSS WHERE reason = \'dropped\''), '>', 1000, 'events are lost');
cmp_ok(value($db, 'SELECT count(*) FROM tasks WHERE state = \'end lost\''), '>', 0, 'ends among them');
is(value($db, 'SELECT count(*) FROM GROSR_TASK WHERE end IS NULL AND start < ' . (meta('kept_from') - 2e8)), 0,
   'no run stays that ended before the window');
is(value($db, 'SELECT unfinished FROM trace_health WHERE ring IS NULL'), 0, 'and nothing is open');
is(json_of(grosr('query', $db, 'unfinished', '--json')) ? scalar(@{json_of(grosr('query', $db, 'unfinished', '--json'))}) : -1, 0,
   'as the query says');

# A collector that is killed, and one that goes on.
$p = start($GROSR, 'record', '--window', '0.4', '-o', $db, '--', $deadlock, '100000');
$program = program_of($p);
ok(until_read($db, 1000) && until_recorded($db, 0.8), 'a collector');
kill('KILL', $p->{pid});
finish($p);
$p = start($GROSR, 'record', '--window', '0.4', '--attach', $program, '-o', $db);
my $before = peek($db, 'SELECT sum(read) FROM GROSR_RING');
ok(until_read($db, $before + 1000), 'is killed, and another one goes on');
kill('INT', $p->{pid});
finish($p);
like("$p->{code} $p->{stderr}", qr/\A0 grosr: [^\n]* continues where its recording was cut off[^\n]*\n\z/, 'as it says');
keeps_from(meta('kept_from'), 'the file of both');

# ---- from a time on ----

for my $since (0, 0.3) {
    unlink($db);    # or its rows would be taken for the new recording's
    sleep(0.5);     # nobody records, and the rings hold more than is asked for
    $p = start($GROSR, 'record', '--since', $since, '--attach', $program, '-o', $db);
    ok(until_true(sub { (peek($db, 'SELECT count(*) FROM GROSR_RANGE') || 0) > 100 }), "--since $since");
    kill('INT', $p->{pid});
    finish($p);
    like("$p->{code} $p->{stderr}", qr/\A0 (grosr: \d+ of \d+ events were lost[^\n]*\n)?\z/, 'it is recorded');
    keeps_from(meta('kept_from'), "--since $since");
    cmp_ok(meta('cut_events'), '>', 0, 'the rings held more');
    my $first = value($db, 'SELECT min(end) FROM GROSR_RANGE');
    cmp_ok($first - meta('kept_from'), '<', 1e9, 'it begins there');
}
kill('INT', $program);
ok(until_true(sub { !process_runs($program) }), 'the program ends');

# ---- until a stall ----

$p = grosr('record', '--window', '0.3', '--until', 'stall:0.7', '-o', $db, '--', $deadlock, '1500');
says_one_line($p, 3, qr/\Agrosr: nothing has moved for [\d.]+ s in process \d+: 2 workers wait, worker 0 for lock 1; \Q$db\E ends there/,
              'two warps that take two locks in opposite orders');
$program = value($db, 'SELECT pid FROM GROSR_SESSION');
ok(process_runs($program), 'the program goes on');
is(join(' ', map { "$_->{worker}:$_->{resource_name}" } sql($db, 'SELECT worker, resource_name FROM holds WHERE end IS NULL ORDER BY 1')),
   '0:lock 0 1:lock 1', 'the trace tells what each of them holds');
is(join(' ', map { "$_->{worker}:$_->{resource_name}" } sql($db, 'SELECT worker, resource_name FROM waits WHERE end IS NULL ORDER BY 1')),
   '0:lock 1 1:lock 0', 'and what it waits for');
is(value($db, "SELECT text || ';' FROM GROSR_NOTE WHERE topic = 'stall'"), ($p->{stderr} =~ /grosr: (.*?;)/)[0], 'the line is in it');
my $stopped = value($db, 'SELECT max(start) FROM GROSR_WAIT WHERE end IS NULL');
my $kept = meta('kept_from');
ok($kept > $stopped - 13e8 && $kept < $stopped - 3e8 + 1e6, 'what is kept is the time before the stall')
    or diag("kept from $kept, stalled at $stopped");
keeps_from($kept, 'with a stall');
cmp_ok(value($db, 'SELECT min(end) FROM GROSR_RANGE'), '<', $stopped - 1e8, 'from its beginning');

$p = grosr('record', '--until', 'stall:0.3', '--attach', $program, '-o', $db);
says_one_line($p, 3, qr/nothing has moved for [\d.]+ s in process $program: 2 workers wait/, 'once more, attached');
ok(process_runs($program), 'the program goes on');
is(value($db, 'SELECT detached FROM GROSR_SESSION'), 1, 'without a recorder');
$p = start($GROSR, 'record', '--until', 'stall:0.3', '--attach', $program, '--level', 'off', '-o', $db);
ok(until_true(sub { -s $db }), 'at level off, without queues, nothing is known');
sleep(0.6);    # twice as long as a stall
kill('INT', $program);
finish($p);
is("$p->{code} $p->{stderr}", '0 ', 'and nothing said');

$p = grosr('record', '--until', 'stall:1', '-o', $db, '--', '/bin/sh', '-c', "timeout -s INT 2.5 $deadlock 100000; true");
is("$p->{code} $p->{stderr}", '0 ', 'a program that works is none');

# A runtime: all of it stands still.
my $run = live();
$p = start($GROSR, 'record', '--level', 'counters', '--until', 'stall:1', '--attach', $run->{pid}, '-o', $db);
ok(until_true(sub { peek($db, 'SELECT sum(tasks) FROM workers') }), 'a runtime, recorded');
sleep(1.3);    # longer than a stall
ok(!ended($p), 'works');
kill('STOP', $run->{pid});
finish($p);
kill('CONT', $run->{pid});
says_one_line($p, 3, qr/in process $run->{pid}: \d+ tasks wait in queues, \d+ submitted ones are not completed/, 'and is stopped');
is(quit($run)->{signal}, 0, 'it goes on');

# ---- what CUPTI tells ----

SKIP: {
    my $cuda = dirname($GROSR) . '/tests/traced/cuda';
    skip('built without CUPTI\'s header', 9) unless -x $cuda;
    local $ENV{GROSR_CUPTI} = dirname($GROSR) . '/tests/traced/double/libcuda.so.1';
    $p = start($GROSR, 'record', '--window', '0.6', '-o', $db, '--', $cuda, 'pace');
    my %most;
    until_true(sub {
        for my $table (qw(KERNEL RUNTIME)) {
            my $n = peek($db, "SELECT count(*) FROM CUPTI_ACTIVITY_KIND_$table") || 0;
            $most{$table} = $n if $n > ($most{$table} || 0);
        }
        return ended($p);
    });
    finish($p);
    is("$p->{code} $p->{stderr}", '0 ', 'a program that launches for two seconds');
    cmp_ok($most{KERNEL}, '<', 190, "rows that are too old go while it runs ($most{KERNEL} kernels at most)");
    $from = meta('kept_from');
    for my $table (qw(KERNEL MEMSET RUNTIME)) {
        is(value($db, "SELECT count(*) FROM CUPTI_ACTIVITY_KIND_$table WHERE end < $from"), 0, "$table: nothing is too old");
        cmp_ok(value($db, "SELECT count(*) FROM CUPTI_ACTIVITY_KIND_$table"), '>', 10, 'and the latest is there');
    }
    integrity($db, 'the file is sound');
}

# ---- what is refused ----

says_one_line(grosr('record', '--since', '1', '--', '/bin/true'), 2, qr/--since is for --attach/, '--since with a program');
says_one_line(grosr('record', '--until', $_, '--', '/bin/true'), 2, qr/--until takes stall, or stall: and seconds/, "--until $_")
    for qw(never stall: stall:0 stall:x stalled);
says_one_line(grosr('record', '--window', '0', '--', '/bin/true'), 2, qr/--window takes seconds/, '--window 0');
says_one_line(grosr('record', '--since', '-1', '--attach', $$), 2, qr/--since takes seconds/, '--since -1');

done_testing();
