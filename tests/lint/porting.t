#!/usr/bin/perl
# The porting layer is the only place that knows CUDA, PTX and compiler atomics; includes go in one direction.
use strict;
use warnings;
use File::Basename qw(dirname);
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Tree;

enter();
my @folders = qw(schema tracer runtime viewer);    # each may include from itself and from those before it
my @files = grep { !m{/example/} } files_in(qr/\.(?:[chS]|cu|def|cpp)$/, @folders);
cmp_ok(scalar(@files), '>', 180, 'there are sources');

# The text without comments and strings; lines keep their numbers. Included names are no strings.
sub code_of
{
    my $text = slurp($_[0]);
    my $blank = sub { my ($t) = @_; $t =~ s/[^\n]//g; return $t };
    $text =~ s{(/\*.*?\*/)|(//[^\n]*)|(^\s*\#\s*include\b[^\n]*)|("(?:[^"\\\n]|\\.)*")|('(?:[^'\\\n]|\\.)*')}
              {defined $1 ? $blank->($1) . ' ' : defined $2 ? '' : defined $3 ? $3 : defined $4 ? '""' : "' '"}gesmx;
    return $text;
}
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

my @entries = qw(tracer/instrument/clock.cu runtime/builtin/kernel.cu runtime/bench/bench.cu runtime/kernel/program_cuda.h);
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
              __threadfence\w*|__ldg|__nanosleep|clock64|atomic(?:Add|CAS|Exch|Max|Min|Or|And|Xor|Sub|Inc|Dec)\w*)\b/x,
         'int i = threadIdx.x;', @layer, @entries);
none_has('the CUDA API: in the files that talk to the driver only', qr/\bcu(?:da)?[A-Z]\w*|\bCU_[A-Z]|\bcuda(?:_runtime(?:_api)?)?\.h\b/,
         'cuInit(0);', 'runtime/kernel/program_cuda.h',
         grep { m{^tracer/(?:nvidia/cuda_driver|instrument/trace_cuda\.c|inject/cu)|^runtime/(?:device|bench)/\w*_cuda\.c} } @files);
none_has('#ifdef __CUDACC__: in tracer/port/device.h only', qr/__CUDACC__|__CUDA_ARCH__|__NVCC__/, '#ifdef __CUDACC__',
         'tracer/port/device.h');
none_has('logic does not ask which device it is on; the entries are chosen by it', qr/\bGROSR_DEVICE_IS_CUDA\b/,
         '#if GROSR_DEVICE_IS_CUDA', @layer, 'runtime/kernel/program.h', 'tracer/instrument/grosr_trace.h');

# ---- direction ----

my %rank = map { $folders[$_] => $_ } 0 .. $#folders;
my (@upward, @missing);
for my $path (@files) {
    my $folder = dirname($path);
    my ($from) = split(m{/}, $path);
    my @lines = split(/\n/, $code{$path});
    for my $i (0 .. $#lines) {
        my ($name) = $lines[$i] =~ /^\s*#\s*include\s+"([^"]+)"/ or next;
        my $target = "$folder/$name";
        1 while $target =~ s{[^/.][^/]*/\.\./}{};
        push @missing, "$path:" . ($i + 1) . ": $name" unless -e $target;
        my ($to) = split(m{/}, $target);
        push @upward, "$path:" . ($i + 1) . " includes $target"
            if !exists $rank{$to} || $rank{$to} > $rank{$from};
    }
}
is(scalar(@missing), 0, 'every included file is where its #include says') or diag(map { "$_\n" } @missing);
is(scalar(@upward), 0, 'schema <- tracer <- runtime <- viewer: nothing includes upward') or diag(map { "$_\n" } @upward);

done_testing();
