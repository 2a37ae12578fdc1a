#!/usr/bin/perl
# The porting layer is the only place that knows CUDA, PTX and compiler atomics.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Tree;

enter();
my @files = sources();
cmp_ok(scalar(@files), '>', 180, 'there are sources');
my %code = map { $_ => code_of($_) } @files;

# No file has the pattern but those that may. $sample is a line that it must find, lest a typing error here passes all.
sub none_has
{
    my ($name, $pattern, $sample, @allowed) = @_;
    my %allowed = map { $_ => 1 } @allowed;
    my @found;
    for my $path (grep { !$allowed{$_} } @files) {
        my @lines = split(/\n/, $code{$path});
        push @found, map { "$path:" . ($_ + 1) . ": $lines[$_]" } grep { $lines[$_] =~ $pattern } 0 .. $#lines;
    }
    push @found, "the pattern does not find: $sample" unless $sample =~ $pattern;
    is(scalar(@found), 0, $name) or diag(map { "$_\n" } @found);
}

my @entries = qw(tracer/instrument/clock.cu runtime/builtin/kernel.cu runtime/builtin/kernel_services.cu
                 runtime/builtin/kernel_calls.cu runtime/builtin/kernel_stalls.cu
                 runtime/bench/bench.cu runtime/kernel/program_cuda.h);
my @layer = qw(tracer/port/device_cuda.h tracer/port/device_host.h tracer/port/device_host.c);
none_has('compiler atomics: in the porting layer only',
         qr/\b__atomic_|\b__sync_|\bstdatomic\.h\b|\b_Atomic\b|\batomic_\w+\s*\(/, '__atomic_load_n(p, 0)', @layer);
none_has('intrinsics likewise', qr/\b__builtin_ia32_|\b_mm\d*_|\bimmintrin\.h\b|\bx86intrin\.h\b/, '_mm_pause();', @layer);
none_has('assembly likewise', qr/\b(?:asm|__asm|__asm__)\b/, 'asm volatile("")', @layer);
none_has('volatile: for signal handlers only', qr/\bvolatile\b(?!\s+sig_atomic_t\b)/, 'volatile int x;', @layer,
         grep { m{^viewer/} } @files);
none_has('CUDA qualifiers: in the porting layer and the kernels\' entries only',
         qr/\b__(?:device|host|global|shared|constant|managed|launch_bounds|grid_constant|forceinline)__\b/,
         '__global__ void f()', @layer, @entries);
none_has('CUDA built-ins likewise',
         qr/\b(?:threadIdx|blockIdx|blockDim|gridDim|warpSize|__sync(?:threads|warp)|__shfl\w*|__ballot\w*|__activemask|
              __threadfence\w*|__match_\w+|__reduce_\w+|
              __ldg|__nanosleep|clock64|atomic(?:Add|CAS|Exch|Max|Min|Or|And|Xor|Sub|Inc|Dec)\w*)\b/x,
         'int i = threadIdx.x;', @layer, @entries);
none_has('the CUDA API: in the files that talk to the driver only', qr/\bcu(?:da)?[A-Z]\w*|\bCU_[A-Z]|\bcuda(?:_runtime(?:_api)?)?\.h\b/,
         'cuInit(0);', 'runtime/kernel/program_cuda.h',
         grep { m{^tracer/(?:nvidia/cuda_driver|instrument/trace_cuda\.c|inject/cu)|
                  ^runtime/(?:device|bench|workload)/\w*_cuda\.[ch]}x } @files);
none_has('#ifdef __CUDACC__: in tracer/port/device.h only', qr/__CUDACC__|__NVCC__/, '#ifdef __CUDACC__', 'tracer/port/device.h');
none_has('the GPU architecture is for the porting layer', qr/__CUDA_ARCH__/, '#if __CUDA_ARCH__ >= 800', @layer);
none_has('logic does not ask which device it is on; the entries are chosen by it', qr/\bGROSR_DEVICE_IS_CUDA\b/,
         '#if GROSR_DEVICE_IS_CUDA', @layer, 'runtime/kernel/program.h', 'tracer/instrument/grosr_trace.h');

done_testing();
