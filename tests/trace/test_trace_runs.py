"""Shared runs: as long as they are, and only where they are."""

import numpy as np

from finetune.trace.runs import Run, shared_runs
from finetune.trace.winnow import Fingerprints, Scheme, winnow

SCHEME = Scheme(k=8, window=5)


def unlike(length, seed):
    """Numbers that no other seed shares."""
    values = np.random.default_rng(seed).integers(0, 1000, length)
    return (values + 1000 * seed).astype(np.uint64)


def runs(ours, theirs):
    ours, theirs = np.concatenate(ours), np.concatenate(theirs)
    return shared_runs((ours, winnow(ours, SCHEME)), (theirs, winnow(theirs, SCHEME)), SCHEME)


def test_a_run_reaches_as_far_as_both_agree():
    passage = unlike(500, 1)
    found = runs([unlike(30, 2), passage, unlike(40, 3)], [unlike(7, 4), passage, unlike(9, 5)])
    assert found == [Run(30, 7, 500)]


def test_a_run_may_fill_both_sequences():
    assert runs([unlike(40, 1)], [unlike(40, 1)]) == [Run(0, 0, 40)]


def test_a_run_of_twelve_is_found_and_one_of_eleven_is_not():
    for size, expected in ((12, [Run(20, 30, 12)]), (11, [])):
        passage = unlike(size, 1)
        ours, theirs = [unlike(20, 2), passage, unlike(20, 3)], [unlike(30, 4), passage]
        assert runs(ours, theirs) == expected


def test_passages_in_another_order_are_runs_of_their_own():
    a, b = unlike(50, 1), unlike(60, 2)
    assert runs([a, unlike(5, 3), b], [b, a]) == [Run(0, 60, 50), Run(55, 0, 60)]


def test_a_passage_that_stands_twice_in_a_document_is_told_once():
    passage = unlike(50, 1)
    assert runs([passage], [unlike(9, 2), passage, unlike(9, 3), passage]) == [Run(0, 9, 50)]


def test_the_longer_of_two_places_is_told():
    passage = unlike(80, 1)
    assert runs([passage], [passage[:50], unlike(9, 2), passage]) == [Run(0, 59, 80)]


def test_a_fingerprint_that_lies_makes_no_run():
    same_hash = Fingerprints(np.array([7], np.uint64), np.array([0]))
    assert shared_runs((unlike(20, 1), same_hash), (unlike(20, 2), same_hash), SCHEME) == []
