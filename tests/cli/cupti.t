#!/usr/bin/perl
# `grosr record` on programs that use CUDA, with a double of the driver and of CUPTI, so that no GPU is needed: kernels,
# copies and calls, calls that do not return, persistent kernels, what withholds records, and CUPTI that cannot be had.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use File::Basename qw(dirname);
use Grosr;
use JSON::PP qw(decode_json);
use Test::More;

my $program = dirname($GROSR) . '/tests/traced/cuda';
my $double = dirname($GROSR) . '/tests/traced/double/libcuda.so.1';
-x $program or plan(skip_all => 'built without CUPTI\'s header: the CUDA toolkit has it');
my $dir = scratch();
my $db = "$dir/c.db";
$ENV{GROSR_CUPTI} = $double;
delete @ENV{qw(CUPTI_DOUBLE CUDA_INJECTION64_PATH GROSR_PERSISTENT)};

my ($kernel, $runtime) = map { "CUPTI_ACTIVITY_KIND_$_" } qw(KERNEL RUNTIME);

# Records the program's WHATs; options and environment come first.
sub record
{
    my ($env, $options, @what) = @_;
    unlink($db);
    return grosr({env => $env}, 'record', '-o', $db, @$options, '--', $program, @what);
}

# A recording that goes on until the program is told that its kernels may end.
sub start_recording
{
    my ($options, @what) = @_;
    unlink($db);
    return start($GROSR, 'record', '-o', $db, @$options, '--', $program, @what);
}

sub let_end
{
    my ($p) = @_;
    kill('USR1', children($p->{pid}));
    return finish($p);
}

# Whether the file has it while the program runs.
sub comes_live { my ($query) = @_; return until_true(sub { peek($db, $query) }, 20) }
sub list { return join(' ', map { join('|', map { $_ // '-' } @$_) } @_) }
sub verdict_of { return value($db, 'SELECT verdict FROM trace_health WHERE ring IS NULL') }
sub no_forced_flush { my ($r) = @_; unlike($r->{stderr}, qr/by force/, 'nothing was flushed by force') }

# ---- every kind of activity ----

my $r = record({}, [], 'all');
is("$r->{code} $r->{stdout}", "0 done\n", 'a program that uses CUDA') or diag($r->{stderr});
is($r->{stderr}, '', 'nothing is said');
is(value($db, "SELECT count(*) FROM GROSR_NOTE WHERE topic = 'cupti'"), 0, 'nor noted');
is(value($db, 'SELECT sum(dropped) FROM GROSR_STREAM'), 0, 'nothing was lost');
is(list(map { [@$_{qw(name api return_value)}] } sql($db, 'SELECT name, api, return_value FROM api_calls ORDER BY start')),
   'cuMemAlloc_v2|driver|0 cudaMemcpy|runtime|0 cudaMemset|runtime|0 cudaLaunchKernel|runtime|0 cudaLaunchKernel|runtime|0 ' .
   'cudaLaunchKernel|runtime|1 cudaDeviceSynchronize|runtime|0',
   'the program\'s own calls, none of the runtime\'s in them and none of the tracer\'s');
is(list(map { [@$_{qw(name full_name grid block shared_bytes stream persistent)}] }
        sql($db, 'SELECT * FROM kernels ORDER BY start')),
   'small|small(float*, int)|2x3x4|32x1x1|256|8|0 other|void ns::other<int>(int)|2x3x4|32x1x1|256|9|0',
   'kernels; that which the driver refused is none');
is(value($db, "SELECT s.value FROM $kernel k JOIN StringIds s ON s.id = k.mangledName ORDER BY start LIMIT 1"), '_Z5smallPfi',
   'as the linker names them');
is(value($db, 'SELECT group_concat(launch_latency_ns > 0 AND launch <= start) FROM kernels'), '1,1', 'each after its launch began');
is(value($db, 'SELECT bytes || copyKind || srcKind || dstKind FROM CUPTI_ACTIVITY_KIND_MEMCPY'), '1000102', 'a copy');
is(value($db, 'SELECT bytes || value FROM CUPTI_ACTIVITY_KIND_MEMSET'), '20005', 'a fill');
is(value($db, 'SELECT syncType FROM CUPTI_ACTIVITY_KIND_SYNCHRONIZATION WHERE streamId IS NULL AND eventId IS NULL'), 4,
   'a wait for the context');
is(value($db, 'SELECT count(*) FROM (SELECT correlationId AS c, start, end FROM CUPTI_ACTIVITY_KIND_MEMCPY UNION ALL ' .
              'SELECT correlationId, start, end FROM CUPTI_ACTIVITY_KIND_SYNCHRONIZATION) a ' .
              "JOIN $runtime r ON r.correlationId = a.c WHERE r.start <= a.start AND a.start <= a.end AND a.end <= r.end"), 2,
   'inside their calls: one clock');
is(list(map { [@$_{qw(id name busLocation chipName smCount maxWarpsPerSm clockRate memoryBandwidth computeMajor uuid)}] }
            sql($db, 'SELECT * FROM TARGET_INFO_GPU')),
   '0|Double of a GPU|0000:19:00.0|GH100|132|64|1980000000|3352320000000|9|' . 'ab' x 16, 'the device');
is(value($db, 'SELECT count(*) FROM TARGET_INFO_CUDA_DEVICE d JOIN TARGET_INFO_GPU g ON g.id = d.gpuId AND g.uuid = d.uuid ' .
              'JOIN PROCESSES p USING (pid) WHERE cudaId = 0 AND numMultiprocessors = 132'), 1, 'which the process uses');
is(value($db, 'SELECT contextId || deviceId || nullStreamId FROM TARGET_INFO_CUDA_CONTEXT_INFO'), '107', 'the context');
is(list(map { [$_->{name}] } sql($db, "SELECT name FROM timeline WHERE kind IN ('api', 'kernel') AND " .
                                      "name IN ('cudaMemset', 'small', 'other', 'cudaDeviceSynchronize') ORDER BY start")),
   'cudaMemset small other cudaDeviceSynchronize', 'calls and kernels interleave in the timeline');
no_forced_flush($r);

my $few = -s $db; # what any trace takes
$r = record({}, [], 'many');
is($r->{code}, 0, '10,000 kernels in two streams') or diag($r->{stderr});
is(value($db, "SELECT count(*) || '|' || count(DISTINCT correlationId) || '|' || sum(start > 0 AND end >= start) FROM $kernel"),
   '10000|10000|10000', 'each once, each with its times');
is(value($db, "SELECT count(*) FROM $kernel k JOIN $runtime r USING (correlationId) WHERE r.start <= k.start"), 10000,
   'each after its call');
cmp_ok(((-s $db) - $few) / 10000, '<', 200, 'a kernel with its launch takes less than 200 bytes of the file');
is(value($db, 'SELECT sum(dropped) FROM GROSR_STREAM'), 0, 'nothing was lost');

$r = record({}, [], 'quiet');
is($r->{stdout}, "asked no more than now and then\ndone\n", 'a launch makes no call of the driver while nothing is captured');

$r = record({}, [], 'names');
my $q;
is($r->{code}, 0, 'kernels with names of many forms') or diag($r->{stderr});
is(list(map { [@$_{qw(name full_name)}] } sql($db, 'SELECT name, full_name FROM kernels ORDER BY start')),
   'plain_c|plain_c hide|ns::(anonymous namespace)::hide(int) ' .
   'take|void take<(anonymous namespace)::T>((anonymous namespace)::T) operator()|ns::F::operator()(int)',
   'of C, in and of an anonymous namespace, and an operator: the brief name is the function\'s');

# Mangled, these have 490, 5,340 and 84,940 bytes; the last two differ in the last argument alone.
$r = record({}, [], 'long');
is("$r->{code} $r->{stderr}", '0 ', 'kernels with names of any length');
is(value($db, 'SELECT sum(dropped) FROM GROSR_STREAM'), 0, 'nothing was lost');
is(list(map { [@$_{qw(name kernels n)}] } sql($db, "SELECT s.value AS name, count(*) AS kernels, length(d.value) AS n FROM $kernel k " .
        'JOIN StringIds s ON s.id = k.shortName JOIN StringIds d ON d.id = k.demangledName GROUP BY k.demangledName ORDER BY kernels')),
   'small|1|18 tile|10|405 tile|20|4445 tile|30|72945 tile|40|72945', 'are demangled and stay apart');
$q = grosr('query', $db, 'kernel-time', '--json');
is(list(map { [@$_{qw(name kernels)}, substr($_->{full_name}, 0, 42), substr($_->{full_name}, -17)] }
        sort { $b->{kernels} <=> $a->{kernels} } @{decode_json($q->{stdout})}),
   list((map { ['tile', $_->[0], 'void tile<Layout<std::integer_sequence<int', "$_->[1]>(int*)"] }
         [40, '1999>, 2> '], [30, '1999>, 1> '], [20, ' 899>, 1> '], [10, ', 89>, 1> ']),
        ['small', 1, 'small(float*, int)', 'mall(float*, int)']), 'kernel-time has a row for each');
$q = grosr('query', $db, 'launch-latency', '--json');
is(join(' ', sort { $a <=> $b } map { $_->{launches} } @{decode_json($q->{stdout})}), '1 10 20 30 40', 'and so has launch-latency');

# ---- graphs ----

sub graph_launches
{
    return list(map { [@$_{qw(kind n name)}] } sql($db, "SELECT kind, count(*) AS n, name FROM timeline WHERE kind IN ('kernel', " .
                                                        "'graph') GROUP BY kind, name ORDER BY kind, name"));
}
my $graph = 'graph of 3 kernels: small, other';
$r = record({}, [], 'graphs');
is("$r->{code} $r->{stderr}", '0 ', 'launches of graphs');
is(graph_launches(), 'kernel|20|other kernel|60|small', 'each node is a row');
$r = record({}, ['--cuda-graph-trace', 'graph'], 'graphs');
is("$r->{code} $r->{stderr}", '0 ', '--cuda-graph-trace graph');
is(graph_launches(), "graph|20|$graph kernel|20|small", 'each launch is a row; so are kernels outside graphs');
is(verdict_of(), 'complete', 'nothing is missing');
is(list(map { [@$_{qw(device context stream graph n ended)}] }
        sql($db, 'SELECT deviceId AS device, contextId AS context, streamId AS stream, graphId AS graph, count(*) AS n, ' .
                 'sum(end - start >= 7000) AS ended FROM CUPTI_ACTIVITY_KIND_GRAPH_TRACE GROUP BY streamId')),
   '0|1|8|5|10|10 0|1|9|5|10|10', 'where it ran, from its first node to its last');
is(value($db, "SELECT count(*) FROM CUPTI_ACTIVITY_KIND_GRAPH_TRACE g JOIN $runtime r USING (correlationId) JOIN StringIds s ON " .
              "s.id = r.nameId WHERE s.value = 'cudaGraphLaunch' AND r.start <= g.start"), 20, 'each after its call');
is(value($db, 'SELECT count(*) FROM GROSR_PENDING'), 0, 'none is pending');
$q = grosr('query', $db, 'graph-time', '--json');
is(list(map { [@$_{qw(name device launches)}, $_->{total_ns} >= 140000] } @{decode_json($q->{stdout})}), "$graph|0|20|1", 'graph-time');
is(json_of(grosr('info', $db, '--json'))->{rows}{graph_launches}, 20, 'info counts them');
my $flows = 0;
for my $event (@{json_of(grosr('export', $db, '--format', 'chrome'))->{traceEvents}}) {
    $flows++ if ($event->{cat} // '') eq 'graph' && $event->{name} eq $graph && $event->{ph} eq 'X';
}
is($flows, 20, 'they are on their streams in an export');
SKIP: {
    skip('there is no sqlite3 to change a trace with', 1) unless have('sqlite3');
    run_it('sqlite3', $db, 'UPDATE CUPTI_ACTIVITY_KIND_GRAPH_TRACE SET deviceId = NULL, contextId = NULL WHERE streamId = 8');
    like(grosr('export', $db, '--format', 'chrome')->{stdout}, qr/"GPU not known, context not known, stream 8"/,
         'also where the first node is on the host');
}
$r = record({CUPTI_DOUBLE => 'untimed'}, ['--cuda-graph-trace', 'graph'], 'graphs');
is($r->{code}, 0, 'CUPTI that knows no times of graphs');
is(value($db, 'SELECT count(*) FROM CUPTI_ACTIVITY_KIND_GRAPH_TRACE'), 0, 'makes no rows');
is(value($db, "SELECT text FROM GROSR_NOTE WHERE topic = 'cupti'"), 'CUPTI had no times of 20 launches of graphs', 'which is noted');
says_one_line(grosr('record', '--cuda-graph-trace', 'graphs', '--', 'true'), 2, qr/node or graph/, '--cuda-graph-trace graphs');
says_one_line(grosr('record', '--cuda-graph-trace', 'graph', '--trace', 'api', '--', 'true'), 2, qr/needs --trace cuda/,
              'graphs without --trace cuda');
says_one_line(grosr('record', '--cuda-graph-trace', 'graph', '--attach', $$), 2, qr/not for --attach/, 'or of a running process');

# ---- which calls are recorded ----

$r = record({}, ['--trace', 'cuda=all'], 'all');
is(list(map { [$_->{name}] } sql($db, 'SELECT name FROM api_calls ORDER BY start')),
   'cuMemAlloc_v2 cudaMemcpy cudaMemset cudaLaunchKernel cudaLaunchKernel cudaLaunchKernel cudaGetDevice cudaDeviceSynchronize',
   '--trace cuda=all: a call that only looks something up is recorded too');
is(value($db, 'SELECT count(*) FROM kernels'), 2, 'and kernels as without it');
says_one_line(grosr('record', '--trace', 'cuda=some', '--', 'true'), 2, qr/nvtx, cuda, cuda=all, core, api, pc or none/, 'cuda=some');

# Of a call that is not recorded an error is, from the driver's log; of one that is recorded, once.
my @errors = ('cuDeviceGetAttribute|driver|101 cudaLaunchKernel|runtime|1 cuDeviceGetAttribute|driver|101',
              'cudaGetDevice|runtime|0 cudaDeviceGetAttribute|runtime|101 cudaLaunchKernel|runtime|1 cudaDeviceGetAttribute|runtime|101');
for my $case ([$errors[0], 'cuda'], [$errors[1], 'cuda=all']) {
    $r = record({}, ['--trace', $case->[1]], 'errors');
    is(list(map { [@$_{qw(name api return_value)}] } sql($db, 'SELECT name, api, return_value FROM api_calls ORDER BY start')), $case->[0],
       "--trace $case->[1]: what returns an error");
}

# By CUPTI's own names of its ids, in its headers (as the double has them): those that do something, in all their variants.
my %all = map { $_ => 1 } grep { /cu/ } split(/\n/, record({}, ['--trace', 'cuda=all'], 'enabled')->{stdout});
my %acts = map { $_ => 1 } grep { /cu/ } split(/\n/, record({}, [], 'enabled')->{stdout});
cmp_ok(scalar(keys %all), '>', 1000, 'CUPTI has so many calls');
is(join(' ', grep { !$all{$_} } keys %acts), '', 'all of those enabled by default are among them');
my $does = qr/Launch|Memcpy(?!.*Node)|Memset(?!.*Node)|Malloc|^cu(?:64|da)?(?:Mem)?(?:Free|Alloc)|Synchronize|StreamWait|
    EventRecord(?!.*Node)|(?:Stream|Event|Ctx|Array|MemPool)(?:Create|Destroy)(?!.*Node)|ModuleLoad|LibraryLoad|Unload|
    (?:Begin|End)Capture|HostFunc|AddCallback|Instantiate|GraphExecDestroy|EnablePeer|External(?:Memory|Semaphore)(?!.*Node)|
    Ipc|DeviceReset|^cuInit/x;
is(join(' ', grep { /$does/ && !/D3D|VDPAU|^cuGL|^cu(?:da)?Pointer/ && !$acts{$_} } sort keys %all), '',
   'what does or waits for something is recorded by default, in every variant');
my $loads = qr/Ipc|GetMapped(?:Buffer|Mip)|Get(?:Func|Module|Global|Managed|Unified|Symbol)|FuncGetAttributes/;
is(join(' ', grep { /Get|Query|Occupancy|Attribute|IsCapturing|SetParams|ExchangeStreamCaptureMode/ && !/$loads/ } sort keys %acts), '',
   'what only looks something up is not, unless it maps or loads something for that');
%acts = map { $_ => 1 } split(/\n/, record({CUPTI_DOUBLE => 'newer'}, [], 'enabled')->{stdout});
ok($acts{cuLaunchOfTomorrow_v2} && !$acts{cudaGetOfTomorrow_v14000}, 'of a CUPTI that is newer than its headers too, by their names');

# ---- calls that do not return ----

my $p = start_recording(['--persistent', 'spin'], 'spin', 'sync');
ok(comes_live("SELECT count(*) = 1 FROM api_calls WHERE name = 'cudaDeviceSynchronize' AND end IS NULL AND return_value IS NULL"),
   'a call that hangs is a row while it does');
$q = grosr('query', $db, 'api-pending', '--json');
like($q->{stdout}, qr/cudaDeviceSynchronize/, 'and api-pending names it') or diag($q->{stderr});
$r = let_end($p);
is($r->{code}, 0, 'it returns') or diag($r->{stderr});
is(value($db, "SELECT count(*) || '|' || sum(end - start > 100000000) || '|' || max(return_value) FROM api_calls " .
              "WHERE name = 'cudaDeviceSynchronize'"), '1|1|0', 'and the row is completed, not doubled');
no_forced_flush($r);

$p = start_recording(['--persistent', 'spin'], 'spin', 'sync');
comes_live("SELECT count(*) = 1 FROM api_calls WHERE name = 'cudaDeviceSynchronize' AND end IS NULL");
kill('KILL', children($p->{pid}));
finish($p);
is(value($db, "SELECT count(*) FROM api_calls WHERE name = 'cudaDeviceSynchronize' AND end IS NULL"), 1,
   'of a program that is killed, the call it hung in stays');

# ---- persistent kernels ----

for my $case (['spin', '--persistent', '^spin\('], ['spin', '--persistent', 'Z4spin'], ['ours']) {
    my ($what, @options) = @$case;
    my $title = $what . (@options ? " by $options[1]" : ', GROSR\'s own');
    $p = start_recording(\@options, $what, 'beside', 'wait');
    ok(comes_live("SELECT count(*) = 100 FROM $kernel WHERE persistent = 0 AND end IS NOT NULL"),
       "$title: the others' records come while it runs");
    ok(comes_live("SELECT count(*) = 1 FROM $kernel WHERE persistent = 1 AND end IS NULL"), 'it is a row without an end');
    $r = let_end($p);
    is("$r->{code} $r->{stderr}", '0 ', 'it ends, and nothing is said');
    is(value($db, "SELECT count(*) || '|' || sum(end > start) FROM $kernel WHERE persistent = 1"), '1|1', 'its row has an end');
    is(value($db, "SELECT count(*) FROM $kernel k JOIN $runtime r USING (correlationId) WHERE persistent = 1 AND " .
                  'k.streamId = 8 AND k.gridX = 2 AND k.gridZ = 4 AND k.blockX = 32 AND k.dynamicSharedMemory = 256'), 1,
       'its launch, stream and size are known');
    is(value($db, "SELECT count(*) FROM api_calls WHERE name <> 'cudaLaunchKernel'"), 0,
       'how the tracer asks after it is no call of the program');
    is(value($db, "SELECT count(*) FROM $kernel a JOIN $kernel b ON a.persistent = 1 AND b.persistent = 0 AND " .
                  'b.start BETWEEN a.start AND a.end'), 100, 'the others ran in its time');
    no_forced_flush($r);
}

# A thread launches persistent kernels while four launch others: none falls into the moment in which no record is collected.
$r = record({}, ['--persistent', 'spin'], 'threads');
is("$r->{code} $r->{signal}", '0 0', 'launches in five threads, some of persistent kernels') or diag($r->{stderr});
is(value($db, "SELECT count(*) FROM $kernel WHERE persistent = 0"), 8000, 'every other kernel has its record');
is(value($db, "SELECT count(*) || '|' || sum(end IS NOT NULL) FROM $kernel WHERE persistent = 1"), '20|20',
   'every persistent one its row');

# ---- captures ----

is(run_it($program, 'captures')->{stdout}, "captures 12, broken 0\ndone\n", 'a program that captures, alone');
for my $case ([{}], [{}, '--persistent', 'spin'], [{CUPTI_DOUBLE => 'slow-init'}, '--persistent', 'spin']) {
    my ($env, @options) = @$case;
    $r = record($env, \@options, 'captures');
    is("$r->{code} $r->{stdout}", "0 captures 12, broken 0\ndone\n", "under record @options, @{[%$env]}: no capture is broken")
        or diag($r->{stderr});
    is(value($db, "SELECT count(*) FROM api_calls WHERE return_value <> 0"), 0, 'no call of it fails');
    is(value($db, "SELECT count(*) FROM GROSR_NOTE WHERE topic = 'cupti' AND text LIKE '%small%'"), 0,
       'and no kernel that has ended is said to withhold records');
}

# ---- the room of kernels ----

{
    local $ENV{CUPTI_DOUBLE} = 'stuck';    # a question would wait with the call
    $r = record({}, [], 'rooms');
    is("$r->{code} $r->{stdout}", "0 asked 2, in a capture 0, behind a call 0, after it 1\ndone\n",
       'the driver is asked once for a kernel, a block and shared memory, and never where that might wait') or diag($r->{stderr});
}

# ---- records that stay away ----

$p = start_recording([], 'spin', 'beside', 'wait');
ok(comes_live("SELECT count(*) = 1 FROM GROSR_NOTE WHERE topic = 'cupti' AND text LIKE '%spin%--persistent%'"),
   'without --persistent, a note names the kernel that withholds all records');
is(peek($db, "SELECT count(*) FROM $kernel"), 0, 'which they are: the double is as CUPTI is');
$r = let_end($p);
like($r->{stderr}, qr/^grosr: [^\n]*spin[^\n]*--persistent[^\n]*\n\z/, 'the user is told, in one line');
is(value($db, "SELECT count(*) || '|' || sum(end > start) FROM $kernel"), '101|101', 'they come when it ends');
is(value($db, "SELECT count(*) FROM GROSR_NOTE WHERE topic = 'cupti'"), 1, 'it is said once');
no_forced_flush($r);

# It ends with kernels in flight: neither doubled nor with times of zero, and their number is told.
$r = record({}, [], 'spin', 'beside');
is($r->{code}, 0, 'a program that ends while a kernel runs') or diag($r->{stderr});
is(value($db, "SELECT count(*) FROM $kernel WHERE start <= 0 OR end = 0"), 0, 'no row has a time of zero');
like(value($db, "SELECT group_concat(text) FROM GROSR_NOTE WHERE topic = 'cupti'") // '', qr/\b101 launched kernels/,
     'a note counts those of which there is no record');
no_forced_flush($r);

# ---- what CUPTI lost, and CUPTI that cannot be had ----

$r = record({CUPTI_DOUBLE => 'dropped'}, [], 'all');
like(value($db, "SELECT text FROM GROSR_NOTE WHERE topic = 'cupti'") // '', qr/\bdropped 7 records\b/, 'CUPTI\'s drops are noted');
like($r->{stderr}, qr/\Agrosr: [^\n]*dropped 7 records[^\n]*\n\z/, 'and said');

$r = record({CUPTI_DOUBLE => 'fatal'}, [], 'all');
like($r->{stderr}, qr/\Agrosr: [^\n]*CUPTI has failed[^\n]*: it ran out of patience\n\z/, 'a failure of CUPTI itself is reported');

for my $case (['missing', {GROSR_CUPTI => '/no/such/libcupti.so'}, qr{/no/such/libcupti\.so}],
              ['something else', {GROSR_CUPTI => 'libm.so.6'}, qr/cuptiGetVersion/],
              ['of another version', {CUPTI_DOUBLE => 'version'}, qr/\b12\.8\b/],
              ['another profiler\'s', {CUPTI_DOUBLE => 'subscriber'}, qr/another profiler/]) {
    my ($what, $env, $why) = @$case;
    $r = record($env, [], 'all');
    is("$r->{code} $r->{stdout}", "0 done\n", "CUPTI is $what: the program runs");
    like($r->{stderr}, qr/\Agrosr: [^\n]*CUDA is not recorded: [^\n]*\n\z/, 'it is said in one line');
    like($r->{stderr}, $why, 'with the reason');
    like(value($db, "SELECT text FROM GROSR_NOTE WHERE topic = 'cupti'") // '', $why, 'and noted in the trace');
    is(value($db, "SELECT (SELECT count(*) FROM $runtime) + (SELECT count(*) FROM $kernel)"), 0, 'there is nothing of CUDA');
}

# ---- what is recorded, and of whom ----

$r = record({}, [], 'children');
is($r->{code}, 0, 'children') or diag($r->{stderr});
is(list(map { [@$_{qw(names)}] } sql($db, "SELECT group_concat(name) AS names FROM (SELECT session, name FROM api_calls " .
                                          'ORDER BY start) GROUP BY session ORDER BY count(*), names')),
   'cudaMemset cudaMemset cuMemAlloc_v2,cudaMemcpy,cudaMemset,cudaLaunchKernel,cudaLaunchKernel,cudaLaunchKernel,' .
   'cudaDeviceSynchronize', 'each process has a session with its own calls');
is(value($db, 'SELECT group_concat(value) FROM (SELECT value FROM CUPTI_ACTIVITY_KIND_MEMSET ORDER BY 1)'), '1,2,5',
   'and its own records');

$r = record({}, ['--trace', 'nvtx'], 'all');
like($r->{stderr}, qr/without a GROSR session/, '--trace nvtx: nothing of CUDA');
$r = record({}, ['--trace', 'cuda'], 'all');
is(value($db, 'SELECT count(*) FROM kernels'), 2, '--trace cuda');
$r = record({CUDA_INJECTION64_PATH => '/no/other.so'}, [], 'all');
like($r->{stderr}, qr{\Agrosr: CUDA calls are not recorded: CUDA_INJECTION64_PATH is set already, to /no/other.so\n},
     'a user\'s own tool is left alone');
says_one_line(grosr('record', '--persistent', '(', '--', 'true'), 2, qr/--persistent '\('/, 'a bad regular expression');
says_one_line(grosr('record', '--persistent', 'spin', '--attach', $$), 2, qr/--persistent/, '--persistent with --attach');

$r = record({}, [], 'cost');
like($r->{stdout}, qr/^[\d.]+ ns a call .*, [\d.]+ ns a launch$/m, 'what a call costs');
diag('under the recorder, ' . $r->{stdout} =~ s/\n.*//sr);
diag('without it, ' . run_it($program, 'cost')->{stdout} =~ s/\n.*//sr);
done_testing();
