#!/usr/bin/perl
# The cures of the collection of stalls (`grosr run stall:NAME --cured`): with the advice of its finding applied each fault
# comes to its end with right results, and neither while it runs nor in its trace is anything found; what is no fault has
# no cure. That each has its verdict without --cured is in stalls.t.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Grosr;
use Test::More;

my $dir = scratch();
my (%verdict, @cuda_only);
for (split(/\n/, grosr('run', '--list')->{stdout})) {
    my ($case, $verdict, $cuda_only) = /^stall:(\w+) +(\w+): .*?(\(CUDA only\))?$/ or next;
    $cuda_only ? push(@cuda_only, $case) : ($verdict{$case} = $verdict);
}
my @device = ('--device', 'host', '--workers', '4');
my @faults = grep { $verdict{$_} =~ /^(?:slow|stalled|deadlock)$/ } sort keys %verdict;
cmp_ok(scalar(@faults), '>=', 18, 'faults');

sub worse
{
    my ($j) = @_;
    return join('; ', map { "$_->{kind}: $_->{summary}" } grep { $_->{verdict} ne 'healthy' } @{$j->{findings} || []});
}

sub try_cures
{
    my @cases = @_;
    my %p = map { $_ => start($GROSR, 'run', "stall:$_", '--cured', @device, '--seconds', '4', '-o', "$dir/$_.db") } @cases;
    for my $case (@cases) {
        my $j;
        until_true(sub {
            my $r = ended($p{$case}) || !segments($p{$case}{pid}) ? {code => 1} : grosr('diagnose', $p{$case}{pid}, '--json');
            $j = $r->{code} == 1 ? undef : json_of($r);
            return $j || ended($p{$case});
        });
        like($j->{verdict} // 'ended', qr/^(?:healthy|idle|ended)$/, "$case: nothing is found while it runs") or diag(worse($j));
    }
    for my $case (@cases) {
        my $p = finish($p{$case});
        is("$p->{code} $p->{signal}", '0 0', "$case: it comes to its end") or diag($p->{stderr});
        like($p->{stdout}, qr/: (\d+) of \1 tasks completed, 0 errors$/m, 'with right results');
        my $j = json_of(grosr('diagnose', "$dir/$case.db", '--json'));
        like($j->{verdict}, qr/^(?:healthy|idle)$/, "$case: nothing is found in its trace") or diag(worse($j));
        is(value("$dir/$case.db", q{SELECT count(*) FROM findings WHERE verdict <> 'healthy'}), 0, 'and no row says otherwise');
        unlink("$dir/$case.db");
    }
}

try_cures(splice(@faults, 0, 9)) while @faults;

my $once = json_of(grosr('run', 'stall:locks2', '--cured', @device, '--json'));
is("$once->{workload} $once->{cured} $once->{tasks} $once->{completed}", 'stall:locks2 1 3 3', 'without --seconds it runs once');
my $p = start($GROSR, 'run', 'stall:locks2', '--cured', @device, '--seconds', '599');
until_true(sub { ended($p) || segments($p->{pid}) });
kill('TERM', $p->{pid});
is(finish($p, 20)->{code}, 1, 'it is interrupted as any run is') or diag($p->{stderr});
no_segments($p, 'and nothing is left');

says_one_line(grosr('run', $_, '--cured', '--device', 'host'), 2, qr/--cured .*\Q$_\E is none/, "$_ has no cure")
    for 'arith', map { "stall:$_" } grep { $verdict{$_} =~ /^(?:healthy|idle)$/ } sort keys %verdict;

# The runtime has no part in these; tests/cuda/pending.cu has the same with and without the advice.
says_one_line(grosr('run', "stall:$_", '--cured'), 2, qr/--cured .*\Q$_\E is a CUDA program/, "$_: neither")
    for @cuda_only;

done_testing();
