# What the checks of the tree share: its files, however deep.
package Tree;

use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Find qw(find);

our @EXPORT = qw($ROOT enter files_in slurp nvcc);
our $ROOT = abs_path(dirname(__FILE__) . '/../..');

# Paths are relative to the root of the tree from here on.
sub enter { chdir($ROOT) or die "$ROOT: $!" }

sub slurp
{
    my ($path) = @_;
    open(my $file, '<', $path) or die "$path: $!";
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

# The CUDA compiler, or undef.
sub nvcc
{
    my $home = $ENV{CUDA_HOME} || '/usr/local/cuda';
    my ($nvcc) = grep { -x } "$home/bin/nvcc", map { "$_/nvcc" } split(/:/, $ENV{PATH});
    return $nvcc;
}

1;
