#!/usr/bin/perl
# grosr diagnose on programs that know nothing of GROSR, recorded: what is stuck is found and named, what is only slow is not
# blamed; while it lasts, and from the segment of a process that was killed together with its recorder. With a double of the
# driver and of CUPTI, so that no GPU is needed.
# Runs with few: how long something has lasted decides.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use File::Basename qw(dirname);
use Grosr;
use Test::More;
use Time::HiRes qw(sleep time);

my $program = dirname($GROSR) . '/tests/traced/stuck_calls';
-x $program or plan(skip_all => 'built without CUPTI\'s header: the CUDA toolkit has it');
my $dir = scratch();
$ENV{GROSR_CUPTI} = dirname($GROSR) . '/tests/traced/double/libcuda.so.1';
$ENV{CUPTI_DOUBLE} = 'stuck';    # while a call waits inside the driver, so does what our own threads ask of CUPTI
delete @ENV{qw(CUDA_INJECTION64_PATH GROSR_PERSISTENT CUDA_LAUNCH_BLOCKING CUDA_MODULE_LOADING CUDA_DEVICE_MAX_CONNECTIONS)};

# What it is, its verdict, the kind of the finding, and what its summary has to say; of healthy ones, what it must not blame.
my @cases = (
    ['grid-barrier', 'deadlock', 'grid_barrier', qr/kernel steps .*the 1 time before.*barrier of the grid/],
    ['blocking', 'deadlock', 'launch_blocking', qr/thread \d+ in cudaLaunchKernel waits .*kernel peer .*CUDA_LAUNCH_BLOCKING=1/],
    ['swapped', 'deadlock', 'stream_order_cycle', qr/2 streams .*collective_[ab] runs in stream \d .*collective_[ab] behind it/],
    ['poll-default', 'deadlock', 'default_stream_order', qr/kernel server .*copy to the device of 4 bytes .*legacy default stream/],
    ['proxy', 'deadlock', 'copy_behind_kernel', qr/kernel server .*copy to the device of 1024 bytes/],
    ['free', 'stalled', 'hidden_wait', qr/in cudaFree .*kernel server/],
    ['malloc', 'stalled', 'hidden_wait', qr/in cudaMalloc .*kernel server/],
    ['lazy', 'stalled', 'lazy_load', qr/in cudaLaunchKernel .*first launch.*kernel server/],
    ['capture-spins', 'stalled', 'capture_not_launched', qr/stream 8 has been in capture .*1 launch recorded.* work,/],
    ['capture-sleeps', 'stalled', 'capture_not_launched', qr/stream 8 has been in capture/],
    ['host-mutex', 'deadlock', 'host_function_stuck', qr/host function .*mutex 0x[0-9a-f]+.*cudaStreamSynchronize/],
    ['host-mutexes', 'deadlock', 'host_function_stuck', qr/host function .*mutex .*mutex /],
    ['no-room', 'deadlock', 'not_resident',
     qr/kernel work \(stream 9\) cannot begin: kernel server \(stream 8\), which is meant .*100 % of the threads .*25 %.*both/],
    ['no-room-of-tenant', 'stalled', 'not_resident', qr/kernel work \(stream 9\) cannot begin: kernel server .* for ever/],
    ['room-beside', 'healthy'],
    ['value-never', 'stalled', 'value_never_written', qr/^stream 8 has waited for .* until the word at 0x[0-9a-f]+ is >= 5; no /],
    ['value-device', 'stalled', 'value_never_written', qr/^stream 8 has waited for .* >= 5; .*in cudaStreamSynchronize/],
    (map { [$_, 'deadlock', 'stream_cycle', qr/^stream 8 waits until .* >= 1, .* stream 9 waits for; stream 9 waits .* stream 8 /] }
        qw(value-cycle value-batch)),
    map { [$_, 'healthy'] } qw(value-late value-kernel value-shared value-semaphore value-there value-pipeline
        long-cooperative blocking-long long-swapped same-order poll-non-blocking poll-copy-out two-workers
        full-queue slow-again compile capture-works capture-goes-on host-waits host-slow long-kernel behind-event many queued
        crowded overdue warmed-up few-resident waits-for-room),
);
my %options = map { $_ => ['--persistent', 'server'] } qw(no-room no-room-of-tenant room-beside);
my %alone = map { $_ => 1 } qw(compile capture-spins capture-works);    # they take a core each

# Starts the recordings of some cases, asks for all verdicts at once, kills all, and asks again.
sub judge
{
    my @started = map { {case => $_, record =>
        start($GROSR, 'record', @{$options{$_->[0]} // []}, '-o', "$dir/$_->[0].db", '--', $program, $_->[0])} } @_;
    for my $s (@started) {
        my ($child) = until_true(sub { ($s->{pid}) = children($s->{record}{pid}); $s->{pid} && -e "/dev/shm/grosr.$s->{pid}.0" }, 20);
        ok($child, "$s->{case}[0] is recorded");
    }
    my $slow = grep { $_->{case}[0] eq 'slow-again' } @started;    # which takes 3 s before the run that counts
    sleep($slow ? 4.6 : 1.6);
    @$_{qw(what verdict)} = ($_->{pid}, $_->{case}[1]) for @started;
    diagnosed([], @started);
    for my $s (@started) {
        kill('KILL', $s->{record}{pid});
        kill('KILL', $s->{pid});
    }
    for my $s (@started) {
        finish($s->{record});
        until_true(sub { !process_runs($s->{pid}) });
        $s->{dead} = grosr('diagnose', $s->{pid}, '--json');
        unlink(segments($s->{pid}));
        compare($s->{case}, $s->{diagnosis}, 'while it lasts');
        compare($s->{case}, $s->{dead}, 'from what it left');
    }
}

sub compare
{
    my ($case, $r, $when) = @_;
    my ($what, $verdict, $kind, $summary) = @$case;
    my $json = json_of($r);
    my $stuck = $verdict eq 'stalled' || $verdict eq 'deadlock';
    is($json->{verdict}, $verdict, "$what, $when: $verdict") or diag($r->{stdout} . $r->{stderr});
    is($r->{code}, $stuck ? 3 : 0, "$what, $when: the exit code says so") or diag($r->{stdout} . $r->{stderr});
    return unless $stuck;
    my @found = grep { ($_->{verdict} // $verdict) eq $verdict && $_->{kind} eq $kind } @{$json->{findings}};
    is(scalar(@found), 1, "$what: one finding of kind $kind") or diag($r->{stdout});
    my $f = $found[0] or return;
    like($f->{summary} // $f->{text} // '', $summary, "$what: names what is stuck");
    isnt($f->{advice}, '', "$what: with advice");
    cmp_ok($f->{since_ns}, '>=', 1e9, "$what: since when");
}

my @others = grep { !$alone{$_->[0]} } @cases;
while (my @some = splice(@others, 0, 6)) { judge(@some) }
judge($_) for grep { $alone{$_->[0]} } @cases;

# ---- from the trace, where the recorder outlives the program ----

for my $case (grep { $_->[0] =~ /^(grid-barrier|swapped|host-mutex|capture-sleeps|long-kernel)$/ } @cases) {
    my $file = "$dir/trace-$case->[0].db";
    my $p = start($GROSR, 'record', '-o', $file, '--', $program, $case->[0]);
    my $child;
    until_true(sub { ($child) = children($p->{pid}); $child && -e "/dev/shm/grosr.$child.0" }, 20);
    $case->[2] ? diagnosed_as($child, $case->[1]) : sleep(1.5);
    sleep(1);
    kill('KILL', $child);
    finish($p);
    compare($case, grosr('diagnose', $file, '--json'), 'from the trace');
    is(value($file, "SELECT count(*) FROM findings WHERE verdict IN ('stalled', 'deadlock')"), $case->[2] ? 1 : 0,
       "$case->[0]: as a row of the trace");
}

# ---- streams that hand each other values: 40,000 operations, nothing of which is lost ----

delete $ENV{CUPTI_DOUBLE};
my $values = grosr('record', '-o', "$dir/values.db", '--', $program, 'values');
is("$values->{code} $values->{stdout}", "0 done\n", 'a program whose streams wait for 20,000 values') or diag($values->{stderr});
is(value("$dir/values.db", 'SELECT count(*) FROM kernels WHERE end IS NOT NULL'), 2000, 'has a record of each of its kernels');
is(value("$dir/values.db", "SELECT count(*) || '|' || sum(return_value <> 0) FROM api_calls WHERE name = 'cuStreamWaitValue32_v2'"),
   '20001|1', 'and of each wait');
is(value("$dir/values.db", 'SELECT verdict FROM trace_health WHERE ring IS NULL'), 'complete', 'nothing is lost');
is(value("$dir/values.db", 'SELECT group_concat(kind) FROM GROSR_LAUNCHES'), 'kernel', 'what has no records is not counted');
is(value("$dir/values.db", 'SELECT count(*) FROM pending'), 0, 'and nothing is pending in the end');
$ENV{CUPTI_DOUBLE} = 'stuck';

# What a stream waits for is in the trace while it does.
my $v = start($GROSR, 'record', '-o', "$dir/v.db", '--', $program, 'value-never');
my $seen = q{SELECT kind || ':' || name || '~' || waits_for || '=' || bytes || '#' || ahead || '+' || behind FROM pending
             WHERE kind = 'wait value'};
ok(until_true(sub { (peek("$dir/v.db", $seen) // '') =~ /^wait value:the word at (0x[0-9a-f]+) is >= 5~host word=4#0\+2$/ }, 20),
   'pending has a row of a wait for a word') or diag(peek("$dir/v.db", $seen));
my $rows = json_of(grosr('query', "$dir/v.db", 'api-pending', '--json'));
is(join(' ', map { "$_->{kind}+$_->{behind}" } grep { $_->{kind} ne 'call' } @$rows), 'wait value+2',
   'which api-pending has, without the kernels behind it');
my ($waiting) = children($v->{pid});
my $top;
ok(until_true(sub { ($top = json_of(grosr('top', '--once', '--json', $waiting)))->{verdict} eq 'stalled' }, 20),
   'top says that it is stalled');
is($top->{stalls}[0]{kind}, 'value_never_written', 'and by what') or diag($top->{stalls}[0]{text});
kill('USR1', children($v->{pid}));
finish($v);

# ---- a program that ends in order while it hangs: its SIGTERM handler calls exit() ----

# LeakSanitizer cannot stop all of the threads that hang.
local $ENV{ASAN_OPTIONS} = "$ENV{ASAN_OPTIONS}:detect_leaks=0" if $ENV{ASAN_OPTIONS};
# Not what takes a core each, nor what needs longer than others before it is what it is.
my @ended = grep { !$alone{$_->[0]} && $_->[0] !~ /^(?:slow-again|many|overdue|warmed-up|capture-goes-on)$/ } @cases;
while (my @some = splice(@ended, 0, 8)) {
    my %p = map { my $what = $_->[0];
        $what => start($GROSR, 'record', @{$options{$what} // []}, '-o', "$dir/end-$what.db", '--', $program, $what) } @some;
    my %child;
    for my $case (map { $_->[0] } @some) {
        until_true(sub { ($child{$case}) = children($p{$case}{pid}); $child{$case} && -e "/dev/shm/grosr.$child{$case}.0" }, 20);
    }
    sleep(1);
    diagnosed([], map { {what => $child{$_->[0]}, verdict => $_->[1]} } grep { $_->[2] } @some);
    sleep(0.6);
    kill('TERM', values %child);
    for my $case (@some) {
        my ($what, $verdict, $kind) = @$case;
        my $file = "$dir/end-$what.db";
        like(finish($p{$what})->{stderr}, qr/exit code 3/, "$what: its own exit code");
        is(value($file, 'SELECT died FROM GROSR_SESSION'), 0, "$what: its session is closed");
        compare($case, grosr('diagnose', $file, '--json'), 'from the trace of its end');
        is(value($file, 'SELECT count(*) FROM findings'), $kind ? 1 : 0, "$what: as a row of the trace, and nothing else");
        is(value($file, 'SELECT sum(time <> stopped) FROM findings JOIN GROSR_SESSION USING (session)'), 0,
           "$what: as of when it began to end") if $kind;
        is($p{$what}{signal}, 0, "$what: in order");
    }
}

# ---- nothing to do; stopped; the text ----

my $p = start($GROSR, 'record', '-o', "$dir/idle.db", '--', $program, 'idle');
my $child;
until_true(sub { ($child) = children($p->{pid}); $child && -e "/dev/shm/grosr.$child.0" }, 20);
sleep(1.5);
my $r = grosr('diagnose', $child, '--json');
is("$r->{code} " . json_of($r)->{verdict}, '0 idle', 'a program with nothing on the device is idle') or diag($r->{stdout});
kill('USR1', $child);
finish($p);

$p = start($GROSR, 'record', '-o', "$dir/free.db", '--', $program, 'free');
until_true(sub { ($child) = children($p->{pid}); $child && -e "/dev/shm/grosr.$child.0" }, 20);
diagnosed_as($child, 'stalled');
$r = grosr('diagnose', $child);
is($r->{code}, 3, 'as text');
like($r->{stdout}, qr/stalled.*cudaFree.*server.*cudaMallocAsync/s, 'with its cause and its cure') or diag($r->{stdout});
# A kernel that was short before and is long now may have more to do; after ten times the threshold it is stuck, but not if
# it was short a few times only.
for my $case (['overdue', 'stalled', 3], ['value-overdue', 'stalled', 3], ['warmed-up', 'healthy', 0],
              ['not-resident', 'stalled', 3, 'not_resident']) {
    my ($what, $verdict, $code, $kind) = @$case;
    my $q = start($GROSR, 'record', '-o', "$dir/$what.db", '--', $program, $what);
    my $pid;
    until_true(sub { ($pid) = children($q->{pid}); $pid && -e "/dev/shm/grosr.$pid.0" }, 20);
    sleep(2.5);
    my $j = json_of(my $d = diagnosed_as($pid, $verdict, '--threshold', '0.15'));
    is("$d->{code} $j->{verdict} $j->{findings}[0]{kind}", "$code $verdict " . ($kind // 'kernel_overdue'), "$what: $verdict")
        or diag($d->{stdout});
    like($j->{findings}[0]{summary},
         $kind   ? qr/of its 9 blocks 8 fit on the GPU at once, and with grids that fit it has ended 120 / :
         $code ? qr/the 120 times before$/ : qr/the 20 times before; it may have more to do this time$/,
         "$what: which is said");
    kill('KILL', $pid);
    finish($q);
}

# Each of these looks for as long as the threshold, all at the same time.
spew("/dev/shm/grosr.$child.$_", slurp("/dev/shm/grosr.$child.0")) for 1 .. 4;
my $begin = time();
$r = grosr('diagnose', $child, '--json', '--threshold', '2');
cmp_ok(time() - $begin, '<', 6, 'several sessions of a process are looked at together');
is(scalar(my @sources = json_of($r)->{source} =~ /process $child, recorded/g), 5, 'each of them');
my @stalled = grep { $_->{verdict} eq 'stalled' } @{json_of($r)->{findings}};
is("$r->{code} " . join(' ', map { $_->{kind} } @stalled), '3 ' . join(' ', ('hidden_wait') x 5), 'and each says what it has to');
unlink(map { "/dev/shm/grosr.$child.$_" } 1 .. 4);
kill('STOP', $child);
$r = grosr('diagnose', $child, '--json');
is("$r->{code} " . json_of($r)->{verdict}, '0 healthy', 'a process that is stopped is not stuck') or diag($r->{stdout});
kill('CONT', $child);
kill('USR1', $child);
is(finish($p)->{code}, 0, 'the program ends');
done_testing();
