# SPDX-License-Identifier: MIT
# words.pl SEED: hashes of arrays, string edits, sorting; prints sums of what it computed.
use strict;
use warnings;

my $state = $ARGV[0];

sub draw {
    my ($n) = @_;
    $state = ($state * 1103515245 + 12345) % 2147483648;
    return int($state / 256) % $n;
}

my (%lists, $length);
for my $i (1 .. 36000) {
    my $word = "k" . draw(1500);
    push @{ $lists{$word} }, "v$i-" . "x" x draw(30);
    if ($i % 5 == 0) {
        my $line = join ",", @{ $lists{$word} };
        $line =~ s/x{3,9}/<$i>/g;
        $length += length $line;
        delete $lists{$word} if $i % 35 == 0;
    }
}
my @sorted = sort { @{ $lists{$a} } <=> @{ $lists{$b} } || $a cmp $b } keys %lists;
print scalar(@sorted), " $length $sorted[0] $sorted[-1]\n";
