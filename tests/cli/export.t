#!/usr/bin/perl
# `grosr export`: what other people's parsers read is what the tables hold. Perfetto's format is read by protoc, Chrome's
# JSON by JSON::PP and Python, and what either says is compared with SQL: every slice, its times and its track, arrows,
# counters, names.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Encode qw(decode);
use File::Copy qw(copy);
use Grosr;
use JSON::PP qw(decode_json encode_json);
use Test::More;

my $dir = scratch();
my $golden = "$ROOT/traces/h100-arith-1000.db";
my $open = 'still open';

sub record
{
    my ($name, @arguments) = @_;
    my $r = grosr('run', @arguments, '--device', 'host', '--workers', '3', '-o', "$dir/$name.db");
    is($r->{code}, 0, "a trace of $name") or BAIL_OUT("no trace: $r->{stderr}");
    return "$dir/$name.db";
}

# Changes a trace, as nobody but a test would.
sub change
{
    my ($trace, $sql) = @_;
    spew("$dir/change.sql", $sql);
    my $r = run_it('python3', '-c', 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); ' .
                   'c.text_factory = bytes; c.executescript(open(sys.argv[2]).read()); c.commit()', $trace, "$dir/change.sql");
    is($r->{code}, 0, 'the trace is changed') or diag($r->{stderr});
}

# ---- reading Perfetto's format ----

# The packets, each a hash of arrays, from protoc's text.
sub packets
{
    my ($path) = @_;
    my $r = run_it({out => "$path.txt"}, '/bin/sh', '-c', 'exec protoc --proto_path="$1" --decode=Trace "$1/perfetto.proto" <"$2"',
                   'sh', $FindBin::Bin, $path);
    is("$r->{code} $r->{stderr}", '0 ', 'protoc reads it') or return;
    open(my $file, '<', "$path.txt") or die $!;
    my ($top, @stack) = ({});
    my ($here, $strange) = ($top, 0);
    while (my $line = <$file>) {
        if ($line =~ /^\s*(\w+) \{$/) {
            push @stack, $here;
            push @{$here->{$1}}, $here = {};
        } elsif ($line =~ /^\s*\}$/) {
            $here = pop(@stack);
        } elsif ($line =~ /^\s*(\w+): (.*)$/) {
            my ($key, $value) = ($1, $2);
            $strange++ if $key =~ /^\d/;
            if ($value =~ s/^"(.*)"$/$1/) {
                my %plain = (n => "\n", t => "\t", r => "\r");
                $value =~ s/\\([0-7]{3}|.)/length($1) == 3 ? chr(oct($1)) : $plain{$1} \/\/ $1/ge;
                $value = decode('UTF-8', $value, Encode::FB_CROAK);
            }
            push @{$here->{$key}}, $value;
        }
    }
    is($strange, 0, 'there are no fields but Perfetto\'s');
    return @{$top->{packet} || []};
}

# What a file in either format holds, in the same form: slices, instants, counters, flows by what they come from and go to.
sub perfetto
{
    my ($path) = @_;
    my (%track, %text, @events, %found);
    my ($order, $missing) = (0, 0);
    for my $p (packets($path)) {
        if (my $interned = $p->{interned}) {
            for my $kind (keys %{$interned->[0]}) {
                $text{$kind}{$_->{id}[0]} = $_->{text}[0] for @{$interned->[0]{$kind}};
            }
        }
        if (my $snapshot = $p->{clock_snapshot}) {
            $found{clock}{$_->{id}[0]} = $_->{time}[0] for @{$snapshot->[0]{clock}};
        }
        if (my $track = $p->{track}) {
            my %t = map { $_ => $track->[0]{$_}[0] } keys %{$track->[0]};
            $missing++ if exists $track{$t{uuid}} || ($t{parent} && !$track{$t{parent}});
            my $own = $t{process} || $t{thread} || {};
            $track{$t{uuid}} = {%t, name => $t{name} // $own->{name}[0], parent => $t{parent} && $track{$t{parent}}};
        }
        my $event = $p->{event} ? $p->{event}[0] : next;
        my %e = (time => $p->{timestamp}[0], type => $event->{type}[0], track => $track{$event->{track}[0]},
                 order => $order++, from => $event->{flow} || [], to => $event->{last_flow} || [], value => $event->{value}[0]);
        $missing++ unless $e{track};
        $e{name} = $event->{name_id} ? $text{name}{$event->{name_id}[0]} : $event->{name} && $event->{name}[0];
        $e{category} = $text{category}{$event->{category_id}[0]} if $event->{category_id};
        for my $a (@{$event->{argument} || []}) {
            my $name = $a->{name_id} ? $text{argument}{$a->{name_id}[0]} : $a->{name}[0];
            $e{arguments}{$name} = ($a->{integer} || $a->{real} || ($a->{text_id} ? [$text{value}{$a->{text_id}[0]}] : $a->{text}))->[0];
        }
        push @events, \%e;
    }
    is($missing, 0, 'each track is told once, before what is on it and after its parent');
    $found{tracks} = [values %track];

    # As Perfetto does: in order of time; an end ends what was begun last on its track.
    my (%stack, $unmatched);
    my $ahead = $found{clock}{128};
    for my $e (sort { $a->{time} <=> $b->{time} || $a->{order} <=> $b->{order} } @events) {
        $e->{time} -= $ahead;
        my $stack = $stack{$e->{track}} ||= [];
        if ($e->{type} == 1) {
            $e->{end} = $open;
            push @$stack, $e;
            push @{$found{slices}}, $e;
        } elsif ($e->{type} == 2) {
            my $begin = pop(@$stack) or $unmatched++, next;
            $begin->{end} = $e->{time};
        } else {
            push @{$found{$e->{type} == 3 ? 'instants' : 'counters'}}, $e;
        }
    }
    # What is never ended has nothing around it that is.
    $unmatched++ for grep { my $s = $_; grep { $_->{end} ne $open } @$s } values %stack;
    is($unmatched, undef, 'slices nest on every track');
    return \%found;
}

# ---- reading Chrome's format ----

sub chrome
{
    my ($path) = @_;
    my $r = run_it('python3', '-c', "import json, sys; print(len(json.load(open(sys.argv[1], encoding='utf-8'))['traceEvents']))", $path);
    my $j = json_of(slurp($path));
    is("$r->{code} " . ($r->{stdout} + 0), '0 ' . @{$j->{traceEvents}}, 'Python and Perl read the same events')
        if have('python3');
    my (%name, %found);
    my $ns = sub { return sprintf('%.0f', $_[0] * 1000) };
    $found{other} = $j->{otherData};
    for my $e (@{$j->{traceEvents}}) {
        my $at = "$e->{pid} $e->{tid}";
        if ($e->{ph} eq 'M') {
            $name{$at} = $e->{args}{name} if $e->{name} eq 'thread_name';
            next;
        }
        my %e = (time => $ns->($e->{ts}), name => $e->{name}, category => $e->{cat}, arguments => $e->{args}, at => $at,
                 track => {name => $name{$at}}, from => [], to => []);
        if ($e->{ph} =~ /[XB]/) {
            $e{end} = $e->{ph} eq 'B' ? $open : $ns->($e->{ts}) + $ns->($e->{dur});
            push @{$found{slices}}, \%e;
        } elsif ($e->{ph} =~ /[stf]/) {
            $found{flows}{$e->{id}} .= $e->{ph};
        } else {
            push @{$found{$e->{ph} eq 'i' ? 'instants' : 'counters'}}, \%e;
        }
    }
    # On one thread each slice lies in the one around it.
    my (%stack, $overlaps);
    for my $s (sort { $a->{time} <=> $b->{time} } @{$found{slices}}) {
        my $stack = $stack{$s->{at}} ||= [];
        pop(@$stack) while @$stack && $stack->[-1] ne $open && $stack->[-1] <= $s->{time};
        $overlaps++ if @$stack && $stack->[-1] ne $open && ($s->{end} eq $open || $s->{end} > $stack->[-1]);
        push @$stack, $s->{end};
    }
    is($overlaps, undef, 'slices nest on every thread');
    return \%found;
}

sub export
{
    my ($trace, $format) = @_;
    my $out = "$dir/out.$format";
    my $r = grosr('export', $trace, '--format', $format, '-o', $out);
    is("$r->{code} $r->{stdout}$r->{stderr}", '0 ', "export as $format") or return {};
    return $format eq 'perfetto' ? perfetto($out) : chrome($out);
}

sub of_category
{
    my ($found, $category) = @_;
    return grep { $_->{category} eq $category } @{$found->{slices} || []}, @{$found->{instants} || []};
}

sub sorted { return [sort map { join(' ', map { $_ // '-' } @$_) } @_] }

# ---- what a run leaves ----

sub compare
{
    my ($trace, $format) = @_;
    my $found = export($trace, $format);
    my @runs = sql($trace, 'SELECT task, function, start, coalesce(end, \'' . $open . '\') AS end, worker, sm, queued_ns, status, next ' .
                           'FROM tasks WHERE start IS NOT NULL');
    my @slices = of_category($found, 'task');
    my $of_worker = sub { return $_[0]->{track}{name} =~ /worker (\d+)/ ? $1 : '?' };
    is_deeply(sorted(map { [@{$_->{arguments}}{qw(task queued_ns status next)}, @$_{qw(name time end)}, $of_worker->($_)] } @slices),
              sorted(map { [@$_{qw(task queued_ns status next function start end worker)}] } @runs),
              'each run is a slice on its worker\'s track, to the nanosecond, with its arguments');
    for my $kind (['wait', 'waits'], ['idle', 'GROSR_IDLE']) {
        is_deeply(sorted(map { [@$_{qw(time end)}] } of_category($found, $kind->[0])),
                  sorted(map { [@$_{qw(start end)}] }
                         sql($trace, "SELECT start, coalesce(end, '$open') AS end FROM $kind->[1] WHERE start IS NOT NULL")),
                  "$kind->[0]: as $kind->[1] has it");
    }
    is_deeply(sorted(map { [$_->{time}] } @{$found->{counters}}), sorted(map { [$_->{time}] } sql($trace,
              'SELECT time FROM GROSR_QUEUE_SAMPLE UNION ALL SELECT host FROM GROSR_CLOCK UNION ALL ' .
              'SELECT time FROM fragmentation, (VALUES (1), (2), (3), (4), (5))')), 'counters: all samples');
    is(scalar(of_category($found, 'event')), value($trace, 'SELECT count(*) FROM GROSR_INSTANT'), 'instants: all');
    my $enqueued = 0;
    $enqueued += $_->{arguments}{tasks} for of_category($found, 'enqueue');
    is($enqueued, value($trace, 'SELECT count(*) FROM tasks WHERE enqueue IS NOT NULL'), 'submissions and spawns: of all tasks');
    my %sm = map { ($_->{worker} => $_->{sm}) } @runs;
    my ($start) = sql($trace, 'SELECT start_mono_ns, start_real_ns FROM GROSR_SESSION WHERE session = 1');
    if ($format eq 'perfetto') {
        is_deeply([@{$found->{clock}}{3, 1}], [@$start{qw(start_mono_ns start_real_ns)}], 'the machine\'s clocks at time 0');
        is_deeply({map { $_->{name} =~ /^worker (\d+)$/ ? ($1 => $_->{parent}{name}) : () } @{$found->{tracks}}},
                  {map { ($_->{worker} => "SM $_->{sm}") } sql($trace, 'SELECT worker, sm FROM workers')}, 'workers stand on their SMs');
        my (%from, %to);
        for my $e (@{$found->{slices}}, @{$found->{instants}}) {
            $from{$_}++ for @{$e->{from}};
            $to{$_}++ for @{$e->{to}};
        }
        is(scalar(keys %to), value($trace, 'SELECT count(*) FROM tasks WHERE start IS NOT NULL AND ' .
                                           '(next IS NULL OR next = \'(nothing)\')'), 'an arrow comes to each last run');
        is(scalar(grep { !$from{$_} || $to{$_} > 1 } keys %to), 0, 'from somewhere, and once');
    } else {
        is($found->{other}{start_real_ns}, $start->{start_real_ns}, 'the real time of time 0');
        is(scalar(grep { !/^st*f$/ } values %{$found->{flows}}), 0, 'arrows begin, go through later runs, and end');
        is(scalar(keys %{$found->{flows}}), value($trace, 'SELECT count(DISTINCT task) FROM tasks'), 'one for each task');
    }
}

my $spawn = record('spawn', 'spawn', '--tasks', '2000');
my $pipeline = record('pipeline', 'pipeline', '--tasks', '1000', '--level', 'full');
my @formats = ('chrome', have('protoc') ? 'perfetto' : ());
SKIP: {
    skip('no protoc: Perfetto\'s format is not read back', 1) if @formats < 2;
    pass('there is protoc');
}
for my $format (@formats) {
    compare($spawn, $format);
    compare($pipeline, $format);
    compare($golden, $format);
}

# ---- everything else a trace can hold ----

# What there is no workload for, in a copy of a trace: CUPTI, NVTX, ranges, counters, holds, losses, a second session, and
# what has not ended or began unseen. 4242 is a process that is no session of ours.
sub fill
{
    my ($trace) = @_;
    my ($pid) = (4242 << 24);
    my ($tid) = $pid | 4243;
    change($trace, qq{
        UPDATE GROSR_SESSION SET program = 'a "program"' || char(10) || CAST(x'ff' AS TEXT) || 'z' WHERE session = 1;
        INSERT INTO GROSR_SESSION SELECT 2, pid + 1, 'second', device, 'other', sms, max_warps_per_sm, lanes, 100, start_mono_ns + 5,
            start_real_ns + 5, end, 0, 0, NULL FROM GROSR_SESSION WHERE session = 1;
        INSERT INTO GROSR_WORKER (worker, sm, session) VALUES (100, 7, 2), (101, 3, 2);
        INSERT INTO GROSR_FUNCTION VALUES (70001, 'a' || CAST(x'ff01' AS TEXT) || '"\\' || char(10), 2);
        INSERT INTO GROSR_TASK VALUES (0, 70001, 100, 1000, 2000, 3000, 0, NULL), (1, 70001, 100, 1000, 4000, NULL, NULL, NULL),
            (2, 70001, 100, 1000, 5000, 6000, 5, NULL), (3, 70001, 101, 1000, 7000, NULL, NULL, NULL),
            (4, NULL, 101, NULL, NULL, 6500, 0, NULL), (5, NULL, NULL, 1000, NULL, NULL, NULL, NULL);
        INSERT INTO GROSR_WAIT VALUES (101, 1, 0, 7100, NULL, 2), (NULL, 2, 0, 100, 300, 2), (NULL, 2, 0, 200, 400, 2),
            (NULL, 2, 0, 250, NULL, 2);
        INSERT INTO GROSR_NAME VALUES (65536, 'phase', NULL, 2), (65537, 'power', 'W', 2);
        INSERT INTO GROSR_RANGE VALUES (100, 65536, 2100, 2900, 17), (100, 65536, 2200, 2900, NULL), (101, 65536, 7050, NULL, NULL);
        INSERT INTO GROSR_COUNTER VALUES (1500, 65537, NULL, 250.5), (2500, 65537, 100, 1e300);
        INSERT INTO GROSR_HOLD VALUES (100, 1, 0, 2000, 5500), (100, 2, 0, 5100, 5900);
        INSERT INTO GROSR_RING VALUES (900, 100, 64, 10, 5, 5, 0, 1, 2, 0);
        INSERT INTO GROSR_LOSS VALUES (900, 3, 4500, 3, 'dropped'), (900, 9, NULL, 2, 'dropped'), (900, 0, NULL, 1, 'overwritten');
        INSERT INTO GROSR_NOTE VALUES (10, 2, 'cupti', 'kernel records are withheld');
        INSERT INTO StringIds VALUES (1, 'cudaLaunchKernel'), (2, 'saxpy'), (3, 'saxpy(int, float*)'), (4, 'main thread'),
            (5, 'registered');
        INSERT INTO ThreadNames VALUES (4, $tid);
        INSERT INTO TARGET_INFO_GPU (id, name) VALUES (0, 'a GPU');
        INSERT INTO TARGET_INFO_CUDA_DEVICE (gpuId, cudaId, pid) VALUES (0, 0, $pid >> 24);
        INSERT INTO TARGET_INFO_CUDA_CONTEXT_INFO VALUES (1, 0, 7, 4242);
        INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES (-500, -100, 0, $tid, 1, 1, 0), (0, 90, 1, $tid, 2, 1, 0),
            (10, 80, 1, $tid, 3, 1, 0), (8000, NULL, 0, $tid, 4, 1, NULL);
        INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL (start, end, deviceId, contextId, streamId, correlationId, globalPid, demangledName,
            shortName, gridX, gridY, gridZ, persistent) VALUES (50, 500, 0, 1, 7, 1, $pid, 3, 2, 8, 1, 1, 0),
            (400, 700, 0, 1, 7, 2, $pid, 3, 2, 8, 1, 1, 0), (900, NULL, 0, 1, 13, NULL, $pid, 3, 2, 1, 1, 1, 1);
        INSERT INTO CUPTI_ACTIVITY_KIND_MEMCPY (start, end, deviceId, contextId, streamId, correlationId, globalPid, bytes, copyKind)
            VALUES (750, 760, 0, 1, 7, 3, $pid, 4096, 1);
        INSERT INTO CUPTI_ACTIVITY_KIND_MEMSET (start, end, deviceId, contextId, streamId, correlationId, globalPid, value, bytes)
            VALUES (770, 780, 0, 1, 7, 99, $pid, 0, 64);
        INSERT INTO CUPTI_ACTIVITY_KIND_SYNCHRONIZATION VALUES (60, 790, 0, 1, 7, 4, $pid, 3, NULL);
        INSERT INTO NVTX_EVENTS (start, end, eventType, text, textId, globalTid, domainId, category, int64Value, rangeId,
            endGlobalTid) VALUES (NULL, NULL, 75, 'my domain', NULL, NULL, 1, NULL, NULL, NULL, NULL),
            (NULL, NULL, 33, 'my category', NULL, NULL, 1, 6, NULL, NULL, NULL),
            (-600, 95, 59, 'outer', NULL, $tid, 1, 6, -3, NULL, NULL), (5, 85, 59, NULL, 5, $tid, 0, NULL, NULL, NULL, NULL),
            (40, NULL, 34, 'mark', NULL, $tid, 0, NULL, NULL, NULL, NULL), (1, 50, 60, 'one', NULL, $tid, 0, NULL, NULL, 1, $tid),
            (20, 90, 60, 'two', NULL, $tid, 0, NULL, NULL, 2, $tid);
    });
}

sub described
{
    my ($found, $category) = @_;
    return sorted(map { [@$_{qw(name time)}, $_->{end} // '', $_->{track}{name}] } of_category($found, $category));
}

SKIP: {
    skip('no python3 to fill a trace with', 1) unless have('python3');
    my $full = "$dir/full.db";
    copy($pipeline, $full) or die $!;
    fill($full);
    for my $format (@formats) {
        my $found = export($full, $format);
        # Where there are no groups, names of tracks tell them; so do sessions, once there are two.
        my $in = sub { my ($groups, $name) = @_; return $format eq 'perfetto' ? $name : "$groups, $name" };
        my $odd = "a\x{fffd}\x01\"\\\n";
        my ($worker, $other) = ($in->('session 2, SM 7', 'worker 100'), $in->('session 2, SM 3', 'worker 101'));
        is_deeply([grep { /\Q$odd\E/ } @{described($found, 'task')}],
                  sorted([$odd, 2000, 3000, $worker], [$odd, 5000, 6000, $worker], [$odd, 7000, $open, $other],
                         [$odd, 4000, $open, 'worker 100: end not recorded']),
                  'tasks with a hostile name; what has not ended is open, and what lost its end holds nothing');
        is_deeply(described($found, 'range'),
                  sorted(['phase', 2100, 2900, $worker], ['phase', 2200, 2900, $worker], ['phase', 7050, $open, $other]), 'ranges');
        is((grep { $_->{time} == 2100 } of_category($found, 'range'))[0]{arguments}{value}, 17, 'with their value');
        is_deeply(described($found, 'hold'),
                  sorted(['hold queue_not_empty', 2000, 5500, 'worker 100: holds'],
                         ['hold queue_not_full', 5100, 5900, 'worker 100: holds (2)']), 'holds, which may overlap');
        is_deeply([grep { /worker 101|host/ && !/session 1/ } @{described($found, 'wait')}],
                  sorted(['wait queue_not_empty', 7100, $open, $other],
                         ['wait queue_not_full', 100, 300, $in->('session 2', 'host: waits')],
                         ['wait queue_not_full', 200, 400, 'host: waits (2)'],
                         ['wait queue_not_full', 250, $open, $in->('session 2', 'host: waits, end not recorded')]),
                  'waits of host threads');
        is_deeply(described($found, 'end'), sorted(['task ended', 6500, '', $other]), 'an end whose beginning is not known');
        my ($end) = value($full, 'SELECT end FROM GROSR_SESSION WHERE session = 2');
        is_deeply(sorted(map { [$_->{name}, $_->{arguments}{count}, $_->{time}, $_->{track}{name}] } of_category($found, 'loss')),
                  sorted(map { ['events lost', @$_, $worker] } [3, 4500], [2, $end], [1, 5]), 'losses');
        is_deeply(described($found, 'note'), sorted(['cupti', 10, '', $in->('session 2', 'notes')]), 'notes');
        my @counters = grep { ($_->{track}{name} // '') =~ /power/ || $_->{name} && $_->{name} =~ /power/ } @{$found->{counters}};
        is(scalar(@counters), 2, 'counters: one for all, one for a worker');
        if ($format eq 'perfetto') {
            is_deeply(sorted(map { [$_->{track}{name}, $_->{value} + 0, $_->{track}{counter}{unit}[0]] } @counters),
                      sorted(['power', 250.5, 'W'], ['power of worker 100', 1e300, 'W']), 'with unit and value');
        } else {
            is_deeply(sorted(map { [$_->{name}, $_->{arguments}{W} + 0] } @counters),
                      sorted(['session 2, power', 250.5], ['session 2, power of worker 100', 1e300]), 'with unit and value');
        }
        my ($stream, $thread) = ($in->('GPU 0', 'context 1, stream 7 (default)'), 'main thread');
        is_deeply(described($found, 'kernel'),
                  sorted(['saxpy', 50, 500, $stream], ['saxpy', 400, 700, 'context 1, stream 7 (default) (2)'],
                         ['saxpy', 900, $open, $in->('GPU 0', 'context 1, stream 13')]),
                  'kernels; those that overlap; the persistent one');
        is((of_category($found, 'kernel'))[0]{arguments}{grid}, '8 x 1 x 1', 'with their grid');
        is_deeply(described($found, 'memory'),
                  sorted(['copy host to device', 750, 760, $stream], ['set memory', 770, 780, $stream]), 'copies');
        is_deeply(described($found, 'synchronization'),
                  sorted(['wait for stream', 60, 790, $in->('GPU 0', 'context 1: synchronization')]), 'synchronization');
        is_deeply(described($found, 'api'),
                  sorted(map { ['cudaLaunchKernel', @$_, $thread] } [-500, -100], [0, 90], [10, 80], [8000, $open]),
                  'API calls, before time 0 too');
        is_deeply(described($found, 'nvtx'),
                  sorted(['outer', -600, 95, $thread], ['registered', 5, 85, $thread], ['mark', 40, '', $thread],
                         ['one', 1, 50, 'NVTX ranges'], ['two', 20, 90, 'NVTX ranges (2)']), 'NVTX');
        my ($outer) = grep { $_->{name} eq 'outer' } of_category($found, 'nvtx');
        is_deeply($outer->{arguments}, {domain => 'my domain', category => 'my category', payload => -3},
                  'with domain, category and payload');
        if ($format eq 'perfetto') {
            my %to = map { ($_->{to}[0] => $_) } grep { @{$_->{to}} } of_category($found, 'kernel'), of_category($found, 'memory');
            is_deeply(sorted(map { [$_->{time}, map { $_->{time} } grep { defined } @to{@{$_->{from}}}] } of_category($found, 'api')),
                      sorted([-500, 50], [0, 400], [10, 750], [8000]), 'launches lead to what they launched');
            my $pid = value($full, 'SELECT pid FROM GROSR_SESSION');
            my ($process) = grep { $_->{process} && $_->{process}{pid}[0] == $pid } @{$found->{tracks}};
            is($process->{name}, "a \"program\"\n\x{fffd}z", 'a hostile name of a process');
        }
    }
    skip('no protoc to read it with', 1) unless have('protoc');
    my @many = map { "(NULL, 1, 0, $_, @{[$_ + 1000]}, 2)" } 1 .. 150;
    change($full, 'INSERT INTO GROSR_WAIT VALUES ' . join(', ', @many) . ';');
    my $found = export($full, 'perfetto');
    is(scalar(grep { $_->{name} =~ /^host: waits \(\d+\)$/ } @{$found->{tracks}}), 149, 'as many lanes as overlap');
}

# ---- a part of the time ----

{
    # From the start of one run to that of another, however the runs are spread.
    my ($middle) = sql($spawn, 'SELECT (SELECT start FROM tasks ORDER BY start LIMIT 1 OFFSET 500) AS a, ' .
                               '(SELECT start FROM tasks ORDER BY start LIMIT 1 OFFSET 1500) AS b');
    my $r = grosr('export', $spawn, '--format', 'chrome', '--from', $middle->{a}, '--to', $middle->{b}, '-o', "$dir/middle");
    is("$r->{code} $r->{stderr}", '0 ', '--from and --to');
    my $in = "start < $middle->{b} AND end >= $middle->{a}";
    is_deeply(sorted(map { [@$_{qw(time end)}] } of_category(chrome("$dir/middle"), 'task')),
              sorted(map { [@$_{qw(start end)}] } sql($spawn, "SELECT start, end FROM tasks WHERE $in")), 'what has a part in it, whole');
    my $runs = value($spawn, "SELECT count(*) FROM tasks WHERE $in");
    ok($runs > 0 && $runs < value($spawn, 'SELECT count(*) FROM tasks'), 'which is a part of all');
    says_one_line(grosr('export', $spawn, '--from', 10, '--to', 10), 2, qr/less than --to/, 'no time at all');
    says_one_line(grosr('export', $spawn, '--from', 10, '--format', 'csv'), 2, qr/timelines/, 'not for csv');
}

# ---- CSV ----

is(grosr('export', $spawn, '--format', 'csv')->{stdout}, grosr('query', $spawn, 'SELECT * FROM tasks', '--format', 'csv')->{stdout},
   'CSV: the view tasks');
is(grosr('export', $spawn, '--format', 'csv', '--table', 'waits', '-o', "$dir/waits.csv")->{code}, 0, '--table -o');
is(slurp("$dir/waits.csv"), grosr('query', $spawn, 'SELECT * FROM waits', '--format', 'csv')->{stdout}, 'the same rows');
like(grosr('export', $golden, '--format', 'csv', '--table', 'GROSR_NOTE')->{stdout}, qr/\Atime,session,topic,text\r?\n\z/,
     'a table that an older trace does not have is empty');

# ---- where it goes ----

is(grosr('export', $spawn, '--format', 'chrome')->{stdout}, do { grosr('export', $spawn, '--format', 'chrome', '-o', "$dir/c.json");
   slurp("$dir/c.json") }, 'standard output and -o: the same bytes');
says_one_line(grosr('export'), 2, qr/trace file.*--format/, 'no file');
says_one_line(grosr('export', "$dir/none.db"), 1, qr/No such file/, 'a file that is not there');
says_one_line(grosr('export', $FindBin::Bin . '/export.t'), 1, qr/not a GROSR trace/, 'a file that is no trace');
says_one_line(grosr('export', $spawn, '--format', 'xml'), 2, qr/perfetto, chrome or csv/, 'an unknown format');
says_one_line(grosr('export', $spawn, '--format', 'csv', '--table', 'nowhere'), 2, qr/'nowhere'/, 'an unknown table');
says_one_line(grosr('export', $spawn, '--table', 'tasks'), 2, qr/csv/, '--table without csv');
says_one_line(grosr('export', $spawn, '--format', 'csv', '--table', ''), 2, qr/takes a name/, 'an empty name');
says_one_line(grosr('export', $spawn, '-o', $spawn), 2, qr/the trace itself/, 'onto the trace itself');
integrity($spawn, 'which is left as it is');
says_one_line(grosr('export', $spawn, '-o', "$dir/none/x"), 1, qr/none/, 'a folder that is not there');

{
    my $whole = slurp($spawn);
    spew("$dir/torn.db", substr($whole, 0, int(length($whole) / 2)));
    says_one_line(grosr('export', "$dir/torn.db", '--format', $_, '-o', "$dir/torn"), 1, qr/./, "$_: a trace cut in half")
        for qw(perfetto chrome csv);
    is(join(' ', glob("$dir/torn?*")), "$dir/torn.db", 'leaves no file');
}
for my $format ('perfetto', 'chrome', 'csv') {
    my $out = "$dir/kept.$format";
    spew($out, 'what was there');
    my $r = run_it('/bin/sh', '-c', 'ulimit -f 16 && exec "$@"', 'sh', $GROSR, 'export', $spawn, '--format', $format, '-o', $out);
    says_one_line($r, 1, qr/cannot write/, "$format: no room for it");
    is(slurp($out), 'what was there', 'the file is as it was');
    is(join(' ', glob("$out?*")), '', 'and no other is left');
  SKIP: {
        skip('no /dev/full here', 1) unless -c '/dev/full';
        says_one_line(grosr({out => '/dev/full'}, 'export', $spawn, '--format', $format), 1, qr/No space/, "$format: a full disk");
    }
    $r = run_it('/bin/sh', '-c', '"$@" | head -c 100 | wc -c', 'sh', $GROSR, 'export', $spawn, '--format', $format);
    is(($r->{stdout} + 0) . " $r->{stderr}", '100 ', "$format: a reader that leaves is no news");
}

# ---- memory ----

SKIP: {
    skip('no python3 to measure with', 2) unless have('python3');
    skip('a sanitizer keeps what is freed', 2) if $GROSR =~ /asan/;
    my $large = record('large', 'spawn', '--tasks', '200000', '--ring', '131072');
    my %peak;
    for my $trace ($spawn, $large) {
        my $r = run_it('python3', '-c', 'import resource, subprocess, sys; subprocess.check_call(sys.argv[1:]); ' .
                       'print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)', $GROSR, 'export', $trace, '-o', "$dir/large");
        $peak{$trace} = $r->{stdout} + 0;
    }
    cmp_ok($peak{$large}, '<', $peak{$spawn} + 4096, 'a hundred times the tasks take no more memory (KiB)');
    unlink("$dir/large", $large);
}

# ---- a signal ----

{
    my $out = "$dir/interrupted.json";
    my $p = start($GROSR, 'export', record('big', 'arith', '--tasks', '20000'), '--format', 'chrome', '-o', $out);
    my $seen = until_true(sub { ended($p) || glob("$out.*") });
    kill('TERM', $p->{pid}) unless ended($p);
    finish($p);
    ok($seen && ($p->{signal} == 15 || $p->{code} == 0), 'ended by a signal, or done before it');
    is(join(' ', glob("$out.*")), '', 'leaves nothing half done');
    is(-e $out ? 1 : 0, $p->{signal} ? 0 : 1, 'and a whole file or none');
}

done_testing();
