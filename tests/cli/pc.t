#!/usr/bin/perl
# `grosr record --trace api,pc`: where the warps of kernels stand, while they run, with a double of the driver and of CUPTI, so
# that no GPU is needed: instructions, lines, loops, what is lost, and CUPTI that refuses.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use File::Basename qw(dirname);
use Grosr;
use Test::More;
use Time::HiRes qw(sleep time);

my $program = dirname($GROSR) . '/tests/traced/pc';
-x $program or plan(skip_all => 'built without CUPTI\'s header: the CUDA toolkit has it');
my $dir = scratch();
my $db = "$dir/p.db";
$ENV{GROSR_CUPTI} = dirname($GROSR) . '/tests/traced/double/libcuda.so.1';
delete @ENV{qw(CUPTI_DOUBLE CUDA_INJECTION64_PATH GROSR_PERSISTENT GROSR_CUDA_TRACE)};

sub record
{
    my ($faults, $trace, @what) = @_;
    unlink($db);
    return grosr({env => {CUPTI_DOUBLE => $faults}}, 'record', '--trace', $trace, '-o', $db, '--', $program, @what);
}

sub start_recording
{
    my ($faults, @what) = @_;
    unlink($db);
    local $ENV{CUPTI_DOUBLE} = $faults;
    return start($GROSR, 'record', '--trace', 'api,pc', '-o', $db, '--', $program, @what);
}

sub let_end
{
    my ($p) = @_;
    kill('USR1', children($p->{pid}));
    return finish($p);
}

sub list { return join(' ', map { join('|', map { $_ // '-' } @$_) } @_) }
sub verdict { return value($db, 'SELECT verdict FROM trace_health WHERE ring IS NULL') }
sub notes { return join("\n", map { $_->{text} } sql($db, "SELECT text FROM GROSR_NOTE WHERE topic IN ('cupti', 'pc samples')")) }
sub peeked { my ($query) = @_; return until_true(sub { peek($db, $query) }, 20) }

my $places = 'SELECT function, full_name, "offset", stall, sum(samples) * 2 / (SELECT sum(samples) FROM pc_samples ' .
    "WHERE function = 'polls' AND stall = 'selected') AS n, sum(not_issued) > 0 AS idle, file, line FROM pc_samples " .
    'GROUP BY function, "offset", stall ORDER BY function, "offset"';
my @columns = qw(function full_name offset stall n idle file line);

# ---- a kernel that runs ----

my $p = start_recording('', 'polls');
ok(peeked("SELECT count(*) FROM pc_functions WHERE function = 'polls'"), 'a kernel that never ends is sampled while it runs');
is(peek($db, "SELECT group_concat(kind || ':' || name, ' ') FROM (SELECT kind, name FROM pending ORDER BY kind)"),
   'call:cudaDeviceSynchronize kernel:polls', 'that it was launched is known, and who waits');
is(peek($db, 'SELECT count(*) FROM CUPTI_ACTIVITY_KIND_KERNEL'), 0, 'CUPTI has no record of a kernel');
my ($child) = children($p->{pid});
my $json = json_of(grosr('top', $child, '--once', '--json'));
is(list(map { [@$_{qw(function file first_line last_line low high stall stall_pct memory_pct loop_pct pct)}] } @{$json->{pc}}),
   'polls|/src/steps.cu|12|12|128|160|long_scoreboard|80|80|100|100', 'top has it as JSON');
is(join(' ', map { $_ ? 1 : 0 } @{$json->{pc}[0]}{qw(loop endless)}), '1 0', 'with its loop, which may end');
like(grosr('top', $child, '--once')->{stdout}, qr/^ warps +100% polls +loop steps\.cu:12 +long_scoreboard 80% +memory 80%/m, 'and as text');
sleep(1.2);
my $r = grosr('diagnose', $child, '--json');
is("$r->{code} " . json_of($r)->{verdict}, '0 healthy', 'a kernel that polls is not blamed') or diag($r->{stdout});
like($r->{stdout}, qr/100 % of \d+ in the loop at steps\.cu:12 in polls; 80 % of these wait for memory; most frequent: long_scoreboard/,
     'what it waits for is said');
$r = let_end($p);
is("$r->{code} $r->{stdout}", "0 done\n", 'the program ends') or diag($r->{stderr});
is($r->{stderr}, '', 'nothing is said');
is(verdict(), 'complete', 'nothing is missing') or diag(notes());
is(list(map { [@$_{@columns}] } sql($db, $places)),
   'polls|polls(int volatile*)|128|selected|2|0|/src/steps.cu|12 polls|polls(int volatile*)|144|long_scoreboard|40|1|/src/steps.cu|12 ' .
   'polls|polls(int volatile*)|160|branch_resolving|8|1|/src/steps.cu|12', 'its instructions, their lines, and what warps wait for');
is(list(map { [@$_{qw(low high loop endless file first_line last_line stall memory)}] }
        sql($db, 'SELECT DISTINCT low, high, loop, endless, file, first_line, last_line, stall, memory_samples * 10 / samples AS memory ' .
                 'FROM pc_functions')),
   '128|160|1|0|/src/steps.cu|12|12|long_scoreboard|8', 'its loop, in which it waits for memory');
is(value($db, 'SELECT count(*) FROM GROSR_PC_BIN b WHERE samples <> (SELECT sum(samples) FROM GROSR_PC_SAMPLE s WHERE s.start = b.start)'),
   0, 'no sample is counted twice');
is(value($db, 'SELECT max(n) FROM (SELECT count(*) AS n FROM GROSR_PC_FUNCTION GROUP BY start)'), 1, 'a function has one row in a bin');
is(value($db, 'SELECT count(*) FROM GROSR_PC_BIN a JOIN GROSR_PC_BIN b ON b.start < a.end AND b.end > a.start AND b.rowid <> a.rowid'), 0,
   'time bins do not overlap');
is(value($db, 'SELECT min("end" - start) >= 400000000 FROM (SELECT * FROM GROSR_PC_BIN LIMIT 1 OFFSET 1)'), 1,
   'and are of half a second');

$p = start_recording('', 'hoisted');
ok(peeked('SELECT count(*) FROM pc_functions WHERE endless'), 'a loop in which nothing changes is known for that');
($child) = children($p->{pid});
is(json_of(grosr('top', $child, '--once', '--json'))->{pc}[0]{endless} ? 1 : 0, 1, 'in top too');
$r = diagnosed_as($child, 'stalled');
$json = json_of($r);
is(join(' ', $r->{code}, $json->{verdict}, map { $_->{kind} } @{$json->{findings}}), '3 stalled hoisted_poll', 'diagnose finds it')
    or diag($r->{stdout});
like($json->{findings}[0]{summary}, qr/^kernel hoisted .* round the loop at steps\.cu:12 in hoisted, in which nothing is read/,
     'by its line');
like("@{$json->{findings}[0]{workers}}", qr/kernel hoisted \(stream 8\) thread \d+ in cudaDeviceSynchronize/, 'with who waits for it');
is(let_end($p)->{code}, 0, 'it ends when it may');
is(list(map { [@$_{qw(low high loop endless memory_samples)}] }
        sql($db, 'SELECT DISTINCT low, high, loop, endless, memory_samples FROM pc_functions')), '128|128|1|1|0',
   'it reads no memory');

$p = start_recording('', 'hoisted');
peeked('SELECT count(*) FROM pc_functions WHERE start > 900000000');
($child) = children($p->{pid});
kill('KILL', $child);
finish($p);
is(value($db, "SELECT kind || verdict FROM findings"), 'hoisted_pollstalled', 'killed: the trace says why it hung');
like(value($db, 'SELECT evidence FROM findings'), qr/no instruction reads memory or changes anything; none of them waits for memory/,
     'with evidence');
$r = grosr('query', $db, 'hot-lines', '--format', 'csv');
is($r->{stdout} =~ s/\r//gr =~ s/(?<=cu:12,,)\d+/N/r,
   "function,place,inlined,samples,pct,stall,stall_pct,memory_pct\nhoisted,/src/steps.cu:12,,N,100.0,branch_resolving,100.0,0.0\n",
   'hot-lines');

# ---- two kernels, one of a module that is not known; in parts; in another context ----

for my $faults ('', 'pc-parts', 'pc-context', 'pc-attributes') {
    my $how = $faults || 'at once';
    $r = record($faults, 'api,pc', 'both');
    is("$r->{code} $r->{stderr}", '0 ', "$how: two kernels") or diag($r->{stderr});
    is(verdict(), 'complete', 'nothing is missing') or diag(notes());
    is(list(map { [@$_{qw(function offset stall file line)}] }
            sql($db, 'SELECT DISTINCT function, "offset", stall, file, line FROM pc_samples ORDER BY function, "offset"')),
       'polls|128|selected|/src/steps.cu|12 polls|144|long_scoreboard|/src/steps.cu|12 polls|160|branch_resolving|/src/steps.cu|12 ' .
       'small|48|selected|-|- small|80|long_scoreboard|-|-', 'one has no lines');
    is(list(map { [@$_{qw(function low high loop endless first_line)}] }
            sql($db, 'SELECT DISTINCT function, low, high, loop, endless, first_line FROM pc_functions ORDER BY function')),
       'polls|128|160|1|0|12 small|48|80|0|0|-', 'nor loops, but where its samples lie');
    is(value($db, 'SELECT count(*) FROM (SELECT 1 FROM GROSR_PC_FUNCTION GROUP BY start, function HAVING count(*) > 1)'), 0,
       'a function has one row in a bin');
}

# ---- how it ends ----

$r = record('pc-rest', 'api,pc', 'both');
is("$r->{code} $r->{stdout}", "0 done\n", 'a program that ends when all has ended') or diag($r->{stderr});
is(value($db, 'SELECT sum(samples) FROM pc_samples WHERE "offset" = 320'), 5, 'has what CUPTI delivers when sampling ends');
is(value($db, 'SELECT count(*) FROM GROSR_PC_BIN b WHERE samples <> (SELECT sum(samples) FROM GROSR_PC_SAMPLE s WHERE s.start = b.start)'),
   0, 'once');
$r = record('', 'api,pc', 'short');
is("$r->{code} $r->{stdout}", "0 done\n", 'a program that ends within a time bin') or diag($r->{stderr});
cmp_ok(value($db, 'SELECT sum(samples) FROM pc_samples'), '>', 0, 'is sampled to its end');
my $begin = time();
$r = record('', 'api,pc', 'leave');
is("$r->{code} $r->{stdout}", "0 done\n", 'one that ends while its kernel runs') or diag($r->{stderr});
cmp_ok(time() - $begin, '<', 10, 'is not kept');
is(value($db, "SELECT group_concat(kind || ':' || name) FROM pending"), 'kernel:polls', 'what ran stays in the trace');
$r = record('pc-rest', 'api,pc', 'destroy');
is("$r->{code} $r->{stderr}", '0 ', 'a context that is destroyed');
is(list(map { [@$_{qw(offset stall n)}] } sql($db, 'SELECT "offset", stall, sum(samples) AS n FROM pc_samples WHERE "offset" = 320')),
   '320|barrier|5', 'what CUPTI delivers when sampling ends is taken too');
$r = record('', 'api,pc', 'second');
is("$r->{code} $r->{stdout}", "0 created at once\ndone\n", 'a context that is created while kernels run does not wait for them');
like($r->{stderr}, qr/\Agrosr: [^\n]*PC samples of a context are not recorded: kernels of another one ran [^\n]*\n\z/, 'which is said');
cmp_ok(value($db, 'SELECT sum(samples) FROM pc_samples'), '>', 0, 'the first one is sampled');
$r = record('', 'api,pc', 'fork', 'short', 'fork');
is("$r->{code} $r->{stdout}", "0 done\n", 'a program that forks') or diag($r->{stderr});
cmp_ok(value($db, 'SELECT sum(samples) FROM pc_samples'), '>', 0, 'is sampled');
$r = record('', 'api,pc', 'many');
is($r->{code}, 0, '40,000 launches') or diag($r->{stderr});
is(verdict() . notes(), 'complete', 'of which the ended ones leave their places to others');
is(value($db, "SELECT count(*) FROM api_calls WHERE name = 'cudaLaunchKernel'"), 40000, 'each is a call');
is(value($db, 'SELECT count(*) FROM GROSR_PENDING'), 0, 'and none is pending');

# ---- copies; calls alone ----

for my $trace ('api', 'api,pc') {
    $r = record('', $trace, 'copies');
    is("$r->{code} $r->{stderr}", '0 ', "copies, with $trace");
    is(value($db, 'SELECT count(*) FROM CUPTI_ACTIVITY_KIND_MEMCPY') .
       value($db, "SELECT count(*) FROM api_calls WHERE name LIKE 'cudaMem%'"), $trace eq 'api' ? '12' : '02',
       'have rows where there are no samples, their calls always');
    is(verdict(), 'complete', 'and nothing is missing');
}
$r = record('pc-other', 'api,pc', 'both');
like(notes(), qr/^in a time bin all \d+ samples are of kernels that are not the program's[^\n]*\z/,
     'samples that are all of others are noted, once');
$r = record('', 'api', 'both');
is("$r->{code} $r->{stderr}", '0 ', 'calls alone');
is(list(map { [@$_{qw(a k p)}] } sql($db, 'SELECT (SELECT count(*) FROM api_calls) AS a, (SELECT count(*) FROM kernels) AS k, ' .
                                          '(SELECT count(*) FROM GROSR_PC_BIN) AS p')), '3|0|0', 'no kernels, no samples');
is(verdict(), 'complete', 'nothing is missing');

# ---- what is lost; what cannot be had ----

$r = record('pc-loses', 'api,pc', 'both');
like(verdict(), qr/^\d+ of \d+ PC samples lost$/, 'samples that the hardware dropped are in the verdict');
like(notes(), qr/^\d+ samples were lost: the hardware dropped them$/, 'and noted');
is(value($db, 'SELECT sum(dropped) % 7 = 0 AND sum(dropped) > 0 FROM GROSR_PC_BIN'), 1, 'each is counted');
$r = record('pc-full', 'api,pc', 'both');
is(verdict(), 'PC samples of 1 time bin lost: the hardware\'s buffer was full', 'a buffer that was full is in the verdict');
like(notes(), qr/its buffer was full/, 'and noted');
cmp_ok(value($db, 'SELECT sum(samples) FROM pc_samples'), '>', 0, 'later samples come');

for my $case (['pc-refused', qr/^grosr: process \d+: PC samples are not recorded: .*administrators only.*\n\z/],
              ['subscriber', qr/^grosr: process \d+: CUDA is not recorded: another profiler has CUPTI.*\n\z/]) {
    my ($faults, $said) = @$case;
    $r = record($faults, 'api,pc', 'short');
    is("$r->{code} $r->{stdout}", "0 done\n", "$faults: the program runs as without");
    like($r->{stderr}, $said, 'which is said in one line');
    is(value($db, 'SELECT count(*) FROM GROSR_PC_BIN'), 0, 'nothing is sampled');
}
$r = record('', 'api,pc', 'short');
is($r->{stderr}, '', 'else nothing is said');

# ---- what excludes each other ----

for my $case (['cuda,pc', 'pc excludes cuda: '], ['cuda=all,api,pc', 'pc excludes cuda: '], ['core,pc', 'core excludes pc: '],
              ['api,core', 'core excludes api: '], ['api,cuda', 'api excludes cuda, ']) {
    my ($trace, $why) = @$case;
    $r = record('', $trace, 'short');
    is($r->{code}, 2, "--trace $trace") or diag($r->{stderr});
    like($r->{stderr}, qr/\Agrosr: --trace \Q$why\E[^\n]*\n\z/, 'is refused in one line');
    ok(!-e $db, 'before anything is begun');
}
$r = grosr('record', '--trace', 'pc', '--counters', 'pm', '-o', $db, '--', $program, 'short');
is("$r->{code} $r->{stderr}", "2 grosr: --trace pc excludes --counters pm: both need the GPU's performance monitors\n", 'pm and pc');
{
    local $ENV{CUDA_INJECTION64_PATH} = '/other/profiler.so';
    $r = record('', 'api,pc', 'short');
    is($r->{stderr} =~ s/^grosr: \S+ ended without.*\n//mr,
       "grosr: CUDA calls are not recorded: CUDA_INJECTION64_PATH is set already, to /other/profiler.so\n",
       'another profiler that is to be loaded stays');
}
# ---- kernels that only wait, and have no room ----

for my $case (['fits', 'healthy'],
              map({ ['exceeds', 'stalled', qr/of its 129 blocks 128 fit .*all of its warps only wait, in the loop at steps.cu:12/, $_] }
                  '', 'pc-shared'),
              ['exceeds', 'healthy', undef, 'pc-works'],
              ['crowd', 'deadlock', qr/polls \(stream 9\) cannot begin: kernel polls \(stream 8\), which only waits, in the loop at /]) {
    my ($what, $verdict, $summary, $faults) = @$case;
    $p = start_recording($faults // '', $what);
    $what .= " $faults" if $faults;
    ok(peeked("SELECT count(*) >= 3 FROM pc_functions WHERE function = 'polls'"), "$what: it is sampled");
    sleep(1);
    $json = json_of($r = diagnosed_as((children($p->{pid}))[0], $verdict));
    is($json->{verdict}, $verdict, "$what: $verdict") or diag($r->{stdout});
    if ($summary) {
        is($json->{findings}[0]{kind}, 'not_resident', "$what: by its kind");
        like($json->{findings}[0]{summary}, $summary, "$what: with its cause");
    }
    let_end($p);
}
done_testing();
