"""Where pairs meet: probabilities by hand, buckets of sketches made for them."""

import numpy as np
import pytest

from finetune.corpus.lsh import MOST_LEADERS, Bands, best_bands, similar_pairs
from finetune.corpus.minhash import PERMUTATIONS, SKETCH


def rows(signatures, kinds=None):
    made = np.zeros(len(signatures), SKETCH)
    made["signature"] = signatures
    made["kind"] = 0 if kinds is None else kinds
    return made


def different(count):
    """Signatures that agree nowhere."""
    slots = np.arange(PERMUTATIONS, dtype=np.uint32)
    return np.array([slots + PERMUTATIONS * number for number in range(count)])


def pairs_of(made, threshold=0.7):
    order = np.arange(len(made))
    found = similar_pairs([made], order, threshold)
    return [divmod(pair, len(made)) for pair in found.pairs.tolist()], found.num_skipped


@pytest.mark.parametrize(
    ("num_bands", "num_rows", "caught"), [(1, 1, 0.5), (2, 1, 0.75), (1, 2, 0.25), (2, 2, 0.4375)]
)
def test_a_pair_is_caught_where_one_band_is_equal(num_bands, num_rows, caught):
    assert Bands(num_bands, num_rows).caught(0.5) == caught


@pytest.mark.parametrize(
    ("threshold", "num_bands", "num_rows"),
    [(0.5, 64, 4), (0.7, 39, 6), (0.8, 28, 9), (0.9, 17, 15)],
)
def test_bands_are_those_of_datasketch(threshold, num_bands, num_rows):
    """Of its `MinHashLSH(threshold, num_perm=256, weights=(0.01, 0.99))`."""
    assert best_bands(threshold) == Bands(num_bands, num_rows)


def test_pairs_at_the_threshold_are_hardly_ever_missed():
    bands = best_bands(0.7)
    assert bands.caught(0.7) > 0.99
    assert bands.caught(0.8) > 0.9999


def test_only_those_with_an_equal_band_meet():
    signatures = different(4)
    signatures[3, :200] = signatures[1, :200]
    assert pairs_of(rows(signatures)) == ([(1, 3)], 0)


def test_those_that_meet_and_look_less_similar_are_no_pair():
    signatures = different(2)
    signatures[1, :153] = signatures[0, :153]  # 0.598, under 0.7 less the margin
    assert pairs_of(rows(signatures)) == ([], 0)
    signatures[1, :154] = signatures[0, :154]  # 0.602
    assert pairs_of(rows(signatures)) == ([(0, 1)], 0)


def test_two_kinds_never_meet():
    signatures = np.repeat(different(1), 4, axis=0)
    pairs, _ = pairs_of(rows(signatures, kinds=[1, 2, 1, 2]))
    assert pairs == [(0, 2), (1, 3)]


def test_a_pair_is_found_once_though_it_meets_in_every_band():
    assert pairs_of(rows(np.repeat(different(1), 3, axis=0)))[0] == [(0, 1), (0, 2), (1, 2)]


def test_where_a_shard_ends_makes_no_difference():
    generator = np.random.default_rng(0)
    signatures = different(40)[generator.integers(0, 40, 100)]
    made = rows(signatures)
    order = generator.permutation(100)
    whole = similar_pairs([made], order, 0.7)
    parts = similar_pairs([made[:7], made[7:7], made[7:64], made[64:]], order, 0.7)
    assert len(whole.pairs) > 50
    assert parts.pairs.tolist() == whole.pairs.tolist()


def test_a_full_bucket_is_compared_with_its_leaders_and_the_rest_is_counted():
    size = MOST_LEADERS + 3
    pairs, num_skipped = pairs_of(rows(np.repeat(different(1), size, axis=0)))
    leaders = [(one, other) for one in range(MOST_LEADERS) for other in range(one + 1, size)]
    assert pairs == leaders
    assert num_skipped == best_bands(0.7).num_bands * (1 + 2)  # of the last three, every pair
