#!/usr/bin/perl
# The collection of stalls (`grosr run stall:NAME`): each case gets the verdict that it is listed with, and the names of
# those concerned, while it hangs, from the segment that it leaves when it is killed, and from its recording, be it killed or
# stopped; and honest work that looks like a stall gets no other verdict than its own, at any time. Each ends in order.
# Runs with few: what waits for processors above all cannot be seen to wait for a lock.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Grosr;
use Test::More;
use Time::HiRes qw(sleep time);

my $dir = scratch();

sub workers { return join(' ', map { "worker $_" } @_) }

# The finding that has the verdict: its kind, its workers, its resources, its cycle; undef: whatever they are.
my %stuck = (
    ring => ['queue_full_cycle', workers(0 .. 3), 'ring room 0', undef],
    child => ['dependency_cycle', qr/^worker \d$/, qr/^child \d$/, qr/^child (\d) worker \1$/],
    locks2 => ['lock_cycle', workers(0, 1), 'lock 0 lock 1', 'lock 0 lock 1 worker 0 worker 1'],
    locks3 => ['lock_cycle', workers(0 .. 2), 'lock 0 lock 1 lock 2', 'lock 0 lock 1 lock 2 worker 0 worker 1 worker 2'],
    ports => ['ports_exhausted', workers(0 .. 3), 'a port for a system call', undef],
    memory => ['memory_deadlock', workers(0 .. 3), 'heap memory 0', undef],
    proxy => ['dead_proxy', qr/worker 0/, qr/in port 0/, ''],
    pipe => [qr/^(?:call_blocked|dead_proxy)$/, qr/thread \d+ of the proxy|proxy's thread|worker 0/, qr/FIFO|reply to read|read of/, ''],
    wakeup => ['lost_wakeup', 'worker 0', 'wake-up 0', ''],
    dependency => ['dependency_never_met', '', '', ''],
    endless => ['endless_task', 'worker 0', '', ''],
    abandoned => ['lock_abandoned', qr/worker 1 worker 2 worker 3$/, 'lock 0', ''],
    barrier => ['barrier_skipped', workers(0 .. 2), 'barrier 0', ''],
    producer => ['stopped_producer', workers(1 .. 3), 'ring item 0', ''],
    consumer => ['stopped_consumer', 'worker 0', 'result room 0', ''],
);
my %slow = (
    unfair => ['unfair_lock', 'worker 0', 'lock 0', ''],
    hotlock => ['hot_lock', '', 'lock 0', ''],
    inversion => ['priority_inversion', workers(0, 1), 'lock 0', ''],
);
# What the evidence must say besides: the chain to the root, and how it ended.
my %evidence = (
    pipe => qr/^(?:worker 0 waits for the reply to read in port 0, which thread \d+ of the proxy could give$|port 0: )/m,
    proxy => qr/^thread \d+ of the proxy is in state [SR]/m,
    hotlock => qr/^it was held \d+ times lately, for \S+ \w+ on average/m,
    unfair => qr/^it was held \d+ times lately, for \S+ \w+ on average/m,
);
my @nothing = qw(idle long uneven burst nearfull disk);
# Of a recording it is not known what the proxy's threads were in, nor how long other tasks took.
my @traced = grep { !/^(?:proxy|pipe|endless)$/ } sort keys %stuck;

# Those that are CUDA programs: tests/cli/stall_calls.t.
my %verdict = map { /^stall:(\w+) +(\w+): / && !/\(CUDA only\)$/ ? ($1 => $2) : () } split(/\n/, grosr('run', '--list')->{stdout});
is(join(' ', sort keys %verdict), join(' ', sort(keys %stuck, keys %slow, @nothing)), 'every case that is listed is tried');

sub begin
{
    my ($case, @options) = @_;
    # Not 600 s, which start() takes for one that may have what processors the others leave.
    return start($GROSR, 'run', "stall:$case", '--device', 'host', '--workers', '4', '--seconds', '599', @options);
}

sub diagnose
{
    my ($what) = @_;
    my $r = grosr('diagnose', $what, '--json');
    my $j = $r->{code} == 0 || $r->{code} == 3 ? json_of($r) : {};
    $j->{verdict} //= "exit $r->{code}: $r->{stderr}";
    $j->{code} = $r->{code};
    return $j;
}

sub names { return join(' ', sort @{$_[0] || []}) }

# Whether the diagnosis is the case's, with the names that it must have.
sub names_are_right
{
    my ($case, $j, $name) = @_;
    my ($kind, @names) = @{$stuck{$case} || $slow{$case}};
    my ($f) = grep { $_->{verdict} eq $verdict{$case} } @{$j->{findings}};
    my @got = ($f->{kind}, map { names($f->{$_}) } qw(workers resources cycle));
    for my $want ($kind, @names) {
        my $got = shift @got;
        next unless defined $want;
        return ref $want ? like($got, $want, $name) : is($got, $want, $name) unless ref $want ? $got =~ $want : $got eq $want;
    }
    return pass($name);
}

sub segment_of
{
    my ($p) = @_;
    my @segments = segments($p->{pid});
    return $segments[0];
}

sub forget
{
    my ($p) = @_;
    unlink(segments($p->{pid}));
}

# Until each has a session that is whole, or has ended.
sub await_sessions
{
    for my $p (@_) {
        until_true(sub { ended($p) || (segment_of($p) && diagnose($p->{pid})->{code} != 1) }) or diag("$p->{command}: no session");
    }
}

# ---- while it hangs, and afterwards ----

# A slow case is slow by what its workers wait for, which cannot be seen where they wait for processors above all.
sub short_of_processors
{
    my ($load) = slurp('/proc/loadavg') =~ /^(\S+)/;
    my $processors = () = slurp('/proc/cpuinfo') =~ /^processor\b/mg;
    return $load > $processors + 1;
}
sub cannot_be_seen { my ($case, $j) = @_; return $slow{$case} && $j->{verdict} eq 'healthy' && short_of_processors() }

# A stuck case is given time to get stuck, on a machine that does something else; until then it is healthy or idle.
sub becomes
{
    my ($p, $case) = @_;
    my (%seen, $j);
    until_true(sub { $seen{($j = diagnose($p->{pid}))->{verdict}}++; return ended($p) || $j->{verdict} eq $verdict{$case} }, 40);
    return $j if cannot_be_seen($case, $j);
    delete @seen{qw(healthy idle)} if $verdict{$case} ne 'idle';
    is(join(' ', sort keys %seen), $verdict{$case}, "$case: $verdict{$case}, and never anything worse");
    return $j;
}

# What the segment says of a case that was killed as soon as it was found to be slow.
sub killed_while_slow
{
    my ($case) = @_;
    my $p = begin($case);
    await_sessions($p);
    until_true(sub { ended($p) || diagnose($p->{pid})->{verdict} eq 'slow' }, 40);
    kill('KILL', $p->{pid});
    finish($p);
    my $j = diagnose(segment_of($p));
    forget($p);
    return $j;
}

sub try_live
{
    my @cases = @_;
    my %p = map { $_ => begin($_) } @cases;
    await_sessions(values %p);
    for my $case (@cases) {
        my $j = becomes($p{$case}, $case);
      SKIP: {
        skip("$case: the machine is short of processors", 5) if cannot_be_seen($case, $j);
        names_are_right($case, $j, "$case: who and what") or diag(join("\n", map { "$_->{kind}: $_->{summary}" } @{$j->{findings}}));
        is($j->{code}, $verdict{$case} eq 'slow' ? 0 : 3, "$case: exit code");
        my ($f) = grep { $_->{verdict} eq $verdict{$case} } @{$j->{findings}};
        ok($f->{evidence} && $f->{advice}, "$case: evidence and advice");
        like(join("\n", @{$f->{evidence}}), $evidence{$case} // qr/\S/, "$case: what the evidence says");
        like($f->{summary}, qr/; it hangs$/, 'the proxy has not ended, it hangs') if $case eq 'proxy';
      }
    }
    kill('KILL', $_->{pid}) for values %p;
    for my $case (@cases) {
        finish($p{$case});
        my $j = diagnose(segment_of($p{$case}));
        is(join(' ', glob("{/dev/shm,/tmp}/grosr-stall-$p{$case}{pid}*")), '', 'pipe: its FIFO is not left behind') if $case eq 'pipe';
        forget($p{$case});
        # Only what still moves can have been something else in its last second, short of processors.
        for (my $tries = 0; cannot_be_seen($case, $j) && $tries < 4; $tries++) {
            $j = killed_while_slow($case);
        }
      SKIP: {
        skip("$case: the machine is short of processors", 2) if cannot_be_seen($case, $j);
        is($j->{verdict}, $verdict{$case}, "$case: the same after kill -9");
        names_are_right($case, $j, "$case: who and what") or diag(join("\n", map { "$_->{kind}: $_->{summary}" } @{$j->{findings}}));
      }
    }
}

my @stuck = sort keys %stuck;
try_live(splice(@stuck, 0, 8)) while @stuck;
try_live(sort keys %slow);

# ---- without events of who holds what ----

{
    my @some = qw(locks2 ring abandoned dependency hotlock long idle);
    my %p = map { $_ => begin($_, '--level', 'counters') } @some;
    await_sessions(values %p);
    for my $case (qw(locks2 ring abandoned)) {
        my $j;
        until_true(sub { ($j = diagnose($p{$case}{pid}))->{verdict} eq 'stalled' }, 40);
        is(join(' ', $j->{verdict}, map { $_->{kind} } @{$j->{findings}}), 'stalled holder_not_recorded',
           "$case at level counters is stuck, and who holds what is not made up");
        like($j->{findings}[0]{advice}, qr/--level spans/, 'which level says it');
    }
    my $stuck;
    until_true(sub { ($stuck = diagnose($p{dependency}{pid}))->{verdict} eq 'stalled' }, 40);
    is(join(' ', $stuck->{verdict}, map { $_->{kind} } @{$stuck->{findings}}), 'stalled dependency_never_met',
       'dependency at level counters: what the counters say is enough');
    is(diagnose($p{$_}{pid})->{verdict}, 'healthy', "$_ at level counters: nothing is stuck") for qw(hotlock long);
    my %said = map { $_ => diagnose($p{$_}{pid})->{verdict} } @some;
    for my $case (@some) {
        kill('KILL', $p{$case}{pid});
        finish($p{$case});
        is(diagnose(segment_of($p{$case}))->{verdict}, $said{$case}, "$case at level counters: the same after kill -9");
        forget($p{$case});
    }
}

# A trace without events says what it does not know.
for my $case (qw(dependency idle)) {
    my $r = grosr('run', "stall:$case", '--device', 'host', '--workers', '4', '--level', 'counters', '--seconds', '2', '-o', "$dir/c.db");
    my $j = json_of(grosr('diagnose', "$dir/c.db", '--json'));
    is(join(' ', $j->{verdict}, map { $_->{kind} } @{$j->{findings}}), $case eq 'idle' ? 'healthy' : 'healthy not_reporting',
       "$case, recorded at level counters") or diag($r->{stderr}, explain($j));
}

# ---- nothing wrong ----

{
    my %p = map { $_ => begin($_) } @nothing;
    await_sessions(values %p);
    my %seen;
    for my $look (1 .. 3) {
        $seen{$_}{diagnose($p{$_}{pid})->{verdict}} = 1 for @nothing;
    }
    is(join(' ', sort keys %{$seen{$_}}), $verdict{$_}, "$_: $verdict{$_} each time") for @nothing;
    kill('STOP', $p{burst}{pid});
    sleep(1.5);    # longer than the threshold
    my $j = diagnose($p{burst}{pid});
    is("$j->{verdict} $j->{code}", 'healthy 0', 'a paused process is healthy');
    is(join(' ', map { $_->{kind} } @{$j->{findings}}), 'process_stopped', 'and said to be paused');
    kill('CONT', $p{burst}{pid});
    sleep(0.3);    # so that it has moved since then when it is killed
    kill('KILL', $_->{pid}) for values %p;
    for my $case (@nothing) {
        finish($p{$case});
        is(diagnose(segment_of($p{$case}))->{verdict}, $verdict{$case}, "$case: the same after kill -9");
        forget($p{$case});
    }
}

# ---- from a recording of a run that was killed ----

{
    my %p = map { $_ => begin($_, '-o', "$dir/$_.db") } @traced, 'long';
    for my $case (@traced) {
        until_true(sub { segment_of($p{$case}) && diagnose($p{$case}{pid})->{verdict} eq $verdict{$case} }, 40)
            or diag("$case: not stuck");
    }
    kill('KILL', $_->{pid}) for values %p;
    finish($_) for values %p;
    for my $case (@traced, 'long') {
        until_true(sub { (peek("$dir/$case.db", "SELECT count(*) FROM GROSR_META WHERE key = 'complete'") || 0) > 0 });
        my @found = sql("$dir/$case.db", 'SELECT kind, verdict, workers, resources, cycle FROM findings ORDER BY since');
        my ($j) = {findings => [map { my $f = $_; +{%$f, map { $_ => json_of($f->{$_} || '[]') } qw(workers resources cycle)} } @found]};
        if ($case eq 'long') {
            is(join(' ', grep { $_ ne 'healthy' } map { $_->{verdict} } @found), '', 'long: nothing wrong in its recording');
        } else {
            names_are_right($case, $j, "$case: the same in its recording");
        }
        forget($p{$case});
    }
}

# ---- in order, to the end; and what the trace then says of when it was stopped ----

# Runs them for so long, recorded, and ends them in one way and the other.
sub end_in_order
{
    my ($seconds, @some) = @_;
    my $n = 0;
    my %end = map { $_ => (qw(INT TERM seconds))[$n++ % 3] } @some;
    my %p = map { $_ => start($GROSR, 'run', "stall:$_", '--device', 'host', '--workers', '4', '-o', "$dir/$_.db",
                              $end{$_} eq 'seconds' ? ('--seconds', $seconds) : ()) } @some;
    await_sessions(values %p);
    sleep($seconds);
    $end{$_} ne 'seconds' && kill($end{$_}, $p{$_}{pid}) for @some;
    for my $case (@some) {
        finish($p{$case}, 20);
        my $by = $end{$case} eq 'seconds' ? '--seconds' : "SIG$end{$case}";
        is("$p{$case}{code} $p{$case}{signal}", $end{$case} eq 'seconds' ? '0 0' : '1 0', "$case: ended by $by")
            or diag($p{$case}{stderr});
        is(join(' ', segments($p{$case}{pid}), grep { -e } "/dev/shm/grosr-stall-$p{$case}{pid}"), '', 'and nothing is left');
    }
}

# Of a case that was stopped. A stuck one may have had no time to get stuck: then it has more of it.
sub judge_stopped
{
    my ($case) = @_;
    my $of_trace = sub { json_of(grosr('diagnose', "$dir/$case.db", '--json', $stuck{$case} ? ('--threshold', '0.3') : ())) };
    my $j = $of_trace->();
    if (!$stuck{$case} && !$slow{$case}) {
        like($j->{verdict}, qr/^(?:healthy|idle)$/, "$case: nothing wrong when it was stopped") or diag(explain($j));
        return;
    }
    for my $seconds (4, 10) {
        last unless $j->{verdict} =~ /^(?:healthy|idle)$/;
        end_in_order($seconds, $case);
        $j = $of_trace->();
    }
  SKIP: {
    skip("$case: the machine is short of processors", 2) if cannot_be_seen($case, $j);
    is($j->{verdict}, $verdict{$case}, "$case: the verdict of when it was stopped") or diag(explain($j));
    names_are_right($case, $j, "$case: who and what") or diag(explain($j));
  }
}

my @all = sort keys %verdict;
while (my @some = splice(@all, 0, 8)) {
    end_in_order(2, @some);
    judge_stopped($_) for @some;
}
says_one_line(grosr('run', 'stall:locks2', '--device', 'host', '--workers', '2'), 1, qr/need 4 workers/, 'too few workers');

done_testing();
