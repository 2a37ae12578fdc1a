#!/usr/bin/perl
# The manual says what the command takes and what a trace holds: no more, no less.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname basename);
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Tree;

enter();
my $grosr = abs_path($ENV{GROSR} || 'build/release/grosr') || '';
-x $grosr or plan(skip_all => 'there is no build/release/grosr: `make` builds it');

# ---- grosr(1) ----

my (undef, %section) = split(/^# (.*)\n/m, slurp('viewer/grosr.1.scd'));

sub options_of
{
    my ($pattern, $text) = @_;
    my %found;
    while ($text =~ /$pattern/mg) {
        my $line = $&;
        $found{$_}++ for $line =~ /(--[a-z]+|(?<![\w-])-[a-zA-Z]\b)/g;
    }
    return \%found;
}

my $list = `'$grosr' --help`;
my ($commands) = $list =~ /^Commands:\n((?:  \S.*\n)+)/m;
my @commands = ($commands // '') =~ /^  (\w+)/mg;
cmp_ok(scalar(@commands), '>=', 6, 'grosr --help lists the commands');
is(join(' ', map { lc } map { /^GROSR (\w+)$/ } sort keys %section), join(' ', sort grep { $_ ne 'help' } @commands),
   'grosr(1) has a section on each command but `help`, and no other');
# The synopsis has the usage lines of all commands; `record` has a second one.
my @synopsis = map { s/[*_]|\+\+$//gr =~ s/\[OPTION\]\.\.\. //r } grep { /^\*/ } split(/\n/, $section{'SYNOPSIS'});
my @usage = map { `'$grosr' $_ --help` =~ /^Usage: (.*)/ ? $1 =~ s/\[OPTION\]\.\.\. //r : '' } @commands;
is_deeply([sort @synopsis], [sort @usage, 'grosr record --attach PID[.INDEX]'],
          'the synopsis of grosr(1) has the usage line of each command');
my $common = options_of(qr/^\*-.*$/, $section{'COMMON OPTIONS'} // '');
for my $command (@commands) {
    my $help = options_of(qr/^  +-.*?(?:  |$)/, scalar(`'$grosr' $command --help`));
    my $manual = options_of(qr/^\*-.*$/, $section{uc("GROSR $command")} // '');
    my %documented = map { $_ => 1 } keys %$manual, keys %$common;
    is(join(' ', sort keys %documented), join(' ', sort keys %$help), "grosr $command: --help and grosr(1) have the same options");
}
for my $workload (`'$grosr' run --list` =~ /^(\S+)/mg) {
    like($section{'GROSR RUN'}, qr/^\*\Q$workload\E\*$/m, "grosr(1) explains the workload $workload");
}

for my $experiment (`'$grosr' bench --list` =~ /^(\S+)/mg) {
    like($section{'GROSR BENCH'}, qr/^\*\Q$experiment\E\*$/m, "grosr(1) explains the experiment $experiment");
}

# ---- grosr-diagnose(1) ----

SKIP: {
    my $page = (grep { -e } map { "$_/man/grosr-diagnose.1.scd" } dirname($grosr), 'build/release')[0];
    skip('grosr-diagnose(1) has not been made: `make man`', 1) unless $page;
    my $text = slurp($page) =~ s/\\(?=[_*\\])//gr;
    my @kinds = slurp('tracer/findings/findings.def') =~ /^GROSR_FINDING\("(\w+)"/mg;
    is(join(' ', grep { $text !~ /^\*$_\* \((?:healthy|slow|stalled|deadlock)\)\n\t\w/m } @kinds), '',
       'grosr-diagnose(1) explains every kind of finding (' . @kinds . ')');
    my %named;
    for my $path (glob('tracer/{findings,process,foreign,coredump,diagnose}/*.c')) {
        my $source = slurp($path);
        $named{$_} = $path for $source =~ /VERDICT_[A-Z]+,\s*"(\w+)"/g;
    }
    cmp_ok(scalar(keys %named), '>=', 8, 'sources of findings name kinds');
    my %known = map { $_ => 1 } @kinds;
    is(join(' ', map { "$named{$_}: $_" } grep { !$known{$_} } sort keys %named), '', 'and all of them are in the list');
}

# ---- grosr-schema(5) ----

SKIP: {
    my $page = (grep { -e } map { "$_/man/grosr-schema.5.scd" } dirname($grosr), 'build/release')[0];
    skip('grosr-schema(5) has not been made: `make man`', 1) unless $page;
    my $text = slurp($page) =~ s/\\(?=[_*\\])//gr;
    my $events = slurp('schema/events.def') =~ s{/\*.*?\*/}{}gsr;
    my @kinds = $events =~ /^GROSR_EVENT\(\d+, \w+, (\w+)/mg;
    my @resources = $events =~ /^GROSR_RESOURCE\(\d+, \w+, (\w+)/mg;
    my $tables = slurp('schema/tables.sql') . slurp('schema/views.sql');
    my @tables = $tables =~ /^CREATE (?:TABLE|VIEW) (\w+)/mg;
    my @queries = map { basename($_, '.sql') } glob('schema/queries/*.sql');
    for my $part (['event kind', @kinds], ['resource', @resources], ['table and view', @tables], ['canned query', @queries]) {
        my ($what, @names) = @$part;
        my @absent = grep { $text !~ /(?<![\w-])\Q$_\E(?![\w-])/ } @names;
        is("@absent", '', "grosr-schema(5) has every $what (" . @names . ')');
    }
}
done_testing();
