#!/usr/bin/perl
# `grosr bench`: every experiment runs on the host device, beside its baselines, with right results.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Grosr;
use Test::More;

my $list = grosr('bench', '--list');
is($list->{code}, 0, '--list');
my @names = $list->{stdout} =~ /^(\S+)/mg;
cmp_ok(scalar(@names), '>=', 2, 'names the experiments');

for my $name (@names) {
    my $run = grosr('bench', $name, '--device', 'host', '--tasks', 500, '--repetitions', 3, '--json');
    is($run->{code}, 0, "$name runs") or diag($run->{stderr});
    my $j = json_of($run);
    is("$j->{bench} $j->{device} $j->{errors}", "$name host 0", "$name: all results right");
    ok((grep { $_->{baseline} } @{$j->{series}}) && (grep { !$_->{baseline} } @{$j->{series}}),
       "$name: GROSR and its baselines");
    is(scalar(grep { !($_->{lowest_ns} > 0 && $_->{lowest_ns} <= $_->{median_ns} && $_->{median_ns} <= $_->{p99_ns} &&
                       $_->{p99_ns} <= $_->{highest_ns}) } @{$j->{series}}), 0, "$name: lowest <= median <= p99 <= highest");
    no_segments($run, "$name leaves no segment");
}
my $run = grosr('bench', 'dispatch', '--device', 'host', '--tasks', 200, '--repetitions', 2);
like($run->{stdout}, qr/^series +tasks +samples.*^GROSR, host-fed by 1 thread +200 +2 /ms, 'a table for people');
says_one_line(grosr('bench', 'nosuch'), 2, qr/nosuch.*--list/, 'an unknown experiment');
says_one_line(grosr('bench'), 2, qr/--list/, 'no experiment');
says_one_line(grosr('bench', 'dispatch', '--tasks', '0'), 2, qr/--tasks/, 'no tasks');
says_one_line(grosr('bench', 'dispatch', '--tasks', '1000000000'), 2, qr/at most 100000000/, 'too many');

done_testing();
