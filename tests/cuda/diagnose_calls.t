#!/usr/bin/perl
# On a GPU, with its CUPTI: grosr diagnose of programs that hang and are recorded, while they do. The programs are in
# pending.cu; tests/cli/diagnose_calls.t has more of them with a double.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../cli";
use Grosr;
use Test::More;

needs_cuda();
my ($nvcc, $home) = needs_nvcc();

my $dir = scratch();
my $program = "$dir/pending";
my $r = run_it('/bin/sh', '-c', "$nvcc -O2 -std=c++17 -arch=native -I$home/extras/CUPTI/include $ROOT/tests/cuda/pending.cu " .
                                "-o $program -lcuda -ldl");
is($r->{code}, 0, 'nvcc builds pending') or BAIL_OUT($r->{stderr});

# What it is, its verdict, the kind of the finding, and whom its summary has to name.
my @cases = (
    ['free', 'stalled', 'hidden_wait', qr/cudaFree .*server/],
    ['copy', 'deadlock', undef, qr/server .*copy/],
    ['blocking', 'deadlock', 'launch_blocking', qr/cudaLaunchKernel .*server/],
    ['swapped', 'deadlock', 'stream_order_cycle', qr/first_half .*second_half/],
    ['function', 'deadlock', 'host_function_stuck', qr/host function .*mutex/],
    ['poll', 'deadlock', 'default_stream_order', qr/server .*copy/],
    ['capture', 'stalled', 'capture_not_launched', qr/in capture .*work/],
    ['steps', 'deadlock', 'grid_barrier', qr/\bsteps\b/],
    ['graph', 'healthy'],    # what a graph does cannot be seen
    # Grids that do not fit, and kernels without room: with the recorder's options, and the threshold.
    ['resident', 'stalled', 'not_resident', qr/barrier .*fit on the GPU at once, .*has ended 120 times/, [], 0.2],
    ['barrier', 'healthy'],    # it may be honest
    ['barrier', 'stalled', 'not_resident', qr/barrier .*fit on the GPU at once, .*only wait/, ['--trace', 'api,pc']],
    ['room', 'deadlock', 'not_resident', qr/work .*cannot begin: kernel server .*for ever/, ['--persistent', 'server']],
    ['room', 'deadlock', 'not_resident', qr/work .*cannot begin: kernel server .*only waits/, ['--trace', 'api,pc']],
    ['room', 'healthy'],
    ['beside', 'healthy', undef, undef, ['--persistent', 'server']],
    map({ (['large', 'healthy', undef, undef, $_], ['wait', 'healthy', undef, undef, $_]) } [], ['--trace', 'api,pc']),
);
for my $case (@cases) {
    my ($what, $verdict, $kind, $summary, $options, $threshold) = @$case;
    $options //= [];
    my $p = start($GROSR, 'record', @$options, '-o', "$dir/p.db", '--', $program, $what);
    my $child;
    until_true(sub { ($child) = children($p->{pid}); $child && -e "/dev/shm/grosr.$child.0" }, 20);
    sleep(5);    # it initializes CUDA first, and hangs for 12 s
    $r = grosr('diagnose', $child, '--json', $threshold ? ('--threshold', $threshold) : ());
    $what .= " @$options";
    my $json = json_of($r);
    is($json->{verdict}, $verdict, "$what: $verdict") or diag($r->{stdout} . $r->{stderr});
    if (defined $summary) {
        my ($f) = grep { $_->{verdict} eq $verdict && (!defined $kind || $_->{kind} eq $kind) } @{$json->{findings}};
        like($f->{summary} // '', $summary, "$what: what is stuck is named") or diag($r->{stdout});
    }
    my $recorded = grosr('diagnose', "$dir/p.db", '--json', $threshold ? ('--threshold', $threshold) : ());
    is(json_of($recorded)->{verdict}, $verdict, "$what: so is what its trace says while it is recorded") or diag($recorded->{stdout});
    finish($p);
    my $file = json_of(grosr('diagnose', "$dir/p.db", '--json'));
    is($file->{verdict}, $verdict, "$what: and the trace says so") if $verdict ne 'healthy' && !$threshold;
}
done_testing();
