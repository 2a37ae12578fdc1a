#!/usr/bin/perl
# Every source is as clang-format leaves it.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Tree;

my $wanted = 14;    # versions differ in what they do with the same .clang-format

enter();
my $tool = tool("clang-format-$wanted") // tool('clang-format');
plan(skip_all => 'clang-format is not installed') unless $tool;
my ($version) = `$tool --version` =~ /version (\d+)/;
plan(skip_all => "clang-format is version " . ($version // '?') . ", the sources are formatted by $wanted")
    unless ($version // 0) == $wanted;

my @files = files_in(qr/\.(?:[ch]|cu)$/, qw(schema tracer runtime viewer tests));
my $said = `$tool --dry-run @files 2>&1`;
my %bad;
$bad{$1} //= $2 while $said =~ /^([^\s:]+):(\d+):\d+: (?:warning|error):/mg;
for my $file (@files) {
    ok(!exists $bad{$file}, $file) or diag("line $bad{$file}: `$tool -i $file` formats it");
}
done_testing();
