#!/usr/bin/perl
# Signals, whichever and however many: the session's segment goes, the trace is closed, no process is left behind, and a
# terminal is as it was. And the signal that a truncated segment raises in its readers.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Grosr;
use Test::More;
use Time::HiRes qw(sleep);

my $dir = scratch();
# What the caller ignores, nohup's SIGHUP, would be ignored by the commands too.
$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP QUIT);
my @arith = ('arith', '--device', 'host', '--seconds', '600', '--rate', '100000');
my $verdict = 'SELECT verdict FROM trace_health WHERE ring IS NULL';
my $rows = 'SELECT count(*) FROM GROSR_TASK';

sub catches_signals
{
    my ($pid) = @_;
    my $status = slurp("/proc/$pid/status") // '';
    return $status =~ /^SigCgt:\s*[0-9a-f]*([0-9a-f])$/m && hex($1) & 4;    # SIGQUIT, which Perl leaves alone
}

# Sends signals to a process group, so many seconds apart.
sub send_all
{
    my ($p, $pause, @signals) = @_;
    for my $signal (@signals) {
        signal_group($p, $signal);
        sleep($pause) if $pause;
    }
}

# ---- at any time, in any order ----

my @storms = (['INT INT', 0], ['INT INT', 0.001], ['TERM INT', 0], ['HUP', 0], ['QUIT', 0], ['QUIT TERM HUP INT INT INT', 0.01],
              ['INT TERM INT HUP QUIT', 0.05]);
for my $kind ('run', 'run -o', 'record') {
    my $n = 0;
    for my $storm (@storms) {
        my ($signals, $pause) = @$storm;
        my $db = "$dir/storm.db";
        unlink(glob("$db*"));
        my @command = $kind eq 'run' ? ('run', @arith) : $kind eq 'run -o' ? ('run', @arith, '-o', $db)
            : ('record', '-o', $db, '--', $GROSR, 'run', @arith);
        my $p = start($GROSR, @command);
        my $name = "$kind, SIG$signals" . ($pause ? ", $pause s apart" : '');
        # Every other time as soon as there is somebody to catch them, which is while the session is opened.
        until_true(sub { ended($p) || catches_signals($p->{pid}) });
        if ($n++ % 2 == 0 || $kind eq 'record') {
            until_true(sub { ended($p) || ($kind eq 'run' ? segments($p->{pid}) : (peek($db, $rows) || 0) > 100) });
        }
        my @children = children($p->{pid});
        send_all($p, $pause, split(/ /, $signals));
        finish($p);
        is("$p->{code} $p->{signal}", '1 0', "$name: exit 1");
        is(join(' ', map { segments($_) } $p->{pid}, @children), '', 'no segment is left');
        ok(until_true(sub { !grep { process_runs($_) } @children }, 10), 'nor a process');
        next if $kind eq 'run';
        is(value($db, $verdict), 'complete', 'the trace is complete');
        is(join(' ', glob("$db-*")), '', 'and has no journal');
    }
}
{
    my $db = "$dir/closing.db";
    my $p = start($GROSR, 'run', @arith, '-o', $db);
    my ($collector) = until_true(sub { children($p->{pid}) });
    until_true(sub { (peek($db, $rows) || 0) > 1000 });
    kill('STOP', $collector);    # so that the run waits for it
    signal_group($p, 'INT');
    until_true(sub { signal_group($p, 'INT'); sleep(0.05); slurp($p->{err}) =~ /being closed/ }, 30);
    like(slurp($p->{err}), qr/the trace is being closed; grosr ends when it is complete/,
         'a signal while the trace is being closed: a line says what is waited for');
    kill('CONT', $collector);
    signal_group($p, 'TERM');
    finish($p);
    is("$p->{code} $p->{signal} " . value($db, $verdict), '1 0 complete', 'and the trace is complete');
    no_segments($p, 'no segment is left');
}

# ---- a program that `record` has started gets them, and what it does with them is its affair ----

{
    my $p = start($GROSR, 'record', '-o', "$dir/hup.db", '--', $GROSR, 'run', @arith);
    my $program = until_true(sub { peek("$dir/hup.db", $rows) && peek("$dir/hup.db", 'SELECT pid FROM GROSR_SESSION') });
    kill('HUP', $p->{pid});
    finish($p);
    is("$p->{code} $p->{signal} " . value("$dir/hup.db", $verdict), '1 0 complete', 'SIGHUP to `record` alone: as SIGTERM');
    ok(!process_runs($program) && !segments($program), 'its program has ended, in order');

    $p = start($GROSR, 'record', '-o', "$dir/sh.db", '--', 'sh', '-c', 'echo $PPID; kill -INT $$; echo not reached');
    finish($p);
    like($p->{stderr}, qr/sh was killed by signal 2/, 'a program has the signals as they were before');
    is("$p->{code} $p->{signal}", '130 0', 'with the exit code that a shell gives it');
    unlike($p->{stdout}, qr/not reached/, 'and is ended by them');
}

# ---- readers that have gone ----

{
    my $db = "$dir/pipe.db";
    my $p = run_it('sh', '-c', '"$0" run arith --device host --tasks 1000 -o "$1" | true; exit 0', $GROSR, $db);
    ok(until_true(sub { (peek($db, $verdict) || '') eq 'complete' }), 'stdout without a reader: the trace is complete');
    $p = start({out => '/dev/full'}, $GROSR, 'run', 'arith', '--device', 'host', '--tasks', '1000');
    finish($p);
    is($p->{code}, 1, 'stdout on a full disk: exit 1');
    like($p->{stderr}, qr/\Agrosr: cannot write the output: No space left on device\n\z/, 'with a line');
    no_segments($p, 'no segment is left');
}

# ---- a segment that is truncated under its readers ----

for my $bytes (0, 4096, 300000) {
    unlink("$dir/cut.db");    # or the one before is what is looked at
    my $run = live();
    my $path = "/dev/shm/grosr.$run->{pid}.0";
    my $top = start($GROSR, 'top', $run->{pid}, '--json', '--interval', '0.05');
    my $record = start($GROSR, 'record', '--attach', $run->{pid}, '-o', "$dir/cut.db");
    until_true(sub { slurp($top->{out}) =~ /\n/ && (peek("$dir/cut.db", $rows) || 0) > 100 });
    truncate($path, $bytes) or die "$path: $!";
    finish($_) for $top, $record, $run;
    says_one_line($top, 1, qr/process $run->{pid} has truncated its session segment/, "truncated to $bytes bytes: top");
    is("$record->{code} $record->{signal}", '1 0', 'record --attach: exit 1');
    like($record->{stderr}, qr/^grosr: process $run->{pid} has truncated its session segment; /m, 'with a line');
    is(value("$dir/cut.db", 'SELECT count(*) FROM GROSR_NOTE WHERE topic = \'truncated\''), 1, 'and a note in the trace');
    balanced("$dir/cut.db", 'whose counters are those of what was read');
    cmp_ok(value("$dir/cut.db", $rows), '>', 100, 'and in which that is');
    unlink($path);
}

# ---- the terminal ----

SKIP: {
    skip('tmux is not installed', 1) unless have('tmux');
    skip("no pseudo-terminals: $!", 1) unless open(my $terminal, '+<', '/dev/ptmx');
    my @tmux = ('tmux', '-S', "$dir/tmux", '-f', '/dev/null');
    my $run = live();
    my $pid = $run->{pid};
    my $ask = sub { my $r = run_it(@tmux, @_); return $r->{stdout} // '' };
    my $shows = sub { my ($name) = @_; return $ask->('capture-pane', '-p', '-t', $name) =~ /submit/ };
    my $open = sub {
        my ($name) = @_;
        run_it(@tmux, 'new-session', '-d', '-s', $name, '-x', 80, '-y', 24,
               "stty -a >'$dir/$name.before'; sh -c 'echo \$\$ >$dir/$name.pid; exec $GROSR top $pid --interval 3600'" .
               " 2>'$dir/$name.err'; echo \"\$?\" >'$dir/$name.code'; stty -a >'$dir/$name.after'; exec cat");
        ok(until_true(sub { $shows->($name) }), "$name: top is on the screen");
        return 0 + slurp("$dir/$name.pid");
    };
    my $sane = sub {
        my ($name, $code) = @_;
        until_true(sub { length(slurp("$dir/$name.after") // '') });
        is(slurp("$dir/$name.code"), "$code\n", "$name: exit code $code");
        is(slurp("$dir/$name.after"), slurp("$dir/$name.before"), 'the terminal has its modes back');
        ok(until_true(sub {
            $ask->('display-message', '-p', '-t', $name, '#{alternate_on} #{cursor_flag} #{keypad_cursor_flag}') eq "0 1 0\n"
        }), 'the screen, the cursor and the keypad too');
    };
    run_it(@tmux, 'new-session', '-d', '-s', 'keep', 'exec cat');    # the server stays
    for my $case (['INT', 0], ['TERM', 0], ['HUP', 0], ['QUIT', 0], ['SEGV', 139], ['ABRT', 134], ['BUS', 135]) {
        my ($signal, $code) = @$case;
        next if $code && $GROSR =~ /asan/;    # which has an exit code of its own
        kill($signal, $open->($signal));
        $sane->($signal, $code);
    }
    $open->('key');
    run_it(@tmux, 'send-keys', '-t', 'key', 'C-\\');
    $sane->('key', 0);

    my $top = $open->('stopped');
    my ($tty) = $ask->('display-message', '-p', '-t', 'stopped', '#{pane_tty}') =~ /(\S+)/;
    my $clear = sub {
        open(my $screen, '>', $tty) or die "$tty: $!";
        print $screen "\e[2J";
        close($screen);
        return until_true(sub { !$shows->('stopped') });
    };
    ok($clear->(), 'somebody else clears the screen');
    run_it(@tmux, 'send-keys', '-t', 'stopped', 'C-l');
    ok(until_true(sub { $shows->('stopped') }), '^L draws it again');
    kill('STOP', $top);
    ok($clear->(), 'it is stopped, and the screen cleared');
    kill('CONT', $top);
    ok(until_true(sub { $shows->('stopped') }), 'it continues, and the screen is there again');
    run_it(@tmux, 'send-keys', '-t', 'stopped', 'q');
    $sane->('stopped', 0);

    run_it(@tmux, 'new-session', '-d', '-s', 'closed', "exec $GROSR run @arith -o $dir/closed.db");
    ok(until_true(sub { (peek("$dir/closed.db", $rows) || 0) > 100 }), 'a recorded run in a terminal');
    run_it(@tmux, 'kill-session', '-t', 'closed');
    ok(until_true(sub { (peek("$dir/closed.db", $verdict) || '') eq 'complete' }), 'which is closed: the trace is complete');
    run_it(@tmux, 'kill-server');
    quit($run);
}

done_testing();
