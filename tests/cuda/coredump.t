#!/usr/bin/perl
# On a GPU: core dumps that the driver makes on request (coredump.cu has the kernels). What is checked is what the tests with
# made-up dumps cannot know: that the driver's files are as they are taken to be, down to the line.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../cli";
use Grosr;
use Test::More;
use Time::HiRes qw(time);

my $info = needs_cuda();
my ($nvcc) = needs_nvcc();

my $dir = scratch();
my $r = run_it($nvcc, qw(-O2 -std=c++17 -arch=native -lineinfo -o), "$dir/coredump", "$ROOT/tests/cuda/coredump.cu");
is($r->{code}, 0, 'nvcc builds coredump') or BAIL_OUT($r->{stderr});

# What `diagnose --dump` gives for a kernel that has been running for a second.
sub dump_of
{
    my ($what) = @_;
    my $p = start('sh', '-c', 'cd "$0" && exec "$@"', $dir, $GROSR, qw(record --trace core --), "$dir/coredump", $what);
    until_true(sub { slurp($p->{out}) =~ /launched: no error/ }) or diag(slurp($p->{out}) . slurp($p->{err}));
    my ($pid) = slurp($p->{err}) =~ /grosr diagnose (\d+) --dump/;
    sleep(1);
    my $start = time();
    my $dumped = grosr('diagnose', $pid, '--dump', '--json');
    note(sprintf('%s: %.1f s', $what, time() - $start));
    kill('KILL', $pid);
    finish($p);
    note($dumped->{stdout}, $dumped->{stderr});
    return (json_of($dumped), "$dir/core.$pid.nvcudmp");
}

my ($json, $core) = dump_of('grid');
is($json->{findings}[0]{kind}, 'barrier_skipped', 'a grid barrier that blocks do not reach');
like($json->{findings}[0]{summary} // '', qr/^1 block of kernel steps waits at its grid barrier, coredump\.cu:16, for (?:15|others) that/,
     'at its line');
my $evidence = join("\n", @{$json->{findings}[0]{evidence} || []});
my $there = 0;    # the one that polls, and those that wait for it at a block barrier of the same grid.sync()
$there += $1 while $evidence =~ /^(\d) of 4 warps at coredump\.cu:16 in steps, waiting at a grid barrier/mg;
is($there, 4, 'where its warps stand') or diag($evidence);
like($evidence, qr/^arguments: 0x[0-9a-f]+, 0x3ff0000000000000, 0x[0-9a-f]+$/m, 'and what it was called with');

($json, $core) = dump_of('block');
is($json->{verdict}, 'healthy', 'warps that wait at a block barrier for one prove nothing');
$evidence = join("\n", @{$json->{findings}[0]{evidence} || []});
like($evidence, qr/^3 of 4 warps at coredump\.cu:2[456] in waits, waiting at a block barrier/m, 'three wait');
like($evidence, qr/^1 of 4 warps at coredump\.cu:2[34] in waits \(block 0 warp 2 /m, 'and one spins');

($json, $core) = dump_of('spin');
my ($sms) = map { $_->{sms} } grep { $_->{device} eq 'cuda' } @{$info->{devices}};
$evidence = join("\n", @{$json->{findings}[0]{evidence} || []});
my $warps = 64 * $sms;
1 while $warps =~ s/^(\d+)(\d{3})/$1,$2/;
like($evidence, qr/ of \Q$warps\E warps at coredump\.cu:3[01] in polls/, 'a full GPU is read') if $sms;
my $start = time();
is(grosr('diagnose', $core)->{code}, 0, 'and read again from its file');
cmp_ok(time() - $start, '<', 5, 'within seconds');
done_testing();
