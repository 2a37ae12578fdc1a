#!/usr/bin/perl
# With GROSR_TRACE_DISABLED the machine code is byte for byte that of a source which never had a trace: the example, as it
# is and with every word of GROSR's taken out of it, is the same cubin. Bounded waits are the loops that one would write.
use strict;
use warnings;
use File::Temp qw(tempdir);
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Tree;

enter();
my $nvcc = nvcc() or plan(skip_all => 'no CUDA toolkit');

my $folder = tempdir('grosr-out-XXXXXX', TMPDIR => 1, CLEANUP => 1);
sub spew { my ($path, $text) = @_; open(my $file, '>:raw', $path) or die "$path: $!"; print $file $text; close($file) }

# Its calls and declarations, with the parentheses that belong to them.
my $parentheses = qr/(\((?:[^()]++|(?-1))*+\))/;
my $traced = slurp('tracer/example/pipe.cu');
my $plain = $traced;
$plain =~ s{/\*.*?\*/}{}gs;
$plain =~ s{/// *.*}{}g;
my ($kernel) = $plain =~ /^(.*?)static volatile sig_atomic_t/s;    # up to the host's part
ok($kernel, 'the example has its kernel before its host part') or BAIL_OUT('tracer/example/pipe.cu');
my ($entry) = $plain =~ /^(__global__ void pipe_kernel.*?^\}\n)/ms;
ok($entry, 'and its entry') or BAIL_OUT('tracer/example/pipe.cu');

# Both files: what runs on the GPU, under one name, so that nothing but the trace can differ.
my $with = "$kernel\n$entry";
my $without = $with;
my $calls = () = $without =~ /\bgrosr_\w+\s*$parentheses;/g;
cmp_ok($calls, '>=', 15, "the kernel has calls to take out ($calls)");
$without =~ s{^#include <grosr/trace\.h>\n}{#include <stdint.h>\n}m;
$without =~ s{\b(?:GROSR_TRACED|GROSR_TRACE_ONLY)\s*$parentheses}{}g;
$without =~ s{\b(?:grosr|GROSR)_\w+\s*$parentheses;}{;}g;
unlike($without, qr/grosr/i, 'what is left has no word of GROSR');

mkdir("$folder/grosr") or die;
symlink("$ROOT/$_", "$folder/grosr/$_") or die for qw(tracer schema);
spew("$folder/grosr/trace.h", qq(#include "tracer/instrument/grosr_trace.h"\n));

# The cubin of a source, always from a file of the same name in a folder of the same name.
sub cubin
{
    my ($text, @options) = @_;
    spew("$folder/kernel.cu", $text);
    unlink("$folder/kernel.cubin");
    my $said = `cd $folder && $nvcc -std=c++17 -I. @options -cubin -o kernel.cubin kernel.cu 2>&1`;
    diag($said) if $?;
    return -e "$folder/kernel.cubin" ? slurp("$folder/kernel.cubin") : undef;
}

my $never;
for my $options ('-arch=sm_75 -O3', '-arch=sm_90 -O3 -Xptxas -O1', '-arch=sm_90 -O3') {
    my $out = cubin($with, $options, '-DGROSR_TRACE_DISABLED');
    $never = cubin($without, $options);
    ok(defined $out && defined $never && length($out) > 1000, "$options: both compile");
    ok(($out // '') eq ($never // '!'), 'and are the same machine code, byte for byte');
}
my $in = cubin($with, '-arch=sm_90 -O3');
ok(defined $in && $in ne ($never // ''), 'with its trace it is another');
cmp_ok(length($in // ''), '>', length($never // ''), 'and longer');

# ---- bounded waits ----

# Each wait by its name with GROSR, and as a loop without.
my @waits = (
    ['grosr_wait_word32(&t, GROSR_BY_THREAD, 1, 2, &s->small, GROSR_EQUAL, 5);',
     'while (dev_load_acquire((dev32 *)&s->small) != 5) dev_backoff(&step);'],
    ['grosr_wait_word64(&t, GROSR_BY_THREAD, 1, 2, &s->large, GROSR_AT_LEAST, 5);',
     'while (dev_load_acquire((dev64 *)&s->large) < 5) dev_backoff(&step);'],
    ['grosr_wait_system32(&t, GROSR_BY_THREAD, 1, 2, &s->small, GROSR_NOT_EQUAL, 5);',
     'while (sys_load_acquire((sys32 *)&s->small) == 5) {}'],
    ['grosr_wait_word32(&t, GROSR_BY_WARP, 1, 2, &s->small, GROSR_EQUAL, 5);',
     'for (;; dev_backoff(&step)) {
          uint64_t seen = 0;
          if (dev_lane() == 0) seen = dev_load_acquire((dev32 *)&s->small);
          if (dev_ballot(dev_lane() == 0 && seen == 5)) break;
      }
      dev_syncwarp();'],
    ['grosr_wait_mbarrier(&t, GROSR_BY_THREAD, 1, 2, mbarrier, 1);',
     'while (!dev_mbarrier_try(mbarrier, 1)) {}'],
    ['grosr_lock_acquire(&t, GROSR_BY_THREAD, 1, 2, &s->lock); s->small++;
      grosr_lock_release(&t, GROSR_BY_THREAD, 1, 2, &s->lock);',
     'while (dev_load_relaxed(&s->lock.word) || dev_cas_acquire(&s->lock.word, UINT64_C(0), UINT64_C(0xffff) << 48))
          dev_backoff(&step);
      s->small++;
      dev_store_release(&s->lock.word, UINT64_C(0));']);
for my $wait (@waits) {
    my ($by_name, $by_hand) = @$wait;
    my ($as_named, $as_loop) = map {
        my $code = $_;
        cubin(qq(#define GROSR_TRACE_DISABLED
                 #include <grosr/trace.h>
                 struct s { uint32_t small; uint64_t large; struct grosr_lock lock; };
                 __global__ void k(struct s *s, uint32_t *out)
                 {
                     __shared__ uint64_t mbarrier[1];
                     uint32_t step = 0;
                     (void)step;
                     (void)mbarrier;
                     $code
                     out[threadIdx.x] = 1;
                 }), '-arch=sm_90 -O3')
    } $by_name, $by_hand;
    my ($name, $warp) = $by_name =~ /^(\w+).*(?:(GROSR_BY_WARP)|GROSR_BY_THREAD)/;
    ok(defined $as_named && length($as_named) > 1000 && defined $as_loop, "$name() compiles, and its loop does");
    ok($warp ? length($as_named) == length($as_loop) : $as_named eq $as_loop, $warp    # the order of a compare may differ
       ? "by a warp it is as long as the plain loop" : 'it is the plain loop, byte for byte, where tracing is compiled out');
}
done_testing();
