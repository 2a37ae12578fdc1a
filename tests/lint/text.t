#!/usr/bin/perl
# Plain text, plainly laid out: no tabs but in makefiles, no blanks at line ends, one line break at the end, and no line
# longer than one wants to read.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Tree;

my ($longest_line, $longest_file) = (140, 700);

enter();
my @files = grep { -T && !m{^tests/(?:fuzz/corpus|bench/h100)/} }
    (grep { -f } glob('* .clang-format .gitignore')), files_in(qr/./, qw(.ci schema tracer runtime viewer tests));
cmp_ok(scalar(@files), '>', 30, 'there are files');

for my $path (@files) {
    open(my $file, '<:encoding(UTF-8)', $path) or die "$path: $!";
    my @lines = <$file>;
    my @bad;
    for my $i (0 .. $#lines) {
        my $line = $lines[$i];
        my $at = $i + 1;
        push @bad, "line $at: a tab" if $line =~ /\t/ && $path !~ m{(^|/)Makefile$|\.mk$|\.scd(\.in)?$};
        push @bad, "line $at: blanks at its end" if $line =~ /[ \t\r]\n?$/;
        push @bad, "line $at: @{[length($line) - 1]} characters"
            if length($line) > $longest_line + 1 && $path !~ /\.(?:md|scd|in)$|LICENSE|^tests\/sql\/expected/;
    }
    push @bad, 'no line break at its end' if @lines && $lines[-1] !~ /\n$/;
    push @bad, 'empty lines at its end' if @lines && $lines[-1] eq "\n";
    note(@lines . " lines: $path wants to be two files") if @lines > $longest_file && $path !~ /\.(?:md|scd)$/;
    is(scalar(@bad), 0, $path) or diag(map { "$path: $_\n" } splice(@bad, 0, 20));
}
done_testing();
