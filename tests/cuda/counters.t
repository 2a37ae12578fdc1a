#!/usr/bin/perl
# What a GPU tells of itself beside a recording: NVML's values, and PM sampling where the driver permits it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../cli";
use Grosr;
use Test::More;

needs_cuda();
my $dir = scratch();
my $db = "$dir/c.db";
my $warps = 'sm__warps_active.avg.pct_of_peak_sustained_active';
my $cycles = 'sm__cycles_active.avg.pct_of_peak_sustained_elapsed';

sub notes { return join('|', map { $_->{text} } sql($db, q{SELECT text FROM GROSR_NOTE WHERE topic = 'counters'})) }
sub recorded
{
    return grosr('run', 'arith', '--device', 'cuda', '--level', 'counters', '--seconds', '2', '-o', $db, @_);
}

# ---- NVML, without being asked ----

my $r = recorded();
is("$r->{code}|$r->{stderr}", '0|', 'a run on a GPU, of which nothing is to be said');
my %row = map { $_->{name} => $_ } sql($db, 'counters');
if (notes()) {
    diag(notes());
    is(scalar(keys %row), 0, 'what cannot be had is noted, and has no rows');
} else {
    my $p = $row{'GPU 0 power'} || {};
    cmp_ok($p->{samples} // 0, '>=', 10, 'the power, again and again');
    ok(($p->{min} // 0) > 10 && $p->{max} < 2000, 'in W');
    ok(($row{'GPU 0 SM clock'}{max} // 0) > 200, 'the clock, in MHz');
    ok(($row{'GPU 0 temperature'}{max} // 0) > 10 && $row{'GPU 0 temperature'}{max} < 120, 'the temperature, in C');
    ok(($row{'GPU 0 memory used'}{max} // 0) > 1 << 20, 'the memory, in bytes');
}

# ---- PM sampling ----

$r = recorded('--counters', 'pm');
is($r->{code}, 0, 'PM sampling') or diag($r->{stderr});
%row = map { $_->{name} => $_ } sql($db, 'counters');
if ($r->{stderr}) {
    says_one_line($r, 0, qr/the SMs of GPU \d+ are not sampled: /, 'what is missing is said once');
    is(scalar(keys %row), 0, 'no rows');
    diag($r->{stderr});
} else {
    my $end = value($db, 'SELECT end FROM GROSR_SESSION');
    is(join(' ', sort keys %row), "$cycles $warps", 'both metrics');
    cmp_ok($row{$warps}{samples}, '>', 0.5 * $end / 1e6, 'a sample a ms');
    cmp_ok($row{$warps}{samples}, '<', 1.1 * $end / 1e6 + 300, 'and not more');
    is(value($db, "SELECT count(*) FROM GROSR_COUNTER WHERE value < 0 OR value > 100.5"), 0, 'per cent');
    # All but what was around the kernel's start and its end, of which this level has no events.
    my $of = "FROM GROSR_COUNTER c JOIN GROSR_NAME n USING (name) WHERE time BETWEEN 500000000 AND $end - 100000000";
    cmp_ok(value($db, "SELECT avg(value) $of AND text = '$cycles'") // 0, '>', 95, 'a persistent kernel keeps the SMs active');
    my $wanted = value($db, 'SELECT 100.0 * (SELECT count(*) FROM workers) / sms / max_warps_per_sm FROM GROSR_SESSION');
    my $got = value($db, "SELECT avg(value) $of AND text = '$warps'") // 0;
    ok($got > 0.9 * $wanted && $got < 1.1 * $wanted + 5, "with the workers' warps: $got % counted, $wanted % known");
    my ($bound) = notes() =~ /values of SMs have their times from a session's clock, within ([\d.]+) us/;
    ok(defined $bound && $bound < 1000, 'placed by a session\'s clock, within less than a sample') or diag(notes());
}
balanced($db, 'the books balance');
integrity($db, 'the file is sound');

done_testing();
