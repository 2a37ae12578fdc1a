#!/usr/bin/perl
# What tracing costs the arith workload on this machine: the same run at each level, unrecorded and recorded, turn about,
# so that drift hits all alike. Prints medians with the lowest and highest, and the ratio to `off` in the same run.
# Usage: arith.pl GROSR [DEVICE [TASKS [REPETITIONS]]]
use strict;
use warnings;
use JSON::PP;
use File::Temp;

my ($grosr, $device, $tasks, $repetitions) = (@ARGV, undef, undef, undef);
$device      //= 'auto';
$repetitions //= 7;
my $dir = File::Temp->newdir;

my @cases = (
    ['off',             '--level', 'off'],
    ['counters',        '--level', 'counters'],
    ['spans',           '--level', 'spans'],
    ['full',            '--level', 'full'],
    ['spans, recorded', '--level', 'spans', '-o', "$dir/t.db"],
);

sub run {
    my (@options) = @_;
    open my $out, '-|', $grosr, 'run', 'arith', '--json', '--device', $device, '--tasks', $tasks, @options
        or die "cannot run $grosr: $!\n";
    my $json = do { local $/; <$out> };
    close $out or die "$grosr run failed\n";
    return decode_json($json);
}

$tasks //= 100000;
my $first = run('--level', 'off');
$tasks = $first->{device} eq 'cuda' ? 5_000_000 : 500_000 unless $ARGV[2];

my %rates;
for (1 .. $repetitions) {
    for my $case (@cases) {
        my ($name, @options) = @$case;
        my $r = run(@options);
        die "wrong results\n" if $r->{errors} || $r->{completed} != $r->{tasks};
        push @{$rates{$name}}, $r->{tasks_per_s};
    }
}

printf "arith, %d tasks on %s, %d workers, median of %d runs\n", $tasks, $first->{device_name}, $first->{workers},
    $repetitions;
printf "%-16s %12s %12s %12s %8s\n", 'level', 'M tasks/s', 'lowest', 'highest', 'to off';
my $off;
for my $case (@cases) {
    my @sorted = sort { $a <=> $b } @{$rates{$case->[0]}};
    my $median = $sorted[$#sorted / 2];
    $off //= $median;
    printf "%-16s %12.2f %12.2f %12.2f %8.3f\n", $case->[0], $median / 1e6, $sorted[0] / 1e6, $sorted[-1] / 1e6,
        $median / $off;
}
