#!/usr/bin/perl
# `grosr record` changes nothing of what a program does: programs of many kinds, on a GPU, run alone and recorded. What they
# print and their exit code must be the same, and their kernels must be in the trace. What is not installed is skipped.
# Usage: matrix.t [WHICH], a regular expression for the names of the programs. All of them take some minutes. OTHER_CUDART
# names a libcudart.so of another major version than the toolkit's, if none is installed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../cli";
use Grosr;
use Test::More;

my $which = @ARGV ? $ARGV[0] : '.';
my $info = json_of(grosr('info', '--json'));
my $gpus = grep { $_->{device} eq 'cuda' } @{$info->{devices}};
$gpus or plan(skip_all => 'no CUDA device: ' . ($info->{cuda_absent} // '?'));
my $home = $ENV{CUDA_HOME} || '/usr/local/cuda';
my ($nvcc) = grep { -x } "$home/bin/nvcc", map { "$_/nvcc" } split(/:/, $ENV{PATH});
my $programs = "$FindBin::Bin/matrix";
my $dir = scratch();
my $db = "$dir/t.db";
my %env = (TORCHINDUCTOR_CACHE_DIR => "$dir/inductor", TRITON_CACHE_DIR => "$dir/triton", PYTHONDONTWRITEBYTECODE => 1,
           XLA_PYTHON_CLIENT_PREALLOCATE => 'false', CUPY_CACHE_DIR => "$dir/cupy");
delete @ENV{qw(CUDA_INJECTION64_PATH NVTX_INJECTION64_PATH GROSR_CUPTI)};

sub run_long { return finish(start({env => \%env}, @_), 280) }

# Why a Python program that needs these modules cannot run; '' if it can.
my %works = (torch => 'assert torch.cuda.is_available()', triton => '', cupy => 'assert cupy.cuda.runtime.getDeviceCount()',
             jax => 'assert jax.devices()[0].platform == "gpu"');
my %absent;

sub absent
{
    return 'python3 is not installed' unless have('python3');
    for my $module (@_) {
        $absent{$module} //= run_long('python3', '-c', "import $module; $works{$module}")->{code}
            ? "Python has no $module that runs here" : '';
        return $absent{$module} if $absent{$module};
    }
    return '';
}

# Runs the command alone and recorded. $kernels: how many the trace must have at least; then come record's options. What is
# named "... fails" leaves with 7.
sub same
{
    my ($what, $kernels, $options, @command) = @_;
    return unless $what =~ /$which/;
    my $alone = run_long(@command);
    my $end = $what =~ /fails$/ ? '0 7' : '0 0';
    is("$alone->{signal} $alone->{code}", $end, "$what: runs alone") or return diag(substr($alone->{stderr}, -2000));
    cmp_ok(length($alone->{stdout}), '>', 0, "$what: prints something");
    for my $with (@$options) {
        unlink($db);
        my $recorded = run_long($GROSR, 'record', '-o', $db, @$with, '--', @command);
        my $title = join(' ', "$what, recorded", @$with);
        is("$recorded->{signal} $recorded->{code}", $end, "$title: the exit code") or diag(substr($recorded->{stderr}, -2000));
        # CUPTI gives records to the last one that has registered: a program that did so before it began with CUDA gets none.
        s/\d+ kernels$// for grep { $what =~ /own CUPTI/ } $recorded->{stdout}, $alone->{stdout};
        is($recorded->{stdout}, $alone->{stdout}, "$title: the output");
        my $found = -e $db ? value($db, 'SELECT count(*) FROM kernels') : 0;
        cmp_ok($found, '>=', $kernels, "$title: its kernels") or diag(substr($recorded->{stderr}, -2000));
        note("$title: $found kernels, " . value($db, 'SELECT count(*) FROM api_calls') . ' calls, ' . (-s $db) . ' bytes') if $found;
    }
    return;
}

my @plain = ([]);
for my $case (['PyTorch training', ['torch'], 500, [[], ['--trace', 'cuda=all']], 'train.py'],
              ['torch.compile with graphs', ['torch', 'triton'], 100, \@plain, 'compiled.py'],
              ['a graph captured by PyTorch', ['torch'], 200, \@plain, 'graphs.py'],
              ['a DataLoader with workers', ['torch'], 30, \@plain, 'loader.py'],
              # Python's forked children leave by _exit(), so what they launched last may be counted as lost.
              ['multiprocessing by fork', ['torch'], 1, \@plain, 'processes.py', 'fork'],
              ['multiprocessing by spawn', ['torch'], 150, \@plain, 'processes.py', 'spawn'],
              ['Triton', ['torch', 'triton'], 100, \@plain, 'triton_add.py'],
              ['CuPy', ['cupy'], 3, \@plain, 'cupy_sum.py'],
              ['JAX', ['jax'], 3, \@plain, 'jax_step.py'],
              ['NCCL over two GPUs', ['torch'], 100, \@plain, 'nccl.py']) {
    my ($what, $modules, $kernels, $options, $program, @arguments) = @$case;
    next unless $what =~ /$which/;
    SKIP: {
        my $why = absent(@$modules) || ($program eq 'nccl.py' && $gpus < 2 ? 'there is one GPU' : '') ||
                  (grep({ $_ eq 'triton' } @$modules) && !have('cc') && !have('gcc') ? 'Triton needs a C compiler' : '');
        skip("$what: $why", 1) if $why;
        same($what, $kernels, $options, 'python3', "$programs/$program", @arguments);
    }
}

SKIP: {
    skip('a program that captures, and one with its own CUPTI: no CUDA toolkit', 1) unless $nvcc;
    for my $name (qw(capture failing own_cupti)) {
        my $built = run_it($nvcc, '-O2', '-std=c++17', '-arch=native', '-I', "$home/extras/CUPTI/include", "$programs/$name.cu", '-o',
                           "$dir/$name");
        is($built->{code}, 0, "nvcc builds $name") or diag($built->{stderr});
    }
    same('a program that captures', 20, [[], ['--persistent', 'lasting'], ['--trace', 'cuda=all']], "$dir/capture");
    same('a program that fails', 1, [[], ['--trace', 'cuda=all']], "$dir/failing");
    my ($cupti) = glob("$home/{lib64,lib,extras/CUPTI/lib64}/libcupti.so.*[0-9]");
    skip('a program with its own CUPTI: there is no CUPTI', 1) unless $cupti;
    same('a program with its own CUPTI', 0, \@plain, "$dir/own_cupti", $cupti);
}

SKIP: {
    my ($major) = map { /\.so\.(\d+)$/ } glob("$home/{lib64,lib}/libcudart.so.1[0-9]");
    my $site = have('python3') ? run_it('python3', '-c', 'import site; print(" ".join(site.getsitepackages()))')->{stdout} : '';
    my @found = grep { -e } $ENV{OTHER_CUDART} // '';
    push @found, grep { !defined $major || !/\.so\.$major\b/ } map { glob("$_/libcudart.so.1[0-9]") }
        (glob('/usr/local/cuda*/lib64 /usr/lib/x86_64-linux-gnu'), map { glob("$_/nvidia/*/lib $_/torch/lib") } split(' ', $site));
    skip('a runtime of another major version: there is none', 1) unless @found;
    my $built = run_it('cc', '-w', "$programs/other_runtime.c", '-o', "$dir/other_runtime", '-ldl');
    is($built->{code}, 0, 'cc builds other_runtime') or diag($built->{stderr});
    same("a runtime of another major version ($found[0])", 0, \@plain, "$dir/other_runtime", $found[0]);
}
done_testing();
