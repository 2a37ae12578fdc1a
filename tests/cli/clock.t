#!/usr/bin/perl
# A device whose clock is not the host's: its times are placed within the bound that the trace states. The host device
# is given such a clock, so that the truth is known.
# Runs with few: it judges how often the clocks are compared while a short run lasts.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Grosr;
use Test::More;

my $db = scratch() . '/clock.db';

sub recorded
{
    my ($clock, @options) = @_;
    my $run = grosr({env => {GROSR_HOST_CLOCK => $clock}}, 'run', 'arith', '--device', 'host', '--json', '-o', $db, @options);
    my $j = json_of($run);
    is("$run->{code} $j->{errors}", '0 0', "GROSR_HOST_CLOCK='$clock': all results are right");
    no_segments($run, 'no segment is left');
    return $j;
}

for my $skew ([748000, 21], [-3000000000, 500], [86400000000000, -500], [0, 0]) {
    my ($offset, $ppm) = @$skew;
    my $name = "$offset ns and $ppm ppm";
    my $j = recorded("$offset,$ppm", '--tasks', '50000', '--overflow', 'block');
    is(value($db, 'SELECT verdict FROM trace_health WHERE ring IS NULL'), 'complete', "$name: the trace is complete");
    my $bound = value($db, 'SELECT clock_error_ns FROM trace_health WHERE ring IS NULL');
    cmp_ok($bound, '>', 0, "$name: times are placed, with a bound ($bound ns)");
    cmp_ok(value($db, 'SELECT count(*) FROM clock_sync WHERE used'), '>=', 2, 'the clocks were compared');
    is(value($db, 'SELECT count(*) FROM GROSR_CLOCK WHERE host_before > host_after OR bound_ns IS NULL OR jump'), 0,
       'each snapshot has its bracket and its place, and none is a jump');
    # device = host + offset + host * ppm / 10^6; what rounding makes of that is 2 ns.
    is(value($db, "SELECT count(*) FROM GROSR_CLOCK c, GROSR_SESSION s WHERE abs((c.device_ns - ($offset)) / " .
                  "(1 + $ppm / 1e6) - s.start_mono_ns - c.host) > c.bound_ns"), 0, "$name: placed within the bound");
    is(value($db, "SELECT count(*) FROM clock_sync WHERE abs(offset_ns - ($offset) - (device_ns - ($offset)) * ($ppm / 1e6) / " .
                  "(1 + $ppm / 1e6)) > bound_ns"), 0, 'clock_sync tells the offset that was set');
    is(value($db, 'SELECT count(*) FROM clock_sync WHERE rtt_ns < 0 OR abs(residual_ns) > rtt_ns / 2 + bound_ns'), 0,
       'and the map goes through every bracket');
    # The host stamps enqueue with its own clock, before the worker can stamp start; and it saw the end come.
    is(value($db, 'SELECT count(*) FROM tasks'), 50000, 'every task is there');
    is(value($db, "SELECT count(*) FROM tasks WHERE enqueue > start + $bound OR start > end OR start IS NULL OR end IS NULL"),
       0, "$name: no task starts before it is enqueued");
    is(value($db, "SELECT count(*) FROM tasks, GROSR_SESSION s WHERE tasks.end > s.end + $bound"), 0,
       'and none ends after the session');
}

# What is not a clock is refused, before anything runs.
for my $bad ('1', '1,', ',1', '1,2,3', 'x,1', '0,501', '0,nan', '-9000000000000000000,0') {
    says_one_line(grosr({env => {GROSR_HOST_CLOCK => $bad}}, 'run', 'arith', '--device', 'host'), 2, qr/GROSR_HOST_CLOCK/,
                  "GROSR_HOST_CLOCK='$bad' is refused");
}

# The host's own clock needs no calibration.
recorded('', '--tasks', '1000');
is(value($db, 'SELECT count(*) FROM clock_sync'), 0, 'the host\'s clock: no snapshots');
is(value($db, 'SELECT max(clock_error_ns) FROM trace_health'), 0, 'and times are exact');

# grosr top reads a skewed session's clock too: tasks cannot have run for longer than the session.
my $live = do {
    local $ENV{GROSR_HOST_CLOCK} = '86400000000000,100';
    live();
};
my $top = json_of(grosr('top', '--once', '--json', $live->{pid}));
ok((grep { defined $_->{busy_pct} && $_->{busy_pct} >= 0 && $_->{busy_pct} <= 100 } @{$top->{sms}}) > 0,
   'top: how busy the workers are');
is(quit($live)->{code}, 1, 'ended by a signal');
no_segments($live, 'no segment is left');

# A trace of version 1, without brackets.
my $old = "$ROOT/traces/h100-arith-1000.db";
cmp_ok(value($old, 'SELECT count(*) FROM clock_sync WHERE rtt_ns = 2 * bound_ns AND used AND residual_ns = 0'), '>', 1,
       'a trace of version 1 has a clock_sync as well');
cmp_ok(value($old, 'SELECT max(clock_error_ns) FROM trace_health'), '>', 0, 'and a clock error');

done_testing();
