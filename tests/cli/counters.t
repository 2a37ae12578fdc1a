#!/usr/bin/perl
# What GPUs tell of themselves beside a recording. tests/traced/nvml.c stands in for NVML: its two GPUs are known.
# Runs with few: it judges how often samples come, and how long a reading that hangs may take.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use File::Basename qw(dirname);
use Grosr;
use Test::More;
use Time::HiRes qw(time);

my $double = dirname($GROSR) . '/tests/traced';
-e "$double/libnvidia-ml.so.1" or plan(skip_all => 'the stand-in for NVML is not built: `make tests`');
my $dir = scratch();
my $db = "$dir/c.db";
my @values = ('SM clock', 'memory clock', 'memory used', 'power', 'temperature', 'throttle reasons');

# A recorded run on the host device, with the stand-in in the way the hash says.
sub sampled
{
    my ($env, @arguments) = @_;
    return grosr({env => {LD_LIBRARY_PATH => $double, %$env}}, 'run', 'arith', '--device', 'host', '--level', 'counters',
                 '--rate', 100000, '-o', $db, @arguments);
}
sub counted { return value($db, 'SELECT count(*) FROM GROSR_COUNTER') }
sub notes { return join('|', map { $_->{text} } sql($db, q{SELECT text FROM GROSR_NOTE WHERE topic = 'counters'})) }

# ---- rows, names and times ----

my $r = sampled({}, '--seconds', '1.2', '--counters', 'nvml');
is("$r->{code}|$r->{stderr}", '0|', 'a run with counters, of which nothing is to be said');
my @rows = sql($db, 'counters');
is(join('; ', map { "$_->{name} $_->{unit} $_->{min} $_->{max}" } @rows),
   'GPU 0 SM clock MHz 1980 1980; GPU 0 memory clock MHz 2619 2619; GPU 0 memory used bytes 3221225472 3221225472; ' .
   'GPU 0 power W 123.456 123.456; GPU 0 temperature C 41 41; GPU 0 throttle reasons mask 36 36; ' .
   'GPU 1 SM clock MHz 2980 2980; GPU 1 memory clock MHz 3619 3619; GPU 1 memory used bytes 3221225472 3221225472; ' .
   'GPU 1 power W 124.456 124.456; GPU 1 temperature C 1041 1041',
   'every value of both GPUs, with its unit; what the second does not tell has no rows');
is(join(' ', grep { $_->{samples} != $rows[0]{samples} } @rows), '', 'each as often as the others');
my $span = value($db, 'SELECT end FROM GROSR_SESSION') * 1e-9;
cmp_ok($rows[0]{samples}, '<=', $span * 10 + 2, 'not more than ten times a second');
cmp_ok($rows[0]{samples}, '>=', 3, 'but again and again');
my $time = q{SELECT c.time FROM GROSR_COUNTER c JOIN GROSR_NAME n USING (name) WHERE n.text = 'GPU 0 power'};
my ($median) = map { $_->{gap} }
    sql($db, "SELECT time - before AS gap FROM (SELECT time, lag(time) OVER (ORDER BY time) AS before FROM ($time)) " .
             'WHERE before IS NOT NULL ORDER BY gap LIMIT 1 OFFSET (SELECT (count(*) - 1) / 2 FROM (' . $time . '))');
ok($median > 50e6 && $median < 250e6, "about 100 ms apart ($median ns)");
is(value($db, 'SELECT count(*) FROM GROSR_COUNTER WHERE time < 0 OR worker IS NOT NULL'), 0,
   'in the session\'s time, and of no worker');
is(value($db, 'SELECT count(*) FROM GROSR_NAME WHERE name >= 0'), 0, 'their names are not where a program\'s are');
is(notes(), '', 'nothing is noted');
balanced($db, 'the books balance');
integrity($db, 'the file is sound');

# ---- in a timeline ----

$r = grosr('export', $db, '--format', 'chrome');
my %tracks = map { $_->{name} => 1 } grep { $_->{ph} eq 'C' && $_->{name} =~ /^GPU \d/ } @{json_of($r)->{traceEvents} || []};
is(join('; ', sort keys %tracks), join('; ', sort((map { "GPU 0 $_" } @values), map { "GPU 1 $_" } grep { !/^thr/ } @values)),
   'each is a counter of its own when it is exported');

# ---- PM sampling ----

SKIP: {
    skip('built without CUPTI\'s headers', 34) unless -e "$double/pm/libcuda.so.1";
    my %pm = (LD_LIBRARY_PATH => "$double/pm:$double", GROSR_CUPTI => "$double/pm/libcuda.so.1");
    my ($warps, $cycles) = map { "SELECT c.time, c.value FROM GROSR_COUNTER c JOIN GROSR_NAME n USING (name) WHERE n.text = '$_'" }
        'sm__warps_active.avg.pct_of_peak_sustained_active', 'sm__cycles_active.avg.pct_of_peak_sustained_elapsed';
    $r = sampled(\%pm, '--seconds', '1', '--counters', 'pm');
    is("$r->{code}|$r->{stderr}", '0|', 'PM sampling, of which nothing is to be said');
    my $end = value($db, 'SELECT end FROM GROSR_SESSION');
    my ($w) = sql($db, "SELECT count(*) AS n, min(value) AS least, max(value) AS most FROM ($warps)");
    is("$w->{least} $w->{most}", '12.5 12.5', 'the share of the warps that are active');
    cmp_ok($w->{n}, '>', 0.4 * $end / 1e6, 'a sample a ms, more or less all the time');
    cmp_ok($w->{n}, '<', $end / 1e6 + 500, 'and not more');
    is(value($db, "SELECT count(*) FROM ($cycles)"), $w->{n}, 'as many of the cycles');
    is(value($db, "SELECT count(*) FROM ($warps) WHERE time < -1000000000"), 0, 'the sample that spans what was before is left out');
    my $late = '((time + start_mono_ns) / 1e6 - value + 300)';
    my ($l) = sql($db, "SELECT min(late) AS least, max(late) AS most FROM (SELECT $late - 100 * CAST($late / 100 AS INTEGER) AS late " .
                       "FROM ($cycles), GROSR_SESSION)");
    my ($noted) = notes() =~ /\A\d+ values of SMs have the times at which they were read, up to ([\d.]+) ms late\z/;
    ok(defined $noted, 'how well times are known is noted') or diag(notes());
    ok($l->{least} >= 0 && $l->{most} <= $noted + 0.1, "no time is early, or later than is noted: $l->{most} ms, $noted ms") or
        diag("$l->{least} .. $l->{most}");
    is(join(' ', map { $_->{unit} } sql($db, 'counters')), '% %', 'per cent');
    balanced($db, 'the books balance');

    # A session whose clock is the GPU's, alone or behind one without any.
    my %clock = (%pm, GROSR_HOST_CLOCK => '900000000000000000,0');
    for my $alone (1, 0) {
        $r = $alone ? sampled(\%clock, '--seconds', '1', '--counters', 'pm')
                    : grosr({env => \%clock}, 'record', '--level', 'counters', '--counters', 'pm', '-o', $db, '--', $GROSR, 'run',
                            'arith', '--device', 'host', '--seconds', '1', '--rate', 100000);
        is("$r->{code}|$r->{stderr}", '0|', $alone ? 'with the GPU\'s clock' : 'with that of a later session');
        is(value($db, 'SELECT device FROM GROSR_SESSION WHERE session = 1'), $alone ? 'host' : 'process', 'of this one');
        my ($placed, $bound) = notes() =~ /(\d+) values of SMs have their times from a session's clock, within ([\d.]+) us/;
        cmp_ok($placed // 0, '>', 300, 'most values are placed by it') or diag(notes());
        my ($m) = map { $_->{late} } sql($db, "SELECT late FROM (SELECT $late - 100 * CAST($late / 100 AS INTEGER) AS late " .
            "FROM ($cycles), GROSR_SESSION WHERE session = 1) ORDER BY late LIMIT 1 OFFSET (SELECT count(*) / 2 FROM ($cycles))");
        my $off = $m > 50 ? 100 - $m : $m;
        ok(defined $bound && $off * 1000 <= $bound + 1, "and right to its bound: $off ms, " . ($bound // '?') . ' us');
    }
    $r = grosr({env => {%clock, GROSR_PM_DEVICES => 2}}, 'record', '--level', 'counters', '--counters', 'pm', '-o', $db, '--', $GROSR,
               'run', 'arith', '--device', 'host', '--seconds', '0.5');
    unlike(notes(), qr/a session's clock/, 'but not where another GPU might be meant');

    $r = sampled(\%pm, '--seconds', '0.5', '--counters', 'nvml,pm');
    is(join(' ', map { $_->{n} } sql($db, 'SELECT count(DISTINCT name) AS n FROM GROSR_COUNTER')), 13, 'with NVML\'s');

    for my $case ([{GROSR_PM_FAIL => 'enable,35'}, qr/keeps performance counters to administrators/, 'no permission'],
                  [{GROSR_PM_FAIL => 'host,27'}, qr/CUPTI, host_initialize: CUPTI_ERROR_NOT_SUPPORTED/, 'a chip that has none'],
                  [{GROSR_PM_NO_DEVICE => 1}, qr/there is no CUDA device: the driver's code 100/, 'no device'],
                  [{GROSR_CUPTI => "$double/libnvidia-ml.so.1"}, qr/CUPTI that was found is none: it has no cuptiGetVersion/,
                   'another library']) {
        my ($env, $text, $name) = @$case;
        $r = sampled({%pm, %$env}, '--seconds', '0.3', '--counters', 'nvml,pm');
        says_one_line($r, 0, $text, "$name: said once");
        like(notes(), $text, 'and noted');
        is(value($db, 'SELECT count(DISTINCT name) FROM GROSR_COUNTER'), 11, 'NVML\'s are there');
    }
    $r = sampled({%pm, GROSR_PM_FAIL => 'decode,27,3'}, '--seconds', '0.8', '--counters', 'pm');
    says_one_line($r, 0, qr/no longer sampled: CUPTI, decode/, 'reading fails after a while: said once');
    cmp_ok(counted(), '>', 10, 'what was read before is there');
    $r = sampled({%pm, GROSR_PM_LOSE => 3}, '--seconds', '0.8', '--counters', 'pm');
    says_one_line($r, 0, qr/were lost/, 'samples are lost: said once');
}

# ---- asked for or not ----

sampled({}, '--seconds', '0.3');
is(counted(), 0, 'the host device has no GPU to be asked');
is(notes(), '', 'of which nothing is said');
sampled({}, '--seconds', '0.3', '--counters', 'none');
is(counted(), 0, 'none: none');
$r = grosr({env => {LD_LIBRARY_PATH => $double}}, 'record', '-o', $db, '--counters', 'nvml', '--', $GROSR, 'run', 'arith',
           '--device', 'host', '--seconds', '0.3');
is("$r->{code}|$r->{stderr}", '0|', 'record has them too');
cmp_ok(counted(), '>', 0, 'and rows');
says_one_line(grosr('run', 'arith', '--device', 'host', '--counters', 'nvml'), 2, qr/--counters .*\(-o\)/, 'run, not recorded: refused');
says_one_line(sampled({}, '--counters', 'nvml,fans'), 2, qr/--counters takes nvml/, 'what there is not is refused');

# ---- a reading that hangs ----

my $begin = time();
$r = sampled({GROSR_NVML_HANG => '20,2', GROSR_NVML_GPUS => 1}, '--seconds', '0.5', '--counters', 'nvml');
my $took = time() - $begin;
is($r->{code}, 0, 'a reading hangs for 20 s') or diag($r->{stderr});
cmp_ok($took, '<', 18, 'the recording does not wait for it');
is(counted(), 6, 'the reading before is there');
is(value($db, q{SELECT value + 0 FROM GROSR_META WHERE key = 'complete'}), 1, 'the file is complete');
balanced($db, 'and no event is missing');
$r = sampled({GROSR_NVML_HANG => '2,2', GROSR_NVML_GPUS => 1}, '--seconds', '3', '--counters', 'nvml');
my ($gap) = map { $_->{gap} } sql($db, "SELECT max(gap) AS gap FROM (SELECT time - lag(time) OVER (ORDER BY time) AS gap FROM ($time))");
cmp_ok($gap, '>', 0.9e9, 'one that comes back after 2 s leaves a gap');
is(value($db, "SELECT count(*) FROM ($time), GROSR_SESSION WHERE time < end AND time > end - 300000000") > 0, 1,
   'after which sampling goes on');
cmp_ok(value($db, "SELECT count(*) FROM ($time), GROSR_SESSION"), '<=', (value($db, 'SELECT end FROM GROSR_SESSION') * 1e-9 - 2) *
       10 + 3, 'and does not make up for what was missed');

# ---- what cannot be had ----

for my $case ([{GROSR_NVML_INIT => 9}, qr/NVML cannot be used: its code 9/, 'NVML has no driver'],
              [{GROSR_NVML_GPUS => 0}, qr/NVML shows none/, 'it shows no GPU'],
              [{GROSR_NVML_GPUS => 1, GROSR_NVML_FAIL => '15,1'}, qr/GPU 0 is no longer sampled: NVML error 15/,
               'a GPU tells nothing']) {
    my ($env, $text, $name) = @$case;
    $r = sampled($env, '--seconds', '0.3', '--counters', 'nvml');
    says_one_line($r, 0, $text, "$name: said once");
    like(notes(), $text, 'and noted');
    is(counted(), 0, 'no rows');
    integrity($db, 'the rest is there');
}
$r = sampled({GROSR_NVML_FAIL => '15,5', GROSR_NVML_GPUS => 1}, '--seconds', '2', '--counters', 'nvml');
says_one_line($r, 0, qr/GPU 0 is no longer sampled: NVML error 15/, 'a GPU is lost: said once');
is(counted(), 24, 'what it told before is there');
SKIP: {
    skip('there is an NVML on this machine', 3) if run_it('/bin/sh', '-c', 'ldconfig -p | grep -q libnvidia-ml.so.1')->{code} == 0;
    $r = sampled({LD_LIBRARY_PATH => ''}, '--seconds', '0.3', '--counters', 'nvml');
    says_one_line($r, 0, qr/libnvidia-ml\.so\.1 cannot be loaded/, 'there is no NVML: said once');
    like(notes(), qr/libnvidia-ml\.so\.1 cannot be loaded/, 'and noted');
    balanced($db, 'the rest is recorded');
}

done_testing();
