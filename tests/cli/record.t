#!/usr/bin/perl
# `grosr record`: a program that it starts, and a process that runs already.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Grosr;
use Test::More;

my $dir = scratch();
my $db = "$dir/r.db";
my @arith = ($GROSR, 'run', 'arith', '--device', 'host');

# ---- -- CMD ----

my $r = grosr('record', '-o', $db, '--', @arith, '--tasks', '20000', '--json');
is($r->{code}, 0, 'record -- grosr run arith') or diag($r->{stderr});
my $j = json_of($r);
is($j->{completed}, 20000, 'the program\'s output is its own');
is(value($db, 'SELECT count(*) FROM tasks WHERE enqueue <= start AND start <= end'), 20000, 'every task is in the trace');
is(value($db, 'SELECT verdict FROM trace_health WHERE ring IS NULL'), 'complete', 'which is complete');
balanced($db, 'and balanced');
integrity($db, 'and sound');
my $program = value($db, 'SELECT pid FROM GROSR_SESSION');
isnt($program, $r->{pid}, 'it names the program, not the recorder');
is(join(' ', segments($program)), '', 'no segment is left');

$r = grosr('record', '-o', $db, '--', '/bin/sh', '-c', '"$@"; exit $?', 'sh', @arith, '--tasks', '3000');
is($r->{code}, 0, 'a program that a shell starts') or diag($r->{stderr});
is(value($db, 'SELECT count(*) FROM tasks'), 3000, 'is found and recorded');

$r = grosr('record', '--level', 'counters', '-o', $db, '--', @arith, '--tasks', '3000');
is($r->{code}, 0, '--level counters') or diag($r->{stderr});
is(value($db, 'SELECT count(*) FROM tasks'), 0, 'records no tasks');
is(value($db, 'SELECT sum(tasks) FROM workers'), 3000, 'but their number');

says_one_line(grosr('record', '-o', "$dir/none.db", '--', '/no/such/program'), 1, qr{/no/such/program},
              'a program that is not there');
says_one_line(grosr('record', '-o', "$dir/none.db", '--', $dir), 1, qr{\Q$dir\E}, 'a folder for a program');
$r = grosr('record', '-o', "$dir/none.db", '--', '/bin/sh', '-c', 'exit 3');
is($r->{code}, 3, 'a program that fails before it has a session: its exit code');
like($r->{stderr}, qr/\A(grosr: [^\n]+\n)+\z/, 'is told of');
says_one_line(grosr('record', '-o', "$dir/none.db", '--', '/bin/true'), 1, qr/session/,
              'a program without a session');
ok(!-e "$dir/none.db", 'none of them left a file');

$r = grosr('record', '-o', $db, '--', '/bin/sh', '-c', '"$@" >/dev/null; exit 5', 'sh', @arith, '--tasks', '1000');
says_one_line($r, 5, qr/exit code 5/, 'a recorded program that fails: its exit code');
is(value($db, 'SELECT count(*) FROM tasks'), 1000, 'its trace is kept');

# Several sessions, one after the other and at the same time, come into one trace.
$r = grosr('record', '--trace', 'none', '-o', $db, '--', '/bin/sh', '-c',
           '"$@" --tasks 1000; "$@" --tasks 2000 & "$@" --tasks 4000; wait', 'sh', @arith);
is($r->{code}, 0, 'a program that starts three') or diag($r->{stderr});
is(value($db, 'SELECT count(*) FROM GROSR_SESSION'), 3, 'is a trace of three sessions');
is(value($db, 'SELECT count(DISTINCT pid) FROM GROSR_SESSION WHERE end IS NOT NULL AND NOT died AND NOT detached'), 3,
   'of three processes that ended well');
is(join(' ', sort { $a <=> $b } map { $_->{n} } sql($db, 'SELECT count(*) AS n FROM tasks GROUP BY session')), '1000 2000 4000',
   'each with its tasks');
is(value($db, 'SELECT count(*) FROM tasks WHERE function IS NULL OR sm IS NULL OR enqueue > start OR start > end'), 0,
   'whose functions, SMs and times are known');
is(value($db, 'SELECT min(enqueue) FROM tasks WHERE session = 2')
     > value($db, 'SELECT max(end) FROM tasks WHERE session = 1') ? 1 : 0, 1, 'on one timeline');
is(value($db, 'SELECT count(*) FROM (SELECT task FROM GROSR_TASK GROUP BY task, worker HAVING count(*) > 1)'), 0,
   'and with workers of its own');
is(value($db, 'SELECT verdict FROM trace_health WHERE ring IS NULL'), 'complete', 'complete');
balanced($db, 'and balanced');
is(value($db, 'SELECT count(*) FROM GROSR_CHUNK'), 0, 'nothing is left to build');

# Ctrl-C at the terminal goes to both: the program ends as it likes, the trace is closed.
unlink($db);    # or the trace before is what is looked at
my $p = start($GROSR, 'record', '-o', $db, '--', @arith, '--seconds', '600', '--ring', '64');
ok(until_true(sub { (peek($db, 'SELECT sum(read) FROM GROSR_RING') || 0) > 0 }), 'a long program is being recorded');
$program = until_true(sub { peek($db, 'SELECT pid FROM GROSR_SESSION') });
is(scalar(grep { !defined value($db, 'SELECT count(*) FROM tasks') } 1 .. 20), 0, 'and can be asked at any time');
signal_group($p, 'INT');
finish($p);
is($p->{code}, 1, 'Ctrl-C: exit 1, as the program');
like($p->{stderr}, qr/interrupted/, 'which says that it was interrupted');
is(value($db, 'SELECT value FROM GROSR_META WHERE key = \'complete\''), 1, 'the trace is closed properly');
balanced($db, 'and balanced');
ok(!process_runs($program), 'the program has ended');
is(join(' ', segments($program)), '', 'no segment is left');

# ---- --attach ----

my $run = live('--ring', '256');
ok(!exists $run->{code}, 'an untraced run is going on');
my $attached = start($GROSR, 'record', '--attach', $run->{pid}, '-o', "$dir/a.db");
ok(until_true(sub { (peek("$dir/a.db", 'SELECT count(*) FROM tasks') || 0) > 0 }),
   'attached: tasks arrive in the file while both run');
says_one_line(grosr('record', '--attach', $run->{pid}, '-o', "$dir/b.db"), 1, qr/already being recorded.* $attached->{pid}/,
              'a second recorder is refused');
ok(!-e "$dir/b.db", 'and leaves no file');
kill('INT', $attached->{pid});
finish($attached);
is($attached->{code}, 0, 'Ctrl-C detaches: exit 0') or diag($attached->{stderr});
is(value("$dir/a.db", 'SELECT value FROM GROSR_META WHERE key = \'complete\''), 1, 'the trace is closed properly');
balanced("$dir/a.db", 'and balanced');
integrity("$dir/a.db", 'and sound');
ok(!ended($run), 'the run goes on');
my $before = json_of(grosr('top', $run->{pid}, '--once', '--json'))->{tasks}{completed};
ok(until_true(sub { json_of(grosr('top', $run->{pid}, '--once', '--json'))->{tasks}{completed} > $before }),
   'and completes tasks');
my $again = start($GROSR, 'record', '--attach', $run->{pid}, '-o', "$dir/b.db");
ok(until_true(sub { (peek("$dir/b.db", 'SELECT count(*) FROM tasks') || 0) > 0 }),
   'it can be attached to again');
quit($run);
is($run->{code}, 1, 'the run is interrupted');
finish($again);
is($again->{code}, 0, 'and its recorder ends with it') or diag($again->{stderr});
balanced("$dir/b.db", 'balanced');
is(value("$dir/b.db", 'SELECT died FROM GROSR_SESSION'), 0, 'it did not die');
no_segments($run, 'no segment is left');

# ---- wrong usage ----

says_one_line(grosr('record'), 2, qr/COMMAND|CMD|--attach/, 'neither a command nor a process');
says_one_line(grosr('record', '--attach', '1', '--', 'true'), 2, qr/either|--attach/, 'both');
says_one_line(grosr('record', '--attach', 'x'), 2, qr/'x'/, 'no process id');
says_one_line(grosr('record', '--attach', $$, '-o', "$dir/none.db"), 1, qr/no GROSR session/,
              'a process without a session');
says_one_line(grosr('record', '--attach', $run->{pid}, '-o', "$dir/none.db"), 1, qr/no process|there is no/,
              'a process that has ended');
ok(!-e "$dir/none.db", 'none of them left a file');

done_testing();
