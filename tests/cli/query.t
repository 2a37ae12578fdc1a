#!/usr/bin/perl
# `grosr query` and `grosr info FILE`: questions to a trace, which is only ever read.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Digest::SHA qw(sha256_hex);
use File::Basename qw(basename);
use Grosr;
use Test::More;

my $dir = scratch();
my $db = "$dir/t.db";
my $run = grosr('run', 'arith', '--device', 'host', '--tasks', '5000', '-o', $db);
is($run->{code}, 0, 'a trace to ask') or BAIL_OUT("no trace: $run->{stderr}");
my $digest = sha256_hex(slurp($db));

# Rows of CSV (RFC 4180).
sub csv
{
    my ($text) = @_;
    my (@rows, @row);
    while ($text =~ /\G(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n)/gc) {
        my ($quoted, $plain, $after) = ($1, $2, $3);
        push @row, defined $quoted ? $quoted =~ s/""/"/gr : $plain;
        next if $after eq ',';
        push @rows, [@row];
        @row = ();
    }
    return (pos($text) // 0) == length($text) ? @rows : ();
}

# ---- canned queries ----

my $list = grosr('query', $db);
is($list->{code}, 0, 'without a question: the canned queries');
my @names = map { basename($_, '.sql') } glob("$ROOT/schema/queries/*.sql");
cmp_ok(scalar(@names), '>', 0, 'schema/queries has some');
for my $name (@names) {
    like($list->{stdout}, qr/^\s*\Q$name\E\s+\S/m, "$name is listed with a description");
    for my $format (qw(table csv json)) {
        my $r = grosr('query', $db, $name, '--format', $format);
        is("$r->{code} $r->{stderr}", '0 ', "$name as $format");
    }
}
is(join(' ', map { $_->{name} } @{json_of(grosr('query', $db, '--json'))}), join(' ', sort @names), 'the list as JSON, by name');
is(grosr('query', '--list')->{stdout}, $list->{stdout}, '--list: the same, without a file');

my ($health) = @{json_of(grosr('query', $db, 'health', '--json'))};
is($health->{verdict}, 'complete', 'health: complete');
is($health->{unaccounted}, 0, 'health: nothing unaccounted for');
my %functions = map { $_->{function} => $_->{runs} } @{json_of(grosr('query', $db, 'functions', '--json'))};
is_deeply(\%functions, {add => 2500, mul => 2500}, 'functions: 2500 of each');

# Tasks that spawn tasks: a tree and a chain of windows, as the trace has them.
my $tree = "$dir/tree.db";
for my $workload (qw(spawn pipeline)) {
    my $j = json_of(grosr('run', $workload, '--device', 'host', '--tasks', '20000', '-o', $tree, '--json'));
    my %tree = map { $_->{function} => $_ } @{json_of(grosr('query', $tree, 'spawn-tree', '--json'))};
    my ($runs, $spawned, $away) = (0, 0, 0);
    $runs += $_->{runs}, $spawned += $_->{spawned}, $away += $_->{suspended_ns} // 0 for values %tree;
    is("$runs $spawned", "$j->{tasks} $j->{spawned}", "spawn-tree of $workload: every run, every spawned task");
    if ($workload eq 'spawn') {
        cmp_ok($tree{fib}{suspended}, '>', 0, 'fib waits for its children');
        is($away, 0, 'but does not go on');
    } else {
        is($tree{stage}{suspended}, 0, 'stages are not suspended once they have started');
        is($tree{pipeline}{suspended}, $tree{pipeline}{runs}, 'windows always are');
        cmp_ok($tree{pipeline}{suspended_ns}, '>', 0, 'for a time');
    }
    my ($tasks, $others) = (0, 0);
    for my $w (@{json_of(grosr('query', $tree, 'steals', '--json'))}) {
        $tasks += $w->{tasks};
        $others += $w->{from_others};
    }
    is($tasks, $j->{tasks}, "steals of $workload: every run");
    is($others, value($tree, 'SELECT count(*) FROM tasks WHERE spawned AND enqueue IS NOT NULL AND (task >> 27 & 4095) <> worker'),
       'and what ran elsewhere');
}
unlink($tree);

# ---- formats ----

my $odd = q{SELECT 1 AS one, NULL AS none, 'a "quoted", word' AS text, 2.5 AS real, 'two' || char(10) || 'lines' AS lines};
my @rows = csv(grosr('query', $db, $odd, '--format', 'csv')->{stdout});
is_deeply(\@rows, [[qw(one none text real lines)], [1, '', 'a "quoted", word', '2.5', "two\nlines"]],
          'CSV: quotes, commas, line breaks and NULL');
is_deeply(json_of(grosr('query', $db, $odd, '--format', 'json')),
          [{one => 1, none => undef, text => 'a "quoted", word', real => 2.5, lines => "two\nlines"}],
          'JSON: the same, with types');
my $text = grosr('query', $db, 'SELECT 7 AS seven, \'x\' AS letter');
like($text->{stdout}, qr/seven\s+letter\n.*\n?\s*7\s+x\s*\n/, 'table: a head and a row');
@rows = csv(grosr('query', $db, 'SELECT task, start FROM tasks ORDER BY task', '--format', 'csv')->{stdout});
is(scalar(@rows), 5001, 'CSV: all rows');
is(scalar(@{json_of(grosr('query', $db, 'SELECT * FROM tasks', '--json'))}), 5000, 'JSON: all rows');
is_deeply(json_of(grosr('query', $db, 'SELECT * FROM tasks WHERE 0', '--json')), [], 'JSON: no rows are an empty array');
like(grosr('query', $db, 'SELECT char(27) || \'[31m\' AS x')->{stdout}, qr/\A[^\e]*\z/,
     'table: no escape sequence of the trace reaches the terminal');
like(grosr('query', $db, 'SELECT 1; -- and a comment')->{stdout}, qr/1/, 'a comment after the statement');

# ---- texts that hold anything ----

my $hard = "SELECT 'a' || char(0) || 'b' || char(27) || '[31m' || char(13, 10) || char(0x9b) || CAST(x'ff41' AS TEXT) || " .
           "char(0x202e, 0xfffd, 0x1f600) AS t, '' AS e, NULL AS n, char(0) AS z";
my $r = grosr({out => "$dir/hard.csv"}, 'query', $db, '--format', 'csv', $hard);
is(slurp("$dir/hard.csv"), "t,e,n,z\r\n\"a\\x00b\\x1b[31m\r\n\\u009b\\xffA\xe2\x80\xae\xef\xbf\xbd\xf0\x9f\x98\x80\",\"\",,\\x00\r\n",
   'CSV: nothing is cut, nothing valid is changed, the rest is escaped');
unlink("$dir/hard.csv");
$r = grosr({out => "$dir/hard.txt"}, 'query', $db, $hard);
is((split(/\n/, slurp("$dir/hard.txt")))[2],
   "a\\x00b\\x1b[31m\\r\\n\\u009b\\xffA\\u202e\xef\xbf\xbd\xf0\x9f\x98\x80        \\x00",
   'a table: on one line, and what turns it is escaped');
unlink("$dir/hard.txt");
is(json_of(grosr('query', $db, '--json', $hard))->[0]{t},
   "a\0b\e[31m\r\n\x{9b}\x{fffd}A\x{202e}\x{fffd}\x{1f600}", 'JSON: all of it');
says_one_line(grosr('info', "$dir/no\n\e[2Jfile"), 1, qr/no\\n\\x1b\[2Jfile/, 'a file\'s name in a message');

# ---- wrong questions ----

says_one_line(grosr('query', $db, 'SELECT * FROM nowhere'), 1, qr/nowhere/, 'an unknown table');
says_one_line(grosr('query', $db, 'SELEKT 1'), 1, qr/SELEKT/, 'no SQL');
says_one_line(grosr('query', $db, 'helth'), 2, qr/health/, 'a canned query misspelt: says which was meant');
says_one_line(grosr('query', $db, 'zzzz'), 2, qr/zzzz/, 'an unknown canned query');
says_one_line(grosr('query', $db, ''), 2, qr/empty/, 'an empty question');
says_one_line(grosr('query', $db, 'SELECT 1; SELECT 2'), 2, qr/one statement/, 'two statements');
says_one_line(grosr('query', $db, 'SELECT 1', '--format', 'xml'), 2, qr/table, csv or json/, 'an unknown format');
says_one_line(grosr('query'), 2, qr/trace file/, 'no file named');
for my $sql ('DELETE FROM GROSR_TASK', 'DROP VIEW tasks', 'CREATE TABLE x (y)', 'PRAGMA user_version = 7', 'VACUUM',
             "ATTACH '$dir/other.db' AS other", "VACUUM INTO '$dir/copy.db'") {
    my $r = grosr('query', $db, $sql);
    ok($r->{code} != 0 && $r->{stderr} =~ /\Agrosr: [^\n]+\n\z/, "refused: $sql") or diag("$r->{code} $r->{stderr}");
}
is(sha256_hex(slurp($db)), $digest, 'the trace is as it was, byte for byte');
is(join(' ', sort(glob("$dir/*"))), $db, 'and no other file appeared');

# ---- where the answer goes ----

SKIP: {
    skip('no /dev/full here', 3) unless -c '/dev/full';
    says_one_line(grosr({out => '/dev/full'}, 'query', $db, 'SELECT * FROM tasks'), 1, qr/No space|full/,
                  'stdout on a full disk');
    says_one_line(grosr({out => '/dev/full'}, 'info'), 1, qr/No space|full/, '`info` likewise');
    my $r = grosr({out => '/dev/full'}, 'run', 'arith', '--device', 'host', '--tasks', '10');
    says_one_line($r, 1, qr/No space|full/, '`run` likewise');
}

# ---- info FILE ----

my $info = grosr('info', $db);
is($info->{code}, 0, '`info FILE`');
like($info->{stdout}, qr/complete/, 'tells its health');
my $j = json_of(grosr('info', $db, '--json'));
is($j->{rows}{tasks}, 5000, '`info FILE --json` counts the tasks');
is($j->{health}[0]{verdict}, 'complete', 'and gives the verdict');

done_testing();
