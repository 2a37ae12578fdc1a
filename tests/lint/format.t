#!/usr/bin/perl
# Every source is as clang-format leaves it.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;

my $wanted = 14;    # versions differ in what they do with the same .clang-format

chdir(abs_path(dirname(__FILE__) . '/../..')) or die;
my ($tool) = grep { my $t = $_; grep { -x "$_/$t" } split(/:/, $ENV{PATH}) } "clang-format-$wanted", 'clang-format';
plan(skip_all => 'clang-format is not installed') unless $tool;
my ($version) = `$tool --version` =~ /version (\d+)/;
plan(skip_all => "clang-format is version " . ($version // '?') . ", the sources are formatted by $wanted")
    unless ($version // 0) == $wanted;

my @files = map { glob($_) } map { ("$_/*.c", "$_/*.h", "$_/*.cu") } qw(schema tracer tracer/* runtime runtime/* viewer tests tests/*);
my $said = `$tool --dry-run @files 2>&1`;
my %bad;
$bad{$1} //= $2 while $said =~ /^([^\s:]+):(\d+):\d+: (?:warning|error):/mg;
for my $file (@files) {
    ok(!exists $bad{$file}, $file) or diag("line $bad{$file}: `$tool -i $file` formats it");
}
done_testing();
