#!/usr/bin/perl
# On a GPU, with its CUPTI: `grosr record --trace api,pc` of kernels that never end, live, by function and line; a loop that
# waits for memory told from one that computes, and from one that reads nothing; what it costs. The programs are in
# pc_sampling.cu, and end by themselves; tests/cli/pc.t has more with a double.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../cli";
use Grosr;
use Test::More;
use Time::HiRes qw(sleep);

needs_cuda();
my ($nvcc) = needs_nvcc();

my $dir = scratch();
my ($db, $program, $source) = ("$dir/p.db", "$dir/pc_sampling", "$ROOT/tests/cuda/pc_sampling.cu");
my $r = run_it('/bin/sh', '-c', "$nvcc -O3 -std=c++17 -arch=native -lineinfo $source -o $program");
is($r->{code}, 0, 'nvcc builds pc_sampling') or BAIL_OUT($r->{stderr});

# The line with that comment.
sub line_of
{
    my ($mark) = @_;
    my @lines = split(/\n/, slurp($source));
    my ($n) = grep { $lines[$_ - 1] =~ m{/\* \Q$mark\E \*/} } 1 .. @lines;
    return $n;
}

sub begin
{
    my ($what, $seconds) = @_;
    unlink($db);
    my $p = start($GROSR, 'record', '--trace', 'api,pc', '-o', $db, '--', $program, $what, $seconds);
    return $p;
}

sub child_of
{
    my ($p) = @_;
    my $child;
    until_true(sub { ($child) = children($p->{pid}); $child && -e "/dev/shm/grosr.$child.0" }, 20);
    return $child;
}

sub ends_well
{
    my ($p, $what) = @_;
    $r = finish($p);
    is("$r->{code} $r->{stdout}", "0 done\n", "$what: the program ends by itself") or diag($r->{stderr});
    is(value($db, "SELECT coalesce(group_concat(text), '') FROM GROSR_NOTE WHERE topic IN ('cupti', 'pc samples')"), '',
       'CUPTI has nothing to say');
}

my $fits = 'SELECT count(*) FROM (SELECT b.samples - b.dropped - b.other AS n, (SELECT sum(s.samples) FROM GROSR_PC_SAMPLE s ' .
           'WHERE s.start = b.start) AS m FROM GROSR_PC_BIN b) WHERE abs(n - m) > 0.02 * n';

# ---- a kernel that polls ----

my $p = begin('polls', 9);
my $child = child_of($p);
ok(until_true(sub { peek($db, "SELECT count(*) >= 4 FROM pc_functions WHERE function = 'polls'") }, 8),
   'a kernel that has not ended is sampled');
ok(process_runs($child), 'while it runs');
my $json = json_of(grosr('top', $child, '--once', '--json'));
is($json->{pc}[0]{function}, 'polls', 'top shows it') or diag(explain($json->{pc}));
$r = grosr('diagnose', $child, '--json');
is(json_of($r)->{verdict}, 'healthy', 'a kernel that polls is not blamed') or diag($r->{stdout});
like($r->{stdout}, qr/in the loop at pc_sampling\.cu:\d+(-\d+)? in polls; \d+ % of these wait for memory/, 'its loop is named');
ends_well($p, 'polls');
is(value($db, 'SELECT verdict FROM trace_health WHERE ring IS NULL'), 'complete', 'nothing is missing');
my ($low, $high) = (line_of('polls'), line_of('polls') + 1);
my ($f) = sql($db, "SELECT sum(samples) AS n, sum(loop_samples) AS l, sum(memory_samples) AS m, max(loop) AS loop, max(endless) AS e, " .
                   "min(first_line) AS a, max(last_line) AS b, max(file) AS file FROM pc_functions WHERE function = 'polls'");
like($f->{file}, qr{/pc_sampling\.cu$}, 'the file of its loop');
ok($f->{a} >= $low - 3 && $f->{b} <= $high + 1, "its lines, $f->{a} to $f->{b}, are those of the loop ($low)");
is("$f->{loop}$f->{e}", '10', 'a loop that may end');
cmp_ok($f->{l}, '>', 0.9 * $f->{n}, 'nearly all samples are in it');
cmp_ok($f->{m}, '>', 0.3 * $f->{l}, 'and many wait for memory');
is(value($db, $fits), 0, 'the samples of instructions are those of the bins: none is counted twice')
    or diag(grosr('query', $db, 'SELECT b.start, b.samples, b.dropped, b.other, (SELECT sum(s.samples) FROM GROSR_PC_SAMPLE s ' .
                                'WHERE s.start = b.start) AS m, (SELECT sum(s.notIssued) FROM GROSR_PC_SAMPLE s ' .
                                'WHERE s.start = b.start) AS idle FROM GROSR_PC_BIN b')->{stdout});
cmp_ok(value($db, "SELECT count(*) FROM pc_samples WHERE inlined LIKE 'look (pc_sampling.cu:%'"), '>', 0, 'inlined functions are named')
    or diag(grosr('query', $db, 'hot-lines')->{stdout});
is(value($db, "SELECT count(*) FROM pc_samples WHERE stall LIKE 'smsp%' OR stall LIKE '%not_issued'"), 0, 'reasons have short names');
diag('reasons: ' . value($db, "SELECT group_concat(stall, ' ') FROM (SELECT DISTINCT stall FROM pc_samples)"));
diag(grosr('query', $db, 'hot-lines')->{stdout});

# ---- loops that do not end ----

for my $case (['hoisted', 'hoisted'], ['barrier', 'behind_barrier']) {
    my ($what, $name) = @$case;
    $p = begin($what, 8);
    $child = child_of($p);
    until_true(sub { peek($db, 'SELECT count(*) >= 3 FROM pc_functions WHERE endless') }, 6);
    $r = grosr('diagnose', $child, '--json');
    is("$r->{code} " . json_of($r)->{verdict}, '3 stalled', "$what: stalled") or diag($r->{stdout});
    my ($found) = grep { $_->{kind} eq 'hoisted_poll' } @{json_of($r)->{findings}};
    my $line = line_of($name);
    like($found->{summary} // '', qr/kernel $name .*loop at pc_sampling\.cu:(?:$line|\d+-\d+) in $name/, 'a poll that reads nothing')
        or diag($r->{stdout} . grosr('query', $db, 'SELECT * FROM pc_functions')->{stdout});
    diag($found->{evidence}) if $found;
    ends_well($p, $what);
}

# ---- waiting for memory, and not ----

my %memory;
for my $what (qw(chases computes)) {
    $p = begin($what, 4);
    ends_well($p, $what);
    ($memory{$what}) = map { $_->{m} / ($_->{l} || 1) }
        sql($db, "SELECT sum(memory_samples) AS m, sum(loop_samples) AS l FROM pc_functions WHERE function = '$what'");
    is(value($db, "SELECT max(endless) FROM pc_functions WHERE function = '$what'"), 0, 'its loop may end');
    my $by_line = "SELECT line FROM pc_samples WHERE function = '$what' GROUP BY line ORDER BY sum(samples) DESC";
    my $most = value($db, "$by_line LIMIT 1");
    # The line of a loop's body, or that of its head, whose instructions are among the body's.
    ok($most == line_of($what) || $most == line_of($what) - 1, "most samples are at its line, $most")
        or diag(grosr('query', $db, 'hot-lines')->{stdout});
    is(value($db, $fits), 0, 'no sample is counted twice');
}
cmp_ok($memory{chases}, '>', 0.8, "a loop of loads waits for memory ($memory{chases})");
cmp_ok($memory{computes}, '<', 0.05, "one of registers does not ($memory{computes})");

# ---- the end of a context; what it costs ----

$p = begin('destroy', 3);
ends_well($p, 'destroy');
cmp_ok(value($db, "SELECT sum(samples) FROM pc_samples WHERE function = 'polls'"), '>', 1000, 'a device that is reset at the end');

my %us;
for my $trace ('api', 'api,pc', 'api', 'api,pc') {
    unlink($db);
    $r = grosr('record', '--trace', $trace, '-o', $db, '--', $program, 'launches');
    my ($us) = $r->{stdout} =~ /^([\d.]+) us/m;
    $us{$trace} = $us if $us && (!$us{$trace} || $us < $us{$trace});
}
cmp_ok($us{'api,pc'}, '<', 1.25 * $us{api} + 0.3, "a launch costs what it does without sampling ($us{'api,pc'} and $us{api} us)");
$r = run_it($program, 'launches');
diag("alone: $r->{stdout}");
done_testing();
