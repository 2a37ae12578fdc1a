#!/usr/bin/perl
# On a GPU: cases of the collection of stalls (`grosr run --list`), recorded and ended by --seconds. While they run, the file
# has the verdict of the process; afterwards the one that it had when it was stopped. tests/cli/stalls.t has all of them, on
# the host device.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../cli";
use Grosr;
use Test::More;

needs_cuda();

my $dir = scratch();
my %verdict = map { /^stall:(\w+) +(\w+): / ? ($1 => $2) : () } split(/\n/, grosr('run', '--list')->{stdout});
my %kind = (locks2 => 'lock_cycle', ring => 'queue_full_cycle', wakeup => 'lost_wakeup', dependency => 'dependency_never_met',
            barrier => 'barrier_skipped');

sub diagnose
{
    my $r = grosr('diagnose', "$dir/$_[0].db", '--json');
    my $j = $r->{code} == 0 || $r->{code} == 3 ? json_of($r) : {verdict => "exit $r->{code}: $r->{stderr}"};
    return ($j->{verdict}, $j);
}

for my $case (sort(keys %kind), qw(idle long burst nearfull disk)) {
    my $p = start($GROSR, 'run', "stall:$case", '--device', 'cuda', '--seconds', '6', '-o', "$dir/$case.db");
    my ($verdict, $j);
    until_true(sub { ($verdict, $j) = -e "$dir/$case.db" ? diagnose($case) : ''; ended($p) || $verdict eq $verdict{$case} }, 20);
    is($verdict, $verdict{$case}, "$case: while it is recorded, the verdict of its process") or diag(explain($j));
    is(finish($p, 60)->{code}, 0, "$case: ended by --seconds") or diag($p->{stderr});
    ($verdict, $j) = diagnose($case);
    if ($kind{$case}) {
        is("$verdict $j->{findings}[0]{kind}", "$verdict{$case} $kind{$case}", "$case: afterwards, the verdict of when it was stopped")
            or diag(explain($j));
        is(value("$dir/$case.db", "SELECT count(*) FROM findings WHERE kind = '$kind{$case}'") > 0, 1, "$case: which is a row");
    } else {
        like($verdict, qr/^(?:healthy|idle)$/, "$case: afterwards, nothing wrong") or diag(explain($j));
    }
}
done_testing();
