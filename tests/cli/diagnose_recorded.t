#!/usr/bin/perl
# `grosr diagnose FILE` of a trace that is still being recorded: it is the process that is diagnosed, as by its number, while
# it lives and when it has left its session; never another one that has its number. Where there is none, the diagnosis says
# that it does not know. Of our own runtime, and of a program that knows nothing of GROSR (with the double of the driver
# and of CUPTI).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use File::Basename qw(dirname);
use Grosr;
use Test::More;

have('python3') or plan(skip_all => 'python3 is not installed');
my $dir = scratch();
my $program = dirname($GROSR) . '/tests/traced/stuck_calls';
delete @ENV{qw(CUDA_INJECTION64_PATH GROSR_PERSISTENT CUDA_LAUNCH_BLOCKING CUDA_MODULE_LOADING CUDA_DEVICE_MAX_CONNECTIONS)};

sub ask { return start($GROSR, 'diagnose', $_[0], '--json') }

# What a diagnosis was: exit code, verdict, and the kind of the worst finding.
sub answer
{
    my ($asked) = @_;
    my $r = finish($asked);
    my $j = $r->{code} == 0 || $r->{code} == 3 ? json_of($r) : {};
    $j->{said} = join(' ', $r->{code}, $j->{verdict} // $r->{stderr}, $j->{findings} && @{$j->{findings}} ? $j->{findings}[0]{kind} : ());
    return $j;
}

# The file as it is now, as another machine would have it where a process has the same number.
sub take_away
{
    my ($from, $to) = @_;
    my $r = run_it('python3', '-c', 'import sqlite3, sys; a = sqlite3.connect(sys.argv[1]); b = sqlite3.connect(sys.argv[2]); ' .
                   'a.backup(b); b.execute("UPDATE GROSR_SESSION SET start_mono_ns = start_mono_ns + 1"); b.commit()', $from, $to);
    is($r->{code}, 0, 'the trace is copied while it is written') or diag($r->{stderr});
}

# Each of these is stuck when it has lasted for so long.
my %started = (locks2 => start($GROSR, 'run', 'stall:locks2', '--device', 'host', '--workers', '4', '--seconds', '599',
                               '-o', "$dir/locks2.db"));
my %pid = (locks2 => $started{locks2}{pid});
my %found = (locks2 => '3 deadlock lock_cycle');
my %away = (locks2 => qr/^(?:0 healthy not_reached|3 deadlock lock_cycle)$/);    # as far as it has been recorded
if (-x $program) {
    local %ENV = (%ENV, GROSR_CUPTI => dirname($GROSR) . '/tests/traced/double/libcuda.so.1', CUPTI_DOUBLE => 'stuck');
    $started{free} = start($GROSR, 'record', '-o', "$dir/free.db", '--', $program, 'free');
    $found{free} = '3 stalled hidden_wait';
    $away{free} = qr/^0 healthy not_reached$/;
}
for my $case (sort keys %started) {
    ok(until_true(sub { ($pid{$case}) = children($started{$case}{pid}) if $case eq 'free';
                        return $pid{$case} && peek("$dir/$case.db", 'SELECT count(*) FROM GROSR_SESSION') }, 20), "$case is recorded");
    ok(until_true(sub { grosr('diagnose', $pid{$case})->{code} == 3 }, 30), 'and stuck');
}
take_away("$dir/$_.db", "$dir/$_-away.db") for sort keys %started;
{
    my %asked = map { $_ => ask("$dir/$_.db") } keys %started;
    my %away_asked = map { $_ => ask("$dir/$_-away.db") } keys %started;
    for my $case (sort keys %started) {
        my $j = answer($asked{$case});
        is($j->{said}, $found{$case}, "$case: while it is recorded, what its process is in");
        like($j->{source}, qr/^process $pid{$case}\b/, "$case: of that process");
        unlike($j->{source}, qr/trace/, "$case: and not of the trace");
        $j = answer($away_asked{$case});
        like($j->{said}, $away{$case}, "$case: not of another process that has its number");
        my ($f) = grep { $_->{kind} eq 'not_reached' } @{$j->{findings}};
        like($f->{summary}, qr/not known what process $pid{$case} is in/, "$case: which is said");
        like($f->{advice}, qr/grosr diagnose PID.*grosr recover/, "$case: with what to do");
    }
}
my $text = grosr('diagnose', "$dir/locks2-away.db")->{stdout};
like($text, qr/as far as it has been recorded/, 'the text says how far the trace goes') or diag($text);

# Its recorder is killed, then it is, then what it left is gone.
SKIP: {
    skip('built without CUPTI\'s header: the CUDA toolkit has it', 4) unless $started{free};
    kill('KILL', $started{free}{pid});
    finish($started{free});
    is(answer(ask("$dir/free.db"))->{said}, $found{free}, 'a program whose recorder was killed');
    kill('KILL', $pid{free});
    until_true(sub { !process_runs($pid{free}) });
    my $j = answer(ask("$dir/free.db"));
    is($j->{said}, $found{free}, 'and has left its session');
    like($j->{source}, qr/\Q$pid{free}\E/, 'which is read');
    unlink(segments($pid{free}));
    is(answer(ask("$dir/free.db"))->{said}, '0 healthy not_reached', 'nothing is known of one that has not');
}

# The recording ends, and the trace says it by itself.
kill('TERM', $pid{locks2});
finish($started{locks2});
my $j = answer(ask("$dir/locks2.db"));
is($j->{said}, $found{locks2}, 'a run that was stopped');
like($j->{source}, qr/of the trace .*as of when it was stopped/, 'as of when it was');
is(value("$dir/locks2.db", "SELECT group_concat(kind || (time = stopped)) FROM findings JOIN GROSR_SESSION USING (session)"), 'lock_cycle1',
   'is a row, with that time');
done_testing();
