#!/usr/bin/perl
# The traces in traces/ stay readable: each is complete and balanced, and every canned query answers.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Grosr;
use Test::More;

my @traces = glob("$FindBin::Bin/../../traces/*.db");
cmp_ok(scalar(@traces), '>', 0, 'there are golden traces');
my @names = map { m{([^/]+)\.sql$} } glob("$FindBin::Bin/../../schema/queries/*.sql");

for my $trace (@traces) {
    my ($name) = $trace =~ m{([^/]+)$};
    integrity($trace, "$name is sound");
    balanced($trace, "$name: its books balance");
    is(value($trace, 'SELECT verdict FROM trace_health WHERE ring IS NULL'), 'complete', "$name is complete");
    for my $query (@names) {
        is(grosr('query', $trace, $query)->{code}, 0, "$name: $query");
    }
    is(grosr('info', $trace)->{code}, 0, "$name: info");
}

# What is known of this one: 1,000 tasks on an H100, each once, in order across two clocks.
my $h100 = "$FindBin::Bin/../../traces/h100-arith-1000.db";
is(value($h100, 'SELECT count(DISTINCT task) FROM tasks'), 1000, 'h100-arith-1000: every task');
is(value($h100, 'SELECT count(*) FROM tasks WHERE enqueue <= start AND start <= end AND status = 0'), 1000,
   'h100-arith-1000: enqueue <= start <= end');
is(value($h100, 'SELECT device FROM GROSR_SESSION'), 'cuda', 'h100-arith-1000: labelled as what it is');

done_testing();
