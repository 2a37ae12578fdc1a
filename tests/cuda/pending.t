#!/usr/bin/perl
# On a GPU, with its CUPTI: what a program hangs in is known while it does, the kernels that may be running are those that
# are, and what has no record is counted. The programs are in pending.cu; tests/cli/pending.t has the same with a double.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../cli";
use Grosr;
use Test::More;

needs_cuda();
my ($nvcc, $home) = needs_nvcc();
my ($cupti) = grep { -e } map { ("$home/$_/libcupti.so", glob("$home/$_/libcupti.so.1*")) } qw(extras/CUPTI/lib64 lib64 lib);

my $dir = scratch();
my $db = "$dir/p.db";
my $program = "$dir/pending";
my $r = run_it('/bin/sh', '-c', "$nvcc -O2 -std=c++17 -arch=native -I$home/extras/CUPTI/include $ROOT/tests/cuda/pending.cu " .
                                "-o $program -lcuda -ldl");
is($r->{code}, 0, 'nvcc builds pending') or BAIL_OUT($r->{stderr});

sub verdict { return value($db, 'SELECT verdict FROM trace_health WHERE ring IS NULL') }
sub notes { return value($db, "SELECT group_concat(text, x'0a') FROM GROSR_NOTE WHERE topic = 'cupti'") // '' }

# Calls, and launches by stream: names in the order of their places; streams in the order of their names.
my $calls = q{SELECT group_concat(name || coalesce('~' || waits_for, ''), ' ')
    FROM (SELECT * FROM pending WHERE kind = 'call' ORDER BY name)};
my $launches = q{SELECT group_concat(s, '; ') FROM (SELECT group_concat(name, ', ') AS s FROM
    (SELECT stream, CASE kind WHEN 'host function' THEN kind WHEN 'memcpy' THEN kind ELSE name END AS name FROM pending
     WHERE place IS NOT NULL ORDER BY stream, place) GROUP BY stream ORDER BY s)};

# What it is, its calls, its launches, and which kernel withholds the records.
my @cases = (
    ['free', 'cudaFree~device', 'server', 'server'],
    ['copy', 'cudaDeviceSynchronize~device cudaMemcpy~stream', 'memcpy; server', 'server'],
    ['blocking', 'cudaLaunchKernel', 'server', 'server'],
    ['swapped', 'cudaStreamSynchronize~stream', 'first_half, second_half; second_half, first_half', 'first_half'],
    ['function', 'cudaStreamSynchronize~stream', 'host function, work', undef],
    ['poll', '', 'memcpy; server', 'server'],
    ['graph', 'cudaStreamSynchronize~stream', 'graph of 2 kernels: work, server, work', 'graph of 2 kernels: work, server'],
    ['capture', '', '', undef],
    ['barrier', 'cudaStreamSynchronize~stream', 'barrier', 'barrier'],
    ['room', 'cudaStreamSynchronize~stream', 'server; work', 'server'],
);
for my $case (@cases) {
    my ($what, $wanted_calls, $wanted_launches, $withholds) = @$case;
    unlink($db);
    my $p = start($GROSR, 'record', '-o', $db, '--', $program, $what);
    my ($c, $l) = ('', '');
    ok(until_true(sub {
        ($c, $l) = map { peek($db, $_) // '' } $calls, $launches;
        return ended($p) || ($c eq $wanted_calls && $l eq $wanted_launches && ($what ne 'capture' ||
            (peek($db, q{SELECT name || kernels FROM pending WHERE kind = 'capture'}) // '') eq 'work1'));
    }, 8) && !ended($p), "$what: what it hangs in is known while it does")
        or diag("calls:    $c\nwanted:   $wanted_calls\nlaunches: $l\nwanted:   $wanted_launches");
    finish($p);
    is($p->{code}, 42, 'it hung: its own exit code') or diag($p->{stderr});
    like($p->{stderr}, qr/ended with exit code 42/, 'which record reports');
    is(join(' / ', map { value($db, $_) // '' } $calls, $launches), "$wanted_calls / $wanted_launches",
       'and it is known afterwards');
    if (defined $withholds) {
        like(notes(), qr/^no record of a kernel has come .*: \Q$withholds\E\b/m, 'the kernel that withholds records is named');
        unlike(notes(), qr/--persistent 'work/, 'and no other');
        isnt(verdict(), 'complete', 'the trace is not complete');
    } else {
        unlike(notes(), qr/no record of a kernel has come/, 'no kernel is blamed');
    }
}

# ---- what has a record, and what has none ----

$r = grosr('record', '-o', $db, '--', $program, 'everything');
is($r->{code}, 0, 'copies, fills, graphs, kernels') or diag($r->{stderr});
is(join(' ', map { "$_->{kind}:" . ($_->{issued} - $_->{recorded}) }
             sql($db, 'SELECT * FROM GROSR_LAUNCHES WHERE recorded IS NOT NULL ORDER BY kind')),
   'graph:0 kernel:0 memcpy:0 memset:0', 'each has its record');
is(value($db, "SELECT issued FROM GROSR_LAUNCHES WHERE kind = 'kernel'"), value($db, 'SELECT count(*) FROM kernels'),
   'graphs\' kernels are counted as CUPTI does');
is(verdict(), 'complete', 'the trace is complete') or diag(notes());
is($r->{stderr}, '', 'nothing is said');

my %nodes = map { $_ => value($db, "SELECT count(*) FROM CUPTI_ACTIVITY_KIND_$_ WHERE graphNodeId IS NOT NULL") } qw(KERNEL MEMCPY);
my %all = map { $_ => value($db, "SELECT count(*) FROM CUPTI_ACTIVITY_KIND_$_") } qw(KERNEL MEMCPY MEMSET);
$r = grosr('record', '--cuda-graph-trace', 'graph', '-o', $db, '--', $program, 'everything');
is("$r->{code} $r->{stderr}", '0 ', 'the same with graphs as a whole');
is(verdict(), 'complete', 'the trace is complete') or diag(notes());
is(value($db, 'SELECT count(*) FROM CUPTI_ACTIVITY_KIND_GRAPH_TRACE WHERE end > start AND deviceId = 0'), 100,
   'each launch of the graph has a row');
is(value($db, 'SELECT count(*) FROM CUPTI_ACTIVITY_KIND_GRAPH_TRACE g JOIN StringIds s ON s.id = g.nameId ' .
              "WHERE s.value = 'graph of 10 kernels: work'"), 100, 'with its name');
is(value($db, 'SELECT count(*) FROM CUPTI_ACTIVITY_KIND_GRAPH_TRACE g JOIN CUPTI_ACTIVITY_KIND_RUNTIME r USING (correlationId) ' .
              'WHERE r.start <= g.start'), 100, 'after its call');
is(value($db, "SELECT count(*) FROM CUPTI_ACTIVITY_KIND_$_"), $all{$_} - ($nodes{$_} || 0), "and no node: $_") for sort keys %all;

$r = grosr('record', '-o', $db, '--', $program, 'exit');
is($r->{code}, 0, 'a child that leaves by _exit') or diag($r->{stderr});
my $lost = value($db, "SELECT sum(issued - recorded) FROM GROSR_LAUNCHES WHERE kind = 'kernel'");
is(value($db, 'SELECT count(*) FROM kernels') + $lost, 205, 'its kernels are there, or counted');
like(verdict(), $lost ? qr/^$lost launch\w* ha\w+ no record/ : qr/^complete/, 'and the verdict agrees');
diag("lost by _exit: $lost of 100");

SKIP: {
    skip('no libcupti.so', 4) unless $cupti;
    $r = grosr('record', '-o', $db, '--', $program, 'other', $cupti);
    is($r->{code}, 0, 'a program with its own CUPTI') or diag($r->{stderr});
    diag($r->{stdout});
    cmp_ok(value($db, "SELECT count(*) FROM kernels WHERE name = 'work' AND end IS NOT NULL"), '>=', 100, 'what came before is there');
    like(verdict(), qr/^\d+ launches have no record/, 'what is missing is counted');
    like(notes(), qr/launched from [\d.]+ s on; .*another user of CUPTI/, 'and since when is said');
}
done_testing();
