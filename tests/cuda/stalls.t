#!/usr/bin/perl
# On a GPU: cases of the collection of stalls (`grosr run --list`), recorded and ended by --seconds. While they run, the file
# has the verdict of the process; afterwards the one that it had when it was stopped. All of them have the same verdict while
# they run and from the segment that they leave when they are killed. tests/cli/stalls.t has more, on the host device.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../cli";
use Grosr;
use Test::More;
use Time::HiRes qw(sleep);

needs_cuda();

my $dir = scratch();
my %verdict = map { /^stall:(\w+) +(\w+): / ? ($1 => $2) : () } split(/\n/, grosr('run', '--list')->{stdout});
# CUDA programs without the runtime.
my %calls = (cudafree => 'hidden_wait', copy => 'copy_behind_kernel', order => 'default_stream_order', blocking => 'launch_blocking',
             resident => 'not_resident');
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

# ---- killed ----

# A case that moves can be killed at any time, so it is tried more often.
for my $case (grep { !$calls{$_} } sort keys %verdict) {
    my $moves = $verdict{$case} !~ /^(?:stalled|deadlock)$/;
    for my $try (1 .. ($verdict{$case} eq 'slow' ? 5 : 1)) {
        my $p = start($GROSR, 'run', "stall:$case", '--device', 'cuda', '--seconds', '60');
        my ($r, $j);
        until_true(sub {
            $r = segments($p->{pid}) ? grosr('diagnose', $p->{pid}, '--json') : {code => 1};
            $j = $r->{code} == 1 ? {} : json_of($r);
            return ended($p) || ($j->{verdict} // '') eq $verdict{$case};
        }, 30);
        is($j->{verdict}, $verdict{$case}, "$case: while it runs") or diag($r->{stdout});
        sleep(rand(0.1)) if $moves;
        my ($segment) = segments($p->{pid});
        kill('KILL', $p->{pid});
        finish($p);
        $r = grosr('diagnose', $segment, '--json');
        is(json_of($r)->{verdict}, $verdict{$case}, "$case: killed, try $try") or diag($r->{stdout});
        unlink($segment);
    }
}

# CUDA programs without the runtime: while they hang, by the process and by its trace; from what a killed one left; afterwards.
for my $case (sort keys %calls) {
    my $late = $case eq 'resident' ? 10 : 0;
    my $p = start($GROSR, 'run', "stall:$case", '--device', 'cuda', '--seconds', 8 + $late, '-o', "$dir/$case.db");
    my $q = start($GROSR, 'run', "stall:$case");
    my ($verdict, $j);
    until_true(sub { ($verdict, $j) = -e "$dir/$case.db" ? diagnose($case) : ''; ended($p) || $verdict eq $verdict{$case} }, 20 + $late);
    is("$verdict $j->{findings}[0]{kind}", "$verdict{$case} $calls{$case}", "$case: while it is recorded") or diag(explain($j));
    $j = json_of(grosr('diagnose', $q->{pid}, '--json'));
    is("$j->{verdict} $j->{findings}[0]{kind}", "$verdict{$case} $calls{$case}", "$case: of a process that nobody records")
        or diag(explain($j));
    kill('KILL', $q->{pid});
    finish($q);
    $j = json_of(grosr('diagnose', $q->{pid}, '--json'));
    is("$j->{verdict} $j->{findings}[0]{kind}", "$verdict{$case} $calls{$case}", "$case: which was killed") or diag(explain($j));
    unlink(segments($q->{pid}));
    is(finish($p, 60)->{code}, 0, "$case: ended by --seconds") or diag($p->{stderr});
    ($verdict, $j) = diagnose($case);
    is("$verdict $j->{findings}[0]{kind}", "$verdict{$case} $calls{$case}", "$case: afterwards") or diag(explain($j));
}
done_testing();
