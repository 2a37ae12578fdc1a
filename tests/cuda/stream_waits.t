#!/usr/bin/perl
# On a GPU, with its CUPTI: streams that wait for words in memory. What they wait for is known while they do, kernels behind a
# wait are not blamed, and a pipeline of streams that hand each other values is recorded without loss. The programs are in
# stream_waits.cu; tests/cli/diagnose_calls.t has the same with a double.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../cli";
use Grosr;
use Test::More;

needs_cuda();
my ($nvcc) = needs_nvcc();

my $dir = scratch();
my $db = "$dir/w.db";
my $program = "$dir/stream_waits";
my $r = run_it('/bin/sh', '-c', "$nvcc -O2 -std=c++17 -arch=native $ROOT/tests/cuda/stream_waits.cu -o $program -lcuda");
is($r->{code}, 0, 'nvcc builds stream_waits') or BAIL_OUT($r->{stderr});

# What it is, its verdict, the kind of the finding, what its summary says, and the rows of launches: kind and how many are ahead.
my @cases = (
    ['never', 'stalled', 'value_never_written', qr/has waited for .* is >= 5/, 'wait value#0 kernel#1 kernel#2'],
    ['device', 'stalled', 'value_never_written', qr/has waited for .* is >= 5/, 'wait value#0 kernel#1 kernel#2'],
    ['registered', 'stalled', 'value_never_written', qr/has waited for .* is >= 5/, 'wait value#0 kernel#1 kernel#2'],
    ['cycle', 'deadlock', 'stream_cycle', qr/stream \d+ waits until .* is >= 1.*; stream \d+ waits until/],
    ['batch', 'deadlock', 'stream_cycle', qr/stream \d+ waits until .* is >= 1.*; stream \d+ waits until/],
    ['late', 'healthy', 'waits_for_value', qr/has waited for .* is >= 5/, 'wait value#0 kernel#1 kernel#2'],
    ['kernel', 'healthy', 'waits_for_value', qr/has waited for .* is >= 5/],
    ['there', 'healthy', undef, undef, 'kernel#0'],
    ['written', 'healthy'],
);
for my $case (@cases) {
    my ($what, $verdict, $kind, $summary, $launches) = @$case;
    unlink($db);
    my $p = start($GROSR, 'record', '-o', $db, '--', $program, $what);
    my $child;
    until_true(sub { ($child) = children($p->{pid}); $child && -e "/dev/shm/grosr.$child.0" }, 20);
    sleep(5);    # it initializes CUDA first, and hangs for 12 s
    $r = grosr('diagnose', $child, '--json');
    my $json = json_of($r);
    is($json->{verdict}, $verdict, "$what: $verdict") or diag($r->{stdout} . $r->{stderr});
    if (defined $kind) {
        my ($f) = grep { $_->{kind} eq $kind } @{$json->{findings}};
        like($f->{summary} // '', $summary, "$what: what the stream waits for is named") or diag($r->{stdout});
        diag("$what: " . join("\n", $f->{summary}, @{$f->{evidence}})) if $f;
    } else {
        is(join(' ', grep { /value/ } map { $_->{kind} } @{$json->{findings}}), '', "$what: no wait is spoken of") or diag($r->{stdout});
    }
    is(peek($db, q{SELECT group_concat(kind || '#' || ahead, ' ') FROM (SELECT * FROM pending WHERE place IS NOT NULL
                   ORDER BY stream, place)}), $launches, "$what: the rows of what is pending") if defined $launches;
    finish($p);
    is(json_of(grosr('diagnose', $db, '--json'))->{verdict}, $verdict, "$what: and the trace says so") if $verdict ne 'healthy';
    is($p->{code}, $verdict eq 'healthy' && $what ne 'kernel' ? 0 : 42, "$what: it ends as it does alone") or diag($p->{stderr});
}

my $alone = run_it($program, 'pipeline');
$r = grosr('record', '-o', $db, '--', $program, 'pipeline');
is("$alone->{code} $r->{code}", '0 0', 'a pipeline of 80,000 operations on words') or diag($r->{stderr});
diag("alone: $alone->{stdout}recorded: $r->{stdout}");
is(value($db, 'SELECT count(*) FROM kernels WHERE end IS NOT NULL'), 20002, 'each kernel has its record');
is(value($db, "SELECT count(*) FROM api_calls WHERE name LIKE 'cuStreamW%Value32%'"), 80002, 'and each call');
is(value($db, 'SELECT verdict FROM trace_health WHERE ring IS NULL'), 'complete', 'nothing is lost');
is(value($db, 'SELECT count(*) FROM pending'), 0, 'nothing is pending in the end');
is($r->{stderr}, '', 'and nothing is said');
done_testing();
