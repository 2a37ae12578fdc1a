#!/usr/bin/perl
# A GPU memory allocator as people see it, live and afterwards: `top`, `info`, the views, the canned queries, an export.
# tests/traced/heap.c publishes what is known: see there for the steps.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Grosr;
use File::Basename;
use Test::More;

my $program = dirname($GROSR) . '/tests/traced/heap';
-x $program or plan(skip_all => "$program has not been built");

my $dir = scratch();
my $db = "$dir/m.db";

sub made_up
{
    my $p = start($program, @_);
    ok(until_true(sub { ended($p) || slurp($p->{out}) =~ /ready/ }) && !ended($p), "a session: @_");
    return $p;
}

sub step { kill('USR1', $_[0]{pid}) }
sub top { return grosr({env => {COLUMNS => $_[1] || 100, LINES => $_[2] || 30}}, 'top', $_[0]{pid}, '--once') }
sub allocator { return json_of(grosr('top', $_[0]{pid}, '--once', '--json'))->{allocator} }
sub info_of { my ($p) = @_; return (grep { $_->{pid} == $p->{pid} } @{json_of(grosr('info', '--json'))->{sessions}})[0] }

my @totals = qw(arena_bytes reserved_bytes max_reserved_bytes used_bytes requested_bytes free_bytes largest_bytes live
                internal_fragmentation external_fragmentation mallocs frees failures bad_frees);
sub totals { my ($a) = @_; return join(' ', map { $a->{$_} // 'undef' } @totals) }

# ---- nothing to show ----

my $none = made_up('none');
my $p = made_up();
for my $case ([$none, 'without a heap'], [$p, 'before anything was published']) {
    my ($process, $when) = @$case;
    my $a = allocator($process);
    is(totals($a), join(' ', (0) x @totals), "$when: zeros");
    is("@{$a->{classes}} @{$a->{errors}}", ' ', "$when: empty lists");
    unlike(top($process)->{stdout}, qr/memory/, "$when: no memory part");
    is(info_of($process)->{allocator}, undef, "$when: null in info");
}
kill('KILL', $none->{pid});
finish($none);
unlink("/dev/shm/grosr.$none->{pid}.0");

# ---- live ----

step($p);
ok(until_true(sub { allocator($p)->{live} }), 'counters are published');
my $a = allocator($p);
# Used: 1000 * 64 + 20 * 1024 + 4 * 65536. Requested: 1000 * 48 + 20 * 512 + 3 * 65536 + 1. Reserved: 3 - 1 + 4 chunks.
my $used = 64000 + 20480 + 262144;
my $requested = 48000 + 10240 + 196609;
is(totals($a), join(' ', 4194304, 6 * 65536, 8 * 65536, $used, $requested, 4194304 - $used, 2097152, 1021,
                    sprintf('%.4f', 1 - $requested / $used), sprintf('%.4g', 1 - 2097152 / (4194304 - $used)), 1521, 500, 0, 0),
   'top --json: the totals');
is_deeply($a->{classes}, [{size => 64, slots => 2048, used => 1000, slabs => 2, max_slabs => 2, mallocs => 1500, frees => 500,
                           failures => 0},
                          {size => 1024, slots => 64, used => 20, slabs => 1, max_slabs => 1, mallocs => 20, frees => 0,
                           failures => 0}], 'the classes');
is_deeply($a->{large}, {live => 1, reserved_bytes => 262144, requested_bytes => 196609, mallocs => 1, frees => 0, failures => 0},
          'large blocks');
cmp_ok($a->{age_ns}, '>', 0, 'how old the counters are');
is_deeply($a->{errors}, [], 'no errors');
my $frame = top($p)->{stdout};
like($frame, qr/^ memory +393kB reserved of 4\.19MB +255kB requested +1\.02k live(?:  \S+ ago)?$/m, 'top: the totals');
like($frame, qr/^ reserved \[.*\] +9% internal \[.*\] +26% external \[.*\] +45%$/m, 'both fragmentations as bars');
like($frame, qr/^ large .*1\/1 +262kB\n 64 B .*1\.00k\/2\.05k +131kB\n 1024 B .*20\/64 +65\.5kB$/m, 'the classes, by what they hold');
like(top($p, 40, 12)->{stdout}, qr/^ memory +393kB reserved of 4\.19MB$/m, 'on a small terminal too');
is(join(' ', @{info_of($p)->{allocator}}{qw(arena_bytes reserved_bytes live failures)}), '4194304 393216 1021 0', 'info --json');
like(grosr('info')->{stdout}, qr/^ *$p->{pid} .* 393k\/4\.19M /m, 'info');

# ---- recorded ----

my $record = start($GROSR, 'record', '--attach', $p->{pid}, '--level', 'full', '-o', $db);
ok(until_true(sub { (info_of($p)->{collector_pid} // 0) == $record->{pid} }), 'a collector attaches');
ok(until_true(sub { peek($db, 'SELECT count(*) FROM GROSR_HEAP_SAMPLE') }), 'and samples the counters');
step($p);
ok(until_true(sub { allocator($p)->{failures} }), 'events and errors');
$a = allocator($p);
is("$a->{failures} $a->{bad_frees} $a->{debug}", '3 1 1', 'failures, bad frees and debug mode');
is($a->{external_fragmentation}, sprintf('%.4f', 1 - 524288 / (4194304 - $used)), 'the heap is more fragmented');
is(join(' | ', map { "$_->{error} worker $_->{worker}" } @{$a->{errors}}),
   'no memory worker 1 | free of what is not allocated worker 1', 'the latest errors, the newest first');
is($a->{errors}[0]{requested_bytes} . ' ' . (defined $a->{errors}[0]{task} ? 'task' : 'no task'), '6553600 no task',
   'one in no task');
is("$a->{errors}[1]{offset} $a->{errors}[1]{task}", '327680 2', 'and one in task 2');
cmp_ok($a->{errors}[0]{age_ns}, '>', 0, 'with its age');
$frame = top($p)->{stdout};
like($frame, qr/^ memory .* 3 failed  1 bad frees /m, 'top: failures and bad frees');
like($frame, qr/^ no memory for 6\.55MB  worker 1  \S+ ago$/m, 'and the latest error');
step($p);
is(finish($p)->{code}, 0, 'the process ends');
is(finish($record)->{code}, 0, 'and the recording') or diag($record->{stderr});
is(value($db, 'SELECT verdict FROM trace_health WHERE ring IS NULL'), 'complete', 'the trace is complete');
is(join(' | ', map { "$_->{requested_bytes} $_->{function} $_->{state} " . ($_->{free_function} // '-') }
        sql($db, 'SELECT * FROM allocations ORDER BY start')),
   '40 build ended walk | 60 build open - | 200704 build open -', 'allocations: owner and who freed it');
is(value($db, 'SELECT lifetime_ns FROM allocations WHERE requested_bytes = 40'), 4000, 'lifetime');
is(join(' ', map { $_->{external_fragmentation} } sql($db, 'SELECT * FROM fragmentation ORDER BY time')), '0.455 0.8637',
   'fragmentation over time');
is(value($db, 'SELECT count(*) FROM GROSR_HEAP_CLASS_SAMPLE WHERE class = 0'), 1, 'a class that did not change has one sample');
is(join(' | ', map { "$_->{error} $_->{function}" } sql($db, 'SELECT * FROM heap_errors ORDER BY time')),
   'free of what is not allocated walk | no memory walk', 'errors');
my %columns = ('churn' => 'blocks', 'fragmentation-over-time' => 'external_fragmentation', 'heap-errors' => 'counted',
               'leaks' => 'reserved_bytes', 'longest-blocks' => 'lived_ns', 'size-classes' => 'used');
for my $query (sort keys %columns) {
    my $rows = json_of(grosr('query', $db, $query, '--json'));
    ok(@$rows && grep({ $_->{$columns{$query}} } @$rows), "query $query");
}
my $info = json_of(grosr('info', $db, '--json'));
is("$info->{allocators}[0]{live} $info->{allocators}[0]{failures} $info->{rows}{heap_events}", '1021 3 5', 'info FILE --json');
like(grosr('info', $db)->{stdout}, qr/^GPU MEMORY\n.*max_reserved_bytes/m, 'info FILE');

# ---- exported ----

my $chrome = json_of(grosr('export', $db, '--format', 'chrome'));
my %seen;
$seen{$_->{name}}++ for grep { ($_->{ph} // '') =~ /^[Ci]$/ } ref $chrome eq 'HASH' ? @{$chrome->{traceEvents}} : @$chrome;
is($seen{"GPU memory $_"}, 2, "export: a counter track of $_")
    for qw(used requested reserved), 'internal fragmentation', 'external fragmentation';
is($seen{'no memory'}, 1, 'and an instant for an error');

done_testing();
