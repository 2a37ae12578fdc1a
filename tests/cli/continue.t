#!/usr/bin/perl
# A collector that is killed, again and again, and another one that goes on with its file: no event twice, and every
# event that is missing counted at its place.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Grosr;
use Test::More;
use Time::HiRes qw(sleep);

my $dir = scratch();
my $seed = $ENV{GROSR_SEED} || $$;
srand($seed);
note("GROSR_SEED=$seed");

sub attach
{
    my ($run, $db, @more) = @_;
    return start($GROSR, 'record', '--attach', $run->{pid}, '-o', $db, @more);
}

sub whole
{
    my ($db, $name) = @_;
    my ($all) = sql($db, 'SELECT * FROM trace_health WHERE ring IS NULL');
    integrity($db, "$name: the file is sound");
    balanced($db, 'the books of every ring balance');
    is(value($db, 'SELECT value FROM GROSR_META WHERE key = \'complete\''), 1, 'it is complete');
    is(value($db, 'SELECT count(*) FROM GROSR_SESSION'), 1, 'with one session');
    is(value($db, 'SELECT count(*) FROM GROSR_CHUNK') . value($db, 'SELECT count(*) FROM GROSR_CHECKPOINT'), '00',
       'nothing is left to build or to go on with');
    is(value($db, $EVENTS_TOLD), value($db, 'SELECT sum(read) FROM GROSR_RING WHERE worker IS NOT NULL'),
       'every event that is said to be stored is in a table');
    is(value($db, 'SELECT count(*) - count(DISTINCT task) FROM GROSR_TASK'), 0, 'no task has two rows');
    is(value($db, 'SELECT count(*) FROM tasks WHERE enqueue > start OR start > end'), 0, 'no task has its times in disorder');
    for my $reason (qw(dropped overwritten unstored)) {
        is(value($db, "SELECT count(*) FROM GROSR_RING r WHERE $reason <> (SELECT coalesce(sum(count), 0)"
                      . " FROM GROSR_LOSS l WHERE l.ring = r.ring AND reason = '$reason')"), 0,
           "GROSR_LOSS tells where each $reason event is missing");
    }
    my $missing = value($db, 'SELECT 2 * (SELECT sum(tasks) FROM workers) - count(start) - count(end) FROM GROSR_TASK');
    cmp_ok($missing, '>=', 0, 'no more begins and ends than of the tasks that ran');
    cmp_ok($missing, '<=', $all->{dropped} + $all->{overwritten} + $all->{unstored}, 'those missing are counted');
    return $all;
}

# ---- twenty times ----

for my $overflow (qw(drop block)) {
    my $db = "$dir/$overflow.db";
    my $run = live('--ring', '4096', '--overflow', $overflow, '--workers', '3');
    my ($said, $kills) = (0, 0);
    for (1 .. 20) {
        my $p = attach($run, $db);
        # Most are killed when they have taken up the file, the others at any moment, perhaps before.
        if ($_ == 1) {
            until_read($db, 0);
        } elsif ($_ % 5 < 3) {
            until_true(sub { ended($p) || slurp($p->{err}) =~ /continues where/ }, 10);
        }
        sleep(0.02 + rand(0.25));
        next if ended($p);
        kill('KILL', $p->{pid});
        finish($p);
        $kills++;
        $said++ if $p->{stderr} =~ /\Agrosr: \Q$db\E continues where its recording was cut off; \d+ events/;
        integrity($db, 'killed: the file is sound') if $_ % 5 == 0;
    }
    is($kills, 20, "--overflow $overflow: twenty collectors are killed") or diag($run->{stderr} // '');
    cmp_ok($said, '>=', 10, 'most of them went on with the file, and said so');
    my $rows = 'SELECT count(*) FROM tasks';
    my $before = peek($db, $rows) || 0;
    my $last = attach($run, $db);
    ok(until_true(sub { ended($last) || (peek($db, $rows) || 0) > $before }), 'the last one goes on');
    quit($run);
    finish($last);
    is($last->{code}, 0, 'and ends with the run') or diag($last->{stderr});
    my $all = whole($db, 'at the end');
    cmp_ok($all->{unstored}, '>', 0, 'what was read and not stored is counted');
    like($all->{verdict}, qr/ of $all->{written} events lost/, 'the verdict tells of it');
    no_segments($run, 'no segment is left');
}

# ---- spans that go over a kill, and other files ----

{
    my $db = "$dir/other.db";
    my $run = live('--ring', '1024');
    my $p = attach($run, $db);
    ok(until_read($db, 1000), 'a collector records');
    kill('KILL', $p->{pid});
    finish($p);
    my $other = live('--ring', '1024');
    $p = attach($other, $db);
    ok(until_true(sub { (peek($db, 'SELECT pid FROM GROSR_SESSION') || 0) == $other->{pid} }),
       'a file of another session that was cut off is replaced');
    kill('INT', $p->{pid});
    finish($p);
    is($p->{stderr} =~ /cut off/ ? 'said' : '', '', 'not continued');
    $p = attach($other, $db);
    ok(until_true(sub { !defined peek($db, 'SELECT 1 FROM GROSR_META WHERE key = \'complete\'') }),
       'a file that is complete is replaced, too');
    kill('INT', $p->{pid});
    finish($p);
    balanced($db, 'balanced');
    is(value($db, 'SELECT min(position) FROM GROSR_LOSS WHERE position = 0'), undef,
       'what was read before it began is no loss');
    quit($_) for $run, $other;
}

# ---- a state that cannot be read ----

SKIP: {
    skip('there is no sqlite3 to damage a file with', 4) unless have('sqlite3');
    my $db = "$dir/damaged.db";
    my $run = live('--ring', '1024');
    for my $damage ('x\'\'', 'substr(state, 1, length(state) - 9)', 'zeroblob(length(state))', 'state || x\'00\'') {
        my $p = attach($run, $db);
        ok(until_read($db, 0), 'a collector records');
        kill('KILL', $p->{pid});
        finish($p);
        run_it('sqlite3', $db, "UPDATE GROSR_CHECKPOINT SET state = $damage");
        says_one_line(grosr('record', '--attach', $run->{pid}, '-o', $db), 1, qr/choose another name/, "$damage is refused");
        unlink($db, "$db-wal", "$db-shm");
    }
    quit($run);
}

done_testing();
