#!/usr/bin/perl
# Rings too small on purpose: every task completes, and every event that is missing is counted, exactly.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Grosr;
use Test::More;

my $dir = scratch();
my $db = "$dir/loss.db";

# Runs with small rings under a policy and checks what holds under any.
sub lossy
{
    my ($overflow, $level) = @_;
    my $name = "--overflow $overflow --level $level";
    my $run = grosr('run', 'arith', '--device', 'host', '--tasks', '100000', '--ring', '64', '--overflow', $overflow,
                    '--level', $level, '-o', $db, '--json');
    my $j = json_of($run);
    my $t = $j->{trace} || {};

    is("$run->{code} $j->{completed} $j->{errors}", '0 100000 0', "$name: all tasks complete");
    no_segments($run, 'no segment is left');
    is($t->{written}, $t->{read} + $t->{dropped} + $t->{overwritten}, 'written = read + dropped + overwritten');
    balanced($db, 'and so for every ring');
    my ($all) = sql($db, 'SELECT * FROM trace_health WHERE ring IS NULL');
    is("$all->{written} $all->{read} $all->{dropped} $all->{overwritten}",
       "$t->{written} $t->{read} $t->{dropped} $t->{overwritten}", 'trace_health and JSON agree');
    is(value($db, $EVENTS_TOLD), value($db, 'SELECT sum(read) FROM GROSR_RING WHERE worker IS NOT NULL'),
       'every event that was read is in a table');
    is(value($db, 'SELECT sum(tasks) FROM workers'), 100000, 'the workers counted every task');
    is(value($db, 'SELECT count(*) FROM GROSR_RING r JOIN GROSR_WORKER w USING (worker) WHERE r.written < 2 * w.tasks + 2'),
       0, 'each ring accounts for a begin and an end of every task its worker ran');
    is(value($db, 'SELECT count(*) - count(DISTINCT task) FROM GROSR_TASK'), 0, 'no task has two rows');
    is(value($db, 'SELECT count(*) FROM tasks WHERE enqueue > start OR start > end'), 0, 'no task has its times in disorder');
    for my $reason (qw(dropped overwritten unstored)) {
        is(value($db, 'SELECT count(*) FROM GROSR_RING r WHERE ' . $reason .
                      ' <> (SELECT coalesce(sum(count), 0) FROM GROSR_LOSS l WHERE l.ring = r.ring AND reason = \'' .
                      $reason . '\')'), 0, "GROSR_LOSS tells where each $reason event is missing");
    }
    integrity($db, 'the file is sound');
    return ($run, $j, $all);
}

for my $level (qw(spans full)) {
    my ($run, $j, $all) = lossy('drop', $level);
    cmp_ok($j->{trace}{dropped}, '>', 0, 'events were dropped');
    is($j->{trace}{overwritten}, 0, 'none overwritten');
    like($run->{stderr}, qr/\Agrosr: $j->{trace}{dropped} of $j->{trace}{written} events were lost[^\n]*\n\z/,
         'one line on stderr says how many');
    like($all->{verdict}, qr/\A$j->{trace}{dropped} of $j->{trace}{written} events lost\z/, 'and so does trace_health');
    cmp_ok(value($db, 'SELECT count(*) FROM tasks'), '<=', 100000, 'at most as many rows as tasks');
}

{
    my ($run, $j, $all) = lossy('overwrite', 'spans');
    cmp_ok($j->{trace}{overwritten}, '>', 0, 'events were overwritten');
    is($j->{trace}{dropped}, 0, 'none dropped');
    like($run->{stderr}, qr/ of $j->{trace}{written} events were lost/, 'stderr says how many');
    is(value($db, 'SELECT count(*) FROM GROSR_WORKER WHERE end IS NULL'), 0, 'the last events are there');
}

{
    my ($run, $j, $all) = lossy('block', 'spans');
    is("$j->{trace}{dropped} $j->{trace}{overwritten}", '0 0', 'nothing is lost');
    is($run->{stderr}, '', 'nothing to say on stderr');
    is($all->{verdict}, 'complete', 'the verdict: complete');
    is(value($db, 'SELECT count(*) FROM tasks WHERE enqueue <= start AND start <= end'), 100000, 'every task is there');
}

# The smallest ring there is.
my $run = grosr('run', 'arith', '--device', 'host', '--tasks', '20000', '--ring', '8', '-o', $db, '--json');
is("$run->{code} " . json_of($run)->{completed}, '0 20000', '--ring 8: all tasks complete');
balanced($db, 'balanced');

done_testing();
