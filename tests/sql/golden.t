#!/usr/bin/perl
# Every canned query and every view, on a small trace that is known completely: golden.sql has the rows and where they come
# from, expected.txt the answers. A query or view without a section there fails, and so does a section without either.
#
# And on a trace as it is recorded: the answers are the same whether its summaries were stored when it was closed, or are
# made for the reader of a trace that has neither summaries nor indexes.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../cli";
use File::Basename qw(basename);
use File::Copy qw(copy);
use Grosr;
use Test::More;

have('sqlite3') or plan(skip_all => 'there is no sqlite3 to fill a trace with');

my $dir = scratch();
my $schema = "$ROOT/schema";
my @queries = map { basename($_, '.sql') } glob("$schema/queries/*.sql");
my @views = slurp("$schema/views.sql") =~ /^CREATE VIEW (\w+)/mg;
my ($version) = slurp("$schema/schema.h") =~ /define GROSR_SCHEMA_VERSION (\d+)/;

sub fill
{
    my ($db, @sql) = @_;
    spew("$db.sql", join('', @sql));
    my $r = run_it({out => '/dev/null'}, 'sqlite3', '-bail', $db, ".read $db.sql");
    is("$r->{code}$r->{stderr}", '0', 'the rows of ' . basename($db)) or BAIL_OUT('no trace');
}

my $pragmas = sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;\n", 0x47524f53, $version);
my @parts = map { slurp($_) } "$schema/tables.sql", "$schema/views.sql", "$FindBin::Bin/golden.sql";
fill("$dir/closed.db", $pragmas, @parts, slurp("$schema/indexes.sql"));
fill("$dir/open.db", $pragmas, @parts);

# ---- the golden trace ----

my %expected;
for my $section (split(/^(?== )/m, slurp("$FindBin::Bin/expected.txt"))) {
    my ($what, $text) = $section =~ /\A= ([^\n]+)\n(.*)\z/s or next;
    $expected{$what} = join('', grep { !/^#/ && /\S/ } split(/^/, $text));
}
my %seen;
for my $what (sort keys %expected) {
    my ($kind, $name, $rest) = $what =~ /^(query|view) (\S+)(.*)$/;
    ok($kind && !$seen{"$kind $name"}++, "expected.txt: $what");
    my $question = $kind eq 'query' ? $name : "SELECT * FROM $name$rest";
    for my $db (qw(closed open)) {
        my $r = grosr('query', "$dir/$db.db", $question, '--format', 'csv');
        is($r->{stdout} =~ s/\r//gr, $expected{$what}, "$kind $name, $db") or diag($r->{stderr});
    }
}
is(join(' ', grep { !$seen{"query $_"} } @queries), '', 'every canned query has an expected answer');
is(join(' ', grep { !$seen{"view $_"} } @views), '', 'every view too');
my %exists = map { $_ => 1 } (map { "query $_" } @queries), (map { "view $_" } @views);
is(join(' ', grep { !$exists{$_} } sort keys %seen), '', 'and nothing else is');

# ---- the timeline, in the order of time ----

is(join(' ', map { $_->{kind} } sql("$dir/closed.db", q{SELECT kind FROM timeline
       WHERE start BETWEEN 100 AND 210 AND session = 1 ORDER BY start, kind})),
   'api api range mark kernel api task hold range', 'the call, the kernel, the task and the range, in order');
SKIP: {
    my $sqlite = value("$dir/closed.db", 'SELECT sqlite_version()');
    my ($major, $minor) = $sqlite =~ /^(\d+)\.(\d+)/;
    skip("SQLite $sqlite does not merge the parts of a view", 3) if $major * 1000 + $minor < 3040;
    for my $view (qw(timeline kernels ranges)) {
        my @plan = map { $_->{detail} } sql("$dir/closed.db", "EXPLAIN QUERY PLAN SELECT * FROM $view ORDER BY start LIMIT 10");
        ok(!grep({ /^SCAN $view|^CO-ROUTINE $view/ } @plan) && grep({ /INDEX \w+_BY_START/ } @plan),
           "the first rows of $view come by its indexes, without a sort of all") or diag(join("\n", @plan));
    }
}

# ---- a recorded trace ----

for my $workload ('spawn', 'pipeline') {
    my ($stored, $bare) = map { "$dir/$workload-$_.db" } qw(stored bare);
    is(grosr('run', $workload, '--device', 'host', '--tasks', '5000', '-o', $stored)->{code}, 0, "a trace of $workload");
    copy($stored, $bare) or die "$bare: $!";
    my @indexes = map { $_->{name} } sql($stored, q{SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL});
    my $summary = join('', map { slurp($_) } glob("$ROOT/tracer/summary/*.c"));
    my @summaries = $summary =~ /"(GROSR_(?:TIME_BIN|DURATION|SM_BUSY|TASK_\w+|RANGE_TEXT|ALLOCATION|SLAB))"/g;
    cmp_ok(scalar(@indexes), '>', 0, 'it has indexes');
    is(value($stored, q{SELECT count(*) FROM GROSR_META WHERE key = 'summaries'}), 1, 'and summaries');
    my $r = run_it('sqlite3', '-bail', $bare, join(';', (map { "DROP INDEX $_" } @indexes), (map { "DELETE FROM $_" } @summaries),
                                                   q{DELETE FROM GROSR_META WHERE key = 'summaries'}));
    is("$r->{code}$r->{stderr}", '0', 'taken away in a copy');
    for my $query (@queries) {
        my @answers = map { grosr('query', $_, $query, '--format', 'csv')->{stdout} } $stored, $bare;
        is($answers[1], $answers[0], "$workload: $query says the same");
    }
}

done_testing();
