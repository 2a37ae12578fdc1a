# What the command-line tests share: starting `grosr` with a deadline, looking at what it printed, and reading traces.
#
# Nothing here sleeps for a fixed time: whatever must come is polled for until a generous deadline; a test sleeps only
# where time itself is its subject. Every process that
# a test starts is ended when the test ends, and only those; sessions are looked for by their pid, since others may
# run on the same machine.
package Grosr;

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use JSON::PP qw(decode_json);
use POSIX qw(:sys_wait_h setpgid);
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw($GROSR $ROOT $EVENTS_TOLD scratch slurp spew grosr run_it start finish ended signal_group until_true json_of
                 diagnosed diagnosed_as
                 says_one_line sql value peek until_read until_recorded segments no_segments balanced integrity live quit
                 children process_runs have needs_cuda needs_nvcc);

our $ROOT = abs_path(dirname(__FILE__) . '/../..');
our $GROSR = abs_path($ENV{GROSR} || "$ROOT/build/release/grosr") || '';
# All events of the workers' rings that were read can be found in the tables: a begin or an end each.
our $EVENTS_TOLD = <<'SQL';
SELECT (SELECT count(start) + count(end) FROM GROSR_TASK) +
       (SELECT count(start) + count(end) FROM GROSR_WAIT WHERE worker IS NOT NULL) +
       (SELECT count(start) + count(end) FROM GROSR_IDLE) +
       (SELECT count(start) + count(end) FROM GROSR_WORKER) +
       (SELECT count(*) FROM GROSR_INSTANT WHERE worker IS NOT NULL)
SQL
# What is only polled for is asked of the release build: under a sanitizer each question takes ten times as long. And so is
# what a test looks up in a trace that the build under test has opened and answered of before, as it is.
my $POLLED = -x "$ROOT/build/release/grosr" ? "$ROOT/build/release/grosr" : $GROSR;
my $TIMEOUT = 60;    # seconds that anything may take on a loaded machine
my %running;          # pid => process, of what this test started

-x $GROSR or plan(skip_all => 'there is no ' . ($ENV{GROSR} || 'build/release/grosr') . ': `make` builds it');
delete @ENV{qw(GROSR_COLLECTOR NO_COLOR COLUMNS LINES)};
$ENV{LC_ALL} = 'C.UTF-8';
$ENV{TERM} = 'xterm';

# A folder that goes when the test ends.
sub scratch { return tempdir('grosr-test-XXXXXX', TMPDIR => 1, CLEANUP => 1) }

sub slurp
{
    my ($path) = @_;
    open(my $file, '<:raw', $path) or return undef;
    local $/;
    my $text = <$file>;
    return defined $text ? $text : '';
}

sub spew
{
    my ($path, $text) = @_;
    open(my $file, '>:raw', $path) or die "cannot write $path: $!\n";
    print $file $text;
    close($file) or die "cannot write $path: $!\n";
}

sub have
{
    my ($program) = @_;
    return scalar grep { -x "$_/$program" } split(/:/, $ENV{PATH});
}

# ---- processes ----

# Starts a command in a process group of its own. Options come first, in a hash: out (a file for stdout), env. A run
# that continues until it is ended would take all the processors from what is tested on it: it gets what is left.
sub start
{
    my %option = ref $_[0] ? %{shift()} : ();
    my @command = @_;
    my $folder = scratch();
    my $p = {command => "@command", out => $option{out} || "$folder/out", err => "$folder/err"};

    spew($_, '') for grep { !m{^/dev/} } $p->{out}, $p->{err};

    my $pid = fork();
    defined $pid or die "cannot fork: $!\n";
    if ($pid == 0) {
        setpgid(0, 0);
        unlink(segments($$));    # of a process that had this number and was killed
        POSIX::nice(10) if "@command" =~ /^\S+ run .*--seconds 600\b/;
        %running = ();
        $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP);
        local %ENV = (%ENV, %{$option{env} || {}});
        open(STDIN, '<', '/dev/null');
        open(STDOUT, '>', $p->{out}) or POSIX::_exit(125);
        open(STDERR, '>', $p->{err}) or POSIX::_exit(125);
        { no warnings; exec { $command[0] } @command; }
        POSIX::_exit(124);
    }
    setpgid($pid, $pid);    # whoever comes first
    $p->{pid} = $pid;
    return $running{$pid} = $p;
}

# Whether it has ended; then its exit code, signal and output are known.
sub ended
{
    my ($p) = @_;
    return 1 if exists $p->{code};
    return 0 unless waitpid($p->{pid}, WNOHANG) == $p->{pid};
    my $status = $?;
    $p->{signal} = $status & 127;
    $p->{code} = $p->{signal} ? 128 + $p->{signal} : $status >> 8;    # as in a shell: who was killed has not succeeded
    $p->{stdout} = slurp($p->{out}) unless $p->{out} =~ m{^/dev/};
    $p->{stderr} = slurp($p->{err});
    delete $running{$p->{pid}};
    return 1;
}

# Waits for the end. A process that does not end within $seconds is killed, and its signal is 9.
sub finish
{
    my ($p, $seconds) = @_;
    return $p if until_true(sub { ended($p) }, $seconds || 2 * $TIMEOUT);
    diag("`$p->{command}` did not end; killed");
    kill('KILL', -$p->{pid});
    until_true(sub { ended($p) });
    return $p;
}

sub run_it { return finish(start(@_)) }

sub grosr
{
    my @option = ref $_[0] ? (shift()) : ();
    return run_it(@option, $GROSR, @_);
}

# The rest of the test needs a GPU: what `grosr info` knows; without one, the test is skipped.
sub needs_cuda
{
    my $info = json_of(grosr('info', '--json'));
    return $info if grep { $_->{device} eq 'cuda' } @{$info->{devices}};
    return plan(skip_all => 'no CUDA device: ' . ($info->{cuda_absent} // '?'));
}

# ... and a CUDA compiler: its path, and the toolkit's folder.
sub needs_nvcc
{
    my $home = $ENV{CUDA_HOME} || '/usr/local/cuda';
    my ($nvcc) = grep { -x } "$home/bin/nvcc", map { "$_/nvcc" } split(/:/, $ENV{PATH});
    return $nvcc ? ($nvcc, $home) : plan(skip_all => 'no CUDA toolkit');
}

# As the terminal's Ctrl-C: to all processes of the group.
sub signal_group
{
    my ($p, $signal) = @_;
    kill($signal, -$p->{pid});
}

# Polls until the code is true; returns its value, or nothing when the time is over.
sub until_true
{
    my ($code, $seconds) = @_;
    my ($end, $pause) = (time() + ($seconds || $TIMEOUT), 0.002);
    for (;;) {
        my $value = $code->();
        return $value if $value;
        return if time() > $end;
        sleep($pause);
        $pause *= 1.5 if $pause < 0.05;
    }
}

# Runs, and is no zombie: whose first thread is one runs as long as it has others, and has its files open.
sub process_runs
{
    my ($pid) = @_;
    my $stat = slurp("/proc/$pid/stat");
    return defined $stat && $stat =~ /\) ([A-Z])/ && ($1 !~ /[ZX]/ || (my @threads = glob("/proc/$pid/task/*")) > 1);
}

sub children
{
    my ($pid) = @_;
    my @found;
    for my $path (glob('/proc/[0-9]*/stat')) {
        my $stat = slurp($path);
        push @found, $1 if defined $stat && $stat =~ /^(\d+) \(.*\) [A-Z] $pid /s;
    }
    return @found;
}

# A traced or untraced run that goes on until quit(). Comes back when its session can be opened.
sub live
{
    my @arguments = @_;
    my @rate = (grep { $_ eq '--rate' } @arguments) ? () : ('--rate', 100000);    # enough to see, little enough for two processors
    my $p = start($GROSR, 'run', 'arith', '--device', 'host', '--seconds', '600', @rate, @arguments);
    my $open = until_true(sub {
        return 'ended' if ended($p);
        my $info = run_it($POLLED, 'info', '--json');
        return $info->{code} == 0 &&
            grep { $_->{pid} == $p->{pid} && $_->{state} eq 'running' } @{decode_json($info->{stdout})->{sessions}};
    });
    diag("a live run did not start: $p->{command}: " . ($p->{stderr} || '')) if !$open || $open eq 'ended';
    return $p;
}

sub quit
{
    my ($p) = @_;
    kill('INT', $p->{pid}) unless ended($p);
    return finish($p);
}

# ---- what it said ----

sub json_of
{
    my ($r) = @_;
    my $value = eval { decode_json(ref $r ? $r->{stdout} : $r) };
    diag("not JSON: $@" . (ref $r ? "$r->{stdout}\n$r->{stderr}" : $r)) if $@;
    return $value || {};
}

# `grosr diagnose` of each, {what, verdict}, at once, into its `diagnosis`. One that is to be found stuck may not have hung for
# long enough on a busy machine: it is asked again for a while. What a recorder knows of it may be half a second older.
sub diagnosed
{
    my ($options, @each) = @_;
    my $end = time() + 20;
    while (@each) {
        $_->{asked} = start($GROSR, 'diagnose', $_->{what}, '--json', @$options) for @each;
        $_->{diagnosis} = finish($_->{asked}) for @each;
        last if time() > $end;
        @each = grep { $_->{verdict} =~ /^(?:deadlock|stalled)$/ && $_->{diagnosis}{stdout} !~ /\A\{"verdict": "$_->{verdict}"/ } @each;
    }
}

sub diagnosed_as
{
    my ($what, $verdict, @options) = @_;
    my %one = (what => $what, verdict => $verdict);
    diagnosed(\@options, \%one);
    return $one{diagnosis};
}

# The contract for every fault: the exit code, nothing but one line on stderr, and that says what it should.
sub says_one_line
{
    my ($r, $code, $pattern, $name) = @_;
    my $good = $r->{code} == $code && !$r->{signal} && $r->{stderr} =~ /\Agrosr: [^\n]+\n\z/ &&
        $r->{stderr} =~ $pattern;
    ok($good, $name) or diag("`$r->{command}`: exit $r->{code} (wanted $code), signal $r->{signal}, stderr:\n" .
                             "$r->{stderr}wanted: grosr: ... $pattern");
    return $good;
}

# ---- traces ----

# The first question of a trace as it is now, which the build under test answers.
my %opened;
sub is_first
{
    my ($file) = @_;
    my $now = join(' ', $file, map { $_ // '-' } (Time::HiRes::stat($file))[1, 7, 9], -s "$file-wal");
    return !$opened{$now}++;
}

# The rows of a query on a trace, each a hash.
sub sql
{
    my ($file, $sql) = @_;
    my $r = run_it(is_first($file) ? $GROSR : $POLLED, 'query', $file, $sql, '--format', 'json');
    diag("$sql: exit $r->{code}: $r->{stderr}") if $r->{code};
    my $rows = $r->{code} ? [] : json_of($r);
    return ref $rows eq 'ARRAY' ? @$rows : ();
}

# The one value of a query on a trace.
sub value
{
    my ($row) = sql(@_);
    return $row ? (values %$row)[0] : undef;
}

# The books of every ring, of all together, and of every stream of records, balance.
sub balanced
{
    my ($file, $name) = @_;
    my @off = sql($file, 'SELECT * FROM trace_health WHERE unaccounted <> 0 OR unaccounted IS NULL OR ' .
                         'written <> read + dropped + overwritten + unstored');
    push @off, sql($file, 'SELECT * FROM GROSR_STREAM WHERE written <> read + dropped + unstored');
    my $rings = value($file, 'SELECT count(*) FROM trace_health');
    ok(!@off && $rings && $rings > 1, $name) or
        diag("rings that do not balance: ", JSON::PP->new->canonical->encode(\@off));
}

sub integrity
{
    my ($file, $name) = @_;
    is(value($file, 'PRAGMA integrity_check'), 'ok', $name);
}

# The same of a trace that is perhaps not there yet; no value is no failure.
sub peek
{
    my ($file, $sql) = @_;
    return unless -e $file;
    my $r = run_it($POLLED, 'query', $file, $sql, '--format', 'json');
    my $rows = $r->{code} ? [] : json_of($r);
    return ref $rows eq 'ARRAY' && @$rows ? (values %{$rows->[0]})[0] : undef;
}

# Waits until a recording that runs has read more than that many events; how many they are then.
sub until_read
{
    my ($file, $events) = @_;
    return until_true(sub { my $read = peek($file, 'SELECT sum(read) FROM GROSR_RING') || 0; $read > $events && $read });
}

# Waits until what it has read goes that many seconds beyond the session's beginning. (It keeps chunks: --window.)
sub until_recorded
{
    my ($file, $seconds) = @_;
    my $at = 'SELECT (max(drained_ns) - start_mono_ns) / 1e9 FROM GROSR_CHUNK, GROSR_SESSION';
    return until_true(sub { (peek($file, $at) || 0) > $seconds });
}

sub segments
{
    my ($pid) = @_;
    my @found = glob("/dev/shm/grosr.$pid.*");    # in scalar context glob() itself would go through them, call by call
    return @found;
}

sub no_segments
{
    my ($p, $name) = @_;
    is(join(' ', segments($p->{pid})), '', $name);
}

$SIG{$_} = sub { exit 1 } for qw(TERM INT HUP);    # so that what follows is done then too
END {
    my $status = $?;
    for my $p (values %running) {
        my @others = children($p->{pid});
        kill('KILL', $p->{pid});
        waitpid($p->{pid}, 0);
        kill('KILL', grep { process_runs($_) } @others);
        unlink(segments($p->{pid}));
    }
    $? = $status;
}

1;
