#!/usr/bin/perl
# What a command line may hold, and what a command may be started with: one clear line and the right exit code, no hang,
# and output that is either written or a failure.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Grosr;
use POSIX qw(mkfifo);
use Test::More;

my $dir = scratch();
my $db = "$dir/t.db";
my @arith = ('run', 'arith', '--device', 'host', '--tasks', '1000');
is(grosr(@arith, '-o', $db)->{code}, 0, 'a trace');

# Runs with a redirection of the shell's, to at most 20 s.
sub redirected
{
    my ($redirection, @command) = @_;
    return finish(start('sh', '-c', "exec \"\$0\" \"\$@\" $redirection", $GROSR, @command), 20);
}

# ---- what is no file ----

mkfifo("$dir/fifo", 0600) or die "mkfifo: $!";
symlink("$dir/nowhere/x", "$dir/dangling") or die "symlink: $!";
symlink("$dir/circle", "$dir/circle") or die "symlink: $!";
for my $case (["$dir/fifo", 'no regular file'], ['/dev/null', 'no regular file'], ['/dev/zero', 'no regular file'],
              ["$dir/dangling", 'No such file or directory'], ["$dir/circle", 'Too many levels of symbolic links']) {
    my ($path, $text) = @$case;
    for my $command (['query', $path], ['query', $path, 'health'], ['info', $path], ['export', $path, '--format', 'chrome'],
                     ['recover', $path, '-o', "$dir/r.db"], ['diagnose', $path]) {
        says_one_line(finish(start($GROSR, @$command), 20), 1, qr/\Q$text\E$/, "$command->[0] of $path");
    }
    says_one_line(grosr('top', $path, '--once'), 2, qr/is not a process id/, "top of $path");
}
says_one_line(finish(start($GROSR, @arith, '-o', "$dir/fifo"), 20), 1, qr/left alone/, 'run -o onto a FIFO');
says_one_line(finish(start($GROSR, 'record', '-o', "$dir/fifo", '--', 'true'), 20), 1, qr/left alone/, 'record likewise');

# ---- operands and options ----

for my $command (['query', ''], ['query', '', 'health'], ['info', ''], ['export', ''], ['recover', ''], ['run', ''], ['bench', ''],
                 ['top', ''], ['help', ''], ['record', '--', '']) {
    says_one_line(grosr(@$command), 2, qr/''/, "'@$command' with an empty operand");
}
says_one_line(grosr('help', 'nosuch'), 2, qr/no command 'nosuch'/, 'help for what is no command');
says_one_line(grosr('help', 'run', 'top'), 2, qr/unexpected operand 'top'/, 'help for two commands');
says_one_line(grosr('--help', 'x'), 2, qr/unexpected operand 'x'/, '--help with an operand');
says_one_line(grosr('--version', 'x'), 2, qr/unexpected operand 'x'/, '--version with an operand');
says_one_line(grosr('--', 'run'), 2, qr/'--'/, 'nothing before the command');
says_one_line(grosr('run', "a\nb"), 2, qr/no workload 'a\\nb'/, 'a line feed in an operand');
says_one_line(grosr('recover', "a\n\e[31mb"), 1, qr/a\\n\\x1b\[31mb/, 'a control sequence in an operand');
like(grosr('help')->{stdout}, qr/^Exit code: 0 [^,]*, 1 [^,]*, 2 [^,]*, 3 a stall was found, 4 [^,]*\. /m, 'help names the exit codes');
my @numbers = ('', '0', '-1', '1x', ' 1', '1 ', '+1', "1\n", '1e3', '0x10', 'nan', 'inf', '18446744073709551616', '9' x 40);
for my $number (@numbers) {
    my $shown = $number =~ s/\n/\\n/gr;
    for my $command (['run', 'arith', '--tasks'], ['run', 'arith', '--workers'], ['record', '--attach'], ['export', $db, '--from'],
                     ['bench', 'trace', '--repetitions']) {
        says_one_line(grosr(@$command, $number), 2, qr/takes a (?:whole number from|process id,) .* not '\Q$shown\E'$/,
                      "$command->[-1] '$shown'");
    }
    says_one_line(grosr('top', '1', '--interval', $number), 2, qr/takes seconds from .* not '\Q$shown\E'$/, "--interval '$shown'");
}
is(json_of(grosr(@arith, '--tasks', '7', '--json'))->{tasks}, 7, 'of an option that is given twice, the last counts');

for my $command ('run', 'bench', 'query') {
    my $list = json_of(grosr($command, '--list', '--json'));
    ok(ref $list eq 'ARRAY' && @$list > 2 && !grep({ !length($_->{name} // '') || !length($_->{description} // '') } @$list),
       "$command --list --json: names and descriptions");
    my @lines = split(/\n/, grosr($command, '--list')->{stdout});
    my %known = map { (split)[0] => 1 } @lines;
    is(join(' ', grep { !$known{$_->{name}} } @$list), '', 'those of --list');
}

# ---- streams that are closed, or full ----

for my $command ([@arith], [@arith, '--json'], ['run', '--list'], ['run', '--list', '--json'], ['bench', '--list'], ['help'],
                 ['help', 'run'], ['run', '--help'], ['--version'], ['query', $db, 'health'], ['query', '--list'], ['info', $db],
                 ['info', '--json'], ['export', $db, '--format', 'chrome'], ['export', $db, '--format', 'csv']) {
    my $name = join(' ', map { s{^.*/}{}r } @$command);
    says_one_line(redirected('>/dev/full', @$command), 1, qr/cannot write the output: No space left on device/, "$name >/dev/full");
    says_one_line(redirected('>&-', @$command), 1, qr/cannot write the output: Bad file descriptor/, "$name >&-");
    my $r = redirected('<&- >&- 2>&-', @$command);
    is("$r->{code} $r->{signal}", '1 0', "$name with all of them closed");
    $r = redirected('<&- 2>&-', @$command);
    is("$r->{code} $r->{signal}", '0 0', "$name with stdin and stderr closed");
    ok(length($r->{stdout}), 'has its output');
}
{
    my $r = redirected('<&- >&- 2>&-', 'record', '-o', "$dir/closed.db", '--', $GROSR, @arith);
    is("$r->{code} $r->{signal}", '1 0', 'a recording of a program that cannot write');
    integrity("$dir/closed.db", 'messages are not written into the trace');
    is(value("$dir/closed.db", 'SELECT verdict FROM trace_health WHERE ring IS NULL'), 'complete', 'which is complete');
}

# ---- terminals and locales ----

{
    my $run = live();
    for my $term ('', 'dumb', 'no-such-terminal', 'xterm') {
        for my $locale ('C', 'C.UTF-8', 'xx_YY.UTF-8') {
            my $r = grosr({env => {TERM => $term, LC_ALL => $locale}}, 'top', $run->{pid}, '--once');
            is("$r->{code} $r->{stderr}", '0 ', "top --once, TERM '$term', locale $locale");
            like($r->{stdout}, qr/submit/, 'is a frame');
        }
    }
  SKIP: {
        skip('tmux is not installed', 1) unless have('tmux');
        skip("no pseudo-terminals: $!", 1) unless open(my $terminal, '+<', '/dev/ptmx');
        my @tmux = ('tmux', '-S', "$dir/tmux", '-f', '/dev/null');
        run_it(@tmux, 'new-session', '-d', '-s', 'keep', 'exec cat');
        for my $size ([1, 1], [10, 3], [3, 10]) {
            my ($columns, $lines) = @$size;
            my $name = "${columns}x$lines";
            run_it(@tmux, 'new-session', '-d', '-s', $name, '-x', $columns, '-y', $lines,
                   "sh -c 'echo \$\$ >$dir/$name.pid; exec $GROSR top $run->{pid} --interval 0.05'; echo \$? >$dir/$name.code");
            ok(until_true(sub { (slurp('/proc/' . (0 + (slurp("$dir/$name.pid") || 0)) . '/cmdline') // '') =~ /top/ }), "top on $name");
            run_it(@tmux, 'send-keys', '-t', $name, '?');
            run_it(@tmux, 'send-keys', '-t', $name, '?');
            run_it(@tmux, 'send-keys', '-t', $name, 'q');
            ok(until_true(sub { length(slurp("$dir/$name.code") // '') }), 'ends by a key');
            is(slurp("$dir/$name.code"), "0\n", 'exit 0');
        }
        for my $term ('dumb', $GROSR =~ /asan/ ? () : 'no-such-terminal') {    # of which ncurses leaks what it has
            run_it(@tmux, 'new-session', '-d', '-s', $term,
                   "TERM=$term $GROSR top $run->{pid} 2>$dir/$term.err; echo \$? >$dir/$term.code");
            ok(until_true(sub { length(slurp("$dir/$term.code") // '') }), "top on a terminal that cannot show it ($term)");
            like(slurp("$dir/$term.err"), qr/\Agrosr: this terminal \(TERM=$term\) cannot show [^\n]*\n\z/, 'a line');
            is(slurp("$dir/$term.code"), "1\n", 'exit 1');
        }
        run_it(@tmux, 'kill-server');
    }
    quit($run);
}

done_testing();
