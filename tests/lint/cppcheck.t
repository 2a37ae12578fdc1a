#!/usr/bin/perl
# cppcheck finds nothing to warn of.
use strict;
use warnings;
use File::Temp qw(tempdir);
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Tree;

enter();
plan(skip_all => 'cppcheck is not installed') unless tool('cppcheck');

# Not suppressed lightly: each of these is a thing of our style, not a fault.
my @suppress = (
    'missingIncludeSystem',
    'preprocessorErrorDirective',
    'unmatchedSuppression',
    'normalCheckLevelMaxBranches',
);
# It cannot parse _Generic, by which device_host.h selects a word's width: there a function of any type takes its place.
my $folder = tempdir('grosr-cppcheck-XXXXXX', TMPDIR => 1, CLEANUP => 1);
for my $part (qw(tracer runtime viewer)) {
    my @command = (
        'cppcheck', '-q', '-j', '2', "--cppcheck-build-dir=$folder", '--enable=warning,performance,portability',
        '--inline-suppr', (map { "--suppress=$_" } @suppress), '--std=c11', '--language=c', '-D_GNU_SOURCE',
        '-DGROSR_HOST_LANES=1', '-U__CUDACC__', '-D_Generic(...)=grosr_generic', '--error-exitcode=1',
        '--template={file}:{line}: {severity}: {message} [{id}]', $part);
    my $said = `@{[map { "'$_'" } @command]} 2>&1`;
    is($?, 0, $part) or diag($said);
}
done_testing();
