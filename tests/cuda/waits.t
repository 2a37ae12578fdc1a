#!/usr/bin/perl
# Bounded waits on a GPU: waits.cu is built with nvcc and run; it writes what it finds as this test's.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../cli";
use Grosr;
use Test::More;

needs_cuda();
my ($nvcc) = needs_nvcc();
have('pkg-config') or plan(skip_all => 'pkg-config is not installed');

my $dir = scratch();
delete @ENV{grep { /^(MAKE|MFLAGS|VARIANT$|LANES$|V$)/ } keys %ENV};
my $r = run_it('make', '-s', '-C', $ROOT, "PREFIX=$dir/prefix", 'install');
$r->{code} == 0 or BAIL_OUT($r->{stderr});
$r = run_it({env => {PKG_CONFIG_PATH => "$dir/prefix/lib/pkgconfig"}}, '/bin/sh', '-c',
            "$nvcc -O3 -std=c++17 -arch=native -I$ROOT $ROOT/tests/cuda/waits.cu -o $dir/waits "
                . '$(pkg-config --libs grosr)');
$r->{code} == 0 or BAIL_OUT("nvcc: $r->{stderr}");
$r = run_it("$dir/waits");
print $r->{stdout};
diag($r->{stderr}) if $r->{stderr} =~ /\S/;
print "Bail out! it ended with $r->{code}\n" unless $r->{stdout} =~ /^1\.\.\d+$/m;
