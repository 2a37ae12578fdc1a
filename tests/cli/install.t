#!/usr/bin/perl
# `make install` into a folder: the command, the library and its headers are enough to build the program that
# runtime/grosr.h shows, and with pkg-config the example with task functions of its own; `make uninstall` leaves nothing.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Grosr;
use Test::More;

my $dir = scratch();
my $root = "$dir/root";
my @make = ('make', '-s', '-C', $ROOT, "DESTDIR=$root", 'PREFIX=/usr');
delete @ENV{grep { /^(MAKE|MFLAGS|VARIANT$|LANES$|V$)/ } keys %ENV};
$GROSR eq "$ROOT/build/release/grosr" or plan(skip_all => 'another grosr is tested: ' . $GROSR);

my $r = run_it(@make, 'install');
is($r->{code}, 0, 'make install') or diag($r->{stderr});
is(run_it("$root/usr/bin/grosr", 'run', 'arith', '--device', 'host', '--tasks', '1000')->{code}, 0,
   'the installed command runs');

# The program in the header's opening comment, made whole.
my ($program) = slurp("$root/usr/include/grosr/runtime/grosr.h") =~ m{^((?: \*     .*\n(?: \*\n)*)+)}m;
ok($program, 'the header shows a program') or BAIL_OUT('no program in runtime/grosr.h');
$program =~ s/^ \*//mg;
$program =~ s/"auto"/"host"/g;
spew("$dir/program.c", <<"C");
#include <grosr/grosr.h>
#include <err.h>
#include <stdio.h>

int main(void)
{
$program
    printf("%d %d\\n", (int)results[0].value, (int)results[1].value);
    return 0;
}
C
my ($libs) = slurp("$root/usr/lib/pkgconfig/grosr.pc") =~ /^Libs: .*?-lgrosr (.*)$/m;
for my $standard (qw(c17 gnu11)) {
    $r = run_it('/bin/sh', '-c', "\${CC:-cc} -std=$standard -Wall -Wextra -Werror -I$root/usr/include -o $dir/program " .
                "$dir/program.c $root/usr/lib/libgrosr.a $libs -pthread");
    is($r->{code}, 0, "a program is built with it as $standard") or diag($r->{stderr});
}
$r = run_it("$dir/program");
is("$r->{code} $r->{stdout}", "0 5 42\n", 'and runs: 2 + 3 and 6 * 7') or diag($r->{stderr});
no_segments($r, 'no segment is left');
$r = grosr('record', '-o', "$dir/p.db", '--', "$dir/program");
is($r->{code}, 0, '`grosr record` records it') or diag($r->{stderr});
is(value("$dir/p.db", 'SELECT group_concat(function) FROM (SELECT function FROM tasks ORDER BY task)'), 'add,mul',
   'with its two tasks');

# ---- the example: installed sources, pkg-config and a compiler ----

my $answer = qr/^28959 words, the longest of 79 letters; 53864 times the letter a$/;

sub example
{
    my ($name, $prefix, $compile) = @_;
    my $built = run_it({env => {PKG_CONFIG_PATH => "$prefix/lib/pkgconfig"}}, '/bin/sh', '-c',
                       "cd $prefix/share/doc/grosr/example && $compile words.c -o $dir/words " .
                       '$(pkg-config --cflags --libs grosr)');
    is("$built->{code} $built->{stderr}", '0 ', "the example is built: $name");
}

sub words_say
{
    my ($pattern, $name, @arguments) = @_;
    my $said = run_it("$dir/words", @arguments);
    like("$said->{code} $said->{stderr}", qr/\A1 words: [^\n]*$pattern[^\n]*\n\z/, $name);
}

SKIP: {
    skip('pkg-config is not installed', 16) unless have('pkg-config');
    my $prefix = "$dir/prefix";
    is(run_it('make', '-s', '-C', $ROOT, "PREFIX=$prefix", 'install')->{code}, 0, 'make install PREFIX=...');
    my $version = run_it({env => {PKG_CONFIG_PATH => "$prefix/lib/pkgconfig"}}, qw(pkg-config --modversion grosr));
    like(run_it($GROSR, '--version')->{stdout}, qr/\Q$version->{stdout}\E/, 'grosr.pc tells the version');
    my @cxx = have('g++') ? (['g++', 'g++ -std=c++17 -Wall -Wextra -Werror']) : ();
    for my $compiler (['gcc', 'gcc -std=c17 -Wall -Wextra -Werror'], @cxx) {
        my ($name, $compile) = @$compiler;
        example($name, $prefix, $compile);
        $r = run_it("$dir/words", 'host');
        like("$r->{stdout}", $answer, "and runs, built by $name") or diag($r->{stderr});
        is($r->{code}, 0, 'as its plain loop finds') or diag($r->{stderr});
        words_say(qr/no CUDA device|not built by nvcc/, 'it has no CUDA device', 'cuda');
    }
    $r = grosr('record', '-o', "$dir/w.db", '--', "$dir/words", 'host');
    is(value("$dir/w.db", 'SELECT group_concat(DISTINCT function) FROM (SELECT function FROM tasks ORDER BY function)'),
       'count,letter,merge', 'the trace has its functions\' names') or diag($r->{stderr});
    is(value("$dir/w.db", "SELECT count(*) FROM tasks WHERE function = 'letter'"), 26, 'and each of its tasks');
}

SKIP: {
    skip('build/asan has not been built', 3) unless have('pkg-config') && -e "$ROOT/build/asan/libgrosr.a";
    is(run_it('make', '-s', '-C', $ROOT, 'VARIANT=asan', "PREFIX=$dir/asan", 'install')->{code}, 0, 'with ASan');
    example('with ASan', "$dir/asan", 'gcc -g -fsanitize=address,undefined -fno-sanitize-recover=all');
    $r = run_it("$dir/words", 'host');
    like("$r->{code} $r->{stdout}", qr/^0 2/, 'which finds nothing') or diag($r->{stderr});
}

SKIP: {
    my $home = $ENV{CUDA_HOME} || '/usr/local/cuda';
    my ($nvcc) = grep { -x } "$home/bin/nvcc", map { "$_/nvcc" } split(/:/, $ENV{PATH});
    skip('no CUDA toolkit', 3) unless have('pkg-config') && $nvcc;
    example('nvcc', "$dir/prefix", "$nvcc -arch=sm_90 -Werror all-warnings -x cu");
    words_say(qr/built by nvcc/, 'it has no host device and says so', 'host');
    # tests/cuda/example.t runs it on a GPU.
    my ($gpu) = grep { $_->{device} eq 'cuda' } @{json_of(grosr('info', '--json'))->{devices}};
    skip('this machine has a CUDA device', 1) if $gpu;
    words_say(qr/no CUDA device/, 'without a GPU it says that');
}

is(run_it(@make, 'uninstall')->{code}, 0, 'make uninstall');
is(join(' ', grep { -f } map { glob("$root/usr/$_") }
        qw(bin/* lib/* lib/*/* include/* include/*/* include/*/*/* share/man/*/* share/doc/*/* share/doc/*/*/*)), '',
   'leaves no file');

done_testing();
