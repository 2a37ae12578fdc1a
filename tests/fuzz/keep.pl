#!/usr/bin/perl
# Chooses the inputs that are worth keeping: keep.pl PROGRAM FOLDER LEARNED...
#
# What was in FOLDER stays. Of the inputs in the other folders those are added to it that bring most code that is not yet
# reached, by the size that they have; at most 20 of them and 100 KiB. libFuzzer's merging keeps everything that adds
# anything, which is hundreds of files.
use strict;
use warnings;
use Digest::SHA qw(sha1_hex);
use File::Copy qw(copy);
use File::Temp qw(tempdir);

my ($most_files, $most_bytes) = (20, 100 << 10);
@ARGV >= 3 or die "usage: keep.pl PROGRAM FOLDER LEARNED...\n";
my ($program, $kept, @learned) = @ARGV;

# The merge's own notes say which edges each input reaches: STARTED number size, then COV number edge...
my $folder = tempdir('grosr-keep-XXXXXX', TMPDIR => 1, CLEANUP => 1);
mkdir("$folder/kept") or die;
copy($_, "$folder/kept/") or die "$_: $!\n" for glob("$kept/*");
system($program, '-merge=1', '-max_len=65536', '-verbosity=0', "-merge_control_file=$folder/notes", "$folder/kept",
       @learned) == 0 or die "$program cannot merge\n";
open(my $notes, '<', "$folder/notes") or die "$folder/notes: $!\n";
my (@path, %edges, $files);
while (my $line = <$notes>) {
    chomp($line);
    my @words = split(' ', $line);
    if (@words && $words[0] eq 'COV') { $edges{$words[1]} = [@words[2 .. $#words]] }
    elsif (!defined $files) { $files = $line }            # two numbers come first, then a path a line
    elsif ($. > 2 && -f $line) { push @path, $line }
}
close($notes);

# They have an edge with the first input that reached it only: of those that were kept, then by size.
my (%score, $bytes, $added);
$bytes = $added = 0;
for my $number (keys %edges) {
    my $path = $path[$number] // next;
    next unless @{$edges{$number}};
    $score{$path} = @{$edges{$number}} / (64 + -s $path) unless index($path, "$folder/kept/") == 0;
}
for my $path (sort { $score{$b} <=> $score{$a} || $a cmp $b } keys %score) {
    last if $added == $most_files;
    next if $bytes + -s $path > $most_bytes;
    open(my $file, '<:raw', $path) or die "$path: $!\n";
    my $name = substr(sha1_hex(do { local $/; scalar(<$file>) }), 0, 12);
    close($file);
    copy($path, "$kept/$name") or die "$kept/$name: $!\n";
    $bytes += -s $path;
    $added++;
}
print "$kept: $added inputs added, $bytes bytes\n";
