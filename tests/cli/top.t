#!/usr/bin/perl
# `grosr top`: what a live session does, as JSON, as a frame of text and on the screen.
use strict;
use warnings;
use File::Basename qw(dirname);
use FindBin;
use lib $FindBin::Bin;
use Grosr;
use JSON::PP;
use Test::More;

my $dir = scratch();
my $run = live('--tasks', '50000');
my $pid = $run->{pid};
ok(!ended($run), 'a run is going on') or BAIL_OUT('no live run');

sub top
{
    my @option = ref $_[0] ? (shift()) : ();
    return grosr(@option, 'top', @_);
}

sub is_number
{
    my ($value) = @_;
    return defined $value && !ref $value && JSON::PP->new->allow_nonref->encode($value) =~ /\A-?[0-9.eE+-]+\z/;
}

sub fields
{
    my ($object, $name, @fields) = @_;
    is(join(' ', grep { !is_number($object->{$_}) } @fields), '', "$name: " . join(', ', @fields));
}

# ---- JSON ----

my $r = top($pid, '--once', '--json');
is("$r->{code} $r->{stderr}", '0 ', 'top PID --once --json');
my $j = json_of($r);
fields($j->{session}, 'session', qw(pid uptime_ns));
like($j->{session}{$_} // '', qr/\S/, "session: $_") for qw(device device_name level);
is($j->{session}{pid}, $pid, 'session: the process that was asked for');
is("$j->{session}{device} $j->{session}{level}", 'host spans', 'session: host, spans');
is(scalar(@{$j->{queues}}), 1, 'one queue');
fields($j->{queues}[0], 'queues', qw(capacity depth max_depth enqueued dequeued oldest_wait_ns));
like($j->{queues}[0]{name}, qr/\S/, 'queues: name');
cmp_ok(scalar(@{$j->{sms}}), '>=', 1, 'SMs');
fields($_, 'sms', qw(id workers busy_pct occupancy_pct)) for @{$j->{sms}};
for my $sm (@{$j->{sms}}) {
    ok($sm->{busy_pct} >= 0 && $sm->{busy_pct} <= 100 && $sm->{occupancy_pct} > 0 && $sm->{occupancy_pct} <= 100,
       'sms: shares between 0 and 100');
}
fields($j->{tasks}, 'tasks', qw(enqueued completed run spawned shared done done_per_s completed_per_s));
is($j->{tasks}{spawned}, 0, 'tasks: arith spawns none');
cmp_ok($j->{tasks}{done}, '>=', $j->{tasks}{completed}, 'tasks: none is completed and not done');
fields($j->{trace}, 'trace', qw(written read dropped overwritten));
is_deeply($j->{stalls}, [], 'stalls: none');
like($j->{verdict}, qr/^(?:healthy|idle)$/, 'the verdict');
ok(exists $j->{syscalls} && !defined $j->{syscalls}, 'syscalls: null, for this runtime has none');
fields($j->{allocator}, 'allocator', qw(arena_bytes reserved_bytes requested_bytes live internal_fragmentation external_fragmentation));
is(ref $j->{allocator}{classes}, 'ARRAY', 'allocator: classes');

# ---- system calls ----

{
    my $reader = start($GROSR, 'run', 'read', '--device', 'host', '--workers', 3, '--seconds', 100);
    my $its = $reader->{pid};
    ok(until_true(sub { my $r = top($its, '--once', '--json');
                         $r->{code} == 0 && (json_of($r)->{syscalls}{completed} // 0) > 100 }), 'read makes system calls');
    my $s = json_of(top($its, '--once', '--json'))->{syscalls};
    fields($s, 'syscalls', qw(slots pending completed failed refused completed_per_s read_bytes written_bytes bytes_per_s handles
                              p50_ns p99_ns));
    is("$s->{slots} $s->{handles} $s->{failed}", '64 1 0', 'syscalls: ports, an open file, no failures');
    ok($s->{p50_ns} > 0 && $s->{p50_ns} <= $s->{p99_ns}, 'syscalls: p50 <= p99');
    ok($s->{pending} <= 64 && (!$s->{pending} || $s->{oldest}{call} eq 'pread'), 'syscalls: the oldest that is pending');
    like(top($its, '--once')->{stdout}, qr/^ syscalls .* done .* pending/m, 'text: a line of them');
    kill('INT', $its);
    finish($reader);
}

# ---- the counters agree with each other, however often one looks ----

my ($off, $back, $before) = (0, 0, undef);
for (1 .. 20) {
    my $now = json_of(top($pid, '--once', '--json', '--interval', '0.05'));
    my $q = $now->{queues}[0];
    $off++ unless $q->{dequeued} <= $q->{enqueued} && $q->{depth} == $q->{enqueued} - $q->{dequeued} &&
        $q->{depth} <= $q->{capacity} && $q->{depth} <= $q->{max_depth} + $q->{capacity} &&
        $now->{tasks}{completed} <= $q->{enqueued};
    $back++ if $before && ($q->{enqueued} < $before->{enqueued} || $q->{dequeued} < $before->{dequeued});
    $before = $q;
}
is($off, 0, 'depth = enqueued - dequeued, dequeued <= enqueued, completed <= enqueued, in each of 20 samples');
is($back, 0, 'and no counter goes back');
ok(until_true(sub { json_of(top($pid, '--once', '--json'))->{queues}[0]{dequeued} > $before->{dequeued} }),
   'tasks go on being taken');

# ---- text ----

my $frame = top({env => {COLUMNS => 80, LINES => 24}}, $pid, '--once');
is("$frame->{code} $frame->{stderr}", '0 ', 'top PID --once');
like($frame->{stdout}, qr/arith/, 'names the program');
like($frame->{stdout}, qr/submit/, 'has the queue');
like($frame->{stdout}, qr/SM/, 'has the SMs');
unlike($frame->{stdout}, qr/\e/, 'no colours when it is no terminal');
for my $size ([80, 24], [40, 10], [20, 5], [200, 60], [1, 1]) {
    my ($columns, $lines) = @$size;
    my $r = top({env => {COLUMNS => $columns, LINES => $lines}}, $pid, '--once');
    utf8::decode(my $text = $r->{stdout});
    my @rows = split(/\n/, $text);
    is("$r->{code} " . scalar(grep { length($_) > $columns } @rows) . ' ' . (@rows > $lines), '0 0 ',
       "a frame of $columns x $lines stays inside it");
}
my $ascii = top({env => {LC_ALL => 'C'}}, $pid, '--once');
like($ascii->{stdout}, qr/\A[\x20-\x7e\n]+\z/, 'ASCII in the C locale');
like(top($pid, '--once', '--color', 'always')->{stdout}, qr/\e\[/, '--color always has colours');
like(top({env => {NO_COLOR => 1}}, $pid, '--once')->{stdout}, qr/\A[^\e]+\z/, 'NO_COLOR has none');
is(top($pid)->{code}, 0, 'without --once, when stdout is no terminal: one frame');

# ---- a stream of samples ----

my $stream = start($GROSR, 'top', $pid, '--json', '--interval', '0.05');
ok(until_true(sub { (slurp($stream->{out}) =~ tr/\n//) >= 3 || ended($stream) }), '--json alone: a line each sample');
kill('INT', $stream->{pid});
finish($stream);
is("$stream->{code} $stream->{stderr}", '0 ', 'Ctrl-C ends it: exit 0');
is(scalar(grep { !eval { decode_json($_) } } split(/\n/, $stream->{stdout})), 0, 'every line is whole JSON');

# ---- which session ----

{
    # Others may run on this machine: the process is either the only one, or one that is named.
    my $r = top('--once', '--json');
    my $all = json_of(grosr('info', '--json'))->{sessions};
    ok(($r->{code} == 0 && json_of($r)->{session}{pid}) || ($r->{code} == 2 && $r->{stderr} =~ /\b$pid\b/),
       'without a PID: the only session, or the list of those there are') or diag($r->{stderr});
    ok((grep { $_->{pid} == $pid && $_->{program} eq 'arith' && $_->{alive} } @$all), '`info` lists the session');
}
says_one_line(top('0', '--once'), 2, qr/'0'/, 'PID 0');
says_one_line(top('-5', '--once'), 2, qr/5/, 'a negative PID');
says_one_line(top('12x', '--once'), 2, qr/12x/, 'no number');
says_one_line(top('99999999999999999999', '--once'), 2, qr/9999/, 'a number too large');
says_one_line(top($$, '--once'), 1, qr/no GROSR session/, 'a process without a session');
says_one_line(top($pid, '2', '--once'), 2, qr/'2'/, 'two of them');

# ---- the screen ----

SKIP: {
    skip('tmux is not installed', 13) unless have('tmux');
    skip("no pseudo-terminals: $!", 13) unless open(my $terminal, '+<', '/dev/ptmx');
    my $socket = "$dir/tmux";
    my @tmux = ('tmux', '-S', $socket, '-f', '/dev/null');
    my $ask = sub { return run_it(@tmux, @_)->{stdout} };
    for my $size ([80, 24], [40, 10]) {
        my ($columns, $lines) = @$size;
        my $name = "${columns}x$lines";
        run_it(@tmux, 'new-session', '-d', '-s', $name, '-x', $columns, '-y', $lines,
               "stty -g >'$dir/$name.before'; '$GROSR' top $pid --interval 0.1 2>'$dir/$name.err';" .
               " echo \"\$?\" >'$dir/$name.code'; stty -g >'$dir/$name.after'; echo back-again; exec cat");
        my $screen = '';
        my $shown = until_true(sub {
            $screen = $ask->('capture-pane', '-p', '-t', $name);
            return $screen =~ /submit/ && $screen =~ /SM/ && $screen =~ /arith/;
        });
        ok($shown, "$name: the queue and the SM grid are on the screen") or
            diag("$screen\n" . (slurp("$dir/$name.err") // '') . (slurp("$dir/$name.code") // ''));
        utf8::decode($screen);
        is(scalar(grep { length($_) > $columns } split(/\n/, $screen)), 0, "$name: inside its edges");
        if ($columns == 80) {
            run_it(@tmux, 'send-keys', '-t', $name, '?');
            ok(until_true(sub { $ask->('capture-pane', '-p', '-t', $name) =~ /quit/i }), "$name: ? helps");
            run_it(@tmux, 'send-keys', '-t', $name, '?');
            run_it(@tmux, 'send-keys', '-t', $name, 'l');
            ok(until_true(sub { json_of(top($pid, '--once', '--json'))->{session}{level} eq 'full' }),
               "$name: l switches the running kernel's trace level");
        }
        run_it(@tmux, 'send-keys', '-t', $name, 'q');
        ok(until_true(sub { $ask->('capture-pane', '-p', '-t', $name) =~ /back-again/ }), "$name: q ends it");
        is(slurp("$dir/$name.code"), "0\n", "$name: exit 0");
        is(slurp("$dir/$name.after"), slurp("$dir/$name.before"), "$name: the terminal is as it was");
    }
    my $pane = $ask->('capture-pane', '-p', '-t', '80x24');
    unlike($pane, qr/submit/, 'and the screen too');
    run_it(@tmux, 'kill-server');
}

# ---- the end of the session ----

$stream = start($GROSR, 'top', $pid, '--json', '--interval', '0.1');
until_true(sub { length(slurp($stream->{out})) || ended($stream) });
quit($run);
is($run->{code}, 1, 'the run is interrupted');
finish($stream);
is($stream->{code}, 0, 'whoever watched it ends too: exit 0') or diag($stream->{stderr});
like($stream->{stderr}, qr/\Agrosr: process $pid has [^\n]+\n\z/, 'and says why');
no_segments($run, 'no segment is left');
says_one_line(top($pid, '--once'), 1, qr/no process $pid/, 'a process that has ended');

# ---- a stall ----

my $stuck = dirname($GROSR) . '/tests/traced/stuck_workers';
SKIP: {
    skip("$stuck has not been built", 5) unless -x $stuck;
    my $p = start($stuck, 10);
    until_true(sub { segments($p->{pid}) });
    $j = until_true(sub { my $top = json_of(top($p->{pid}, '--once', '--json')); $top->{verdict} eq 'deadlock' && $top });
    is(scalar(@{$j->{stalls}}), 1, 'a deadlock: one entry in stalls');
    my $stall = $j->{stalls}[0];
    is("$stall->{kind} $stall->{worker} $stall->{resource}", 'lock_cycle 0 lock 1', 'its kind, worker and resource');
    cmp_ok($stall->{age_ns}, '>', 9e8, 'its age');
    like($stall->{text}, qr/^worker 0 waits for lock 1, which worker 1 holds/, 'and a sentence');
    $r = top({env => {COLUMNS => 120}}, $p->{pid}, '--once');
    like($r->{stdout}, qr/^ verdict +deadlock +\S+ +worker 0 waits for lock 1, which worker 1 holds/m, 'a line of the overview has it');
    kill('KILL', $p->{pid});
    finish($p);
    unlink(segments($p->{pid}));
}
done_testing();
