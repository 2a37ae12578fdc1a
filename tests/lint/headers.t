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
                              tracer/instrument/trace_wait_loops.h
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

# What a header includes of the toolkit's, by itself or through others.
my %vendor;
sub vendor_of
{
    my ($header) = @_;
    return @{$vendor{$header}} if $vendor{$header};
    $vendor{$header} = [];    # lest a circle has no end
    my %found = map { $_ => 1 } slurp($header) =~ /^#\s*include <((?:cuda|cupti|nvtx3|generated_cuda_meta)\b[^>]*)>/mg;
    $found{$_} = 1 for map { vendor_of($_->[1]) } includes_of($header);
    return @{$vendor{$header} = [sort keys %found]};
}

my $nvcc = nvcc();
my @folders = $nvcc ? map { $nvcc =~ s{/bin/nvcc$}{/$_}r } qw(include extras/CUPTI/include) : ();
my $vendors = 0;
for my $header (grep { !$part{$_} } files_in(qr/\.h$/, qw(schema tracer runtime viewer))) {
  SKIP: {
    my @vendor = vendor_of($header);
    $vendors += @vendor > 0;
    my ($absent) = grep { my $name = $_; !grep { -e "$_/$name" } @folders } @vendor;
    skip("$header needs <$absent>, of the CUDA toolkit", 1) if $absent;
    my $source = "$folder/header.c";
    unit($source, ($header) x 2);
    my $system = @vendor ? "@{[map { qq(-isystem $_) } @folders]}" : '';
    my $said = `$cc -std=c17 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wc++-compat -Werror -fsyntax-only $system -I. $source 2>&1`;
    is($?, 0, $header) or diag($said);
  }
}
cmp_ok($vendors, '>', 1, 'some need the toolkit, others do not');

# As a program has them, with the host device.
SKIP: {
    my @programs = qw(runtime/grosr.h runtime/kernel/task.h runtime/kernel/program.h tracer/instrument/grosr_trace.h);
    my $cxx = $ENV{CXX} || 'g++';
    skip("no $cxx", 1 + @programs) unless tool((split(' ', $cxx))[0]);
    my $both = "$folder/both.c";    # a program may have tasks and kernels of its own in one file
    unit($both, qw(runtime/kernel/task.h tracer/instrument/grosr_trace.h runtime/grosr.h));
    my $why = `$cc -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only -I. $both 2>&1`;
    is($?, 0, 'those of tasks and of instrumented kernels together') or diag($why);
    for my $header (@programs) {
        my $source = "$folder/header.cpp";
        unit($source, ($header) x 2);
        my $said = `$cxx -std=c++17 -Wall -Wextra -Werror -fsyntax-only -I. $source 2>&1`;
        is($?, 0, "$header as C++17") or diag($said);
    }
}

SKIP: {
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
