#!/usr/bin/perl
# `grosr bench`: every experiment runs on the host device, beside its baselines, with right results; its report is
# complete, and is drawn. No time is judged.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Grosr;
use Test::More;

my $list = grosr('bench', '--list');
is($list->{code}, 0, '--list');
my @names = $list->{stdout} =~ /^(\S+)/mg;
cmp_ok(scalar(@names), '>=', 4, 'names the experiments');

my $dir = scratch();
my %few = (    # which options make each experiment short; the others it takes none of
    pingpong => ['--tasks', 500],
    idle     => ['--repetitions', 2],
    syscall  => ['--tasks', 50, '--repetitions', 2],
);
my %key = ('tasks/s' => 'ns', 'ns' => 'ns', 'W' => 'w', 'ratio' => 'ratio', 'CPU s/s' => 'cpu_share',
           'events/s' => 'events_per_s', 'rows/s' => 'rows_per_s', 'B/event' => 'bytes_per_event',
           'ns/event' => 'ns_per_event', share => 'share', 'B/B' => 'bytes_per_byte', 'B/s' => 'bytes_per_s');

# ---- reports ----

# What is wrong with a series, or ''.
sub fault
{
    my ($s) = @_;
    my $key = $key{$s->{unit} // ''} or return "unit '$s->{unit}'";
    my @absent = grep { !exists $s->{$_} } 'name', 'baseline', 'axis', 'x', 'tasks', 'samples', 'note', map { "${_}_$key" }
        qw(median lowest p99 highest percentiles);
    return "no @absent" if @absent;
    return $s->{note} ? '' : 'no samples and no word why' if !$s->{samples};
    my %p = %{$s->{"percentiles_$key"}};
    is(scalar(keys %p), 10, "$s->{name}: ten percentiles");
    my @sorted = ($s->{"lowest_$key"}, (map { $p{$_} // () } sort { substr($a, 1) <=> substr($b, 1) } keys %p),
                  $s->{"highest_$key"});
    return "disorder: @sorted" if grep { $sorted[$_ - 1] > $sorted[$_] } 1 .. $#sorted;
    return 'not positive' if $key eq 'ns' && $sorted[0] <= 0;
    return 'a median that is none' if $p{p50} != $s->{"median_$key"};
    return 'a p99 of few samples' if defined $p{p99} && $s->{samples} < 100;
    return 'an axis without a place' if defined $s->{axis} && !($s->{x} && $s->{x} > 0);
    return '';
}

my %report;
for my $name (@names) {
    my @options = @{$few{$name} // ['--tasks', 500, '--repetitions', 3]};
    my $run = grosr('bench', $name, '--device', 'host', '--workers', 3, @options, '--json');
    is($run->{code}, 0, "$name runs") or diag($run->{stderr});
    spew("$dir/$name.json", $run->{stdout});
    my $j = $report{$name} = json_of($run);
    is("$j->{bench} $j->{device} $j->{errors}", "$name host 0", "$name: all results right");
    ok(!@{$j->{wrong_results}} && exists $j->{failure} && !defined $j->{failure}, "$name: and it came to its end");
    like($j->{date}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, "$name: says when");
    ok($j->{machine}{cpu} && $j->{machine}{cpus} >= 1 && $j->{grosr_version}, "$name: on what machine, by which grosr");
    is(join(' ', grep { !exists $j->{machine}{$_} }
            qw(driver_version cuda_version pcie_generation pcie_width sm_mhz_max sm_mhz_before sm_mhz_after power_w_before
               power_w_after temperature_c_before temperature_c_after nvml_absent)), '', "$name: has a place for the GPU's state");
    ok($j->{machine}{nvml_absent} && !defined $j->{machine}{sm_mhz_after}, "$name: which the host device has none of");
    is($j->{options}{workers}, 3, "$name: and with which options");
    ok((grep { $_->{baseline} } @{$j->{series}}) && (grep { !$_->{baseline} } @{$j->{series}}),
       "$name: GROSR and its baselines");
    is(join('; ', map { my $f = fault($_); $f ? "$_->{name}: $f" : () } @{$j->{series}}), '', "$name: every series is whole");
    no_segments($run, "$name leaves no segment");
}

# ---- sweeps ----

sub xs
{
    my ($axis, $pattern) = @_;
    return join(' ', map { $_->{x} } grep { ($_->{axis} // '') eq $axis && $_->{name} =~ $pattern } @{$report{scale}{series}});
}
is(xs('tasks', qr/host-fed/), '10 20 50 100 200 500', 'scale: up to --tasks');
is(xs('tasks', qr/device-fed/), '10 20 50 100 200 500', 'fed from the device too');
is(xs('tasks', qr/^mutex/), '10 20 50 100 200 500', 'its baseline likewise');
is(xs('workers', qr/tiny/), '1 2 3', 'up to --workers');
is(xs('producers', qr/./), '1 2 4 8', 'and 1 to 8 producers');

# ---- tasks that tasks make ----

sub named { my ($name, $pattern) = @_; return scalar(grep { $_->{name} =~ $pattern } @{$report{$name}{series}}) }
is(named('dispatch', qr/device-fed/), 1, 'dispatch: fed from the device too');
is(named('pingpong', qr/task to task/), 4, 'pingpong: four ways from task to task');
is(join(' ', map { named('spawn', $_) } qr/^GROSR/, qr/^one shared queue/), '4 4', 'spawn: the same trees through one queue');
is(join(' ', map { named('tracing', qr/`$_`,/) } qw(off counters spans full)), '3 3 3 3',
   'tracing: four levels, three lengths');

# ---- memory ----

my @alloc = @{$report{alloc}{series}};

# GROSR's and the baseline's rows of a name and place.
sub pair { my ($what, $x) = @_; return grep { $_->{name} =~ /: \Q$what\E$/ && ($_->{x} // 0) == $x } @alloc }
for my $case (['malloc, one thread', 64], ['free, one thread', 4096],
              (map { (['malloc, warm', $_], ['free', $_]) } 16, 64, 512, 1024, 4096, 8192),
              ['malloc, warm, 4 B to 8 KiB', 0], ['malloc over threads, 64 B', 256], ['malloc over threads, 64 B', 500],
              ['call, blocks that come and go', 32], ['graph grows, a list', 0], ['record made for the next kernel', 0]) {
    my ($what, $x) = @$case;
    my ($own, $other) = sort { $a->{baseline} <=> $b->{baseline} } pair($what, $x);
    ok($own && $other && !$own->{baseline} && $other->{baseline}, "alloc: $what at $x by both") or next;
    my $ratio = $other->{median_ns_per_task} / $own->{median_ns_per_task};
    ok(abs($other->{to_grosr} / $ratio - 1) < 1e-6 && !defined $own->{to_grosr}, "alloc: $what at $x: its own ratio");
}
my ($full) = pair('share of the heap had, 64 B until full', 0);
cmp_ok($full->{lowest_share}, '>=', 0.98, 'alloc: the heap is used up before it is full');
is(scalar(grep { $_->{unit} eq 'B/B' && $_->{axis} eq 'rounds' } @alloc), 12, 'alloc: the address range, by both');
is(join(' ', grep { $_ < 0 || $_ > 1 } map { $_->{median_share} } grep { $_->{name} =~ /fragmentation/ } @alloc), '',
   'alloc: fragmentation is a share');

# ---- what an event costs ----

my @trace = @{$report{trace}{series}};
my @costs = grep { $_->{unit} eq 'ns/event' && defined $_->{axis} } @trace;
my $is_level = qr/^(?:8-byte recorder, unbounded|GROSR at (?:off|counters|spans|spans, with state word|full, .*|spans, read meanwhile));/;
is(join(' ', map { my $x = $_; scalar(grep { $_->{x} == $x && $_->{name} =~ $is_level } @costs) } 1, 3), '14 14',
   'trace: the peer and GROSR at each level, with short and long steps, for 1 and 3 threads');
is(scalar(@costs), 28, 'and nothing else');
is(scalar(grep { $_->{name} =~ /^no recorder;/ && $_->{baseline} && $_->{unit} eq 'ns' } @trace), 4, 'beside the steps alone');
is(scalar(grep { $_->{unit} eq 'share' && $_->{samples} == 3 && $_->{lowest_share} >= 0 && $_->{highest_share} <= 1 } @trace), 4,
   'and the share that is lost where readers fall behind');
my ($ratio) = grep { $_->{name} eq 'GROSR at spans / 8-byte; mean, host memory' } @trace;
ok($ratio && ($ratio->{note} ? !$ratio->{samples} : $ratio->{median_ratio} > 0), 'and what it comes to, or why it does not');

# ---- for people ----

my $run = grosr('bench', 'dispatch', '--device', 'host', '--tasks', 200, '--repetitions', 2);
like($run->{stdout}, qr/^series +tasks +samples.*^GROSR, host-fed by 1 thread +200 +2 /ms, 'a table for people');
like($run->{stdout}, qr/\Adispatch on .*\n.* CPUs, 20\d\d-.*Z, grosr \d.*\ntasks 200  repetitions 2 /, 'that says the machine first');
$run = grosr('bench', 'scale', '--device', 'host', '--tasks', 20, '--repetitions', 2);
like($run->{stdout}, qr/^series +at +tasks.*producers 8/ms, 'a sweep has its points');

# ---- an experiment that fails: what was measured is printed all the same, and whose error it was ----

$run = grosr({env => {TMPDIR => "$dir/nosuch"}}, 'bench', 'store', '--device', 'host', '--tasks', 100, '--repetitions', 2, '--json');
says_one_line($run, 1, qr/series 'GROSR, drained, packed, stored, one by one', repetition 1: .*nosuch/, 'a folder that is not there');
my $failure = json_of($run)->{failure};
is(join('|', map { $_ // 'null' } @$failure{qw(series baseline axis x warm_up round)}),
   'GROSR, drained, packed, stored, one by one|0|null|null|0|1', 'names the series and the round in the JSON too');
like($failure->{error}, qr/nosuch/, 'with the error');

# ---- plots ----

SKIP: {
    # The distribution's matplotlib is for its own python3.
    my ($python) = grep { -x $_ && system("'$_' -c 'import matplotlib' 2>/dev/null") == 0 }
        (map { "$_/python3" } split(/:/, $ENV{PATH})), '/usr/bin/python3';
    skip('matplotlib is not installed', 1) unless $python;

    # A script draws them, to which it is all the same how the command was compiled.
    for my $name ($GROSR =~ /asan/ ? $names[0] : @names) {
        my $r = run_it($python, "$ROOT/tests/bench/plot.py", '-o', "$dir/$name.svg", '-o', "$dir/$name.png", "$dir/$name.json");
        is($r->{code}, 0, "$name is drawn") or diag($r->{stderr});
        my $svg = slurp("$dir/$name.svg") // '';
        my ($series) = grep { !$_->{baseline} } @{$report{$name}{series}};
        my ($word) = $series->{name} =~ /(GROSR)/;
        like($svg, qr/\A<\?xml.*<!--[^>]*\Q$word\E.*<!--[^>]*\Q$report{$name}{date}\E.*<\/svg>\s*\z/s,
             "$name: an SVG with GROSR and the date");
        like(slurp("$dir/$name.png") // '', qr/\A\x89PNG\r\n.*IEND....\z/s, "$name: a PNG");
    }
    my $r = run_it($python, "$ROOT/tests/bench/plot.py", '-o', "$dir/all.png", map { "$dir/$_.json" } @names[0, 1]);
    is($r->{code}, 0, 'several reports make one figure') or diag($r->{stderr});
    spew("$dir/bad.json", '{"bench": "x"}');
    $r = run_it($python, "$ROOT/tests/bench/plot.py", '-o', "$dir/bad.png", "$dir/bad.json");
    ok($r->{code} == 1 && $r->{stderr} =~ /\Aplot\.py: [^\n]+no report[^\n]*\n\z/, 'what is no report is one line') or
        diag($r->{stderr});

    $run = grosr('bench', 'dispatch', '--device', 'host', '--tasks', 100, '--repetitions', 2, '--plot', "$dir/own.svg");
    is($run->{code}, 0, '--plot') or diag($run->{stderr});
    like($run->{stdout}, qr/^series /m, 'beside the table');
    like(slurp("$dir/own.svg") // '', qr/<\/svg>/, 'writes the SVG');
    $run = grosr('bench', 'dispatch', '--device', 'host', '--tasks', 100, '--repetitions', 2, '--json', '--plot', "$dir/own.png");
    is(json_of($run)->{bench}, 'dispatch', 'beside the JSON too');
    like(slurp("$dir/own.png") // '', qr/\A\x89PNG/, 'writes the PNG');
}

my @kept = glob("$ROOT/tests/bench/h100/*.png");
cmp_ok(scalar(@kept), '>=', 7, 'plots are kept');
is(join(' ', grep { -s $_ > 60_000 } @kept), '', 'and are small');

# Without a python3 that can draw, the measurements are there all the same.
mkdir("$dir/bin");

sub with_python
{
    my ($code, $word) = @_;
    spew("$dir/bin/python3", "#!/bin/sh\ncat >/dev/null\necho $word >&2\nexit $code\n");
    chmod(0755, "$dir/bin/python3");
    unlink("$dir/own.png");
    return grosr({env => {PATH => "$dir/bin:$ENV{PATH}"}}, 'bench', 'dispatch', '--device', 'host', '--tasks', 100,
                 '--repetitions', 2, '--plot', "$dir/own.png");
}
$run = with_python(1, 'no such thing');
says_one_line($run, 1, qr/own\.png was not drawn: no such thing/, 'a python3 that fails');
like($run->{stdout}, qr/^series /m, 'the measurements are printed');
$run = with_python(3, 'none');
if (-x '/usr/bin/python3' && system("/usr/bin/python3 -c 'import matplotlib' 2>/dev/null") == 0) {
    is($run->{code}, 0, 'a python3 without matplotlib: the system\'s own draws') or diag($run->{stderr});
    like(slurp("$dir/own.png") // '', qr/\A\x89PNG/, 'the PNG');
} else {
    says_one_line($run, 1, qr/own\.png was not drawn: matplotlib is not installed/, 'a python3 without matplotlib');
    like($run->{stdout}, qr/^series /m, 'the measurements are printed');
}

# ---- bad input ----

says_one_line(grosr('bench', 'nosuch'), 2, qr/nosuch.*--list/, 'an unknown experiment');
says_one_line(grosr('bench'), 2, qr/--list/, 'no experiment');
says_one_line(grosr('bench', 'dispatch', '--tasks', '0'), 2, qr/--tasks/, 'no tasks');
says_one_line(grosr('bench', 'dispatch', '--tasks', '1000000001'), 2, qr/at most 1000000000 tasks/, 'too many');
says_one_line(grosr('bench', 'dispatch', '--tasks', '1000000000', '--plot', 'x.pdf'), 2, qr/--plot/, 'and so many are not');
says_one_line(grosr('bench', 'dispatch', '--repetitions', '0'), 2, qr/--repetitions/, 'no repetitions');
says_one_line(grosr('bench', 'idle', '--tasks', '10'), 2, qr/idle.*--tasks/, 'tasks where there are none');
says_one_line(grosr('bench', 'pingpong', '--repetitions', '10'), 2, qr/pingpong.*--repetitions/, 'repetitions likewise');
says_one_line(grosr('bench', 'dispatch', '--device', 'host', '--workers', '4000'), 2, qr/at most \d+ workers, not 4000/,
              'too many workers');
for my $file ('x.pdf', 'x', 'svg') {
    my $refused = grosr('bench', 'dispatch', '--device', 'host', '--plot', "$dir/$file");
    says_one_line($refused, 2, qr/\.svg or \.png/, "--plot $file");
    is($refused->{stdout}, '', 'and nothing ran');
}
my $r = grosr('bench', 'dispatch', '--device', 'host', '--plot', "$dir/nosuch/x.svg");
says_one_line($r, 1, qr/cannot write .*nosuch/, 'a plot in no folder');
is($r->{stdout}, '', 'is known before anything runs');

done_testing();
