#!/usr/bin/perl
# The example with task functions of its own, built by nvcc from an installed tree, on a GPU.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../cli";
use Grosr;
use Test::More;

needs_cuda();
my ($nvcc) = needs_nvcc();
have('pkg-config') or plan(skip_all => 'pkg-config is not installed');

my $dir = scratch();
my $prefix = "$dir/prefix";
delete @ENV{grep { /^(MAKE|MFLAGS|VARIANT$|LANES$|V$)/ } keys %ENV};
is(run_it('make', '-s', '-C', $ROOT, "PREFIX=$prefix", 'install')->{code}, 0, 'make install');
my $r = run_it({env => {PKG_CONFIG_PATH => "$prefix/lib/pkgconfig"}}, '/bin/sh', '-c',
               "cd $prefix/share/doc/grosr/example && $nvcc -O3 -arch=native -x cu words.c -o $dir/words " .
               '$(pkg-config --cflags --libs grosr)');
is($r->{code}, 0, 'one line of nvcc builds it') or diag($r->{stderr});

for my $device ([], ['cuda'], ['cuda:0']) {
    $r = run_it("$dir/words", @$device);
    is("$r->{code} $r->{stdout}", "0 28959 words, the longest of 79 letters; 53864 times the letter a\n",
       "it counts right on @{[@$device ? @$device : 'any device']}") or diag($r->{stderr});
}
no_segments($r, 'no segment is left');
$r = run_it("$dir/words", 'cuda:77');
like("$r->{code} $r->{stderr}", qr/^1 words: there is no CUDA device 77: [^\n]*\n\z/, 'a GPU that is not there: one line');
$r = grosr('record', '-o', "$dir/w.db", '--', "$dir/words");
is($r->{code}, 0, '`grosr record` records it') or diag($r->{stderr});
is(value("$dir/w.db", 'SELECT group_concat(DISTINCT function) FROM (SELECT function FROM tasks ORDER BY function)'),
   'count,letter,merge', 'the trace has its functions\' names');
is(value("$dir/w.db", "SELECT count(*) FROM tasks WHERE function = 'letter'"), 26, 'and each of its tasks');
done_testing();
