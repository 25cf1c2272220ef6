"""Fingerprints, against winnowing done one window at a time in plain Python."""

import random

import numpy as np
import pytest

from finetune.trace.hashing import hash_ranges, hash_windows
from finetune.trace.winnow import Scheme, joined, winnow

SCHEME = Scheme(k=8, window=5)
BASE, BITS = 0x9E3779B97F4A7C15, (1 << 64) - 1


def sequence(length, seed, alphabet=40):
    return np.random.default_rng(seed).integers(0, alphabet, length).astype(np.uint64)


def slow_hash(values):
    total = sum(value * pow(BASE, at, 1 << 64) for at, value in enumerate(values)) & BITS
    total = ((total ^ total >> 30) * 0xBF58476D1CE4E5B9) & BITS
    total = ((total ^ total >> 27) * 0x94D049BB133111EB) & BITS
    return total ^ total >> 31


def slow_positions(values, scheme):
    """Of each window every k-gram with the smallest hash, those of few different units aside."""
    grams = [values[at : at + scheme.k] for at in range(len(values) - scheme.k + 1)]
    hashes = [slow_hash(gram) if len(set(gram)) >= 6 else BITS for gram in grams]
    chosen = set()
    for start in range(len(hashes) - scheme.window + 1):
        window = range(start, start + scheme.window)
        lowest = min(hashes[at] for at in window)
        chosen |= {at for at in window if hashes[at] == lowest != BITS}
    return sorted(chosen)


def test_the_hash_of_a_window_is_the_polynomial_mixed():
    values = sequence(20, seed=1)
    expected = [slow_hash(values.tolist()[at : at + 8]) for at in range(13)]
    assert hash_windows(values, 8).tolist() == expected


def test_a_range_has_the_hash_of_an_equal_range_elsewhere():
    values = np.array([7, 1, 2, 3, 9, 9, 1, 2, 3], np.uint64)
    first, second, other = hash_ranges(values, np.array([1, 6, 0]), np.array([4, 9, 3]))
    assert first == second != other


@pytest.mark.parametrize("alphabet", [5, 7, 60])
@pytest.mark.parametrize("length", [11, 12, 13, 200])
def test_the_chosen_positions_are_those_of_plain_winnowing(length, alphabet):
    values = sequence(length, seed=length, alphabet=alphabet)
    assert winnow(values, SCHEME).positions.tolist() == slow_positions(values.tolist(), SCHEME)


def test_a_sequence_that_repeats_itself_is_fingerprinted_at_each_repeat():
    values = np.tile(np.arange(7, dtype=np.uint64), 10)
    assert winnow(values, SCHEME).positions.tolist() == slow_positions(values.tolist(), SCHEME)


def test_two_sequences_share_a_fingerprint_wherever_they_share_the_least_passage():
    draws = random.Random(0)
    for seed in range(300):
        passage = np.random.default_rng(seed).permutation(40)[: SCHEME.least].astype(np.uint64)
        hashes = []
        for side in (1, 2):
            around = sequence(60, 1000 * seed + side)
            at = draws.randrange(60)
            both = np.concatenate([around[:at], passage, around[at:]])
            found = winnow(both, SCHEME)
            inside = (found.positions >= at) & (found.positions + SCHEME.k <= at + SCHEME.least)
            hashes.append(set(found.hashes[inside].tolist()))
        assert hashes[0] & hashes[1], seed


def test_a_passage_of_few_different_units_has_no_fingerprint():
    assert winnow(sequence(500, seed=0, alphabet=5), SCHEME).positions.size == 0


def test_two_in_window_plus_one_are_chosen():
    found = winnow(sequence(100_000, seed=3, alphabet=64), Scheme(k=30, window=31))
    assert len(found.positions) == pytest.approx(100_000 * 2 / 32, rel=0.03)


def test_hits_that_follow_each_other_join_and_a_miss_parts_them():
    found = winnow(sequence(100, seed=5), SCHEME)
    is_hit = np.ones(len(found.positions), bool)
    is_hit[3] = False
    at = found.positions.tolist()
    assert joined(found, is_hit, 8) == [(at[0], at[2] + 8), (at[4], at[-1] + 8)]
