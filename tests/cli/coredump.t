#!/usr/bin/perl
# grosr diagnose with GPU core dumps that are made up: what it says of them, as text and as JSON, what is damaged, and the
# lines of a real module.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Grosr;
use Test::More;

my $maker = "$ROOT/build/release/tests/traced/coredump";
-x $maker or plan(skip_all => "$maker has not been built");
my $dir = scratch();

sub dump_of
{
    my (@what) = @_;
    my $path = "$dir/$what[0].core";
    is(run_it($maker, @what, $path)->{code}, 0, "a dump: @what");
    return $path;
}

my $core = dump_of('late');
my $text = grosr('diagnose', $core);
is($text->{code}, 0, 'a grid barrier that one block has not reached is no stall: it may have more to do');
like($text->{stdout}, qr/^healthy: GPU core dump \Q$core\E \(NVIDIA H100 80GB HBM3, driver 580\.65, written 2025-11-28/,
     'the first line says what was read');
like($text->{stdout}, qr/1,055 of 1,056 warps at steps\.cu:20 in segment_steps, waiting at a grid barrier/, 'where most stand');
like($text->{stdout}, qr/1 of 1,056 warps at steps\.cu:10 in segment_steps \(block 62 warp 4 on SM 62\)/, 'and where one does');
like($text->{stdout}, qr/arguments: 0x7f3000000000, 3/, 'and what the kernel was called with');
my $json = json_of(grosr('diagnose', '--json', $core)->{stdout});
is($json->{verdict}, 'healthy', 'the verdict in JSON');
like($json->{findings}[0]{advice}, qr/another dump/, 'what would tell');
is_deeply([map { @$_{qw(kind workers resources)} } @{$json->{findings}}],
          ['barrier_late', ['kernel segment_steps'], ['grid barrier at steps.cu:20']], 'but what is concerned is remarked on');

$json = json_of(grosr('diagnose', '--json', dump_of('gridsync'))->{stdout});
is($json->{findings}[0]{kind}, 'barrier_skipped', 'blocks that have ended reach no barrier');
is($json->{verdict}, 'stalled', 'which is a stall');
my $spread = grosr('diagnose', dump_of('spread'));
is($spread->{code}, 0, 'warps that stand here and there are no finding');
like($spread->{stdout}, qr/where 4 warps of kernel segment_steps stood/, 'but are shown');

# ---- rows ----

is(grosr('diagnose', $core, '-o', "$dir/warps.db")->{code}, 0, 'the warps are stored');
is(grosr('query', "$dir/warps.db", 'warp-places', '--format', 'csv')->{stdout} =~ s/\r//gr, <<'CSV', 'and can be queried');
device,kernel,function,place,inlined,wait,exception,warps,blocks,one
0,segment_steps,segment_steps,/src/steps.cu:20,sync (sync.h:98),grid barrier,,1055,132,0:0
0,segment_steps,segment_steps,/src/steps.cu:10,,,,1,1,62:4
CSV
says_one_line(grosr('diagnose', $$, '-o', "$dir/x.db"), 2, qr/--output is for core dumps/, 'of a process there are none');
says_one_line(grosr('diagnose', $core, '-o', $core), 1, qr/late\.core/, 'a core dump is not overwritten');

# ---- registers ----

my $registers = dump_of('registers');
$text = grosr('diagnose', $registers);
is($text->{code}, 0, 'what is in registers is no finding');
my $reads = 'there, 2 of 2 warps (32 of 32 lanes) read what argument 1 of segment_steps points to, at +0x40 (0x7f3000012340) in a loop, '
    . 'by the load at segment_steps+0x380';
like($text->{stdout} =~ s/\s+/ /gr, qr/ 2 of 3 warps at steps\.cu:22 in segment_steps[^)]*\) - \Q$reads\E /,
     'below a group stands what it polls');
$json = json_of(grosr('diagnose', '--json', $registers, '-o', "$dir/registers.db")->{stdout});
is_deeply([grep { /^there, / } @{$json->{findings}[0]{evidence}}],
          [$reads, 'there, 32 of 32 lanes hold the address of variable flag (0x7f3210480000)'], 'in JSON, and what another has');
is(grosr('query', "$dir/registers.db", 'warp-addresses', '--format', 'csv')->{stdout} =~ s/\r//gr, <<'CSV', 'and in rows');
device,kernel,kind,name,address,how,load,fact,warps,min_offset,max_offset,one
0,segment_steps,argument,argument 1 of segment_steps,0x7f3000012300,read,segment_steps+0x380,,2,64,64,0:0
0,segment_steps,argument,argument 1 of segment_steps,0x7f3000012300,held,,,2,0,0,0:0
0,segment_steps,variable,variable flag,0x7f3210480000,held,,,1,0,0,2:2
CSV

# ---- on request, from a program that plays the driver's part ----

sub says_last_line
{
    my ($p, $pattern, $name) = @_;
    is($p->{code}, 1, "$name: exit 1");
    like($p->{stderr}, qr/^grosr: [^\n]*$pattern[^\n]*\n\z/m, $name);
}

sub armed
{
    my ($what) = @_;
    my $p = start('sh', '-c', 'cd "$0" && exec "$@"', $dir, $GROSR, qw(record --trace core --), $maker, $what);
    my ($pid) = until_true(sub { slurp($p->{out}) =~ /^armed (\d+) alone$/m ? $1 : 0 }) or diag(slurp($p->{err}));
    return ($p, $pid);
}

{
    my ($p, $pid) = armed('driver');
    ok($pid, 'a program is armed, and has no library injected');
    until_true(sub { slurp($p->{err}) =~ /armed:/ }, 10);
    like(slurp($p->{err}), qr/armed: `grosr diagnose $pid --dump` makes a core dump of the GPU, which a kernel may not survive/,
         'record says so, and how to use it');
    my $dumped = grosr('diagnose', $pid, '--dump');
    is($dumped->{code}, 0, 'its dump is waited for until it is complete');
    like($dumped->{stdout}, qr/\Ahealthy: GPU core dump \Q$dir\E\/core\.$pid\.nvcudmp /, 'read and shown');
    like($dumped->{stderr}, qr/\Agrosr: asking process $pid for a core dump of its GPU, which its kernels may not survive\n\z/,
         'after a warning');
    is(grosr('diagnose', $pid, '--dump', '--json')->{code}, 0, 'a second time as well');
    kill('TERM', $pid);
    finish($p);
    is_deeply([grep { -e } map { "$_/pipe.$pid" } glob(($ENV{TMPDIR} || '/tmp') . '/grosr-core.*')], [], 'no pipe is left');
    ok(-s "$dir/core.$pid.nvcudmp", 'the dump is');
}
{
    my ($p, $pid) = armed('quits');
    says_last_line(grosr('diagnose', $pid, '--dump'), qr/process $pid has ended without a complete core dump/,
                   'a program that ends instead');
    finish($p);
    is($p->{code}, 1, 'whose exit code record passes on');
}
{
    my ($p, $pid) = armed('locked');
    my $lock = 'lock journal 0 (0x7f3000012340, also what argument 1 of segment_steps points to, at +0x40) in a loop, by the load '
        . 'at segment_steps+0x380; held by worker 3 for 2.0 s';
    for my $what ([$pid, '--dump'], ["$dir/core.$pid.nvcudmp"]) {
        my $found = json_of(grosr('diagnose', '--json', @$what)->{stdout});
        is_deeply([grep { /journal/ } @{$found->{findings}[0]{evidence}}], ["there, 2 of 2 warps (32 of 32 lanes) read $lock"],
                  "the lock that warps poll has its session's name and holder: @$what");
        is_deeply($found->{findings}[0]{resources}, ['lock journal 0'], 'and is a resource');
    }
    kill('TERM', $pid);
    finish($p);
    unlike(grosr('diagnose', "$dir/core.$pid.nvcudmp")->{stdout}, qr/journal/, 'whose session has gone with its process');
}
is(grosr(qw(record --trace core -- true))->{code}, 0, 'a program without CUDA runs as ever');
says_one_line(grosr('record', '--trace', 'core,cuda', '--', 'true'), 2, qr/--trace core excludes cuda/, 'not beside CUPTI');
says_one_line(grosr('diagnose', '--dump'), 2, qr/--dump needs the PID/, 'a dump is of a process');
says_one_line(grosr('diagnose', $$, '--dump'), 1, qr/process $$ is not armed .* `grosr record --trace core -- CMD`/,
              'that is armed');
my $sleeper = start({env => {CUDA_ENABLE_USER_TRIGGERED_COREDUMP => 1, CUDA_COREDUMP_PIPE => "$dir/no.%p",
                             CUDA_COREDUMP_FILE => "$dir/no"}}, 'sleep', 60);
until_true(sub { (slurp("/proc/$sleeper->{pid}/environ") // '') =~ /COREDUMP_PIPE/ });
says_last_line(grosr('diagnose', $sleeper->{pid}, '--dump'), qr/the driver does not listen at \Q$dir\E\/no\.\d+:/,
               'and uses CUDA');
kill('KILL', $sleeper->{pid});
finish($sleeper);

# ---- what cannot be read ----

my $bytes = slurp($core);
for my $case (['cut', substr($bytes, 0, length($bytes) / 2), 'it ends before its table of sections'],
              ['no-core', substr($bytes, 0, 16) . "\2\0" . substr($bytes, 18), undef],
              ['long', $bytes =~ s/^(.{40}).{8}/$1 . pack('Q', 1 << 60)/ser, 'it ends before its table of sections']) {
    my ($name, $damaged, $why) = @$case;
    spew("$dir/$name", $damaged);
    my $p = grosr('diagnose', "$dir/$name");
    says_one_line($p, 1, $why ? qr/the core dump \Q$dir\/$name\E cannot be read: \Q$why\E/ : qr/\Q$dir\/$name\E/,
                  "$name is refused with one line");
    is($p->{stdout}, '', "$name: nothing on stdout");
}

# ---- a real module ----

SKIP: {
    my $home = $ENV{CUDA_HOME} || '/usr/local/cuda';
    my ($nvcc) = grep { -x } "$home/bin/nvcc", map { "$_/nvcc" } split(/:/, $ENV{PATH});
    skip('no CUDA toolkit', 10) unless $nvcc;
    spew("$dir/steps.cu", <<'CU');
#include <cooperative_groups.h>
__global__ void steps(const int *length, double start, float *sum)
{
    cooperative_groups::grid_group grid = cooperative_groups::this_grid();
    for (int i = 0; i < length[blockIdx.x]; i++) {
        if (threadIdx.x == 0)
            atomicAdd(sum, (float)start);
        grid.sync();
    }
}
CU
    my $made = run_it($nvcc, qw(-arch=sm_90 -lineinfo -cubin -o), "$dir/steps.cubin", "$dir/steps.cu");
    is($made->{code}, 0, 'nvcc makes a module') or diag($made->{stderr});
    my (%line, $waits);
    for my $offset (map { 16 * $_ } 1 .. 100) {
        run_it($maker, 'cubin', "$dir/steps.cubin", $offset, "$dir/real.core");
        my $p = grosr('diagnose', "$dir/real.core");
        $line{$1}++ if $p->{stdout} =~ /1 of 1 warps at (steps\.cu:\d+) in steps\b/;
        $waits = $p->{stdout} if $p->{stdout} =~ /waits at its grid barrier, steps\.cu:8, for 3 that have ended/;
    }
    cmp_ok($line{'steps.cu:8'}, '>', 5, 'instructions of its barrier are at the line that calls it');
    ok($line{'steps.cu:7'} && $line{'steps.cu:5'}, 'others at theirs');
    like($waits, qr/inlined \w+ \(\w+\.\w+:\d+\)/, 'and the barrier is known by what was inlined');

    spew("$dir/polls.cu", <<'CU');
struct pipe {
    int item[16];
    unsigned full;
};
__global__ void polls(struct pipe *p)
{
    p->item[threadIdx.x] = 1;
    while (*(volatile unsigned *)&p->full == 0)
        ;
    p->item[0] = 2;
}
CU
    for my $arch (qw(sm_80 sm_90)) {
        $made = run_it($nvcc, "-arch=$arch", '-cubin', '-o', "$dir/$arch.cubin", "$dir/polls.cu");
        is($made->{code}, 0, "nvcc makes one for $arch") or diag($made->{stderr});
        my %read;
        for my $offset (map { 16 * $_ } 1 .. 20) {
            run_it($maker, 'cubin', "$dir/$arch.cubin", $offset, "$dir/real.core");
            $read{$1}++ if grosr('diagnose', "$dir/real.core")->{stdout} =~ / lanes? reads? (.*) in a loop/;
        }
        # The registers have all the same; which of the two it is depends on where the compiler has added 0x40.
        like(join(' ', keys %read), qr/^what argument 1 of polls points to(?:, at \+0x40 \(0x7f3000012340\)| \(0x7f3000012300\))$/,
             'what its loop reads');
        cmp_ok($read{(keys %read)[0] // ''} // 0, '<', 10, 'and only there');
    }
}
done_testing();
