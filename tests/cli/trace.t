#!/usr/bin/perl
# A kernel of somebody's own, instrumented with grosr/trace.h: the example, built from an installed tree, is recorded from
# outside and from inside, while it runs and after it was killed. On the CPU here; tests/cuda/trace.t has it on a GPU.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Grosr;
use Test::More;

$GROSR eq "$ROOT/build/release/grosr" or plan(skip_all => 'another grosr is tested: ' . $GROSR);
have('pkg-config') or plan(skip_all => 'pkg-config is not installed');

my $dir = scratch();
my $prefix = "$dir/prefix";
my $db = "$dir/p.db";
my $pipe = "$dir/pipe";
delete @ENV{grep { /^(MAKE|MFLAGS|VARIANT$|LANES$|V$)/ } keys %ENV};
is(run_it('make', '-s', '-C', $ROOT, "PREFIX=$prefix", 'install')->{code}, 0, 'make install');

sub build
{
    my ($name, $command) = @_;
    my $built = run_it({env => {PKG_CONFIG_PATH => "$prefix/lib/pkgconfig"}}, '/bin/sh', '-c',
                       "cd $prefix/share/doc/grosr/example-trace && $command");
    is("$built->{code} $built->{stderr}", '0 ', "the example is built $name");
}

my $libraries = '$(pkg-config --cflags --libs grosr)';
build('by gcc', "gcc -O2 -std=gnu17 -Wall -Wextra -Werror -x c pipe.cu -x none -o $pipe $libraries");
build('compiled out, without the library', "gcc -O2 -Wall -Wextra -Werror -DGROSR_TRACE_DISABLED -x c pipe.cu -o $dir/out " .
      '$(pkg-config --cflags grosr) -lpthread');
is(run_it("$dir/out", 500)->{stdout}, "2000 items went through 4 channels\n", 'and does what it does');

SKIP: {
    my $home = $ENV{CUDA_HOME} || '/usr/local/cuda';
    my ($nvcc) = grep { -x } "$home/bin/nvcc", map { "$_/nvcc" } split(/:/, $ENV{PATH});
    skip('no CUDA toolkit', 2) unless $nvcc;
    build('by nvcc', "$nvcc -O3 -std=c++17 -arch=sm_90 -Werror all-warnings pipe.cu -o $dir/pipe-cuda $libraries");
    my ($gpu) = grep { $_->{device} eq 'cuda' } @{json_of(grosr('info', '--json'))->{devices}};
    skip('this machine has a CUDA device', 1) if $gpu;
    my $r = run_it("$dir/pipe-cuda");
    like("$r->{code} $r->{stderr}", qr/\A1 pipe: [^\n]+\n\z/, 'which without a GPU says so in a line');
}

# ---- all of it ----

# The rows of a table, by their names.
sub named
{
    my ($file, $table, $name) = @_;
    return "$table t JOIN GROSR_NAME n ON n.name = " .
        ($table =~ /WAIT|HOLD/ ? 't."index" >> 32' : 't.name') . " WHERE n.text = '$name'";
}
sub rows { my ($file, $table, $name, $what) = @_; return value($file, "SELECT $what FROM " . named($file, $table, $name)) }

sub holds_all
{
    my ($file, $items, $how) = @_;
    my $all = 4 * $items;
    my $sum = 4 * $items * ($items - 1) / 2;
    is(rows($file, 'GROSR_RANGE', $_, 'count(*)'), $all, "$how: every item is a range `$_`") for qw(produce consume);
    is(rows($file, 'GROSR_RANGE', $_, 'sum(value)'), $sum, 'with its number') for qw(produce consume);
    is(value($file, 'SELECT count(*) FROM GROSR_RANGE WHERE start > end OR start IS NULL OR end IS NULL'), 0, 'and its times');
    is(rows($file, 'GROSR_COUNTER', 'depth', 'count(*)'), $all, 'a counter each');
    is(rows($file, 'GROSR_HOLD', 'ledger', 'count(*) = count(t.end - t.start)'), 1, 'holds have an end');
    is(value($file, 'SELECT count(*) FROM GROSR_HOLD a JOIN GROSR_HOLD b ON a."index" = b."index" AND a.rowid < b.rowid ' .
                    'AND a.start < b.end AND b.start < a.end'), 0, 'and nobody holds what another holds');
    cmp_ok(rows($file, 'GROSR_WAIT', 'full slot', 'count(*)'), '>', 0, 'there are waits for what has a name');
    is(value($file, "SELECT count(*) FROM GROSR_WAIT w JOIN GROSR_RESOURCE_KIND k USING (resource) WHERE k.name <> 'named'"), 0,
       'and for nothing else');
    is(value($file, 'SELECT count(*) FROM workers WHERE start < end'), 16, '16 warps began and ended');
    is(value($file, 'SELECT verdict FROM trace_health WHERE ring IS NULL'), 'complete', 'the trace is complete');
    balanced($file, 'and balanced');
}

my $r = grosr('record', '-o', $db, '--', $pipe, 1000);
is("$r->{code} $r->{stdout}", "0 4000 items went through 4 channels\n", 'recorded from outside') or diag($r->{stderr});
holds_all($db, 1000, 'from outside');
is(value($db, 'SELECT device || program FROM GROSR_SESSION'), 'hostpipe', 'the session has its name');

$r = run_it($pipe, 1000, "$dir/own.db", $GROSR);
is("$r->{code} $r->{stderr}", '0 ', 'recorded from inside');
holds_all("$dir/own.db", 1000, 'from inside');
no_segments($r, 'no segment is left');

$r = run_it($pipe, 10, "$dir/none/t.db", $GROSR);
like("$r->{code} $r->{stderr}", qr/\A1 grosr: [^\n]*\npipe: [^\n]*recorder[^\n]*did not attach\n\z/,
     'a file that cannot be is told by the recorder and by the call');
$r = run_it($pipe, 10, "$dir/t.db", '/no/such/grosr');
like("$r->{code} $r->{stderr}", qr{\A1 pipe: [^\n]*/no/such/grosr[^\n]*\n\z}, 'so is a recorder that is not there');

$r = grosr('record', '--level', 'counters', '-o', $db, '--', $pipe, 200);
is($r->{code}, 0, '--level counters');
is(value($db, 'SELECT sum(written) FROM GROSR_RING'), 0, 'has no event');

# ---- while it runs ----

my $p = start('nice', '-n', 10, $pipe, 0);
ok(until_true(sub { segments($p->{pid}) && grosr('top', $p->{pid}, '--once')->{code} == 0 }) &&
   grosr('info')->{stdout} =~ /\b$p->{pid}\b/, 'a kernel without end');
my $top = json_of(grosr('top', $p->{pid}, '--once', '--json'));
is($top->{session}{pid}, $p->{pid}, '`top` has it');
ok(until_true(sub { json_of(grosr('top', $p->{pid}, '--once', '--json'))->{trace}{written} > 16 * 8192 }),
   'unrecorded, it keeps its latest events');

# A recorder switches the level, and the kernel hears of it where it polls.
sub attached
{
    my ($file, $level, $condition, $name) = @_;
    my $a = start($GROSR, 'record', '--attach', $p->{pid}, '--level', $level, '-o', $file);
    ok(until_true(sub { peek($file, $condition) }), $name);
    kill('INT', $a->{pid});
    finish($a);
    is($a->{code}, 0, 'and detached from') or diag($a->{stderr});
    balanced($file, 'its books balance');
}
my $switch = 'SELECT count(*) > 0 FROM GROSR_INSTANT i JOIN GROSR_EVENT_KIND k USING (kind) WHERE k.name = \'level\' AND i.payload = ';
attached("$dir/low.db", 'counters', "$switch 1", 'recorded at level counters, warps switch');
attached("$dir/high.db", 'full', 'SELECT count(*) > 1000 FROM GROSR_RANGE', 'recorded at level full, they make ranges');
cmp_ok(value("$dir/low.db", "SELECT sum(count) FROM GROSR_LOSS WHERE reason = 'overwritten'") // 0, '>', 0,
       'what had been overwritten before was told');

kill('INT', $p->{pid});
finish($p);
like("$p->{code} $p->{stdout}", qr/^0 \d+ items went/, 'it ends when it is asked to, and every item was right') or diag($p->{stderr});
no_segments($p, 'no segment is left');

# ---- after its death ----

$p = start('nice', '-n', 10, $pipe, 0);
ok(until_true(sub { my $t = json_of(grosr('top', $p->{pid}, '--once', '--json'))->{trace}; ($t->{written} // 0) > 1000 }),
   'another, unrecorded') if until_true(sub { segments($p->{pid}) && grosr('top', $p->{pid}, '--once')->{code} == 0 });
kill('KILL', $p->{pid});
finish($p);
$r = grosr('record', '--attach', $p->{pid}, '-o', "$dir/dead.db");
is($r->{code}, 0, 'is recorded after kill -9') or diag($r->{stderr});
cmp_ok(rows("$dir/dead.db", 'GROSR_RANGE', 'consume', 'count(*)'), '>', 10, 'the flight recorder has its last ranges');
is(value("$dir/dead.db", 'SELECT died FROM GROSR_SESSION'), 1, 'and that it died');
balanced("$dir/dead.db", 'the books balance');
no_segments($p, 'no segment is left');

# ---- a program that ends in order while its kernel hangs ----

my $deadlock = "$dir/deadlock";
build('that deadlocks', "gcc -O2 -std=gnu17 -Wall -Wextra -Werror -x c $ROOT/tests/cuda/deadlock.cu -x none -o $deadlock $libraries");
for my $case (['TERM', 1, 'deadlock lock_cycle'], ['INT', 1, 'healthy'], ['TERM', 600000, 'healthy']) {
    my ($signal, $ms, $said) = @$case;
    $p = start($GROSR, 'record', '-o', "$dir/end.db", '--', $deadlock, $ms);
    my ($child) = until_true(sub { (children($p->{pid}))[0] });
    my $stuck = $ms == 1 ? 3 : 0;
    ok(until_true(sub { segments($child) && grosr('diagnose', $child)->{code} == $stuck }, 20), "a program that waits for SIG$signal");
    kill($signal, $child);
    finish($p);
    my $j = json_of(grosr('diagnose', "$dir/end.db", '--json'));
    my @worse = map { $_->{kind} } grep { $_->{verdict} ne 'healthy' } @{$j->{findings}};
    is("$j->{verdict} @worse", $said =~ / / ? $said : "$said ", "which SIG$signal ends: $said")
        or diag(explain($j));
    is(value("$dir/end.db", 'SELECT died FROM GROSR_SESSION'), 0, 'it closed its session');
}
done_testing();
