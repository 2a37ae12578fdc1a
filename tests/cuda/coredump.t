#!/usr/bin/perl
# On a GPU: core dumps that the driver makes on request (coredump.cu has the kernels, coredump_lock.cu one with a lock). What is
# checked is what the tests with made-up dumps cannot know: that the driver's files are as they are taken to be, down to the line.
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

# What `diagnose --dump` gives for a kernel that has been running for a second; what the program has said.
sub dump_of
{
    my ($what, @more) = @_;
    my @program = -x "$dir/$what" ? "$dir/$what" : ("$dir/coredump", $what);
    my $p = start('sh', '-c', 'cd "$0" && exec "$@"', $dir, $GROSR, qw(record --trace core --), @program);
    until_true(sub { slurp($p->{out}) =~ /launched: no error/ }) or diag(slurp($p->{out}) . slurp($p->{err}));
    my ($pid) = slurp($p->{err}) =~ /grosr diagnose (\d+) --dump/;
    sleep(1);
    my $start = time();
    my $dumped = grosr('diagnose', $pid, '--dump', '--json', @more);
    note(sprintf('%s: %.1f s', $what, time() - $start));
    kill('KILL', $pid);
    finish($p);
    note($dumped->{stdout}, $dumped->{stderr});
    return (json_of($dumped), "$dir/core.$pid.nvcudmp", slurp($p->{out}));
}

my ($json, $core, $said) = dump_of('grid');
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
like($evidence, qr/^there, .* read what argument 1 of polls points to \(0x[0-9a-f]+\) in a loop, by the load at polls\+0x/m,
     'and what its loop reads is known by the argument');
my $start = time();
is(grosr('diagnose', $core)->{code}, 0, 'and read again from its file');
cmp_ok(time() - $start, '<', 5, 'within seconds');

# ---- names of the session and of the module ----

SKIP: {
    have('pkg-config') or skip('pkg-config is not installed', 6);
    delete @ENV{grep { /^(MAKE|MFLAGS|VARIANT$|LANES$|V$)/ } keys %ENV};
    $r = run_it('make', '-s', '-C', $ROOT, "PREFIX=$dir/prefix", 'install');
    $r->{code} == 0 or BAIL_OUT($r->{stderr});
    $r = run_it({env => {PKG_CONFIG_PATH => "$dir/prefix/lib/pkgconfig"}}, '/bin/sh', '-c',
                "$nvcc -O2 -std=c++17 -arch=native -lineinfo $ROOT/tests/cuda/coredump_lock.cu -o $dir/coredump_lock "
                    . '$(pkg-config --cflags --libs grosr)');
    is($r->{code}, 0, 'nvcc builds coredump_lock') or BAIL_OUT($r->{stderr});
    ($json, $core, $said) = dump_of('coredump_lock', '-o', "$dir/lock.db");
    my ($lock) = $said =~ /the lock is at (0x[0-9a-f]+)/;
    my @there = grep { /^there, / } map { @{$_->{evidence}} } @{$json->{findings}};
    ok((grep { /lock journal 0 \(\Q$lock\E[,)].*held by worker 0 for \d/ } @there),
       'warps have the address of the lock, which has its name and its holder');
    ok((grep { /read variable gate \(0x[0-9a-f]+\) in a loop/ } @there), 'and its holder polls a variable');
    ok(!(grep { /read lock journal 0/ } @there) || (grep { $_ eq 'lock journal 0' } map { @{$_->{resources}} } @{$json->{findings}}),
       'the lock is a resource, if a loop is seen to read it');
    diag(join("\n", map { @{$_->{evidence}} } @{$json->{findings}})) unless @there;
    my $rows = grosr('query', "$dir/lock.db", 'SELECT count(DISTINCT sm || slot) FROM warp_addresses WHERE '
                     . "kind = 'lock' AND address = '$lock'", '--format', 'csv')->{stdout};
    like($rows, qr/^[1-8]\r?$/m, 'and in the rows');
    unlike(join("\n", @there), qr/read lock journal 0 \((?!\Q$lock\E)/, 'no other address has its name');
}
done_testing();
