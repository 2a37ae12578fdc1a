#!/usr/bin/perl
# Dependencies go in one direction, from a folder to itself and to those before it (the order stands in Tree.pm), and
# never in a circle: includes by what the sources say, calls and data by the symbols of the objects that were built.
# A call through a pointer is no symbol; a table that names a function is.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Tree;

enter();

sub none
{
    my ($name, @found) = @_;
    is(scalar(@found), 0, $name) or diag(map { "$_\n" } @found);
}

# ---- the checks, on trees that are made up ----

my %good = ('tracer/collect/a.c' => {'tracer/session/b.c' => 'f', 'tracer/collect/c.c' => 'g'},
            'tracer/collect/c.c' => {'tracer/session/b.c' => 'f', 'schema/d.c' => ''},
            'runtime/kernel/e.h' => {'runtime/tasks.h' => ''},
            'viewer/main.c' => {'viewer/command/f.c' => 'h', 'tracer/collect/a.c' => 'i'});
is_deeply([circles(\%good)], [], 'a good tree has no circle');
is_deeply([reversals(\%good)], [], 'and goes in one direction');

my %bad = (%good, 'tracer/session/b.c' => {'tracer/session/x.c' => 'p'},
           'tracer/session/x.c' => {'tracer/session/b.c' => 'q', 'tracer/session/y.c' => 'r'},
           'tracer/session/y.c' => {'tracer/session/b.c' => 's'});
is_deeply([circles(\%bad)],
          ['tracer/session/b.c -> tracer/session/x.c by p; tracer/session/x.c -> tracer/session/b.c by q',
           'tracer/session/b.c -> tracer/session/x.c by p; tracer/session/x.c -> tracer/session/y.c by r; '
               . 'tracer/session/y.c -> tracer/session/b.c by s'],
          'circles of two and of three files that share an edge are both found');
is_deeply([reversals(\%bad)], [], 'circles within a folder are not against the order');

is_deeply([reversals({'tracer/session/b.c' => {'tracer/collect/a.c' => 'f'}, 'runtime/tasks.h' => {'runtime/alloc/s.h' => ''},
                      'viewer/command/f.c' => {'viewer/main.c' => 'g'}, 'tracer/base/a.c' => {'tracer/other/b.c' => 'h'},
                      'tracer/collect/a.c' => {'runtime/host/a.c' => 'i, j'}})],
          ['runtime/tasks.h -> runtime/alloc/s.h', 'tracer/base/a.c -> tracer/other/b.c by h',
           'tracer/collect/a.c -> runtime/host/a.c by i, j', 'tracer/session/b.c -> tracer/collect/a.c by f',
           'viewer/command/f.c -> viewer/main.c by g'],
          'what goes against the order is found, and a folder that is not in it');

# ---- includes ----

my @files = sources();
cmp_ok(scalar(@files), '>', 180, 'there are sources');
none('every folder is in the order', grep { !defined place_of($_) } @files);

my (%include, %header, @missing);
for my $path (@files) {
    for my $found (includes_of($path)) {
        my ($line, $target) = @$found;
        push @missing, "$path:$line: $target" unless -e $target;
        $include{$path}{$target} = '';
        $header{$path}{$target} = '' if $path !~ /\.c$/;
    }
}
cmp_ok(scalar(map { keys %$_ } values %include), '>', 300, 'they include each other');
none('every included file is where its #include says', @missing);
none('includes go to a folder before or to their own', reversals(\%include));
none('headers do not include each other in a circle', circles(\%header));

# ---- calls ----

SKIP: {
    my %object = map { my $o = "build/release/$_" =~ s/\.[^.]+$/.o/r; -e $o ? ($o => $_) : () }
        grep { /\.c(?:pp)?$/ } @files;
    for my $old (grep { -M $_ > -M $object{$_} } sort keys %object) {
        note("left out: $old is older than its source");
        delete $object{$old};
    }
    skip('build/release has no objects of these sources: `make` makes them', 3) unless %object;
    skip('nm is not installed', 3) unless tool('nm');
    my (%defined, %wanted);
    for (`nm -A -P -g @{[sort keys %object]}`) {
        my ($object, $name, $type) = /^(\S+): (\S+) (\S)/ or next;
        my $path = $object{$object};
        if ($type eq 'U') {
            $wanted{$path}{$name} = 1;
        } else {
            push @{$defined{$name}}, $path;
        }
    }
    my %by;    # {from}{to}: the symbols
    for my $from (sort keys %wanted) {
        for my $name (sort keys %{$wanted{$from}}) {
            push @{$by{$from}{$_}}, $name for @{$defined{$name} || []};
        }
    }
    my %call;
    for my $from (keys %by) {
        $call{$from}{$_} = join(', ', @{$by{$from}{$_}}) for keys %{$by{$from}};
    }
    cmp_ok(scalar(map { keys %$_ } values %call), '>', 2 * keys(%object), keys(%object) . ' objects use each other');
    none('they use what is in a folder before or in their own', reversals(\%call));
    none('no files use each other in a circle', circles(\%call));
}
done_testing();
