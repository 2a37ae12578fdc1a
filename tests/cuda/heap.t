#!/usr/bin/perl
# The memory allocator on a GPU: tests/cuda/heap.cu has the tests, in kernels that nvcc compiles.
# GROSR_HEAP_SECONDS=300: random work for five minutes. With compute-sanitizer: GROSR_HEAP_SANITIZER=memcheck, or
# racecheck and so on.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../cli";
use Grosr;
use Test::More;

needs_cuda();
my ($nvcc) = needs_nvcc();

my $dir = scratch();
my $seconds = $ENV{GROSR_HEAP_SECONDS} || 5;
my $tool = $ENV{GROSR_HEAP_SANITIZER};
my $r = run_it('/bin/sh', '-c', "$nvcc -O3 -std=c++17 -lineinfo -arch=native $ROOT/tests/cuda/heap.cu -o $dir/heap " .
               "$ROOT/build/release/libgrosr.a -lsqlite3 -llz4 -ldl -lm -lpthread");
is($r->{code}, 0, 'nvcc builds it') or BAIL_OUT($r->{stderr});
my @command = ($tool ? ('compute-sanitizer', '--tool', $tool, '--error-exitcode', 9) : (), "$dir/heap", $seconds);
$ENV{GROSR_HEAP_UNTIMED} = 1 if $tool;
$r = finish(start(@command), $seconds + ($tool ? 1500 : 120));
is($r->{code}, 0, "every test of it passes, with $seconds s of random work") or diag($r->{stdout}, $r->{stderr});
like($r->{stdout}, qr/^1\.\.[1-9]/m, 'and there are some');
diag($r->{stdout}) if $ENV{GROSR_HEAP_SECONDS};
done_testing();
