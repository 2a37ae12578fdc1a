#!/usr/bin/perl
# The stalls of the collection that are CUDA programs (`grosr run stall:NAME`, "CUDA only"): each gets its verdict while it
# hangs, in its trace, and from what a killed one left; each ends in order. With a double of the driver and of CUPTI, so that no
# GPU is needed.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use File::Basename qw(dirname);
use Grosr;
use Test::More;
use Time::HiRes qw(sleep time);

my $dir = scratch();
my $double = dirname($GROSR) . '/tests/traced/double';

# Without a GPU, or with the host device, there is one clear line.
my %verdict = map { /^stall:(\w+) +(\w+): .*\(CUDA only\)$/ ? ($1 => $2) : () } split(/\n/, grosr('run', '--list')->{stdout});
my %kind = (cudafree => ['hidden_wait', qr/^thread \d+ in cuMemFree_v2 .*kernel stall_server /],
            copy => ['copy_behind_kernel', qr/kernel stall_server .*copy to the device of 64 bytes/],
            order => ['default_stream_order', qr/kernel stall_server .*copy to the device of 64 bytes/],
            blocking => ['launch_blocking', qr/thread \d+ in cuLaunchKernel .*kernel stall_server .*CUDA_LAUNCH_BLOCKING=1/],
            resident => ['not_resident', qr/kernel stall_barrier .*of its 9 blocks 8 fit .*has ended 121 times/]);
is(join(' ', sort keys %verdict), join(' ', sort keys %kind), 'every case that is listed is tried');
says_one_line(grosr('run', 'stall:copy', '--device', 'host', '-o', "$dir/none.db"), 4, qr/stall:copy needs a GPU/, 'the host device');
says_one_line(grosr('run', 'stall:copy', '--file', 'x'), 2, qr/--file is for the workload `read`/, 'an option of another workload');
ok(!-e "$dir/none.db", 'no file is left');

-e "$double/libcuda.so.1" or do { done_testing(); exit };
$ENV{GROSR_CUPTI} = "$double/libcuda.so.1";
$ENV{LD_LIBRARY_PATH} = $double;
$ENV{CUPTI_DOUBLE} = 'stuck';
# The threads that hang are there when the process ends: LeakSanitizer cannot stop them all, and fails.
$ENV{ASAN_OPTIONS} .= ':detect_leaks=0' if $ENV{ASAN_OPTIONS};
delete @ENV{qw(CUDA_INJECTION64_PATH GROSR_PERSISTENT CUDA_LAUNCH_BLOCKING CUDA_MODULE_LOADING CUDA_DEVICE_MAX_CONNECTIONS)};

sub is_right
{
    my ($case, $what, $name) = @_;
    my $r = $name =~ /while it hangs/ ? diagnosed_as($what, $verdict{$case}) : grosr('diagnose', $what, '--json');
    my $j = $r->{code} == 3 ? json_of($r) : {verdict => "exit $r->{code}", findings => [{kind => $r->{stderr}}]};
    is("$j->{verdict} $j->{findings}[0]{kind}", "$verdict{$case} $kind{$case}[0]", "$case: $name") or diag($r->{stdout});
    like($j->{findings}[0]{summary}, $kind{$case}[1], "$case: what is stuck is named") if $j->{findings}[0]{summary};
}

# All at once: one that nobody records, and is killed; one that is, and is interrupted; one that ends by --seconds.
my @cases = sort keys %kind;
my (%alone, %recorded, %timed);
for my $case (@cases) {
    $alone{$case} = start($GROSR, 'run', "stall:$case");
    $recorded{$case} = start($GROSR, 'run', "stall:$case", '--device', 'cuda', '-o', "$dir/$case.db");
    $timed{$case} = start($GROSR, 'run', "stall:$case", '--seconds', $case eq 'resident' ? 16 : 5, '-o', "$dir/timed-$case.db", '--json');
}
sleep(3);
for my $late (0, 1) {
    my @these = grep { ($_ eq 'resident') == $late } @cases;
    sleep(9.5) if $late;
    is_right($_, $alone{$_}{pid}, 'while it hangs') for @these;
    is_right($_, "$dir/$_.db", 'by its trace, while it hangs') for @these;
    for my $case (@these) {
        kill('KILL', $alone{$case}{pid});
        finish($alone{$case});
        is_right($case, $alone{$case}{pid}, 'from what a killed one left');
        unlink(segments($alone{$case}{pid}));
        kill('TERM', $recorded{$case}{pid});
    }
    for my $case (@these) {
        my $p = finish($recorded{$case});
        is($p->{code}, 1, "$case: interrupted") or diag($p->{stderr});
        like($p->{stderr}, qr/^grosr: interrupted$/m, "$case: which is said");
        is_right($case, "$dir/$case.db", 'by its trace, afterwards');
        $p = finish($timed{$case});
        is("$p->{code} " . json_of($p)->{workload}, "0 stall:$case", "$case: ended by --seconds") or diag($p->{stderr});
        is_right($case, "$dir/timed-$case.db", 'by its trace, too');
        is(join(' ', map { segments($_->{pid}) } $p, $recorded{$case}), '', "$case: nothing is left in shared memory");
    }
}

# The collector of one that is killed completes the trace.
my $p = start($GROSR, 'run', 'stall:copy', '-o', "$dir/killed.db");
diagnosed_as($p->{pid}, 'deadlock');
sleep(1);
my ($collector) = children($p->{pid});
kill('KILL', $p->{pid});
finish($p);
until_true(sub { !process_runs($collector) }, 20);
is_right('copy', "$dir/killed.db", 'by the trace of one that was killed');
unlink(segments($p->{pid}));
done_testing();
