#!/usr/bin/perl
# `grosr record` on programs that mark what they do with NVTX: every kind of call, children, threads, the process's end.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use File::Basename qw(dirname);
use Encode qw(decode FB_CROAK);
use Grosr;
use JSON::PP qw(decode_json);
use Test::More;
use Time::HiRes qw(sleep);

my $program = dirname($GROSR) . '/tests/traced/nvtx';
-x $program or plan(skip_all => 'built without NVTX\'s header: the CUDA toolkit has it');
my $dir = scratch();
my $db = "$dir/n.db";

sub record { return grosr('record', '-o', $db, @_) }
sub rows { return sql($db, $_[0]) }
sub list { return join(' ', map { join('|', map { $_ // '-' } @$_) } @_) }

# ---- every kind of call ----

my $r = record('--', $program, 'all');
is($r->{code}, 0, 'a program that calls NVTX') or diag($r->{stderr});
is($r->{stderr}, '', 'nothing is said');
is($r->{stdout}, "depths 2 2 1 0 -1\n", 'pushes and pops return the depth');
is(value($db, 'SELECT device || died FROM GROSR_SESSION'), 'process0', 'it has a session of its own, which was closed');
is(value($db, 'SELECT sum(dropped) FROM GROSR_STREAM'), 0, 'nothing was lost');
my $text = 'coalesce(e.text, v.value)';
my $events = 'NVTX_EVENTS e LEFT JOIN StringIds v ON v.id = e.textId';
is(value($db, "SELECT count(*) FROM NVTX_EVENTS WHERE eventType IN (59, 60) AND (end IS NULL OR end < start)"), 0,
   'every range has ended');
is(list(map { [$_->{t}] } rows("SELECT $text AS t FROM $events WHERE eventType = 34 AND t NOT LIKE 'pay%' ORDER BY start")),
   "mark m\x{e4}rk \x{20ac} \x{1f600} registered", 'marks, narrow, wide and of a registered string');
is(value($db, "SELECT group_concat(text, ' > ') FROM (SELECT text FROM NVTX_EVENTS WHERE eventType = 59 AND domainId = 0 " .
              "AND text LIKE '%er%' AND text NOT LIKE 'of%' ORDER BY start)"), 'outer > inner > innermost', 'pushed ranges');
is(value($db, "SELECT count(*) FROM NVTX_EVENTS a JOIN NVTX_EVENTS b ON a.text = 'outer' AND b.text = 'inner' " .
              "JOIN NVTX_EVENTS c ON c.text = 'innermost' WHERE a.start <= b.start AND b.start <= c.start AND " .
              'c.end <= b.end AND b.end <= a.end'), 1, 'are inside each other');
is(list(map { [@$_{qw(text rangeId)}] } rows("SELECT text, rangeId FROM NVTX_EVENTS WHERE eventType = 60 AND domainId = 0 " .
                                             'ORDER BY start')), 'a|1 b|2', 'started ranges have numbers');
is(list(map { [@$_{qw(text domainId)}] } rows('SELECT text, domainId FROM NVTX_EVENTS WHERE eventType = 75 ORDER BY domainId')),
   'domain.A|1 domain.W|2', 'domains');
is(list(map { [@$_{qw(category text domainId)}] } rows('SELECT category, text, domainId FROM NVTX_EVENTS WHERE eventType = 33 ' .
                                                       'ORDER BY category, rowid')), '7|seven|0 8|8|1 8|eight|1', 'categories');
my ($e) = rows("SELECT $text AS t, category, color, e.text FROM $events WHERE eventType = 59 AND domainId = 1");
is(list([@$e{qw(t category color text)}]), 'registered|8|4285970688|-', 'a registered string, a category and a color');
is(list(map { [@$_{qw(domain category)}] } rows("SELECT domain, category FROM ranges WHERE name = 'registered' AND kind = 'push/pop'")),
   'domain.A|eight', 'of which the view has the latest name, and one row');
is(value($db, "SELECT a.start <= b.start AND a.end <= b.end AND b.start <= a.end FROM NVTX_EVENTS a, NVTX_EVENTS b " .
              "WHERE a.domainId = 1 AND a.eventType = 59 AND b.text LIKE 'of the default domain%'"), 1,
   'ranges of two domains may cross');
is(list(map { [@$_{qw(u i d w j f)}] } rows('SELECT uint64Value AS u, int64Value AS i, doubleValue AS d, uint32Value AS w, ' .
                                            "int32Value AS j, floatValue AS f FROM NVTX_EVENTS WHERE text = 'payload' ORDER BY start")),
   '1099511627776|-|-|-|-|- -|-5|-|-|-|- -|-|0.5|-|-|- -|-|-|4000000000|-|- -|-|-|-|-6|- -|-|-|-|-|0.25', 'payloads of six types');
is(value($db, 'SELECT value FROM ThreadNames JOIN StringIds ON id = nameId'), 'the first thread', 'a thread\'s name');
is(list(map { [@$_{qw(kind handle id name)}] } rows('SELECT kind, handle, id, name FROM GROSR_CUDA_NAME')),
   'device|0|0|the device stream|4660|-|the stream', 'names of CUDA objects');
is(value($db, 'SELECT count(DISTINCT globalTid) FROM NVTX_EVENTS') . value($db, 'SELECT globalTid >> 24 = pid AND ' .
              '(globalTid & 0xffffff) = pid FROM NVTX_EVENTS, GROSR_SESSION'), '11', 'of the process\'s first thread');
integrity($db, 'the file is sound');

$r = record('--', $program, 'odd');
is($r->{code}, 0, 'calls that should not be made') or diag($r->{stderr});
is(value($db, 'SELECT max(length(name)) FROM ranges'), 39999, 'a text that no record holds comes whole');
is(value($db, 'SELECT count(*) FROM NVTX_EVENTS'), 8, 'nothing is lost over them');

# ---- names ----

$r = record('--', $program, 'names');
is("$r->{code} $r->{stderr}", '0 ', 'names that are hard to keep apart');
is(value($db, 'SELECT sum(dropped) FROM GROSR_STREAM'), 0, 'nothing was lost');
is(value($db, 'SELECT count(*) FROM ranges'), 3 * 23, 'all ranges');
is(value($db, 'SELECT count(*) FROM (SELECT name FROM ranges GROUP BY CAST(name AS BLOB) HAVING count(*) = 3)'), 23,
   'each name three times, and no two became one');
is(value($db, "SELECT count(*) FILTER (WHERE name = '') || '|' || count(*) FILTER (WHERE name IS NULL) FROM ranges"), '3|3',
   'an empty name is an empty name, none is none');
is(value($db, 'SELECT group_concat(n) FROM (SELECT DISTINCT length(CAST(name AS BLOB)) AS n FROM ranges WHERE n > 1000 ORDER BY n)'),
   '65537,89998', 'long ones, narrow and wide, have all their bytes');
is(value($db, "SELECT hex(name) FROM ranges WHERE name LIKE 'not UTF-8%' ORDER BY start LIMIT 1"),
   uc(unpack('H*', "not UTF-8 \xff\xfe \xc3( \xe2\x82 end")), 'bytes that are not UTF-8 are as they were');
is(value($db, "SELECT count(*) FROM sqlite_master WHERE name = 'ranges'"), 1, 'SQL in a name is a name');

# What others read: every format is UTF-8, and tells the names apart.
sub is_utf8 { my ($bytes) = @_; return eval { decode('UTF-8', $bytes, FB_CROAK); 1 } }

sub unsafe # controls but line ends, and what reverses a line
{
    my ($bytes) = @_;
    return decode('UTF-8', $bytes) =~ /([\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f])/ ? sprintf('%x', ord($1)) : '';
}

for my $case (['query', 'csv', 'query', $db, '--format', 'csv', 'SELECT name, start FROM ranges'],
              ['query', 'table', 'query', $db, '--format', 'table', 'SELECT name, start FROM ranges'],
              ['query', 'json', 'query', $db, '--format', 'json', 'SELECT name, start FROM ranges'],
              ['export', 'csv', 'export', $db, '--format', 'csv', '--table', 'ranges'],
              ['export', 'chrome', 'export', $db, '--format', 'chrome']) {
    my ($what, $format, @arguments) = @$case;
    $r = grosr({raw => 1, out => "$dir/names.$format"}, @arguments);
    my $text = slurp("$dir/names.$format");
    is($r->{code}, 0, "$what, $format");
    ok(is_utf8($text), 'is UTF-8');
    is(unsafe($text), '', 'has no control characters but line ends');
    ok(defined eval { decode_json($text) }, 'and is JSON') if $format =~ /json|chrome/;
    next unless $format eq 'csv';
    my $field = qr/(?:"(?:[^"]++|"")*+"|[^",\r\n]*+)/;
    my ($columns, $rows, %names) = (scalar(split(/,/, (split(/\r\n/, $text))[0])), 0);
    while ($text =~ /\G($field)((?:,$field)*+)\r\n/gc) {
        $names{$1}++;
        $rows += () = "$1$2" =~ /^$field(?:,$field){@{[$columns - 1]}}$/;
    }
    is((pos($text) // 0) . "|$rows", length($text) . '|' . (1 + 3 * 23), 'is CSV, each row with all columns');
    is(scalar(keys %names), 1 + 23, 'in which all names differ');
}

$r = record('--', $program, 'long');
is($r->{code}, 0, 'long names of everything');
like($r->{stderr}, qr/^grosr: process \d+: 2 names were cut: .*\n(?:grosr: .* 2 names were cut: .*\n)?\z/, 'of which some were cut');
is(value($db, "SELECT count(*) FROM GROSR_NOTE WHERE topic = 'names'") > 0, 1, 'as the file notes');
is(value($db, 'SELECT sum(dropped) FROM GROSR_STREAM'), 0, 'nothing was lost');
is(value($db, "SELECT group_concat(n) FROM (SELECT length(name) AS n FROM ranges WHERE kind = 'mark' AND name <> '' AND " .
              'name NOT LIKE \'%cut%\' ORDER BY start)'), '300000,300000', 'registered strings come whole');
is(value($db, "SELECT count(DISTINCT name) || '|' || max(length(name) <= 1048576) FROM ranges " .
              "WHERE name LIKE '%[cut: 5242887 bytes, hash %]'"),
   '2|1', 'what is cut says so, and stays apart');
is(list(map { [$_->{d}, $_->{c}] } rows('SELECT DISTINCT length(domain) AS d, length(category) AS c FROM ranges ' .
                                        'WHERE length(name) = 300000')),
   '20000|20001', 'domains and categories');
is(value($db, 'SELECT count(DISTINCT domain) FROM ranges WHERE length(domain) > 1'), 2, 'of which there are two');
is(value($db, "SELECT count(DISTINCT name) || '|' || group_concat(DISTINCT length(name)) FROM GROSR_CUDA_NAME"), '2|20002', 'streams');
is(value($db, 'SELECT max(length(value)) FROM ThreadNames JOIN StringIds ON id = nameId'), 20004, 'a thread');
is(value($db, "SELECT count(*) FROM ranges r JOIN GROSR_SESSION s USING (session) WHERE session = 2 AND length(domain) = 20000"), 1,
   'and in a fork\'s child');

$r = record('--', $program, 'long-threads');
is("$r->{code} $r->{stderr}", '0 ', 'threads that send the same long names at the same time');
my $arrived = "SELECT count(*) || '|' || count(DISTINCT name) || '|' || min(length(name)) FROM ranges " .
              "WHERE name IS NULL OR name NOT LIKE '%open%' AND name <> 'started'";
is(value($db, $arrived), '208|26|100000', 'all arrive');

# The collector is given time, the same for one thread and for many that wait for it at once.
my $p = start($GROSR, 'record', '-o', $db, '--', $program, 'open', 'stop', 'long-threads');
my $child;
until_true(sub { ended($p) || (($child) = grep { (slurp("/proc/$_/stat") // '') =~ /\) T / } children($p->{pid})) });
kill('STOP', $p->{pid});
kill('CONT', $child) if $child;
sleep(0.8);
kill('CONT', $p->{pid});
is(finish($p)->{code}, 0, 'a collector that is paused for a moment');
is(value($db, $arrived), '208|26|100000', 'and all arrive');

# ---- threads ----

$r = record('--', $program, 'threads');
is($r->{code}, 0, 'many threads') or diag($r->{stderr});
is(value($db, 'SELECT count(*) FROM NVTX_EVENTS'), 8 * 2000 * 2 + 8, 'all their ranges');
is(value($db, 'SELECT sum(dropped) FROM GROSR_STREAM'), 0, 'none was lost');
is(value($db, "SELECT count(*) FROM NVTX_EVENTS WHERE end IS NULL OR end < start"), 0, 'each with its end');
is(value($db, "SELECT count(DISTINCT text || globalTid) FROM NVTX_EVENTS WHERE text LIKE 'thread%'"), 8, 'in its thread');
is(value($db, "SELECT count(*) FROM NVTX_EVENTS WHERE text = 'handed' AND endGlobalTid <> globalTid"), 8,
   'ranges that another thread has ended');

# ---- children ----

$r = record('--', $program, 'children');
is($r->{code}, 0, 'children') or diag($r->{stderr});
is(value($db, 'SELECT count(*) || sum(died) FROM GROSR_SESSION'), '30', 'each has a session');
is(list(map { [@$_{qw(session t)}] } rows("SELECT s.session, $text AS t FROM $events " .
                                          'JOIN GROSR_SESSION s ON e.globalTid >> 24 = s.pid AND e.eventType <> 75 ORDER BY 1, 2')),
   '1|parent 1|registered before the fork 2|child 2|registered before the fork 3|left open 3|left open too 3|started',
   'with what it did itself; the second is a fork, the third another program');
is(value($db, "SELECT count(*) FROM NVTX_EVENTS WHERE text = 'before the fork'"), 2, 'a domain is known in the child as well');
is(value($db, "SELECT count(*) FROM NVTX_EVENTS WHERE text = 'parent' AND end IS NOT NULL"), 1,
   'the parent\'s range is not the child\'s to end');

$r = grosr('record', '-o', $db, '--', $program, 'forks');
is($r->{code}, 0, 'forks amid calls of other threads') or diag($r->{stderr});
is(value($db, "SELECT count(*) FROM NVTX_EVENTS WHERE text = 'forked'"), 20, 'every child tells');
is(value($db, 'SELECT count(DISTINCT session) FROM GROSR_SESSION'), 21, 'in a session of its own');

# ---- the end ----

$r = record('--', $program, 'open');
is(value($db, 'SELECT count(*) || sum(end IS NULL) FROM NVTX_EVENTS'), '33', 'ranges that are open at exit have no end');
$r = record('--', $program, 'open', 'kill');
is($r->{code}, 137, 'a program that is killed');
like($r->{stderr}, qr/died.*\n.*killed by signal 9/, 'is told of');
is(value($db, 'SELECT count(*) || sum(end IS NULL) FROM NVTX_EVENTS'), '33', 'its ranges are there');
is(value($db, 'SELECT died FROM GROSR_SESSION'), 1, 'it died');
$r = record('--', $program, 'open', 'leave');
is("$r->{code}$r->{stderr}", '0', 'a program that leaves by _exit() has not died');
is(value($db, 'SELECT count(*) || sum(end IS NULL) FROM NVTX_EVENTS'), '33', 'its ranges are there');
is(value($db, 'SELECT died FROM GROSR_SESSION'), 0, 'nor does the trace say that it did');
is(join(' ', segments(value($db, 'SELECT pid FROM GROSR_SESSION'))), '', 'no segment is left');
$r = record('--', $program, 'atexit', 'late');
is($r->{code}, 0, 'threads that go on while the process exits') or diag($r->{stderr});
is(value($db, "SELECT count(*) FROM NVTX_EVENTS WHERE text = 'in an exit handler'"), 1, 'an exit handler\'s mark');
$r = record('--', $program, 'signals');
is($r->{code}, 0, 'marks in signal handlers, at any moment') or diag($r->{stderr});
cmp_ok(value($db, "SELECT count(*) FROM NVTX_EVENTS WHERE text = 'interrupted'"), '>', 0, 'nothing hangs');

# What is open for a second is in the file while the program runs.
unlink($db);
$p = start($GROSR, 'record', '-o', $db, '--', $program, 'open', 'pause');
ok(until_true(sub { (peek($db, 'SELECT count(*) FROM NVTX_EVENTS WHERE end IS NULL') || 0) == 3 }),
   'a program that waits for ever: its open ranges are rows');
signal_group($p, 'TERM');
finish($p);

# ---- what is recorded, and what is not ----

$r = record('--trace', 'none', '--', $program, 'all');
like($r->{stderr}, qr/without a GROSR session/, '--trace none');
says_one_line(grosr('record', '--trace', 'nvtx,all', '--', 'true'), 2, qr/nvtx,all/, 'no such part');
says_one_line(grosr('record', '--trace', 'nvtx', '--attach', $$), 2, qr/--trace/, '--trace with --attach');
$r = grosr({env => {NVTX_INJECTION64_PATH => '/no/other.so'}}, 'record', '-o', $db, '--', $program, 'all');
like($r->{stderr}, qr{\Agrosr: NVTX calls are not recorded: NVTX_INJECTION64_PATH is set already, to /no/other.so\n},
     'a user\'s own tool is left alone');

$r = record('--', $GROSR, 'run', 'arith', '--device', 'host', '--tasks', '20000');
is($r->{code}, 0, 'a runtime of ours') or diag($r->{stderr});
is(value($db, 'SELECT group_concat(device) FROM (SELECT DISTINCT device FROM GROSR_SESSION ORDER BY device)'), 'host,process',
   'two sessions: its device\'s and its process\'s');
is(value($db, "SELECT group_concat(v.value) FROM (SELECT DISTINCT v.value FROM $events JOIN NVTX_EVENTS d ON " .
              "d.eventType = 75 AND d.text = 'grosr' AND d.domainId = e.domainId WHERE e.eventType = 59 ORDER BY 1) v"),
   'close,finish,open,submit,wait', 'its phases are ranges of the domain grosr');
is(value($db, "SELECT sum(uint64Value) FROM $events WHERE v.value = 'submit'"), 20000, 'a batch tells how many tasks');
is(value($db, 'SELECT count(*) FROM tasks'), 20000, 'its tasks are there as ever');

# No room for a session: said once, and the program runs.
SKIP: {
    my @small = ('unshare', '-m', '/bin/sh', '-c', 'mount -t tmpfs -o size=64k tmpfs /dev/shm && exec "$@"', 'sh');
    skip('no mount namespaces here', 2) unless have('unshare') && run_it(@small, 'true')->{code} == 0;
    $r = run_it(@small, $GROSR, 'record', '-o', $db, '--', $program, 'all');
    like($r->{stderr}, qr/^grosr: process \d+ is not recorded: no room/m, '/dev/shm is full: said');
    is($r->{stdout}, "depths -2 -2 -2 -2 -2\n", 'and the program runs as if there were no tool');
}
done_testing();
