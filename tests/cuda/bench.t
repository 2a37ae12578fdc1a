#!/usr/bin/perl
# The experiments on a GPU: every baseline's results are right, and the report says the GPU's state.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../cli";
use Grosr;
use Test::More;

my ($gpu) = grep { $_->{device} eq 'cuda' } @{json_of(grosr('info', '--json'))->{devices}};
plan(skip_all => 'no CUDA device: ' . (json_of(grosr('info', '--json'))->{cuda_absent} // '?')) unless $gpu;

my %few = (
    dispatch => [['--tasks', 3000, '--repetitions', 3], 5],
    pingpong => [['--tasks', 2000], 3],
    spawn    => [['--tasks', 1000000, '--repetitions', 3], 6],
    tracing  => [['--tasks', 20000, '--repetitions', 3], 3],
    trace    => [['--tasks', 1024, '--repetitions', 3], 26],
    scale    => [['--tasks', 20000, '--repetitions', 3], 9],
    alloc    => [['--tasks', 65536, '--repetitions', 2], 40],
    idle     => [['--repetitions', 3], 3],
);
for my $name (sort keys %few) {
    my ($options, $baselines) = @{$few{$name}};
    my $run = grosr('bench', $name, '--device', 'cuda', '--json', @$options);
    is($run->{code}, 0, "$name runs") or diag($run->{stderr});
    my $j = json_of($run);
    is($j->{errors}, 0, "$name: all results right");
    cmp_ok(scalar(grep { $_->{baseline} } @{$j->{series}}), '>=', $baselines, "$name: its baselines");
    ok((grep { !$_->{baseline} } @{$j->{series}}), "$name: GROSR");
    like($j->{machine}{cuda_version}, qr/^\d+\.\d+$/, "$name: the driver's CUDA");
    SKIP: {
        skip("no NVML: $j->{machine}{nvml_absent}", 2) if $j->{machine}{nvml_absent};
        ok($j->{machine}{driver_version}, "$name: the driver");
        cmp_ok($j->{machine}{sm_mhz_after} // 0, '>', 100, "$name: the SM clock");
    }
    no_segments($run, "$name leaves no segment");
    if ($name eq 'trace') {
        diag(map { sprintf("%s: %.3f\n", $_->{name}, $_->{median_ratio}) } grep { $_->{unit} eq 'ratio' && $_->{samples} }
             @{$j->{series}});
        is(scalar(grep { $_->{unit} eq 'ns/event' && $_->{axis} && $_->{name} =~ /^GROSR/ } @{$j->{series}}), 66,
           'trace: six GROSR series on a grid of 12, but for one in half of it');
    }
    next unless $name eq 'idle';
    my @beside = grep { $_->{unit} eq 'ratio' } @{$j->{series}};
    is(scalar(@beside), 6, 'idle: two kernels beside three runtimes');
    is(join('; ', map { "$_->{name}: $_->{note}" } grep { !$_->{samples} } @beside), '', 'idle: all of them found room');
    diag(map { sprintf("%s: %.3f\n", $_->{name}, $_->{median_ratio}) } grep { $_->{samples} } @beside);
    diag(map { sprintf("%s: %.1f W\n", $_->{name}, $_->{median_w}) } grep { $_->{unit} eq 'W' && $_->{samples} } @{$j->{series}});
}
done_testing();
