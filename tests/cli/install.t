#!/usr/bin/perl
# `make install` into a folder: the command, the library and its headers are enough to build the program that
# runtime/grosr.h shows; `make uninstall` leaves nothing.
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
for my $standard (qw(c17 gnu11)) {
    $r = run_it('/bin/sh', '-c', "\${CC:-cc} -std=$standard -Wall -Wextra -Werror -I$root/usr/include -o $dir/program " .
                "$dir/program.c $root/usr/lib/libgrosr.a -lsqlite3 -ldl -lm -pthread");
    is($r->{code}, 0, "a program is built with it as $standard") or diag($r->{stderr});
}
$r = run_it("$dir/program");
is("$r->{code} $r->{stdout}", "0 5 42\n", 'and runs: 2 + 3 and 6 * 7') or diag($r->{stderr});
no_segments($r, 'no segment is left');
$r = grosr('record', '-o', "$dir/p.db", '--', "$dir/program");
is($r->{code}, 0, '`grosr record` records it') or diag($r->{stderr});
is(value("$dir/p.db", 'SELECT group_concat(function) FROM (SELECT function FROM tasks ORDER BY task)'), 'add,mul',
   'with its two tasks');

is(run_it(@make, 'uninstall')->{code}, 0, 'make uninstall');
is(join(' ', grep { -f } map { glob("$root/usr/$_") } qw(bin/* lib/* include/* include/*/* include/*/*/* share/man/*/*)), '',
   'leaves no file');

done_testing();
