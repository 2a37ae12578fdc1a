# What the checks of the tree share: its files, however deep, the order of its folders, and what depends on what.
package Tree;

use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Find qw(find);

our @EXPORT = qw($ROOT @ORDER enter files_in sources slurp without_comments code_of includes_of place_of circles reversals tool nvcc);
our $ROOT = abs_path(dirname(__FILE__) . '/../..');

# The folders in their order: each depends on itself and on those before it. A folder stands for the files in it alone.
# The headers at the root of runtime/ are what programs include; main.c at the root of viewer/ comes after all.
our @ORDER = (
    'schema',
    (map { "tracer/$_" } qw(base port session clock nvidia instrument inject summary store rows export findings process foreign
                            coredump diagnose collect)),
    'runtime', (map { "runtime/$_" } qw(alloc syscall kernel device builtin host workload bench)),
    (map { "viewer/$_" } qw(cli show record model screen command)), 'viewer',
);
my %place = map { $ORDER[$_] => $_ } 0 .. $#ORDER;

# Paths are relative to the root of the tree from here on.
sub enter { chdir($ROOT) or die "$ROOT: $!" }

sub slurp
{
    my ($path) = @_;
    open(my $file, '<:raw', $path) or die "$path: $!";
    local $/;
    return scalar(<$file>);
}

# The files below these folders whose path matches, in order.
sub files_in
{
    my ($pattern, @folders) = @_;
    my @found;
    find({no_chdir => 1, wanted => sub { push @found, $_ if -f && $_ =~ $pattern }}, @folders);
    return sort @found;
}

# The sources of what is built; the examples are those of users.
sub sources { return grep { !m{/example/} } files_in(qr/\.(?:[chS]|cu|def|cpp)$/, qw(schema tracer runtime viewer)) }

# The text with blanks for comments and strings: lines and columns stay. Included names are no strings.
sub without_comments
{
    my ($text) = @_;
    my $blank = sub { return $_[0] =~ s/[^\n]/ /gr };
    $text =~ s{(/\*.*?\*/|//[^\n]*)|(^\s*\#\s*include\b[^\n]*)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')}
              {defined $1 ? $blank->($1) : defined $2 ? $2 : substr($3, 0, 1) . $blank->(substr($3, 1, -1)) . substr($3, -1)}gesmx;
    return $text;
}

sub code_of { return without_comments(slurp($_[0])) }

# The files of the tree that this one includes, as [line, path]; a path need not exist.
sub includes_of
{
    my ($path) = @_;
    my $folder = dirname($path);
    my @lines = split(/\n/, code_of($path));
    my @found;
    for my $i (0 .. $#lines) {
        my ($name) = $lines[$i] =~ /^\s*#\s*include\s+"([^"]+)"/ or next;
        my $target = "$folder/$name";
        1 while $target =~ s{(?:^|(?<=/))(?!\.\.?/)[^/]+/\.\./|(?:^|(?<=/))\./}{};
        push @found, [$i + 1, $target];
    }
    return @found;
}

# Where a file's folder stands in the order, or undef.
sub place_of { return $place{dirname($_[0])} }

# ---- graphs: {from}{to} = why ----

# From $from to $to by the fewest edges, both included, or nothing.
sub shortest
{
    my ($graph, $from, $to) = @_;
    my %before = ($from => undef);
    my @queue = ($from);
    while (defined(my $at = shift @queue)) {
        if ($at eq $to) {
            my @path = ($at);
            unshift @path, $before{$path[0]} while defined $before{$path[0]};
            return @path;
        }
        for my $next (sort keys %{$graph->{$at} || {}}) {
            next if exists $before{$next};
            $before{$next} = $at;
            push @queue, $next;
        }
    }
    return;
}

# For every edge that is part of a circle the shortest one it is part of, each circle once: "a -> b by f; b -> a by g".
sub circles
{
    my ($graph) = @_;
    my %found;
    for my $from (sort keys %$graph) {
        for my $to (sort keys %{$graph->{$from}}) {
            my @path = $from eq $to ? () : shortest($graph, $to, $from) or next;
            my ($first) = sort @path;    # it may be entered anywhere: begin at one place
            push @path, shift @path while $path[0] ne $first;
            $found{join('; ', map {
                my ($a, $b) = ($path[$_ - 1], $path[$_]);
                "$a -> $b" . ($graph->{$a}{$b} ne '' ? " by $graph->{$a}{$b}" : '');
            } 1 .. $#path, 0)} = scalar(@path);
        }
    }
    return sort { $found{$a} <=> $found{$b} || $a cmp $b } keys %found;
}

# The edges against the order of the folders, and those of files in a folder that is not in it.
sub reversals
{
    my ($graph) = @_;
    my @found;
    for my $from (sort keys %$graph) {
        for my $to (sort keys %{$graph->{$from}}) {
            my ($low, $high) = (place_of($to), place_of($from));
            push @found, "$from -> $to" . ($graph->{$from}{$to} ne '' ? " by $graph->{$from}{$to}" : '')
                unless defined $low && defined $high && $low <= $high;
        }
    }
    return @found;
}

# ---- tools ----

# The program of this name on the PATH, or undef.
sub tool
{
    my ($name) = @_;
    return (grep { -f && -x } map { "$_/$name" } split(/:/, $ENV{PATH} // ''))[0];
}

# The CUDA compiler, or undef.
sub nvcc
{
    my $nvcc = ($ENV{CUDA_HOME} || '/usr/local/cuda') . '/bin/nvcc';
    return -x $nvcc ? $nvcc : tool('nvcc');
}

1;
