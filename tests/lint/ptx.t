#!/usr/bin/perl
# The machine code that the compiler makes of the porting layer: words that the CPU shares are moved by loads and stores
# of system scope, never by a read-modify-write, and the fatbin holds every architecture.
use strict;
use warnings;
use File::Temp qw(tempdir);
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Tree;

enter();
my $nvcc = nvcc() or plan(skip_all => 'no CUDA toolkit');
my $folder = tempdir('grosr-ptx-XXXXXX', TMPDIR => 1, CLEANUP => 1);

my $said = `$nvcc -std=c++17 -O3 -ptx -arch=compute_90 -Werror all-warnings -o $folder/kernel.ptx runtime/builtin/kernel.cu 2>&1`;
is($?, 0, 'runtime/builtin/kernel.cu compiles to PTX') or diag($said);
-e "$folder/kernel.ptx" or BAIL_OUT('no PTX');
my $ptx = slurp("$folder/kernel.ptx");
$ptx =~ s{//[^\n]*}{}g;

like($ptx, qr/\.visible \.entry grosr_kernel\(/, 'it has the kernel');
like($ptx, qr/\bld\.relaxed\.sys\.global\./, 'loads of words that the CPU writes: ld.relaxed.sys');
like($ptx, qr/\bld\.acquire\.sys\.global\.(?:v2\.)?u64/, 'acquiring ones: ld.acquire.sys');
like($ptx, qr/\bld\.acquire\.sys\.global\.v2\.u64/, 'a task: one 16-byte ld.acquire.sys');
like($ptx, qr/\bst\.relaxed\.sys\.global\.v2\.u64/, 'an event: one 16-byte st.relaxed.sys');
like($ptx, qr/\bst\.release\.sys\.global\./, 'publishing: st.release.sys');
like($ptx, qr/\batom\.acq_rel\.gpu\.global\./, 'counters among warps: atom.acq_rel.gpu');
unlike($ptx, qr/\b(?:atom|red)\.(?:\w+\.)*sys\b/, 'no read-modify-write at system scope: it is not atomic across PCIe');
unlike($ptx, qr/\b(?:atom|red)\.global\.(?:add|cas|exch|or|and|min|max|inc|dec)\b/, 'nor one whose scope is not said');
# That of dev_cas_ahead() stands behind its swap.
my $lone = $ptx =~ s/\batom\.relaxed\.gpu\.global\.cas\.b64 [^;]*;\s*fence\.acq_rel\.gpu;//gr;
unlike($lone, qr/\b(?:membar|fence)\.(?!proxy)/, 'no stand-alone fences');
unlike($ptx, qr/\b(?:ld|st)\.volatile\b/, 'no volatile accesses');
unlike($ptx, qr/\.(?:call|extern \.func)\b.*\b(?:vprintf|malloc|free|__assertfail)\b/, 'no printf, malloc or assert on the device');

# What a worker keeps between tasks is in registers: were its address given to a function that is not inlined, all of it would
# be in local memory (some 500 accesses, and a tenth of the speed).
my ($kernel) = $ptx =~ /(\.visible \.entry grosr_kernel\(.*)/s;
my $local = () = ($kernel // '') =~ /\b(?:ld|st)\.local\b/g;
ok($local > 0 && $local < 150, "the scheduler is in registers: $local accesses to local memory");

# Bounded waits, in a kernel that has all of them.
$said = `$nvcc -std=c++17 -O3 -ptx -arch=compute_90 -Werror all-warnings -I. -o $folder/waits.ptx tests/cuda/waits.cu 2>&1`;
is($?, 0, 'tests/cuda/waits.cu compiles to PTX') or diag($said);
my $waits = -e "$folder/waits.ptx" ? slurp("$folder/waits.ptx") =~ s{//[^\n]*}{}gr : '';
like($waits, qr/\bld\.acquire\.gpu\.global\.u64/, 'bounded waits: ld.acquire.gpu for words of the GPU');
like($waits, qr/\bld\.acquire\.sys\.global\.u32/, 'ld.acquire.sys for those of the CPU');
like($waits, qr/\bmbarrier\.try_wait\.parity\.shared\.b64/, 'mbarrier.try_wait for mbarriers');
like($waits, qr/\bst\.release\.sys\.global\.u64/, 'what a wait is for: st.release.sys');
unlike($waits, qr/\b(?:atom|red)\.(?:\w+\.)*sys\b/, 'and no read-modify-write at system scope');
unlike($waits, qr/\bvprintf\b/, 'no printf');

# The fatbin: a header of 16 bytes (magic, version, its own size, size of the rest), then entries. An entry opens with its
# kind (1: PTX, 2: machine code), its header's size, its payload's size and, at 28, the architecture.
SKIP: {
    my $fatbin = 'build/cuda/kernel.fatbin';
    skip("$fatbin has not been built", 3) unless -e $fatbin;
    my $bytes = slurp($fatbin);
    my ($magic, $version, $header, $size) = unpack('L< S< S< Q<', $bytes);
    is($magic, 0xba55ed50, 'the fatbin is one');
    my %has = (1 => {}, 2 => {});
    for (my $at = $header; $at + 64 <= length($bytes) && $at < $header + $size;) {
        my ($kind, undef, $entry, $payload) = unpack('S< S< L< Q<', substr($bytes, $at, 16));
        $has{$kind}{unpack('L<', substr($bytes, $at + 28, 4))} = 1;
        last unless $entry;
        $at += $entry + $payload;
    }
    is(join(' ', sort { $a <=> $b } keys %{$has{2}}), '75 80 90', 'with machine code for sm_75, 80 (and so 86 and 89) and 90');
    is(join(' ', sort { $a <=> $b } keys %{$has{1}}), '90', 'and PTX of compute_90 for what comes after');
}
done_testing();
