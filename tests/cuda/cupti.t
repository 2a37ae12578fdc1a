#!/usr/bin/perl
# `grosr record` on CUDA programs that know nothing of GROSR, and on kernels with stamps of their own, on a GPU.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../cli";
use Grosr;
use Test::More;

needs_cuda();
my ($nvcc) = needs_nvcc();
have('pkg-config') or plan(skip_all => 'pkg-config is not installed');

my $dir = scratch();
my $prefix = "$dir/prefix";
my $db = "$dir/c.db";
delete @ENV{grep { /^(MAKE|MFLAGS|VARIANT$|LANES$|V$)/ } keys %ENV};
is(run_it('make', '-s', '-C', $ROOT, "PREFIX=$prefix", 'install')->{code}, 0, 'make install');
for my $name (qw(cupti stamped)) {
    my $r = run_it({env => {PKG_CONFIG_PATH => "$prefix/lib/pkgconfig"}}, '/bin/sh', '-c',
                   "$nvcc -O3 -std=c++17 -arch=native $ROOT/tests/cuda/$name.cu -o $dir/$name " .
                   '$(pkg-config --cflags --libs grosr)');
    is($r->{code}, 0, "nvcc builds $name") or BAIL_OUT($r->{stderr});
}
my $kernels = "FROM kernels WHERE name =";

# ---- many small kernels beside one that does not end ----

my $n = 10000;
my $look = "$dir/look";
spew($look, '');
my $p = start($GROSR, 'record', '-o', $db, '--persistent', 'endless', '--', "$dir/cupti", 'many', $n, $look);
ok(until_true(sub { (peek($db, "SELECT count(*) $kernels 'small'") || 0) > $n || ended($p) }, 60),
   'records of all others are there while the kernel runs');
is(peek($db, "SELECT count(*) || ' ' || sum(end IS NULL) || ' ' || sum(persistent) $kernels 'endless'"), '1 1 1',
   'and so is its own row, without an end');
unlink($look);
finish($p);
is("$p->{code} $p->{stdout}", '0 ' . ($n + 1) . " launched\n", 'the program is as it was') or diag($p->{stderr});
is($p->{stderr}, '', 'nothing is said');
is(value($db, "SELECT count(*) || ' ' || count(DISTINCT correlation) || ' ' || " .
              "sum(end IS NULL OR start = 0 OR end <= start) $kernels 'small'"),
   join(' ', $n + 1, $n + 1, 0), 'as many records as launches, none twice, none without times');
is(value($db, "SELECT sum(launch IS NULL OR launch > start) $kernels 'small'"), 0, 'each after the call that launched it');
is(value($db, 'SELECT count(*) FROM CUPTI_ACTIVITY_KIND_MEMCPY') . ' ' . value($db, 'SELECT count(*) FROM CUPTI_ACTIVITY_KIND_MEMSET'),
   join(' ', $n / 100, $n / 100), 'copies and fills');
is(value($db, "SELECT count(*) FROM kernels e JOIN kernels k WHERE e.name = 'endless' AND k.name = 'small' AND " .
              'k.start > e.start AND k.end < e.end'), $n, 'the endless one was there all the time');
is(value($db, "SELECT full_name || ' ' || block || ' ' || (registers > 0) $kernels 'small' LIMIT 1"),
   'void work::small<10>(float*) 64x1x1 1', 'names, sizes, registers');
cmp_ok(value($db, 'SELECT smCount FROM TARGET_INFO_GPU'), '>', 0, 'the device');
like(value($db, 'SELECT busLocation FROM TARGET_INFO_GPU'), qr/\A[0-9A-F]{4,8}:[0-9A-F]{2}:[0-9A-F]{2}\.[0-9]\z/i, 'its place');
is(value($db, q{SELECT min(coalesce(clockRate > 0 AND totalMemory > 0 AND maxWarpsPerSm > 0 AND maxShmemPerSm > 0 AND
                                    (computeMajor <> 9 OR chipName = 'GH100'), 0)) FROM TARGET_INFO_GPU}), 1, 'and its sizes');
is(value($db, 'SELECT sum(dropped) FROM GROSR_STREAM'), 0, 'nothing is lost');
integrity($db, 'the file is sound');

# ---- a hang ----

unlink($db);
$p = start($GROSR, 'record', '-o', $db, '--persistent', 'endless', '--', "$dir/cupti", 'hang');
ok(until_true(sub { ended($p) || (peek($db, "SELECT name FROM api_calls WHERE end IS NULL") // '') eq 'cudaDeviceSynchronize' }),
   'a call that does not return is named while it hangs');
finish($p);
is($p->{code}, 0, 'it returned later') or diag($p->{stderr});
is(value($db, "SELECT count(*) || ' ' || (max(duration_ns) > 1000000000) FROM api_calls WHERE name = 'cudaDeviceSynchronize'"), '1 1',
   'its row is completed, and there is one');

# ---- without --persistent ----

my $r = grosr('record', '-o', $db, '--', "$dir/cupti", 'slow', 6000);
is($r->{code}, 0, 'a kernel that withholds the records') or diag($r->{stderr});
like($r->{stderr}, qr/\Agrosr: process \d+: no record of a kernel has come for [^\n]*\bendless\b[^\n]*--persistent 'endless'[^\n]*\n\z/,
     'is named, once');
is(value($db, "SELECT count(*) || ' ' || sum(start = 0) $kernels 'small'"), '6001 0', 'and they are complete at the end');

# ---- own stamps against CUPTI's ----

$n = 10000;
$r = grosr('record', '-o', $db, '--', "$dir/stamped", $n);
is($r->{code}, 0, 'kernels that stamp their first and last moment') or diag($r->{stderr});
my $compared = <<'SQL';
WITH p AS (SELECT value AS launch, min(start) AS start, max(end) AS end FROM GROSR_RANGE GROUP BY value),
k AS (SELECT row_number() OVER (ORDER BY start) - 1 AS launch, start, end FROM kernels WHERE name = 'stamped'),
d AS (SELECT max(k.start - p.start, p.end - k.end) AS outside_ns, p.start - k.start AS lead_ns, k.end - p.end AS tail_ns
      FROM p JOIN k USING (launch)),
o AS (SELECT *, row_number() OVER (ORDER BY outside_ns) AS rank, count(*) OVER () AS n FROM d)
SELECT n, max(CASE WHEN rank <= 0.5 * n THEN outside_ns END) AS p50, max(CASE WHEN rank <= 0.99 * n THEN outside_ns END) AS p99,
       max(outside_ns) AS most, round(avg(lead_ns)) AS lead, round(avg(tail_ns)) AS tail,
       sum(outside_ns > (SELECT value FROM GROSR_META WHERE key = 'clock_error_ns')) AS broken FROM o
SQL
my ($d) = sql($db, $compared);
is($d->{n}, $n, 'each is compared with its record');
cmp_ok($d->{p99}, '<=', 1000, 'they lie inside it to a microsecond, but for one in a hundred');
cmp_ok($d->{broken}, '<=', $n / 1000, 'and to the stated bound, but for one in a thousand');
diag("outside the record, ns (negative: inside): p50 $d->{p50}, p99 $d->{p99}, most $d->{most}; first stamp $d->{lead} after its " .
     "start, last $d->{tail} before its end");

# ---- the runtime's own kernel ----

$r = grosr('record', '-o', $db, '--', $GROSR, 'run', 'arith', '--device', 'cuda', '--tasks', 100000);
is($r->{code}, 0, 'a run of the runtime') or diag($r->{stderr});
is(value($db, "SELECT count(*) || ' ' || (min(k.start) = (SELECT min(start) FROM workers)) || ' ' || " .
              "(max(k.end) = (SELECT max(end) FROM workers)) FROM kernels k WHERE persistent"), '1 1 1',
   'its kernel is from its first worker\'s start to its last one\'s end');
is(value($db, "SELECT count(DISTINCT kind) FROM timeline WHERE kind IN ('task', 'api', 'kernel', 'range')"), 4,
   'tasks, calls, kernels and ranges are on one timeline');

my $facts = 'SELECT name, uuid, busLocation, smCount, maxWarpsPerSm, threadsPerWarp, clockRate, computeMajor, computeMinor, chipName ' .
    'FROM TARGET_INFO_GPU';
my @recorded = sql($db, $facts);
is(grosr('run', 'arith', '--device', 'cuda', '--tasks', 1000, '-o', "$dir/own.db")->{code}, 0, 'a session alone');
my @own = sql("$dir/own.db", $facts);
is_deeply(\@recorded, \@own, 'the GPU has one row, the same by CUPTI and by the driver');
is(scalar(@own), 1, 'and the session\'s is it');

# ---- the price ----

my %ns = map { my ($name, @record) = @$_; my $o = run_it(@record, "$dir/cupti", 'rate', 20000); $name => ($o->{stdout} =~ /(\d+) ns/)[0] }
    ['alone'], ['recorded', $GROSR, 'record', '-o', $db, '--'];
ok($ns{alone} && $ns{recorded}, 'a launch has its price');
diag("a launch: $ns{alone} ns alone, $ns{recorded} ns recorded");
done_testing();
