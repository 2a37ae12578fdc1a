#!/usr/bin/perl
# Statuses and functions that are not there, on a GPU: tests/cuda/status.cu has the tests, and nvcc compiles its task
# functions.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../cli";
use Grosr;
use Test::More;

needs_cuda();
my ($nvcc) = needs_nvcc();

my $dir = scratch();
chomp(my $libs = `make -s -C '$ROOT' print-libs`);
my $r = run_it('/bin/sh', '-c', "$nvcc -O3 -std=c++17 -arch=native $ROOT/tests/cuda/status.cu -o $dir/status " .
               "$ROOT/build/release/libgrosr.a $libs -lpthread");
is($r->{code}, 0, 'nvcc builds it') or BAIL_OUT($r->{stderr});
$r = run_it("$dir/status");
is($r->{code}, 0, 'every test of it passes') or diag($r->{stdout}, $r->{stderr});
like($r->{stdout}, qr/^1\.\.[1-9]/m, 'and there are some');
no_segments($r, 'no segment is left');
done_testing();
