#!/usr/bin/perl
# On a GPU: the advice of findings, tried on the case. The faults of the collection (`grosr run stall:NAME --cured`), and
# programs that know nothing of GROSR (`pending WHAT cured`, pending.cu): each ends with 0, and nothing is found in its trace.
# What is found without the cure is in stalls.t and diagnose_calls.t here. A poll whose load was hoisted (`hoisted`), and the
# same with a volatile one (`polls`), are in pc_sampling.t.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../cli";
use Grosr;
use Test::More;

needs_cuda();

my $dir = scratch();
my $db = "$dir/c.db";

sub worse
{
    my ($j) = @_;
    return join('; ', map { "$_->{kind}: $_->{summary}" } grep { $_->{verdict} ne 'healthy' } @{$j->{findings} || []});
}

sub nothing_is_found
{
    my ($what) = @_;
    my $j = json_of(grosr('diagnose', $db, '--json'));
    like($j->{verdict}, qr/^(?:healthy|idle)$/, "$what: nothing is found in its trace") or diag(worse($j));
}

# ---- the collection ----

# Those of CUDA only are programs without the runtime: below.
my %verdict = map { /^stall:(\w+) +(\w+): (?!.*\(CUDA only\))/ ? ($1 => $2) : () } split(/\n/, grosr('run', '--list')->{stdout});
for my $case (grep { $verdict{$_} =~ /^(?:slow|stalled|deadlock)$/ } sort keys %verdict) {
    # What is slow is only seen to be after the threshold.
    my @seconds = $verdict{$case} eq 'slow' ? ('--seconds', 4) : ();
    unlink($db);
    my $p = start($GROSR, 'run', "stall:$case", '--cured', '--device', 'cuda', '-o', $db, @seconds);
    if (@seconds) {
        my $j;
        until_true(sub {
            my $r = ended($p) || !segments($p->{pid}) ? {code => 1} : grosr('diagnose', $p->{pid}, '--json');
            $j = $r->{code} == 1 ? undef : json_of($r);
            return $j || ended($p);
        });
        like($j->{verdict} // 'it was not seen', qr/^(?:healthy|idle)$/, "$case: nothing is found while it runs") or diag(worse($j));
    }
    finish($p, 60);
    is("$p->{code} $p->{signal}", '0 0', "$case: it comes to its end") or diag($p->{stderr});
    like($p->{stdout}, qr/: (\d+) of \1 tasks completed, 0 errors$/m, 'with right results');
    nothing_is_found($case);
}

# ---- programs that know nothing of GROSR ----

SKIP: {
    my $home = $ENV{CUDA_HOME} || '/usr/local/cuda';
    my ($nvcc) = grep { -x } "$home/bin/nvcc", map { "$_/nvcc" } split(/:/, $ENV{PATH});
    skip('no CUDA toolkit', 1) unless $nvcc;
    my $program = "$dir/pending";
    my $r = run_it('/bin/sh', '-c', "$nvcc -O2 -std=c++17 -arch=native -I$home/extras/CUPTI/include " .
                                    "$ROOT/tests/cuda/pending.cu -o $program -lcuda -ldl");
    is($r->{code}, 0, 'nvcc builds pending') or skip($r->{stderr}, 1);
    for my $what (qw(free copy capture blocking swapped function poll lazy steps)) {
        unlink($db);
        $r = grosr('record', '-o', $db, '--', $program, $what, 'cured');
        is($r->{code}, 0, "$what: it ends with 0") or diag($r->{stderr});
        nothing_is_found($what);
    }
}
done_testing();
