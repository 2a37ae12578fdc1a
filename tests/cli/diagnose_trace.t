#!/usr/bin/perl
# What was stuck when a recording ended is in its trace: `grosr diagnose FILE` says what it says of the live process, and
# the view `findings` has it as rows. Of our own runtime, and of programs that know nothing of GROSR, whose evidence is in
# their session alone (with the double of the driver and of CUPTI).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use File::Basename qw(dirname);
use Grosr;
use Test::More;
use Time::HiRes qw(sleep);

my $dir = scratch();
my $program = dirname($GROSR) . '/tests/traced/stuck_calls';
my @double = (GROSR_CUPTI => dirname($GROSR) . '/tests/traced/double/libcuda.so.1', CUPTI_DOUBLE => 'stuck');
delete @ENV{qw(CUDA_INJECTION64_PATH GROSR_PERSISTENT CUDA_LAUNCH_BLOCKING CUDA_MODULE_LOADING CUDA_DEVICE_MAX_CONNECTIONS)};

# The case, its verdict, the finding's kind and the names of those concerned; of what is not stuck, none.
my @stalls = (
    ['locks2', 'deadlock', 'lock_cycle', qr/^worker 0,worker 1$/],
    ['endless', 'stalled', 'endless_task', qr/^worker 0$/],
    ['proxy', 'stalled', 'call_not_answered', qr/worker 0/],
    ['inversion', 'slow', 'priority_inversion', qr/^worker \d,worker \d$/],
    ['idle', 'idle'], ['disk', 'healthy'],
);
my @programs = (
    ['free', 'stalled', 'hidden_wait', qr/cudaFree/],
    ['host-mutexes', 'deadlock', 'host_function_stuck', qr/host function/],
    ['long-kernel', 'healthy'], ['idle', 'healthy'],    # of a process that has died, nothing more is known
);

sub is_closed
{
    my ($db) = @_;
    return -e $db && grosr('query', $db, q{SELECT 'yes' AS closed FROM GROSR_META WHERE key = 'complete'})->{stdout} =~ /yes/;
}

# The trace of a killed process, once its recorder has closed it.
sub judge
{
    my ($db, $case) = @_;
    my ($what, $verdict, $kind, $who) = @$case;
    ok(until_true(sub { is_closed($db) }, 60), "$what: the trace is closed");
    my $r = grosr('diagnose', $db, '--json');
    my $json = json_of($r);
    is($json->{verdict}, $verdict, "$what: $verdict") or diag($r->{stdout} . $r->{stderr});
    is($r->{code}, $verdict eq 'stalled' || $verdict eq 'deadlock' ? 3 : 0, "$what: the exit code");
    my @rows = grep { $_->{verdict} ne 'healthy' } sql($db, 'SELECT * FROM findings');
    return is(scalar(@rows), 0, "$what: there is no row") unless $kind;
    my ($row) = grep { $_->{kind} eq $kind } @rows;
    ok($row, "$what: $kind is a row") or return diag($r->{stdout});
    is($row->{verdict}, $verdict, "$what: with its verdict");
    my ($finding) = grep { $_->{kind} eq $kind } @{$json->{findings}};
    my $names = $row->{workers} =~ s/[\["\]]//gr;
    is($names, join(',', @{$finding->{workers}}), "$what: and those concerned");
    like($names . ($kind =~ /_(?:wait|stuck)$/ ? $row->{summary} : ''), $who, "$what: whom it must name");
    is($row->{summary}, $finding->{summary}, "$what: in the same sentence");
    cmp_ok($row->{since_ns}, '>=', 1e9, "$what: since when");
    isnt($row->{advice}, '', "$what: with advice");
}

# Kills it when it has been stuck, as its case says, for longer than the threshold; one that is not stuck, after some time.
sub kill_when_stuck
{
    my ($p, $case) = @_;
    my ($what, $verdict, $kind) = @$case;
    if ($kind) {
        ok(until_true(sub { ended($p) || json_of(grosr('diagnose', $p->{pid}, '--json'))->{verdict} eq $verdict }, 60),
           "$what: $verdict while it lives");
    } else {
        sleep(2);
    }
    sleep(0.5);
    kill('KILL', $p->{pid});
    finish($p);
}

for my $case (@stalls) {
    my $db = "$dir/$case->[0].db";
    my $p = start($GROSR, 'run', "stall:$case->[0]", '--device', 'host', '--workers', '4', '--seconds', '599', '-o', $db);
    ok(until_true(sub { (peek($db, 'SELECT count(*) FROM GROSR_SESSION') || 0) > 0 }, 30), "$case->[0] is recorded");
    kill_when_stuck($p, $case);
    judge($db, $case);
}

# Of a process without a recorder, from what it left: until when it had lived is in its segment.
for my $case (['locks2', 'deadlock', 'lock_cycle', qr/^worker 0,worker 1$/], ['wakeup', 'stalled', 'lost_wakeup', qr/^worker 0$/]) {
    my $db = "$dir/recovered-$case->[0].db";
    my $p = start($GROSR, 'run', "stall:$case->[0]", '--device', 'host', '--workers', '4', '--seconds', '599');
    ok(until_true(sub { grosr('diagnose', $p->{pid})->{code} != 1 }, 30), "$case->[0] runs");
    kill_when_stuck($p, $case);
    is(grosr('recover', $p->{pid}, '-o', $db)->{code}, 0, "$case->[0] is recovered");
    unlink(segments($p->{pid}));
    judge($db, $case);
}

SKIP: {
    skip('built without CUPTI\'s header: the CUDA toolkit has it', 1) unless -x $program;
    local %ENV = (%ENV, @double);
    my @started = map { {case => $_, db => "$dir/p-$_->[0].db",
                         record => start($GROSR, 'record', '-o', "$dir/p-$_->[0].db", '--', $program, $_->[0])} } @programs;
    for my $s (@started) {
        ok(until_true(sub { ($s->{pid}) = children($s->{record}{pid}); $s->{pid} && -e "/dev/shm/grosr.$s->{pid}.0" }, 30),
           "$s->{case}[0] is recorded");
    }
    sleep(2);
    diagnosed([], map { {what => $_->{pid}, verdict => $_->{case}[1]} } @started);
    sleep(0.5);
    for my $s (@started) {
        kill('KILL', $s->{pid});
        finish($s->{record});
        judge($s->{db}, $s->{case});
    }
}

# ---- the golden trace of a deadlock on an H100 ----

my $r = grosr('diagnose', "$ROOT/traces/h100-deadlock.db", '--json', '--threshold', '0.1');
my $json = json_of($r);
is("$r->{code} $json->{verdict} $json->{findings}[0]{kind}", '3 deadlock lock_cycle', 'a trace of an older version is diagnosed');
is(join(' ', @{$json->{findings}[0]{cycle}}), 'worker 0 lock 1 worker 1 lock 0', 'with its cycle');
$r = grosr('diagnose', "$ROOT/traces/h100-spawn.db", '--json');
is("$r->{code} " . (json_of($r)->{verdict} =~ /^(?:healthy|idle)$/ ? 'well' : $r->{stdout}), '0 well', 'a run that ended is well');
done_testing();
