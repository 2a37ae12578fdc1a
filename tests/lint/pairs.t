#!/usr/bin/perl
# A non-relaxed atomic outside the porting layer says what it pairs with, and that is true: "pairs with NAME()", beside
# the statement or in the opening of its function, names a function that has the other half of the pair, an acquire for a
# release and a release for an acquire, of the same word, itself or in a function that it calls. "above" and "below" are
# places in the same file; "as in NAME()" is what is said there of the same operation.
#
# Where there is no partner, because an atomic only orders what its own thread does, it says that instead: an acquire stands
# "before the load of X" (or the store, or several: "the loads of X and Y"), a release "after the store of Y". X is a name
# in what follows in the function, or in a function that it calls from there, Y one in what comes before; "in NAME()" says
# that it is another function, such as the one that calls it.
#
# What is ordered by dependencies alone (..._dependent) has the other half of a pair, and need not say so: the opening of its
# file tells what depends on what.
#
# A word is known by the name of its field. A variable stands for the field whose address it was given, a parameter for
# those that callers pass.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Tree;

enter();
my %half = (load_acquire => 1, load_pair_acquire => 1, load_quad_acquire => 1, cas_acquire => 1, add_acquire => 1, or_acquire => 1,
            store_release => 2, store_pair_release => 2, store_quad_release => 2, store_quad_behind => 2,
            cas_acq_rel => 3, add_acq_rel => 3, add_release => 2, and_release => 2,
            add_dependent => 3, cas_dependent => 3, or_dependent => 3, and_dependent => 3);    # 1: acquires, 2: releases
my $operation = qr/\b(?:dev|sys)_(@{[join('|', sort keys %half)]})\s*(?=\()/;
my $group = qr/(\((?:[^()]++|(?-1))*+\))/;

# ---- functions ----

my (%code, %text, @functions, %named);

sub read_file
{
    my ($path, $text) = @_;
    my $code = without_comments($text);
    ($text{$path}, $code{$path}) = ($text, $code);
    my @found;
    push @found, {name => $1, parameters => $2, from => $-[0], to => $+[0], body => $-[3]}
        while $code =~ /\b(\w+)\s*$group\s*\n(\{\n.*?^\}|\{\}$)/gms;
    push @found, {name => $1, parameters => $2 // '()', from => $-[0], to => $+[0], body => $-[3]}
        while $code =~ /^#define (\w+)(\([^()]*\))?[ \t]((?:[^\n]*\\\n)*[^\n]*)/gm;
    for my $f (@found) {
        $f->{path} = $path;
        push @functions, $f;
        push @{$named{$f->{name}}}, $f;
    }
}

sub body { my ($f) = @_; return substr($code{$f->{path}}, $f->{body}, $f->{to} - $f->{body}) }
sub line { my ($path, $at) = @_; return "$path:" . (1 + (substr($text{$path}, 0, $at) =~ tr/\n//)) }

# What stands between a pair of parentheses, by its commas.
sub arguments
{
    my ($list) = @_;
    my @found = ('');
    my $depth = 0;
    for my $c (split(//, substr($list, 1, -1))) {
        $depth += $c =~ /[(\[{]/ ? 1 : $c =~ /[)\]}]/ ? -1 : 0;
        $c eq ',' && !$depth ? push(@found, '') : ($found[-1] .= $c);
    }
    return map { s/^\s+|\s+$//gr } @found;
}

# The functions of this name that can be meant in a file: its own, or else those of others.
sub meant
{
    my ($name, $path) = @_;
    my @all = @{$named{$name} || []};
    my @own = grep { $_->{path} eq $path } @all;
    return @own ? @own : @all;
}

# The words that an expression in a function may be the address of.
sub words
{
    my ($f, $expression, $depth) = @_;
    my $e = $expression;
    1 while $e =~ s/\[[^\[\]]*\]//g;
    $e =~ s/\(\s*(?:const\s+)?(?:struct\s+)?\w+(?:\s+const)?\s*\*+\s*\)|\(uintptr_t\)//g;
    1 while $e =~ s/(?:\.|->)(?:lo|hi|v|w)\s*$//;
    $e =~ s/\s*\+[^>]*$// unless $e =~ /->[^+]*$/;
    return $1 if $e =~ /(?:->|\.)\s*(\w+)\W*$/;
    return $1 if $e =~ /^\W*(\w+)\s*\(/;
    my ($name) = $e =~ /(\w+)/ or return;
    return $name if $depth > 3 || !$f;
    my @found;
    my $body = body($f);
    push @found, words($f, $1, $depth + 1)
        while $body =~ /\*\s*(?:const\s+)?\Q$name\E\s*=\s*([^;]*?)(?=;|,\s*\*)/g;
    my @parameters = arguments($f->{parameters});
    for my $i (@found ? () : grep { $parameters[$_] =~ /\*\s*(?:const\s+)?\Q$name\E$/ } 0 .. $#parameters) {
        for my $caller (@functions) {
            my $text = body($caller);
            next unless index($text, $f->{name}) >= 0 && grep { $_ == $f } meant($f->{name}, $caller->{path});
            push @found, words($caller, (arguments($1))[$i] // '', $depth + 1) while $text =~ /\b\Q$f->{name}\E\s*$group/g;
        }
    }
    return @found ? @found : $name;
}

sub find_operations
{
    for my $f (@functions) {
        my $body = body($f);
        while ($body =~ /$operation$group/g) {
            my ($at, $name, $arguments) = ($-[0], $1, $2);
            push @{$f->{operations}}, {at => $f->{body} + $at, half => $half{$name}, function => $f,
                                       said => $name =~ /_dependent$/ ? 1 : 0,
                                       words => {map { $_ => 1 } words($f, (arguments($arguments))[0], 0)}};
        }
    }
}

sub is_pair
{
    my ($a, $b) = @_;
    return (($a->{half} & 1 && $b->{half} & 2) || ($a->{half} & 2 && $b->{half} & 1))
        && grep { $b->{words}{$_} } keys %{$a->{words}};
}

# Whether a function, or one that it calls, has the other half.
sub has_other_half
{
    my ($f, $operation) = @_;
    return 1 if grep { is_pair($operation, $_) } @{$f->{operations} || []};
    my %called = map { $_ => 1 } body($f) =~ /\b(\w+)\s*\(/g;
    return grep { is_pair($operation, $_) } map { @{$_->{operations} || []} } map { meant($_, $f->{path}) } sort keys %called;
}

# ---- comments ----

# The statement at a comment: that which ends before it in the same line, or goes on over it, or comes after it.
sub statement_at
{
    my ($path, $from, $to) = @_;
    my $code = \$code{$path};
    my ($start, $end) = ($from, $to);
    my ($before) = substr($$code, 0, $from) =~ /([^\n]*)\z/;
    my $depth = 0;
    if ($before =~ /;\s*$/) {
        $end = rindex($$code, ';', $from) + 1;
        $start = $end - 1;
    } else {
        my $depth = 0;
        while ($end < length($$code)) {
            my $c = substr($$code, $end++, 1);
            $depth += $c eq '(' ? 1 : $c eq ')' ? -1 : 0;
            last if $c =~ /[;{}]/ && $depth <= 0;
        }
    }
    for (; $start > 0; $start--) {
        my $c = substr($$code, $start - 1, 1);
        $depth += $c eq ')' ? 1 : $c eq '(' ? -1 : 0;
        last if $c =~ /[;{}]/ && $depth <= 0;
    }
    return ($start, $end);
}

# Whether what a comment says of its operation is true: a list of what is wrong.
sub wrong_with
{
    my ($said, $operation) = @_;
    my $path = $operation->{function}{path};
    my @names = $said =~ /\b(\w+)\(\)/g;
    my ($place) = $said =~ /\b(above|below)\b/;
    my $word = join(' or ', sort keys %{$operation->{words}});
    my @wrong;
    for my $name (@names) {
        my @meant = meant($name, $path);
        @meant = @{$named{$name} || []} unless grep { has_other_half($_, $operation) } @meant;
        push @wrong, !@meant ? "there is no $name()"
            : (grep { has_other_half($_, $operation) } @meant) ? () : "$name() has no other half for $word";
    }
    if (!@names && $place) {
        push @wrong, "nothing $place has the other half for $word" unless grep {
            is_pair($operation, $_) && ($place eq 'above' ? $_->{at} < $operation->{at} : $_->{at} > $operation->{at})
        } map { @{$_->{operations} || []} } grep { $_->{path} eq $path } @functions;
    } elsif (!@names) {
        push @wrong, 'it names no function';
    }
    return @wrong;
}

# Whether a function, from a place in it on (or up to it), has a name, itself or in the functions that it calls there.
sub has_name
{
    my ($f, $name, $at, $before) = @_;
    my $body = body($f);
    $body = $before ? substr($body, 0, $at - $f->{body}) : substr($body, $at - $f->{body}) if defined $at;
    return 1 if $body =~ /\b\Q$name\E\b/;
    return grep { body($_) =~ /\b\Q$name\E\b/ } map { meant($_, $f->{path}) } $body =~ /\b(\w+)\s*\(/g;
}

# What a comment says of an order in its own thread: which side, the names, the other function.
my $order = qr/\b(before|after)\s+the\s+(?:loads?|stores?)\s+of\s+(\w+(?:(?:,\s*|\s+and\s+)\w+)*)(?:\s+in\s+(\w+)\(\))?/i;

# Whether that is true of an operation: a list of what is wrong.
sub wrong_order
{
    my ($side, $names, $elsewhere, $operation) = (lc($_[0]), @_[1 .. 3]);
    my ($half, $f) = @$operation{qw(half function)};
    my ($end) = substr($code{$f->{path}}, $operation->{at}) =~ /^(\w+\s*$group)/ ? $operation->{at} + length($1) : $operation->{at};
    my @wrong;
    push @wrong, $side eq 'before' ? 'what comes before others is an acquire' : 'what comes after others is a release'
        unless $half & ($side eq 'before' ? 1 : 2);
    for my $name (split(/,\s*|\s+and\s+/, $names)) {
        my @in = $elsewhere ? meant($elsewhere, $f->{path}) : $f;
        my $has = grep { has_name($_, $name, $elsewhere ? undef : $side eq 'before' ? $end : $operation->{at}, $side eq 'after') } @in;
        push @wrong, "there is no $name " . ($elsewhere ? "in $elsewhere()" : $side eq 'before' ? 'after it' : 'before it') unless $has;
    }
    return @wrong;
}

# The comments of a file, as [from, to, text in one line].
sub comments_of
{
    my ($path) = @_;
    my @found;
    while ($text{$path} =~ m{/\*.*?\*/|//[^\n]*}gs) {
        my ($from, $to, $comment) = ($-[0], $+[0], $&);
        push @found, [$from, $to, $comment =~ s{\n\s*\*?}{ }gr] if substr($code{$path}, $from, 1) eq ' ';    # in no string
    }
    return @found;
}

# The operations of a file that stand at a comment: those of the statement, or the next one of the function.
sub operations_at
{
    my ($path, $from, $to, @operations) = @_;
    my ($start, $end) = statement_at($path, $from, $to);
    my @at = grep { $_->{at} >= $start && $_->{at} < $end } @operations;
    my ($next) = grep { $_->{at} >= $end } @operations;
    return @at ? @at : $next && substr($code{$path}, $end, $next->{at} - $end) !~ /^\}/m ? ($next) : ();
}

sub alike
{
    my ($a, $b) = @_;
    return $a->{half} == $b->{half} && join(' ', sort keys %{$a->{words}}) eq join(' ', sort keys %{$b->{words}});
}

# What is wrong in some files: their comments that are not true, and their operations that have none. The operations.
sub check
{
    my (@paths) = @_;
    my (@false, @silent, @all, @as);
    for my $path (@paths) {
        my @operations = sort { $a->{at} <=> $b->{at} } map { @{$_->{operations} || []} } grep { $_->{path} eq $path } @functions;
        for my $c (comments_of($path)) {
            my ($from, $to, $comment) = @$c;
            if ($comment =~ m{\bas in (\w+)\(\)}) {
                push @as, map { [$_, $1] } operations_at($path, $from, $to, @operations);
            }
            if ($comment =~ $order) {
                my @said = ($1, $2, $3);
                my @at = operations_at($path, $from, $to, @operations);
                my @wrong = map { [wrong_order(@said, $_)] } @at;
                push @false, map { line($path, $from) . ": $_" } @{$wrong[0]} if @wrong && !grep { !@$_ } @wrong;
                $_->{said} = 1 for @at;
            }
            my ($said) = $comment =~ m{\bpairs?\s+with\b(.*?)(?:[.:;](?:\s|$)|\*/|$)}i or next;
            my ($f) = grep { $_->{from} >= $to && $_->{from} - $to < 300 && substr($code{$path}, $to, $_->{from} - $to) !~ /[;{}]/ }
                grep { $_->{path} eq $path } @functions;
            my @at;
            if ($f) {    # the opening of a function: of all that the named ones have the other half of
                @at = grep { $_->{function} == $f && !wrong_with($said, $_) } @operations;
                push @false, line($path, $from) . ": nothing in $f->{name}() pairs with$said" unless @at;
            } else {
                @at = operations_at($path, $from, $to, @operations);
                push @false, line($path, $from) . ': no non-relaxed atomic is here' unless @at;
                my @wrong = map { [wrong_with($said, $_)] } @at;
                push @false, map { line($path, $from) . ": $_" } @{$wrong[0]} if @wrong && !grep { !@$_ } @wrong;
            }
            $_->{said} = 1 for @at;
        }
        # What is said of a statement is said of those like it that follow at once, and of all of the word in the function.
        for my $i (1 .. $#operations) {
            my ($before, $o) = @operations[$i - 1, $i];
            my $between = substr($code{$path}, $before->{at}, $o->{at} - $before->{at});
            $o->{said} ||= $before->{said} && $o->{half} == $before->{half} && $between !~ /\n\s*\n|[{}]/ && ($between =~ tr/;//) == 1;
        }
        for my $o (@operations) {
            $o->{said} ||= grep { $_->{said} && $_->{function} == $o->{function} && alike($_, $o) } @operations;
        }
        push @all, @operations;
    }
    for my $as (@as) {
        my ($o, $name) = @$as;
        $o->{said} ||= grep { $_->{said} && alike($_, $o) } map { @{$_->{operations} || []} } meant($name, $o->{function}{path});
    }
    for my $o (grep { !$_->{said} } @all) {
        my $none = !grep { is_pair($_, $o) } @all;
        push @silent, line($o->{function}{path}, $o->{at}) . ": $o->{function}{name}() does not say what it pairs with"
            . ($none ? ', and nothing has the other half' : '');
    }
    return (\@false, \@silent, scalar(@all));
}

# ---- the checks, on a source that is made up ----

my $made_up = <<'END';
/* Opening. */
static void put(struct ring *r, sys64 *word)
{
    sys_store_release(&r->written_to, 1); /* pairs with get() */
    sys_store_release(&r->closed, 1);     /* pairs with get() */
    sys_store_release(&r->open[3], 1);    /* pairs with gone() */
    sys_store_relaxed(&r->open[3], 1);    /* pairs with get() */
}

/* Pairs with fill(). */
static bool get(const struct ring *r)
{
    const sys64 *at = &r->read_to;

    return sys_load_acquire(&r->written_to) && look(&r->closed) && sys_load_acquire(at);
}

static bool look(const sys64 *word)
{
    /*
     * Nothing is taken before. Pairs with the
     * release in put(): it comes first.
     */
    if (!word ||
        sys_load_acquire(word))
        return true;
    return sys_load_acquire(word); /* pairs with whoever writes */
}

static void fill(struct ring *r)
{
    if (r) /* pairs with the load above */
        sys_store_release(&r->read_to, 1);
    sys_store_release(&r->read_to, 1); /* pairs with the load below */
    dev_cas_acquire(&r->count, 0, 1);
}

static uint64_t both(struct ring *r)
{
    uint64_t n = sys_load_acquire(&r->first); /* before the loads of second and written_to */

    r->own = 1;
    sys_store_release(&r->fifth, 1); /* after the store of own */
    sys_load_acquire(&r->third);     /* before the load of first */

    sys_store_release(&r->fourth, 1); /* before the load of second */

    return n + sys_load_relaxed(&r->second) + get(r) + sys_load_acquire(&r->sixth); /* before the store of own in sum() */
}

static uint64_t sum(struct ring *r)
{
    return both(r) + r->own;
}
END
read_file('made up', $made_up);
find_operations();
my ($false, $silent, $count) = check('made up');
is($count, 15, 'made up: all non-relaxed atomics are found');
is_deeply($false, ['made up:6: there is no gone()', 'made up:7: no non-relaxed atomic is here',
                   'made up:27: it names no function', 'made up:34: nothing below has the other half for read_to',
                   'made up:44: there is no first after it', 'made up:46: what comes before others is an acquire'],
          'made up: what is not true is found, and nothing else');
is_deeply($silent, ['made up:15: get() does not say what it pairs with',
                    'made up:35: fill() does not say what it pairs with, and nothing has the other half'],
          'made up: as are those that say nothing');

# ---- the tree ----

(@functions, %named) = ();
my @files = grep { !m{^tracer/port/} } sources();
read_file($_, slurp($_)) for @files;
find_operations();
($false, $silent, $count) = check(@files);
cmp_ok($count, '>', 120, "there are non-relaxed atomics ($count)");
is(scalar(@$false), 0, 'what a comment says an atomic pairs with has the other half') or diag(map { "$_\n" } @$false);
is(scalar(@$silent), 0, 'every non-relaxed atomic says what it pairs with, or what it orders')
    or diag(map { "$_\n" } @$silent);
done_testing();
