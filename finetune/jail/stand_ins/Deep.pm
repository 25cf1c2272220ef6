# Stands in for Test::Deep: its eq_deeply, for plain values. Objects of an answer's own, which may
# say that they are equal to everything, are equal to nothing.
package Test::Deep;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT = ('eq_deeply');

sub eq_deeply {
    my ($left, $right) = @_;
    return !defined $left && !defined $right unless defined $left && defined $right;
    my $kind = ref $left;
    return 0 unless $kind eq ref $right;
    return $left eq $right if $kind eq '';
    if ($kind eq 'ARRAY') {
        return 0 unless @$left == @$right;
        for my $i (0 .. $#$left) {
            return 0 unless Test::Deep::eq_deeply($left->[$i], $right->[$i]);
        }
        return 1;
    }
    if ($kind eq 'HASH') {
        return 0 unless keys %$left == keys %$right;
        for my $key (keys %$left) {
            return 0 unless exists $right->{$key};
            return 0 unless Test::Deep::eq_deeply($left->{$key}, $right->{$key});
        }
        return 1;
    }
    return 0 unless $kind eq 'SCALAR' || $kind eq 'REF';
    return Test::Deep::eq_deeply($$left, $$right);
}

1;
