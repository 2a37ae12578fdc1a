#!/usr/bin/perl
# Faults and bad input: one clear line, the exit code of the contract, and nothing half-written left as if whole.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Digest::SHA qw(sha256_hex);
use Grosr;
use POSIX ();
use Test::More;

my $dir = scratch();
my @arith = ('run', 'arith', '--device', 'host');
my $rows = 'SELECT count(*) FROM tasks';

# A traced run with so much to lose that its file stays small, once tasks have arrived in the file: its own, where
# another trace has been.
sub traced
{
    my ($db, @more) = @_;
    my $p = start($GROSR, @arith, '--seconds', '600', '--rate', '100000', '--ring', '1024', '-o', $db, @more);
    my $own = "SELECT (SELECT count(*) FROM tasks) * (SELECT pid = $p->{pid} FROM GROSR_SESSION)";
    my $began = until_true(sub { (peek($db, $own) || 0) > 1000 || ended($p) });
    ok($began && !ended($p), 'a traced run is going on') or diag($p->{stderr} // 'no task arrived');
    return $p;
}

# ---- one writer at a time ----

{
    my $db = "$dir/live.db";
    my $p = traced($db);
    my ($collector) = children($p->{pid});
    symlink('live.db', "$dir/link.db");
    link($db, "$dir/other-name.db");
    mkdir("$dir/below");
    symlink('../link.db', "$dir/below/link.db");
    my $busy = qr/is being written by process $collector;/;
    for my $name ($db, "$dir/link.db", "$dir/other-name.db", "$dir/below/../live.db", "$dir/below/link.db") {
        says_one_line(grosr(@arith, '--tasks', '10', '-o', $name), 1, $busy, "a second writer, as $name");
    }
    my $r = run_it('/bin/sh', '-c', 'cd "$1" && exec "$0" record -o ../live.db -- touch began', $GROSR, "$dir/below");
    says_one_line($r, 1, $busy, '`record`');
    ok(!-e "$dir/below/began", 'does not start its program');
    my $other = live();
    says_one_line(grosr('record', '--attach', $other->{pid}, '-o', $db), 1, $busy, '`record --attach`');
    kill('KILL', $other->{pid});
    finish($other);
    says_one_line(grosr('recover', '--remove', $other->{pid}, '-o', $db), 1, $busy, '`recover`');
    ok(unlink(segments($other->{pid})), 'which leaves the segment');
    quit($p);
    is(value($db, 'SELECT value FROM GROSR_META WHERE key = \'complete\''), 1, 'the first one completes its trace');
    is(value("$dir/other-name.db", $rows), value($db, $rows), 'both names of the file lead to its trace');
    is(grosr(@arith, '--tasks', '10', '-o', "$dir/link.db")->{code}, 0, 'then it may be replaced, through a link');
    ok(-l "$dir/link.db" && value($db, $rows) == 10, 'which stays');
    cmp_ok(value("$dir/other-name.db", $rows), '>', 1000, 'a name of its own keeps the old trace');

    $p = traced($db);
    ($collector) = children($p->{pid});
    kill('KILL', $collector);
    until_true(sub { !process_runs($collector) });
    is(grosr(@arith, '--tasks', '10', '-o', $db)->{code}, 0, 'a writer that was killed locks nothing');
    quit($p);
}

# ---- a file that is moved or deleted while it is written ----

{
    my $run = live('--ring', '1024');
    my %cases = (
        'deleted' => [sub { unlink($_[0]) }, qr/\Q$dir\E\/gone.db was deleted while it was written; its trace was written there anew/,
                      sub { $_[0] }],
        'deleted with its journals' => [sub { unlink(glob("$_[0]*")) }, qr/anew/, sub { $_[0] }],
        'moved' => [sub { rename($_[0], "$dir/kept.db") }, qr/was moved while it was written; its trace is in \Q$dir\E\/kept.db\n/,
                    sub { "$dir/kept.db" }],
        'replaced by another trace' => [sub { unlink($_[0]); grosr(@arith, '--tasks', '10', '-o', $_[0]) },
                                        qr/another file has its name; its trace is in \Q$dir\E\/gone.db.\d+\n/,
                                        sub { "$_[0].$_[1]" }],
    );
    for my $how (sort keys %cases) {
        my ($do, $line, $where) = @{$cases{$how}};
        my $db = "$dir/gone.db";
        my $p = start($GROSR, 'record', '--attach', $run->{pid}, '-o', $db);
        ok(until_true(sub { (peek($db, $rows) || 0) > 1000 || ended($p) }) && !ended($p), 'a recording') or diag($p->{stderr});
        $do->($db);
        kill('INT', $p->{pid});
        finish($p);
        is($p->{code}, 1, "its file is $how: exit 1");
        like($p->{stderr}, $line, 'and a line that says where the trace is');
        my $kept = $where->($db, $p->{pid});
        cmp_ok(value($kept, $rows), '>', 1000, 'there it is');
        is(value($kept, 'SELECT value FROM GROSR_META WHERE key = \'complete\''), 1, 'complete');
        balanced($kept, 'balanced');
        integrity($kept, 'sound');
        is(value($db, $rows), 10, 'the other trace is whole') if $how =~ /replaced/;
        is(join(' ', glob("$db-*"), glob("$kept-*")), '', 'and no journal is left');
        unlink($db, $kept);
    }
    quit($run);
}

# ---- kill -9 of the application ----

{
    my $db = "$dir/killed.db";
    my $p = traced($db);
    my ($collector) = children($p->{pid});
    ok($collector, 'the collector is a process of its own');
    is(value($db, 'SELECT verdict FROM trace_health WHERE ring IS NULL'),
       'being recorded, or the collector was killed', 'while it records, trace_health says so');
    kill('KILL', $p->{pid});
    finish($p);
    is($p->{signal}, 9, 'the application is killed');
    ok(until_true(sub { !process_runs($collector) }, 120), 'the collector finishes');
    like(slurp($p->{err}), qr/^grosr: the recorded process (died|ended without closing its session); \Q$db\E holds what reached it/m,
         'and says what happened');
    no_segments($p, 'the segment is removed');
    integrity($db, 'the file is sound');
    cmp_ok(value($db, $rows), '>', 1000, 'and holds the tasks that reached the session');
    is(value($db, 'SELECT count(*) FROM tasks WHERE enqueue > start OR start > end'), 0, 'with their times in order');
    is(value($db, 'SELECT died FROM GROSR_SESSION'), 1, 'the session is marked as died');
    balanced($db, 'the books balance');
    my ($health) = sql($db, 'SELECT * FROM trace_health WHERE ring IS NULL');
    like($health->{verdict}, qr/process died|events? lost/, 'trace_health says what is missing');
    is($health->{closed}, 0, 'and that rings were cut off');
    for my $name (map { $_->{name} } @{json_of(grosr('query', $db, '--json'))}) {
        is(grosr('query', $db, $name)->{code}, 0, "the canned query $name works on it");
    }
    like(grosr('info', $db)->{stdout}, qr/died/, '`info` tells it too');
}

# ---- the flight recorder ----

{
    my $db = "$dir/recovered.db";
    # As fast as the tasks run: a worker that waits for them writes each of its sleeps, and its ring soon has nothing else.
    my $p = live('--ring', '256', '--rate', '1000000000');
    says_one_line(grosr('recover', $p->{pid}, '-o', $db), 1, qr/running.*record --attach $p->{pid}/,
                  'recover of a live process is refused');
    ok(until_true(sub { json_of(grosr('top', $p->{pid}, '--once', '--json'))->{trace}{written} > 500000 }, 60),
       'it has written more than its rings hold');
    kill('KILL', $p->{pid});
    finish($p);
    my ($segment) = segments($p->{pid});
    ok($segment, 'a killed process leaves its segment');
    my $before = slurp($segment);
    my $r = grosr('recover', "$p->{pid}.0", '-o', $db);
    says_one_line($r, 0, qr/\Q$db\E: \d+ events of process $p->{pid}; \d+ older ones/, 'recover');
    ok(slurp($segment) eq $before, 'leaves it as it is');
    integrity($db, 'the trace is sound');
    balanced($db, 'and balanced');
    cmp_ok(value($db, 'SELECT max(read) FROM GROSR_RING WHERE worker IS NOT NULL'), '==', 256, 'a ring full of events');
    is(value($db, 'SELECT died FROM GROSR_SESSION'), 1, 'of a session that died');
    spew("$dir/saved", $before);
    is(grosr('recover', "$dir/saved", '-o', "$dir/again.db")->{code}, 0, 'a saved copy can be recovered too');
    my $tasks = 'SELECT count(*) || \' \' || sum(start) FROM GROSR_TASK';
    is(value("$dir/again.db", $tasks), value($db, $tasks), 'to the same rows');
    # A stray write into a slot leaves it the right lap: a record is 16 bytes, the lap in the last of each half, the
    # kind in the one before, 48 bits of time in front of it; 4 and 5 begin and end a task.
    my @at = grep {
        my @kind = map { [unpack('x6 C C x7 C', substr($before, $_, 16))] } $_ - 16, $_, $_ + 16;
        !grep { $_->[0] < 4 || $_->[0] > 5 || $_->[1] != $_->[2] || $_->[1] != $kind[0][1] || !$_->[1] } @kind;
    } map { 16 * $_ } 1 .. length($before) / 16 - 2;
    cmp_ok(scalar(@at), '>', 100, 'the segment has records');
    for my $time ("\0\0\0\0\0\0", "\xff\xff\xff\xff\xff\x7f", "\x11\x22\x33\x44\x55\x66") {
        substr(my $damaged = $before, $at[@at / 2], 6) = $time;
        spew("$dir/damaged", $damaged);
        is(grosr('recover', "$dir/damaged", '-o', "$dir/again.db")->{code}, 0, 'a segment with a stray write');
        my $name = join(' ', unpack('(H2)*', $time));
        is(value("$dir/again.db", 'SELECT sum(count) FROM GROSR_LOSS WHERE reason = \'damaged\''), 1,
           "$name: a record whose time cannot be is counted");
        like(value("$dir/again.db", 'SELECT verdict FROM trace_health WHERE ring IS NULL'), qr/\b1 damaged events/, 'and reported');
        my $range = 'SELECT min(start) || \' \' || max(end) FROM GROSR_TASK';
        is(value("$dir/again.db", $range), value($db, $range), 'it makes no row with an impossible time');
        is(value("$dir/again.db", 'SELECT count(*) FROM GROSR_TASK WHERE start > end'), 0, 'nor one that ends before it begins');
        balanced("$dir/again.db", 'the counters reconcile');
    }
    is(grosr('recover', '--remove', $p->{pid}, '-o', $db)->{code}, 0, 'recover --remove');
    no_segments($p, 'removes the segment');
    spew("$dir/short", substr($before, 0, 5000));
    says_one_line(grosr('recover', "$dir/short", '-o', "$dir/none.db"), 1, qr/damaged/, 'half a segment');
    says_one_line(grosr('recover', "$dir/nothing", '-o', "$dir/none.db"), 1, qr/No such file/, 'a segment that is not there');
    says_one_line(grosr('recover', $GROSR, '-o', "$dir/none.db"), 1, qr/wrong magic/, 'a file that is no segment');
    ok(!-e "$dir/none.db", 'none of them makes a trace');
    says_one_line(grosr('recover'), 2, qr/needs a session/, 'recover of nothing');
}

# ---- kill -9 of the collector ----

{
    my $db = "$dir/uncollected.db";
    my $p = traced($db);
    my ($collector) = children($p->{pid});
    kill('KILL', $collector);
    until_true(sub { !process_runs($collector) });
    is(grosr('top', $p->{pid}, '--once')->{code}, 0, 'the collector is killed; the run goes on');
    integrity($db, 'the file is sound');
    is(value($db, 'SELECT verdict FROM trace_health WHERE ring IS NULL'),
       'being recorded, or the collector was killed', 'trace_health does not call it complete');
    quit($p);
    is($p->{code}, 1, 'the run fails');
    like($p->{stderr}, qr/collector/, 'and names the collector');
    no_segments($p, 'no segment is left');
}

# ---- signals ----

for my $signal (qw(INT TERM)) {
    for my $to ('the process', 'its group, as a terminal does') {
        my $db = "$dir/signal.db";
        my $p = traced($db);
        my ($collector) = children($p->{pid});
        kill($signal, $to eq 'the process' ? $p->{pid} : -$p->{pid});
        finish($p);
        is("$p->{code} $p->{signal}", '1 0', "SIG$signal to $to: exit 1");
        like($p->{stderr}, qr/^grosr: interrupted after \d+ tasks\n/m, 'it says that it was interrupted');
        like($p->{stdout}, qr/0 errors/, 'and what it had done, without an error');
        is(value($db, 'SELECT value FROM GROSR_META WHERE key = \'complete\''), 1, 'the trace is closed properly');
        is(value($db, 'SELECT count(*) FROM trace_health WHERE closed = 0 OR unbuilt <> 0'), 0, 'with every ring');
        balanced($db, 'balanced');
        integrity($db, 'and sound');
        is(join(' ', glob("$db-*")), '', 'no journal is left');
        no_segments($p, 'no segment is left');
        ok(!process_runs($collector), 'nor the collector');
    }
}
{
    my $p = live();
    kill('TERM', $p->{pid});
    finish($p);
    is("$p->{code} $p->{signal}", '1 0', 'SIGTERM to an untraced run: exit 1');
    no_segments($p, 'no segment is left');
}
{
    my $db = "$dir/record.db";
    my $p = start($GROSR, 'record', '-o', $db, '--', $GROSR, @arith, '--seconds', '600', '--rate', '100000', '--ring', '1024');
    ok(until_true(sub { (peek($db, $rows) || 0) > 1000 }), '`record` is recording');
    my $program = until_true(sub { peek($db, 'SELECT pid FROM GROSR_SESSION') });
    kill('TERM', $p->{pid});
    finish($p);
    is("$p->{code} $p->{signal}", '1 0', 'SIGTERM to `record`: exit 1');
    ok(!process_runs($program), 'its program ends');
    is(join(' ', segments($program)), '', 'no segment is left');
    is(value($db, 'SELECT value FROM GROSR_META WHERE key = \'complete\''), 1, 'the trace is closed properly');
    balanced($db, 'and balanced');
}

# ---- outputs that cannot be written ----

{
    my @output = (@arith, '--tasks', '1000', '-o');
    says_one_line(grosr(@output, "$dir/no/such/t.db"), 1, qr{No such file}, 'a missing folder');
    says_one_line(grosr(@output, $dir), 1, qr/\Q$dir\E/, 'a folder');
    says_one_line(grosr(@output, '/dev/full'), 1, qr{/dev/full is a device}, 'a device');
    says_one_line(grosr(@output, "$dir/."), 1, qr{is a folder}, 'a folder');
    POSIX::mkfifo("$dir/fifo", 0666);
    says_one_line(grosr(@output, "$dir/fifo"), 1, qr{is a FIFO}, 'a FIFO');
    ok(-p "$dir/fifo", 'is left alone');
    symlink('loop', "$dir/loop");
    says_one_line(grosr(@output, "$dir/loop"), 1, qr{symbolic links}, 'a link to itself');
    symlink('no/such/t.db', "$dir/nowhere");
    says_one_line(grosr(@output, "$dir/nowhere"), 1, qr{No such file}, 'a link into a missing folder');
    symlink('made.db', "$dir/dangling");
    is(grosr(@output, "$dir/dangling")->{code}, 0, 'a link to no file:');
    ok(-l "$dir/dangling" && value("$dir/made.db", $rows) == 1000, 'the file is made where it points');
    says_one_line(grosr(@output, "$dir/" . 'n' x 255), 1, qr/255 bytes/, 'a name that leaves no room for its journal\'s');
    is(grosr(@output, "$dir/" . 'n' x 247)->{code}, 0, 'the longest name');
    says_one_line(grosr(@output, ''), 2, qr/file name/, 'no name');

    spew("$dir/letter.txt", "Dear reader,\n");
    says_one_line(grosr(@output, "$dir/letter.txt"), 1, qr/not a GROSR trace/, 'a file that is no trace');
    is(slurp("$dir/letter.txt"), "Dear reader,\n", 'is left alone, byte for byte');
    says_one_line(grosr('record', '-o', "$dir/letter.txt", '--', 'true'), 1, qr/not a GROSR trace/, '`record` likewise');
    is(slurp("$dir/letter.txt"), "Dear reader,\n", 'and leaves it alone');

    spew("$dir/empty.db", '');
    my $run = grosr(@output, "$dir/empty.db");
    is("$run->{code} " . value("$dir/empty.db", $rows), '0 1000', 'an empty file becomes a trace');
    $run = grosr(@arith, '--tasks', '10', '-o', "$dir/empty.db");
    is("$run->{code} " . value("$dir/empty.db", $rows), '0 10', 'and an older trace is replaced');

  SKIP: {
        skip('root may write anywhere', 1) if $> == 0;
        mkdir("$dir/locked");
        chmod(0555, "$dir/locked");
        says_one_line(grosr(@output, "$dir/locked/t.db"), 1, qr/Permission denied/, 'a folder that is read-only');
    }
}

# ---- a full disk ----

# A limit on the size of files stands in for a disk that fills up.
for my $kib (16, 256, 2048) {
    my $db = "$dir/limit$kib.db";
    my $run = live('--ring', '1024');
    my $p = start('/bin/sh', '-c', "ulimit -f @{[2 * $kib]} && exec \"\$@\"", 'sh', $GROSR, 'record', '--attach',
                  $run->{pid}, '-o', $db);
    ok(until_true(sub { ended($p) || (-s $db || 0) + (-s "$db-wal" || 0) > 1024 * ($kib - 8) }),
       "no more than $kib KiB can be written");
    ok(!ended($run), 'the run goes on');
    quit($run);
    finish($p);
    is("$p->{code} $p->{signal}", '1 0', 'exit 1');
    like($p->{stderr}, qr/^grosr: [^\n]*\Q$db\E[^\n]*disk/m, 'with a line that says why');
    no_segments($run, 'no segment is left');
    next unless -e $db;
    integrity($db, 'the file is sound');
    isnt(value($db, 'SELECT verdict FROM trace_health WHERE ring IS NULL'), 'complete', 'and is not called complete');
}
{
    # The smallest session there is fits into the limit, its trace does not.
    my $db = "$dir/limit.db";
    my $r = run_it('/bin/sh', '-c', 'ulimit -f 6144 && exec "$@"', 'sh', $GROSR, @arith, '--tasks', '200000',
                   '--workers', '1', '--ring', '1024', '--overflow', 'block', '-o', $db, '--json');
    says_one_line($r, 1, qr/\Q$db\E.*disk/, 'a traced run and 3 MiB: one line');
    is(json_of($r)->{completed}, 200000, 'the run completes');
    no_segments($r, 'no segment is left');
    integrity($db, 'the file is sound');
    like(value($db, 'SELECT verdict FROM trace_health WHERE ring IS NULL'),
         qr/\Acollector failed: cannot write \Q$db\E: the disk is full.*; (\d+) of \d+ events lost\z/,
         'health says why, and how much is missing');
    my ($file) = sql($db, 'SELECT written, read, dropped, overwritten, unstored FROM trace_health WHERE ring IS NULL');
    my $told = json_of($r)->{trace};
    is(join(' ', map { $told->{$_} } sort keys %$file), join(' ', map { $file->{$_} } sort keys %$file),
       'stdout says what the file has');
    cmp_ok($file->{written}, '>', 400000, 'what is lost was counted until the end');
    balanced($db, 'and the counters reconcile');
    is(value($db, 'SELECT sum(unstored) FROM GROSR_RING'), value($db, 'SELECT sum(count) FROM GROSR_LOSS'), 'GROSR_LOSS has it');

    $r = run_it('/bin/sh', '-c', 'ulimit -f 32 && exec "$@"', 'sh', $GROSR, @arith, '--tasks', '10');
    says_one_line($r, 1, qr/session/, 'no room for the session itself: one line');
    no_segments($r, 'no segment is left');
}
SKIP: {
    my $mount = "$dir/disk";
    mkdir($mount);
    my $mounts = have('unshare') && have('mount') &&
        run_it('unshare', '-m', 'mount', '-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', $mount)->{code} == 0;
    skip('a small file system cannot be mounted here', 20) unless $mounts;
    # The file system is gone with the namespace, so its file is asked inside.
    my $script = 'mount -t tmpfs -o size="$2" tmpfs "$1" || exit 99; cd "$1"; out=$3; shift 3; ' .
        '"$0" "$@" >"$out"; code=$?; ' .
        'test -e t.db && { "$0" query t.db "PRAGMA integrity_check" --format csv; "$0" query t.db --format csv ' .
        '"SELECT written, read, dropped, overwritten, unstored, verdict FROM trace_health WHERE ring IS NULL"; }; exit $code';
    for my $size (qw(704k 1m 2m 8m)) {
        my $r = run_it('unshare', '-m', '/bin/sh', '-c', $script, $GROSR, $mount, $size, "$dir/told", @arith,
                       '--tasks', '300000', '--overflow', 'block', '-o', 't.db', '--json');
        like($r->{stderr}, qr/\Agrosr: recording into t.db failed: cannot write t.db: the disk is full\n/, "a disk of $size");
        is($r->{code}, 1, 'exit 1');
        like($r->{stdout}, qr/^ok\s*$/m, 'the file on it is sound');
        my ($counts) = $r->{stdout} =~ /^([\d,]+),"?collector failed: cannot write t.db: the disk is full/m;
        my $told = JSON::PP::decode_json(slurp("$dir/told"))->{trace};
        is(join(',', map { $told->{$_} } qw(written read dropped overwritten unstored)), $counts || '',
           'its reason is in it, and stdout says what it has');
        is(join(' ', segments($r->{pid})), '', 'no segment is left');
    }
}

# ---- files that are no traces ----

{
    my $trace = "$dir/whole.db";
    is(grosr(@arith, '--tasks', '20000', '-o', $trace)->{code}, 0, 'a whole trace');
    my $whole = slurp($trace);

    spew("$dir/text", "not a database, just some words that go on for a while\n" x 100);
    spew("$dir/nothing", '');
    spew("$dir/zeros", "\0" x 8192);
    # user_version is 4 bytes at 60 of an SQLite file, application_id 4 bytes at 68.
    my $version = unpack('N', substr($whole, 60, 4));
    substr(my $newer = $whole, 60, 4) = pack('N', $version + 1);
    substr(my $older = $whole, 60, 4) = pack('N', 0);
    substr(my $other = $whole, 68, 4) = pack('N', 0x12345678);
    spew("$dir/newer", $newer);
    spew("$dir/older", $older);
    spew("$dir/other", $other);
    my @bad = (
        ['absent', qr/No such file/, 'no file'],
        ['text', qr/not a GROSR trace/, 'a text file'],
        ['nothing', qr/not a GROSR trace/, 'an empty file'],
        ['zeros', qr/not a GROSR trace/, 'zeros'],
        ['other', qr/not a GROSR trace/, 'another program\'s database'],
        ['newer', qr/schema version @{[$version + 1]}.*newer grosr/, 'a newer schema'],
        ['older', qr/schema version 0.*record it again/, 'a schema older than any'],
        ['.', qr/./, 'a folder'],
    );
    for my $bad (@bad) {
        my ($name, $pattern, $what) = @$bad;
        says_one_line(grosr('query', "$dir/$name", 'health'), 1, $pattern, "query: $what");
        says_one_line(grosr('info', "$dir/$name"), 1, $pattern, "info: $what");
    }
    is(join(' ', map { sha256_hex(slurp("$dir/$_")) } qw(newer older other)),
       join(' ', map { sha256_hex($_) } $newer, $older, $other), 'none of them was touched');

    # Cut off or scribbled over: an answer or one line, never a crash.
    my %torn = (
        'cut in the middle of a page' => substr($whole, 0, int(length($whole) / 2) + 77),
        'cut after its first page' => substr($whole, 0, 4096),
        'cut inside its header' => substr($whole, 0, 50),
        'with noise in the middle' => substr($whole, 0, 20000) . join('', map { chr($_ * 37 % 256) } 1 .. 20000) .
            substr($whole, 40000),
    );
    for my $what (sort keys %torn) {
        spew("$dir/torn", $torn{$what});
        for my $query ('health', 'functions', 'slowest-tasks', 'SELECT * FROM tasks', 'PRAGMA integrity_check') {
            my $r = grosr('query', "$dir/torn", $query);
            ok(!$r->{signal} && ($r->{code} == 0 ? $r->{stderr} eq ''
                                                 : $r->{code} == 1 && $r->{stderr} =~ /\Agrosr: [^\n]+\n\z/),
               "a trace $what: $query") or diag("exit $r->{code}, signal $r->{signal}: $r->{stderr}");
        }
        my $r = grosr('info', "$dir/torn", '--json');
        ok(!$r->{signal} && $r->{code} <= 1, "a trace $what: info") or diag("exit $r->{code}, signal $r->{signal}");
    }
}

# ---- segments that are no sessions ----

{
    # A live process of ours that hosts no session, so that nobody else's segment can have its name.
    my $host = start('sleep', '600');
    my $segment = "/dev/shm/grosr.$host->{pid}.0";
    my $run = live('--ring', '64', '--workers', '1');
    my $good = slurp("/dev/shm/grosr.$run->{pid}.0");
    quit($run);
    my $header = 1024;
    my %bad = (
        'empty' => '',
        'short' => 'x' x 100,
        'zeros' => "\0" x 65536,
        'noise' => join('', map { chr($_ * 101 % 256) } 1 .. 65536),
        'another process\'s' => $good,
        'cut off' => substr($good, 0, 8192),
        'of another version' => substr($good, 0, 8) . pack('L', 999) . substr($good, 12),
        'with offsets beyond its end' => substr($good, 0, 64) . ("\xff" x $header) . substr($good, 64 + $header),
    );
    for my $what (sort keys %bad) {
        spew($segment, $bad{$what});
        my $kind = qr/not a GROSR session|damaged|session format/;
        says_one_line(grosr('top', $host->{pid}, '--once'), 1, $kind, "top: a segment that is $what");
        says_one_line(grosr('record', '--attach', $host->{pid}, '-o', "$dir/none.db"), 1, $kind, "record: $what");
        my $info = grosr('info');
        is($info->{code}, 0, "info: $what");
        like($info->{stdout}, qr/^\s*$host->{pid}\b.*(not a GROSR session|damaged|session format)/m, 'and says so in its list');
        is(json_of(grosr('info', '--json'))->{sessions} ? 1 : 0, 1, 'JSON stays JSON');
    }
    # Every byte of the header and the tables behind it that makes a difference is checked: no crash whatever it says.
    my ($crashes, $answers) = (0, 0);
    for my $at (map { $_ * 8 } 0 .. 159) {
        my $damaged = $good;
        substr($damaged, $at, 8) = "\xf0\xff\xff\xff\xff\xff\xff\x7f";
        substr($damaged, 32, 4) = pack('L', $host->{pid}) if $at != 32;
        spew($segment, $damaged);
        my $r = grosr('top', $host->{pid}, '--once', '--json', '--interval', '0.05');
        $crashes++ if $r->{signal} || $r->{code} > 2;
        diag("8 bytes at $at: exit $r->{code}, signal $r->{signal}: $r->{stderr}") if $r->{signal} || $r->{code} > 2;
        $answers++;
    }
    is("$crashes of $answers", '0 of 160', 'no damaged header crashes `top`');
    unlink($segment);
    kill('KILL', $host->{pid});
    finish($host);
    ok(!-e "$dir/none.db", 'nothing was recorded');

    # What a dead process left.
    my $dead = live();
    ok(until_true(sub { json_of(grosr('top', $dead->{pid}, '--once', '--json'))->{tasks}{completed} > 1000 }),
       'an untraced run has completed tasks');
    kill('KILL', $dead->{pid});
    finish($dead);
    says_one_line(grosr('top', $dead->{pid}, '--once'), 1, qr/died|dead/, 'top: a process that was killed');
    like(grosr('info')->{stdout}, qr/^\s*$dead->{pid}\b.*died/m, '`info` lists what it left');
    my $r = grosr('record', '--attach', $dead->{pid}, '-o', "$dir/dead.db");
    is($r->{code}, 0, '`record --attach` saves it') or diag($r->{stderr});
    like($r->{stderr}, qr/dead|died/, 'and says that the process is dead');
    is(value("$dir/dead.db", 'SELECT died FROM GROSR_SESSION'), 1, 'the trace says so too');
    cmp_ok(value("$dir/dead.db", $rows), '>', 0, 'the flight recorder held tasks');
    balanced("$dir/dead.db", 'the books balance');
    no_segments($dead, 'and the segment is gone');
}

# ---- the command line ----

{
    says_one_line(grosr('run', 'arth'), 2, qr/workload 'arth'.*--list/, 'an unknown workload');
    says_one_line(grosr('run'), 2, qr/--list/, 'no workload');
    says_one_line(grosr(@arith, 'arith'), 2, qr/arith/, 'two workloads');
    says_one_line(grosr('runn'), 2, qr/`grosr run`/, 'a command misspelt: says which was meant');
    says_one_line(grosr('frobnicate'), 2, qr/frobnicate.*help/, 'an unknown command');
    says_one_line(grosr('--frobnicate'), 2, qr/--frobnicate/, 'an option before the command');
    says_one_line(grosr(@arith, '--frobnicate'), 2, qr/--frobnicate/, 'an unknown option');
    says_one_line(grosr(@arith, '--taks', '5'), 2, qr/--tasks/, 'an option misspelt: says which was meant');
    says_one_line(grosr(@arith, '-x'), 2, qr/-x/, 'an unknown letter');
    says_one_line(grosr(@arith, '--tasks'), 2, qr/--tasks/, 'an option without its value');
    says_one_line(grosr(@arith, '--json=yes'), 2, qr/--json/, 'a value that is not wanted');
    says_one_line(grosr('query', '--tasks', '5', 'x'), 2, qr/--tasks/, 'an option of another command');
    my %numbers = (
        tasks => ['0', '-1', '1e6', '1.5', 'x', '', '1000000000001', '99999999999999999999999'],
        workers => ['0', '-1', '4097', 'x'],
        sms => ['0', 'x', '-3'],
        ring => ['0', '7', '1048577', 'x'],
        seconds => ['0', '-1', 'x', 'nan', 'inf', '1e99'],
        level => ['loud', ''],
        overflow => ['auto', 'x'],
        device => ['tpu', ''],
    );
    for my $option (sort keys %numbers) {
        says_one_line(grosr(@arith, "--$option", $_), 2, qr/--$option takes.*'\Q$_\E'/, "--$option '$_'") for @{$numbers{$option}};
    }
    says_one_line(grosr(@arith, '--workers', '4096', '--tasks', '1'), 2, qr/at most \d+ workers/,
                  'more workers than the device has');
    my $odd = grosr('run', "a\e[31mb\nc");
    says_one_line($odd, 2, qr/\A[^\e]*\z/, 'control characters in an argument do not reach the terminal');
    my $none = grosr();
    is($none->{code}, 2, 'no command at all');
    like($none->{stderr}, qr/Usage: grosr/, 'shows the usage');
    for my $command ('', qw(run record top query info help)) {
        my $r = grosr($command || (), '--help');
        ok($r->{code} == 0 && $r->{stdout} =~ /Usage: grosr/ && $r->{stderr} eq '', "grosr $command --help");
    }
    like(grosr('--version')->{stdout}, qr/\Agrosr \d+\.\d+\.\d+\n\z/, '--version');
    is(grosr('--version')->{stdout}, grosr('run', '-V')->{stdout}, 'of a command too');
}

SKIP: {
    my $gpu = grep { $_->{device} eq 'cuda' } @{json_of(grosr('info', '--json'))->{devices}};
    skip('this machine has a CUDA device', 2) if $gpu;
    my $r = grosr('run', 'arith', '--device', 'cuda', '--tasks', '10', '-o', "$dir/cuda.db");
    says_one_line($r, 4, qr/CUDA|NVIDIA|driver/i, '--device cuda without a GPU: exit 4');
    ok(!-e "$dir/cuda.db", 'and no file');
}

done_testing();
