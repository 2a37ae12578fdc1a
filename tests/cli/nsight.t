#!/usr/bin/perl
# Other people's clients of Nsight Systems' SQLite exports read our traces: what their schema asks for is there, and what
# nsys-ai (an open client; GROSR_NSYS_AI names a Python that has it) says of a trace is what our views say of it. Without
# that client its part is skipped.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use File::Basename qw(dirname);
use Grosr;
use JSON::PP qw(decode_json);
use Test::More;

my $dir = scratch();
my $schema = "$ROOT/schema";
my ($version) = slurp("$schema/schema.h") =~ /define GROSR_SCHEMA_VERSION (\d+)/;

sub list { return join(' ', map { join('|', map { $_ // '-' } @$_) } @_) }

# The columns that refer to a table by its number refer to a row of it.
sub refers
{
    my ($db, $name) = @_;
    my %to = (StringIds => [qw(KERNEL.demangledName KERNEL.shortName KERNEL.mangledName RUNTIME.nameId)],
              ENUM_CUDA_MEMCPY_OPER => ['MEMCPY.copyKind'],
              ENUM_CUDA_MEM_KIND => [qw(MEMCPY.srcKind MEMCPY.dstKind MEMSET.memKind)],
              ENUM_CUPTI_SYNC_TYPE => ['SYNCHRONIZATION.syncType'],
              ENUM_NSYS_EVENT_CLASS => ['RUNTIME.eventClass']);
    my @from = map { my $to = $_; map { ["CUPTI_ACTIVITY_KIND_$_" =~ /^(.+)\.(.+)$/, $to] } @{$to{$to}} } sort keys %to;
    push @from, ['NVTX_EVENTS', 'eventType', 'ENUM_NSYS_EVENT_TYPE'], ['NVTX_EVENTS', 'textId', 'StringIds'],
        ['ThreadNames', 'nameId', 'StringIds'];
    for (@from) {
        my ($table, $column, $to) = @$_;
        is(value($db, "SELECT count(*) FROM $table WHERE $column IS NOT NULL AND $column NOT IN (SELECT id FROM $to)"), 0,
           "$name: $table.$column is in $to");
    }
}

# ---- a session of the runtime on the host device ----

my $host = "$dir/host.db";
is(grosr('run', 'arith', '--device', 'host', '--tasks', '100', '--workers', '2', '-o', $host)->{code}, 0, 'a trace of the runtime');
like(value($host, 'SELECT name FROM TARGET_INFO_GPU'), qr/\Ano GPU: host threads/, 'the host device is called what it is');
is(value($host, 'SELECT smCount FROM TARGET_INFO_GPU'), value($host, 'SELECT sms FROM GROSR_SESSION'), 'its size');
is(value($host, 'SELECT count(*) FROM TARGET_INFO_CUDA_DEVICE'), 0, 'and no device of CUDA');
is(list(map { [@$_{qw(pid globalPid name)}] } sql($host, 'SELECT * FROM PROCESSES')),
   list(map { [@$_{qw(pid globalPid program)}] } sql($host, 'SELECT pid, pid << 24 AS globalPid, program FROM GROSR_SESSION')),
   'its process');
is(value($host, 'SELECT duration FROM ANALYSIS_DETAILS WHERE startTime = 0 AND stopTime = duration'),
   value($host, 'SELECT end FROM GROSR_SESSION'), 'how long it took');
like(value($host, q{SELECT value FROM META_DATA_EXPORT WHERE name = 'EXPORT_SCHEMA_VERSION'}), qr/\A3\.\d+\.\d+\z/,
     'a version of the schema');
is(value($host, q{SELECT group_concat(value, ' ') FROM (SELECT value FROM META_DATA_EXPORT WHERE name LIKE '%PRODUCT%'
                  UNION ALL SELECT value FROM META_DATA_CAPTURE WHERE name LIKE '%PRODUCT%')}), 'GROSR GROSR',
   'and who made it, which is not Nsight Systems');

# ---- a program that uses CUDA ----

my $program = dirname($GROSR) . '/tests/traced/cuda';
my $double = dirname($GROSR) . '/tests/traced/double/libcuda.so.1';
my $cuda = "$dir/cuda.db";
SKIP: {
    skip('built without CUPTI\'s header: the CUDA toolkit has it', 1) if !-x $program;
    is(grosr({env => {GROSR_CUPTI => $double}}, 'record', '-o', $cuda, '--', $program, 'all')->{code}, 0, 'a traced program');
    refers($cuda, 'recorded');
    is(value($cuda, q{SELECT s.label || ', ' || d.label || ', ' || o.label FROM CUPTI_ACTIVITY_KIND_MEMCPY m
                      JOIN ENUM_CUDA_MEM_KIND s ON s.id = m.srcKind JOIN ENUM_CUDA_MEM_KIND d ON d.id = m.dstKind
                      JOIN ENUM_CUDA_MEMCPY_OPER o ON o.id = m.copyKind}), 'Pageable, Device, Host-to-Device', 'a copy in words');
}

# ---- older traces ----

my $golden = "$ROOT/traces/h100-cupti.db";
is(list(map { [@$_{qw(srcKind dstKind)}] } sql($golden, 'SELECT DISTINCT srcKind, dstKind FROM CUPTI_ACTIVITY_KIND_MEMCPY')),
   '2|1', 'h100-cupti: from the device to pinned memory, in the numbers of today');
is(list(map { [@$_{qw(cudaId name sms)}] }
        sql($golden, 'SELECT d.cudaId, g.name, d.numMultiprocessors AS sms FROM TARGET_INFO_CUDA_DEVICE d ' .
                     'JOIN TARGET_INFO_GPU g ON g.id = d.gpuId')), '0|NVIDIA H100 80GB HBM3|132', 'h100-cupti: the device');

# ---- what a client says ----

# A trace in today's schema, from SQL that adds its rows.
sub fill
{
    my ($db, @sql) = @_;
    unlink($db);
    spew("$db.sql", join('', sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;\n", 0x47524f53, $version),
                         (map { slurp("$schema/$_.sql") } qw(tables nsight views)), @sql, slurp("$schema/indexes.sql")));
    my $r = run_it({out => '/dev/null'}, 'sqlite3', '-bail', $db, ".read $db.sql");
    is("$r->{code}$r->{stderr}", '0', "$db in today's schema") or BAIL_OUT('no trace');
}

# The rows of an older trace, by the columns that it has; its records were CUPTI's numbers.
sub rows_of
{
    my ($old) = @_;
    my $sql = "ATTACH '$old' AS o;\n";
    fill("$dir/empty.db");
    my %now = map { ($_->{name} => [map { $_->{name} } sql("$dir/empty.db", "SELECT name FROM pragma_table_info('$_->{name}')")]) }
        sql("$dir/empty.db", "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'");
    my $r = run_it('sqlite3', $old, q{SELECT m.name || ' ' || group_concat(p.name, ' ') FROM sqlite_schema m, pragma_table_info(m.name) p
                                      WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' GROUP BY m.name});
    for (split(/\n/, $r->{stdout})) {
        my ($table, @columns) = split(/ /);
        my %has = map { ($_ => 1) } @columns;
        my @both = grep { $has{$_} } @{$now{$table} || []};
        my $names = join(', ', map { qq{"$_"} } @both);
        my $values = join(', ', map { /^(?:srcKind|dstKind|memKind)$/ ? "($_ + 7) % 8" : qq{"$_"} } @both);
        $sql .= qq{INSERT INTO main."$table" ($names) SELECT $values FROM o."$table";\n} if @both;
    }
    return $sql . 'INSERT INTO main.TARGET_INFO_CUDA_DEVICE SELECT id, id, globalPid >> 24, uuid, smCount FROM o.TARGET_INFO_GPU;';
}

my ($python) = grep { run_it({}, $_, '-c', 'import nsys_ai.profile')->{code} == 0 }
    $ENV{GROSR_NSYS_AI} || (), grep { have($_) } qw(python3);
SKIP: {
    skip('no Python with nsys-ai: name one in GROSR_NSYS_AI', 1) if !$python || !have('sqlite3');
    spew("$dir/client.py", <<'PYTHON');
import json, sys
import nsys_ai.profile
from nsys_ai.skills.base import is_abstention
from nsys_ai.skills.registry import all_skills
profile = nsys_ai.profile.open(sys.argv[1])
connection = getattr(profile, "db", None) or profile.conn
skills = {}
for skill in all_skills():
    try:
        rows = skill.execute(connection)
        skills[skill.name] = {"rows": rows, "without": bool(rows) and is_abstention(rows)}
    except Exception as e:
        skills[skill.name] = {"failed": type(e).__name__ + ": " + str(e)}
gpus = {id: [g.name, g.pci_bus, g.sm_count, g.memory_bytes, g.kernel_count] for id, g in profile.meta.gpu_info.items()}
print(json.dumps({"skills": skills, "gpus": gpus, "kernels": profile.aggregate_kernels(None), "schema": profile.schema.schema_version,
                  "ranges": profile.aggregate_nvtx_ranges(limit=1000), "missing": profile.schema.missing_required_columns()},
                 default=str))
PYTHON

    # What it says of a trace, beside what our views do.
    my $compare = sub {
        my ($name, $db, $least) = @_;
        my $r = run_it({}, $python, "$dir/client.py", $db);
        is($r->{code}, 0, "$name: nsys-ai reads it") or diag($r->{stderr}) or return;
        my $client = decode_json($r->{stdout} =~ s/\A[^{]*//r);
        my %skills = %{$client->{skills}};
        my $excused = qr/\A(?:SkillParameterError.*|OperationalError: no such column: is_tc_eligible|)\z/; # the last: without DuckDB
        my @failed = grep { ($skills{$_}{failed} // '') !~ $excused } sort keys %skills;
        is(join(', ', map { "$_: $skills{$_}{failed}" } @failed), '', "$name: no analysis fails but for a parameter that it wants");
        my @runs = grep { !$skills{$_}{failed} && !$skills{$_}{without} } sort keys %skills;
        cmp_ok(scalar(@runs), '>=', $least, "$name: analyses that run");
        note("$name runs: @runs");
        is(join(' ', @{$client->{missing}}), '', "$name: it misses no column");
        is($client->{schema}, value($db, q{SELECT value FROM META_DATA_EXPORT WHERE name = 'EXPORT_SCHEMA_VERSION'}),
           "$name: the schema's version");
        my ($gpu) = sql($db, 'SELECT name, busLocation, smCount, totalMemory FROM TARGET_INFO_GPU');
        is(list($client->{gpus}{0}), list([$gpu->{name}, $gpu->{busLocation} // '', $gpu->{smCount}, $gpu->{totalMemory} // 0,
                                           value($db, 'SELECT count(*) FROM kernels WHERE device = 0')]), "$name: the GPU");
        is(list(sort { $a->[0] cmp $b->[0] } map { [@$_{qw(demangled count total_ns)}] } @{$client->{kernels}}),
           list(map { [@$_{qw(full_name n ns)}] } sql($db, 'SELECT full_name, count(*) AS n, sum(duration_ns) AS ns FROM kernels ' .
                                                       'WHERE device = 0 GROUP BY 1 ORDER BY 1')), "$name: kernels and their time");
        my %copies = map { ($_->{copyKind} => $_) } grep { exists $_->{copyKind} } @{$skills{memory_transfers}{rows}};
        my @ours = sql($db, 'SELECT copyKind, count(*) AS n, sum(bytes) AS bytes, sum(end - start) AS ns ' .
                            'FROM CUPTI_ACTIVITY_KIND_MEMCPY GROUP BY 1 ORDER BY 1');
        is(list(map { [$_, $copies{$_}{count}] } sort { $a <=> $b } keys %copies), list(map { [@$_{qw(copyKind n)}] } @ours),
           "$name: copies by direction");
        ok(!(grep { abs($copies{$_->{copyKind}}{total_mb} * 1e6 - $_->{bytes}) > 5e4 ||
                    abs($copies{$_->{copyKind}}{total_ms} * 1e6 - $_->{ns}) > 5e3 } @ours), "$name: their bytes and time");
        my @sync = sql($db, 'SELECT DISTINCT e.name FROM CUPTI_ACTIVITY_KIND_SYNCHRONIZATION y JOIN ENUM_CUPTI_SYNC_TYPE e ' .
                            'ON e.id = y.syncType WHERE y.end > (SELECT min(start) FROM kernels) ' .
                            'AND y.start < (SELECT max(end) FROM kernels) ORDER BY 1'); # it looks at the time of kernels alone
        is(join(' ', sort keys %{$skills{sync_cost_analysis}{rows}[0]{sync_by_type_ms} || {}}), join(' ', map { $_->{name} } @sync),
           "$name: what synchronized, by name");
        is(list(sort { $a->[0] cmp $b->[0] } map { [@$_{qw(text count total_ns)}] } @{$client->{ranges}}),
           list(map { [@$_{qw(name n ns)}] } sql($db, q{SELECT name, count(*) AS n, sum(duration_ns) AS ns FROM ranges
                WHERE kind IN ('push/pop', 'start/end') AND end IS NOT NULL GROUP BY 1 ORDER BY 1})), "$name: NVTX ranges and their time");
    };

    fill("$dir/h100.db", rows_of($golden));
    refers("$dir/h100.db", 'h100-cupti');
    $compare->('h100-cupti', "$dir/h100.db", 26);

    # What had not ended has NULL for its end, which Nsight's schema does not have.
    fill("$dir/small.db", slurp("$ROOT/tests/sql/golden.sql"),
         (map { "DELETE FROM CUPTI_ACTIVITY_KIND_$_ WHERE end IS NULL;\n" } qw(KERNEL RUNTIME)));
    refers("$dir/small.db", 'small');
    $compare->('small', "$dir/small.db", 26);
    $compare->('recorded', $cuda, 24) if -e $cuda;
}

# ---- DuckDB ----

# DuckDB parses every view of a file that it attaches, and has its own words: what it refuses hides all tables (views.sql).
my $views = slurp("$schema/views.sql") =~ s/--[^\n]*//gr =~ s/'[^']*'/''/gr;
unlike($views, qr/\b0x/, 'views: no hexadecimal numbers');
unlike($views, qr/(?<![."\w])end\b/, 'views: "end" is quoted, or its table stands before it');
unlike($views, qr/\bcount\(\*\)|\bON true\b/, 'views: nor what it writes in its own way');

done_testing();
