#!/usr/bin/perl
# Shell scripts pass shellcheck, Perl scripts compile without a warning.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Tree;

enter();

sub first_line
{
    open(my $file, '<', $_[0]) or return '';
    return scalar(<$file>) // '';
}

my @scripts = grep { -f } map { glob($_) } qw(.ci/* schema/* tests/* tests/*/* traces/*);
my @shell = grep { /\.sh$/ || first_line($_) =~ m{^#!.*\b(?:ba)?sh\b} } @scripts;
my @perl = grep { /\.p[lm]$/ || first_line($_) =~ m{^#!.*\bperl\b} } @scripts;

SKIP: {
    skip('shellcheck is not installed', scalar(@shell)) unless tool('shellcheck');
    for my $script (@shell) {
        my $said = `shellcheck -x $script 2>&1`;
        is($?, 0, "shellcheck $script") or diag($said);
    }
}
for my $script (@perl) {
    my $said = `$^X -Itests/cli -Itests/lint -wc $script 2>&1`;
    ok($? == 0 && $said eq "$script syntax OK\n", "perl -wc $script") or diag($said);
}
done_testing();
