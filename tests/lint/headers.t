#!/usr/bin/perl
# Every header compiles on its own and twice over, as C17; what programs include as C++17 too, and the device's with nvcc
# where it is.
use strict;
use warnings;
use File::Temp qw(tempdir);
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Tree;

enter();
my $cc = $ENV{CC} || 'cc';
my $folder = tempdir('grosr-headers-XXXXXX', TMPDIR => 1, CLEANUP => 1);

# Parts of device.h, program.h and grosr_trace.h, which choose between them.
my %part = map { $_ => 1 } qw(tracer/port/device_cuda.h tracer/port/device_host.h tracer/instrument/trace_disabled.h
                              runtime/kernel/program_cuda.h runtime/kernel/program_host.h);
# They are told what a list of task functions is.
my %listed = map { ("runtime/kernel/$_.h" => 1) } qw(dispatch worker completion run find scheduler program);

sub unit
{
    my ($path, @headers) = @_;
    open(my $file, '>', $path) or die "$path: $!";
    print $file qq(#include "runtime/builtin/functions.h"\n#define GROSR_TASKS GROSR_BUILT_IN_TASKS\n) if grep { $listed{$_} } @headers;
    print $file map { qq(#include "$_"\n) } @headers;
    close($file);
}

# What includes a header of the toolkit's, by itself or through another, needs the toolkit.
my @headers = grep { !$part{$_} } files_in(qr/\.h$/, qw(schema tracer runtime viewer));
my %vendor = map { $_ => 1 } grep { slurp($_) =~ /^#include <(?:cuda|cupti|nvtx3|generated_cuda_meta)\b/m } @headers;
for (1 .. 5) {
    for my $header (grep { !$vendor{$_} } @headers) {
        my $text = slurp($header);
        $vendor{$header} = 1 if grep { my $v = $_ =~ s{.*/}{}r; $text =~ m{^#include "(?:[^"]*/)?\Q$v\E"}m } keys %vendor;
    }
}
my ($toolkit) = map { m{^(.*)/bin/nvcc$} } grep { defined } nvcc();
for my $header (@headers) {
  SKIP: {
    skip("$header needs the CUDA toolkit", 1) if $vendor{$header} && !$toolkit;
    my $source = "$folder/header.c";
    unit($source, ($header) x 2);
    my $vendor = $vendor{$header} ? "-isystem $toolkit/include -isystem $toolkit/extras/CUPTI/include" : '';
    my $said = `$cc -std=c17 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wc++-compat -Werror -fsyntax-only $vendor -I. $source 2>&1`;
    is($?, 0, $header) or diag($said);
  }
}

# As a program has them, with the host device.
SKIP: {
    my @programs = qw(runtime/grosr.h runtime/kernel/task.h runtime/kernel/program.h tracer/instrument/grosr_trace.h);
    my $cxx = $ENV{CXX} || 'g++';
    skip("no $cxx", scalar(@programs)) unless grep { -x "$_/$cxx" } split(/:/, $ENV{PATH});
    for my $header (@programs) {
        my $source = "$folder/header.cpp";
        unit($source, ($header) x 2);
        my $said = `$cxx -std=c++17 -Wall -Wextra -Werror -fsyntax-only -I. $source 2>&1`;
        is($?, 0, "$header as C++17") or diag($said);
    }
}

SKIP: {
    my $nvcc = nvcc();
    my @device = qw(tracer/port/device.h tracer/session/event.h tracer/session/session.h tracer/session/emit.h
                    tracer/instrument/grosr_trace.h runtime/grosr.h runtime/kernel/task.h runtime/kernel/queue.h
                    runtime/kernel/scheduler.h runtime/kernel/program.h);
    skip('no CUDA toolkit', scalar(@device)) unless $nvcc;
    for my $header (@device) {
        my $source = "$folder/header.cu";
        unit($source, ($header) x 2);
        my $said = `$nvcc -std=c++17 -arch=compute_75 --ptx -I. -o $folder/header.ptx $source 2>&1`;
        is($?, 0, "$header with nvcc") or diag($said);
    }
}
done_testing();
