#!/usr/bin/perl
# Processes with several sessions: one after the other and at the same time, recorded from the beginning and attached to,
# looked at and recovered; how processes end; and sessions that are not recorded, which is said.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Grosr;
use File::Basename;
use Test::More;
use Time::HiRes qw(time);

my $program = dirname($GROSR) . '/tests/traced/sessions';
-x $program or plan(skip_all => "$program has not been built");

my $dir = scratch();
my $db = "$dir/s.db";

sub record
{
    unlink($db);
    return grosr('record', '--trace', 'none', '-o', $db, '--', $program, @_);
}

sub verdict { return value($db, 'SELECT verdict FROM trace_health WHERE ring IS NULL') }
sub notes { return join(' | ', map { $_->{text} } sql($db, 'SELECT text FROM GROSR_NOTE ORDER BY session')) }

# A program that runs on, with so many sessions.
sub hosting
{
    my ($sessions, @words) = @_;
    my $p = start($program, @words);
    ok(until_true(sub {
        ended($p) || $sessions == grep { $_->{pid} == $p->{pid} && $_->{state} eq 'running' }
            @{json_of(grosr('info', '--json'))->{sessions}}
    }) && !ended($p), "`@words`: $sessions sessions");
    return $p;
}

# ---- one after the other ----

my $many = $GROSR =~ /asan/ ? 200 : 1000;    # a fifth under ASan: each takes five times as long
my $began = time();
my $r = record('in-turn', $many);
my $seconds = time() - $began;
is("$r->{code} $r->{stderr}", '0 ', 'many runtimes one after the other');
is(value($db, 'SELECT count(*) FROM GROSR_SESSION WHERE end IS NOT NULL AND NOT died AND NOT detached'), $many, 'are as many sessions');
is(value($db, 'SELECT count(*) FROM tasks WHERE enqueue <= start AND start <= end'), 100 * $many, 'with all tasks');
is(value($db, 'SELECT count(*) FROM (SELECT 1 FROM tasks GROUP BY session HAVING count(*) = 100)'), $many, 'a hundred each');
is(value($db, 'SELECT count(*) FROM GROSR_FUNCTION f WHERE name = \'add\''), $many, 'each with its names');
is(verdict(), 'complete', 'and the verdict');
balanced($db, 'balanced');
# A thousand alone take 3 s. When each open waited for a recorder that did not come it took 2,000 s, when it was found late 16 s.
cmp_ok($seconds, '<', 60, sprintf('in %.1f s', $seconds));

$r = record((('open') x 20, 'work', ('close') x 20));
is($r->{code}, 0, 'twenty at the same time') or diag($r->{stderr});
is(value($db, 'SELECT count(DISTINCT session) FROM tasks') . ' ' . verdict(), '20 complete', 'are recorded too');

# ---- how processes end ----

$r = record('children', 5);
is("$r->{code} $r->{stderr}", '0 ', 'children that close their session and leave by _exit(7), which their parent waits for');
is(value($db, 'SELECT count(*) || sum(died) FROM GROSR_SESSION') . ' ' . verdict(), '50 complete', 'have not died');

# The end of another's child is known from Linux 6.15 on.
my $known = "exit code 0";
my ($major, $minor) = split(/\./, slurp('/proc/sys/kernel/osrelease'));
my $tells = $major > 6 || ($major == 6 && $minor >= 15);
$r = record('left', 3);
like($r->{stderr}, qr/\Agrosr: a recorded process ended without closing its session; [^\n]+\n\z/,
     'children that leave by _exit() with their session open ended without closing it');
unlike(verdict(), qr/died|\Acomplete/, 'nor does the trace say that they died, or that it is complete');
like(notes(), $tells ? qr/\A(process \d+ ended with exit code 0 without closing its session( \| )?){3}\z/ : qr/without closing/,
     'it says what is known of each');
$r = record('killed');
like($r->{stderr}, $tells ? qr/recorded process died;/ : qr/recorded process (died|ended without)/, 'a child that is killed died');
is(value($db, 'SELECT died FROM GROSR_SESSION'), 1, 'which the trace says');
like(notes(), qr/was killed by signal 9/, 'with the signal') if $tells;
$r = record('open', 'work', 'leave', 3);
like("$r->{code} $r->{stderr}", qr/\A3 [^\n]*ended without closing its session[^\n]*\n[^\n]*exit code 3\n\z/,
     'the program itself, leaving by _exit(3)');
is(value($db, 'SELECT died FROM GROSR_SESSION'), 0, 'has not died');
# The shell ends first: the program is an orphan that the recorder waits for.
unlink($db);
unlink($db);    # which is there again once the session is attached
$r = grosr('record', '--trace', 'none', '-o', $db, '--', '/bin/sh', '-c',
           "\"\$0\" open work wait left 0 leave 0 & p=\$!; while ! test -e \"\$1\"; do sleep 0.02; done;" .
           ' (sleep 1; kill -USR1 $p) & exit 0', $program, $db);
like("$r->{code} $r->{stderr}", qr/\A0 [^\n]*ended without closing its session[^\n]*\n\z/, 'an orphan that leaves by _exit(0)');
is(value($db, 'SELECT died FROM GROSR_SESSION') . ' ' . notes(), '0 ' . notes(), 'has not died');
like(notes(), qr/ended with exit code 0/, 'since the recorder is who waits for it');

$r = record('open', 'first-ends', 'in-turn', 2, 'work', 'close');
is("$r->{code} $r->{stderr}", '0 ', 'a process whose first thread has ended is alive');
is(value($db, 'SELECT count(*) FROM tasks') . ' ' . verdict(), '300 complete', 'and recorded');

# ---- sessions that are not recorded ----

unlink($db);
$r = grosr('record', '--trace', 'none', '-o', $db, '--', '/bin/sh', '-c',
           "kill -STOP \$PPID; \"\$0\" in-turn 3; kill -CONT \$PPID; sleep 1; exec \"\$0\" in-turn 2", $program);
is($r->{code}, 0, 'while the recorder is stopped');
like($r->{stderr}, qr/\Agrosr: process \d+ is not recorded: the collector[^\n]+did not attach within 2 s\n/,
     'a runtime says that nobody records it');
like($r->{stderr}, qr/^grosr: 3 of 5 sessions were not recorded: [^\n]+\n\z/m, 'and the recorder, how many there were');
is(value($db, 'SELECT count(*) FROM tasks'), 200, 'the others are recorded');
is(verdict(), '3 sessions were not recorded', 'the verdict counts them');
like(notes(), qr/\A3 sessions were not recorded/, 'and so does a note');

$r = grosr('record', '--trace', 'none', '-o', "$dir/none.db", '--', '/bin/sh', '-c',
           "kill -STOP \$PPID; \"\$0\" in-turn 2; kill -CONT \$PPID", $program);
like("$r->{code} $r->{stderr}", qr/\A1 .*^grosr: the 2 sessions of [^\n]+ were not recorded/ms, 'where there is no other, that is said');
ok(!-e "$dir/none.db", 'without a file');

$r = run_it({env => {GROSR_COLLECTOR => $r->{pid}}}, $program, 'in-turn', 3);
like("$r->{code} $r->{stderr}", qr/\A0 grosr: process \d+ is not recorded: the collector[^\n]+ended before it attached\n\z/,
     'a recorder that has ended is told of once');

# ---- attaching ----

my $p = hosting(2, 'open', 'open', 'wait', 'open', 'work', 'in-turn', 2, 'close', 'work', 'wait', 'close', 'close');
unlink($db);    # or the trace before is what is looked at
my $a = start($GROSR, 'record', '--attach', $p->{pid}, '-o', $db);
ok(until_true(sub { (peek($db, 'SELECT count(*) FROM GROSR_SESSION') || 0) == 2 }), 'attached to both');
kill('USR1', $p->{pid});
ok(until_true(sub { (peek($db, 'SELECT count(*) FROM tasks') || 0) >= 500 }), 'and to those that come later');
is(ended($a), 0, 'it goes on while the process does');
kill('USR1', $p->{pid});
finish($_) for $p, $a;
like("$p->{code} $a->{code} $a->{stderr}", qr/\A0 0 (?:grosr: [12] of 5 sessions? w\w+ not recorded: [^\n]+\n)?\z/, 'and ends with it');
my $told = value($db, "SELECT value FROM GROSR_META WHERE key = 'unrecorded_sessions'") || 0;
is(value($db, 'SELECT count(*) FROM GROSR_SESSION') + $told, 5, 'every session is in the trace, or counted as missing');
is(value($db, 'SELECT count(*) FROM GROSR_SESSION WHERE died OR detached OR end IS NULL'), 0, 'none of which died');
is(value($db, "SELECT group_concat(n) FROM (SELECT count(*) AS n FROM tasks JOIN GROSR_SESSION USING (session) " .
                  "WHERE program IN ('session 0', 'session 1', 'session 2') GROUP BY session ORDER BY program)"), '100,200,200',
   'those that stay have all their tasks');

$p = hosting(1, 'open', 'open', 'close', 'work-on', 'open', 'work', 'wait');
ok(until_true(sub { join(' ', segments($p->{pid})) eq "/dev/shm/grosr.$p->{pid}.1" }), 'a session that is not the first');
unlink($db);
$a = start($GROSR, 'record', '--attach', $p->{pid}, '-o', $db);
ok(until_true(sub { (peek($db, 'SELECT count(*) FROM tasks') || 0) > 0 }), 'is attached to');
my $busy = grosr('record', '--attach', $p->{pid}, '-o', "$dir/none.db");
says_one_line($busy, 1, qr/already being recorded/, 'by one recorder');
kill('KILL', $a->{pid});
finish($a);
$a = start($GROSR, 'record', '--attach', $p->{pid}, '-o', $db);
ok(until_true(sub { slurp($a->{err}) =~ /continues where its recording was cut off/ }), 'another goes on after it was killed');
kill('USR1', $p->{pid});
ok(until_true(sub { (peek($db, 'SELECT count(*) FROM tasks WHERE session = 2') || 0) >= 100 }), 'and takes a second session');
kill('INT', $a->{pid});
finish($a);
is($a->{code}, 0, 'until Ctrl-C') or diag($a->{stderr});
balanced($db, 'balanced');
is(value($db, 'SELECT count(*) FROM tasks t JOIN GROSR_SESSION s USING (session) WHERE s.session = 2 AND t.function IS NOT NULL'), 100,
   'each with tasks of its own');
is(value($db, 'SELECT count(DISTINCT worker) FROM GROSR_WORKER'), 2, 'and workers');

# ---- choosing ----

my @said = map { "$p->{pid}.$_" } 0, 1;
$r = grosr('top', $p->{pid}, '--once', '--json');
is(json_of($r)->{session}{program}, 'session 2', '`top` shows the newest of two');
my $line = qr/grosr: $p->{pid}\.[01]: session [12], host, /;
like($r->{stderr}, qr/\Agrosr: process $p->{pid} has 2 sessions, of which this is $said[0], [^\n]+\n(${line}running\n){2}\z/,
     'and says which there are');
is(json_of(grosr('top', $said[$_], '--once', '--json'))->{session}{program}, 'session ' . (2 - $_), "`top $said[$_]`") for 0, 1;
says_one_line(grosr('top', "$p->{pid}.7", '--once'), 1, qr/no|No/, 'an index that is not there');
says_one_line(grosr('top', $_), 2, qr/'\Q$_\E'/, "`top $_`") for "$p->{pid}.", "$p->{pid}.x", '.1', "$p->{pid}.1.2";
says_one_line(grosr('record', '--attach', $_), 2, qr/'\Q$_\E'/, "`record --attach $_`")
    for "$p->{pid}.", '0', '0.1', '-1', "$p->{pid}.1x";
$a = start($GROSR, 'record', '--attach', $said[1], '-o', "$dir/one.db");
ok(until_true(sub { peek("$dir/one.db", 'SELECT count(*) FROM GROSR_SESSION') }), 'one of two is attached to by its index');
is(value("$dir/one.db", 'SELECT group_concat(program) FROM GROSR_SESSION'), 'session 1', 'alone');
kill('INT', $a->{pid});
finish($a);
says_one_line(grosr('recover', $p->{pid}), 1, qr/running/, 'they cannot be recovered');

kill('KILL', $p->{pid});
finish($p);
$r = grosr('recover', $p->{pid}, '-o', $db);
like("$r->{code} $r->{stderr}", qr/\A0 grosr: process $p->{pid} left 2 sessions[^\n]+\n(${line}left behind[^\n]+\n){2}/,
     '`recover` of a process that left two says which');
is(value($db, 'SELECT group_concat(program) FROM GROSR_SESSION'), 'session 1,session 2', 'and takes both');
is(grosr('recover', $said[0], '-o', $db)->{code} . value($db, 'SELECT group_concat(program) FROM GROSR_SESSION'), '0session 2', 'or one');
says_one_line(grosr('top', $_, '--once'), 1, qr/process $p->{pid} has died/, "`top $_`") for $p->{pid}, $said[0];

# ---- a number that is in use again ----

my $sleep = start('/bin/sleep', 600);
my $bytes = slurp("/dev/shm/grosr.$said[0]");
substr($bytes, 24, 4) = pack('L', $sleep->{pid});
spew("/dev/shm/grosr.$sleep->{pid}.0", $bytes);
my $gone = qr/the process of session $sleep->{pid}\.0 has died, and another has its number now/;
says_one_line(grosr('top', $sleep->{pid}, '--once'), 1, $gone,
              '`top` of a process that has the number of a dead one');
like(grosr('info')->{stdout}, qr/^\s*$sleep->{pid}\b.*left behind: its process has died, and another has its number now/m,
     '`info` tells of both');
is(grosr('recover', $sleep->{pid}, '-o', $db)->{code}, 0, 'the session can be recovered');
$r = grosr('record', '--attach', $sleep->{pid}, '-o', $db);
like("$r->{code} $r->{stderr}", qr/\A0 grosr: $gone; recording what is left/, 'and recorded');
ok(!-e "/dev/shm/grosr.$sleep->{pid}.0", 'which removes it');
ok(!ended($sleep), 'and does nothing to the process');

$r = grosr('recover', '--remove', $p->{pid}, '-o', $db);
is($r->{code} . join(' ', segments($p->{pid})), '0', '`recover --remove` removes both');
done_testing();
