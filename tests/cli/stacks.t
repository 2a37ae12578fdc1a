#!/usr/bin/perl
# grosr diagnose with a process that GROSR has not started: in which CUDA call its threads are, by whom it was called, and what
# NVML tells, also when it hangs. The program is `hang`, on a double of the driver.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Grosr;
use Test::More;
use Time::HiRes qw(time);

my $traced = "$ROOT/build/release/tests/traced";
-x "$traced/hang" or plan(skip_all => "$traced/hang has not been built");

my $p = start("$traced/hang", 'copy');
my $pid = $p->{pid};
my $seen;
until_true(sub {
    $seen = grosr('diagnose', $pid);
    $seen->{stdout} =~ /libdw/ || $seen->{stdout} =~ /double_synchronize.*double_memcpy/s;
}, 20);
SKIP: {
    skip('stacks of threads cannot be read here', 4) if $seen->{stdout} =~ /stacks of .* cannot be read: (.*)/;
    like($seen->{stdout}, qr/^process $pid \(hang\), which has no GROSR session\n/, 'the process is named, without a verdict');
    like($seen->{stdout}, qr/thread $pid \(hang\) is in double_synchronize \([^)]*\), called by copy_behind_kernel \(/,
         'its first thread waits for the device');
    like($seen->{stdout}, qr/thread \d+ \(hang\) is in double_memcpy \([^)]*\), called by copy_main \(/, 'another copies');
    my @cuda = grep { $_->{kind} eq 'cuda_call' } @{json_of(grosr('diagnose', '--json', $pid)->{stdout})->{findings}};
    is(scalar(grep { $_->{workers}[0] eq "thread $pid" } @cuda), 1, 'the same as JSON');
}
is($seen->{code}, 1, 'it is no diagnosis');
like($seen->{stderr}, qr/\Agrosr: process $pid has no GROSR session, so nothing can be seen of what it does with CUDA; start it as/,
     'and how to get one is said');
ok(process_runs($pid), 'the process runs on');

my $env = {LD_LIBRARY_PATH => $traced};
like(grosr({env => $env}, 'diagnose', $pid)->{stdout}, qr/GPU 0: SM clock \d+ of \d+ MHz, \d+ W, \d+ C\n.*GPU 1: /,
     'NVML tells of the GPUs');
my $start = time();
my $hung = grosr({env => {%$env, GROSR_NVML_HANG => '30,1'}}, 'diagnose', $pid);
like($hung->{stdout}, qr/NVML has not answered within 2 s: the driver may hang/, 'or nothing, if it hangs');
cmp_ok(time() - $start, '<', 20, 'and is not waited for');
kill('KILL', $pid);
finish($p);

says_one_line(grosr('diagnose', $pid), 1, qr/there is no process $pid/, 'a process that has gone');
done_testing();
