#!/usr/bin/perl
# With GROSR_TRACE_DISABLED the machine code is byte for byte that of a source which never had a trace: the example, as it
# is and with every word of GROSR's taken out of it, is the same cubin.
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
done_testing();
