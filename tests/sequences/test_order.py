"""Which document comes next, and what is drawn for it: functions of names, never of history."""

import math
from functools import cache
from itertools import islice

import numpy as np
import pytest

from data_formats.document import Document
from finetune.recipe.schema import Fim, Sequences
from finetune.sequences import Encoder, Rule, block_stream, tokenise
from finetune.sequences.draws import Draws, below, draws, happens
from finetune.sequences.order import DocumentOrder, shares_of
from finetune.sequences.segment import choose_cut
from finetune.tokenizer import CodeTokenizer

CHI_SQUARE_9 = 27.88
"""Exceeded once in a thousand times with nine degrees of freedom."""


def documents(*sizes_by_source):
    """One document per size in tokens, of which an order counts one for its end.

    The tokenizer of these tests has no merge of two x.
    """
    return [
        Document(text="x" * (size - 1), path=f"{index}.py", repo="r", language="c", source=source)
        for source, sizes in enumerate(sizes_by_source)
        for index, size in enumerate(sizes)
    ]


def order_of(*sizes_by_source, shares=None, seed=0, epochs=None):
    """An order over documents of these sizes."""
    sizes, sources = columns(sizes_by_source)
    if shares is None:
        shares = shares_of(sizes, sources, [None] * len(sizes_by_source))
    return DocumentOrder(sizes, sources, shares, seed, epochs)


def columns(sizes_by_source):
    sizes = np.array([size - 1 for sizes in sizes_by_source for size in sizes])
    sources = np.array([s for s, sizes in enumerate(sizes_by_source) for _ in sizes])
    return sizes, sources


def shares(weights, *sizes_by_source):
    return shares_of(*columns(sizes_by_source), weights)


def turns(order, count):
    return [order.next() for _ in range(count)]


def source_sequence(order, count):
    return [int(order.sources[turn.document]) for turn in turns(order, count)]


def test_shares_of_three_quarters_and_one_quarter_by_hand():
    order = order_of([10] * 8, [10] * 8, shares={0: 0.75, 1: 0.25})
    assert source_sequence(order, 12) == [0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0]


def test_shares_count_tokens_and_not_documents():
    order = order_of([30] * 4, [10] * 4, shares={0: 0.5, 1: 0.5})
    assert source_sequence(order, 8) == [0, 1, 1, 1, 0, 1, 1, 1]


def test_shares_are_exact_to_one_document_at_every_prefix():
    wanted = {0: 0.5, 1: 0.3, 2: 0.2}
    order = order_of([40, 3, 17], [9, 25], [50, 1, 1, 8], shares=wanted, seed=1)
    handed = dict.fromkeys(wanted, 0)
    for _ in range(500):
        document = order.next().document
        handed[int(order.sources[document])] += int(order.sizes[document]) + 1
        total = sum(handed.values())
        for source, share in wanted.items():
            assert abs(handed[source] - share * total) <= 50
    assert order.handed == handed


def test_a_weight_is_the_exact_share_and_the_rest_is_split_by_size():
    found = shares([None, None, 0.2], [10, 10], [30, 30], [5])
    assert found == pytest.approx({0: 0.2, 1: 0.6, 2: 0.2})


def test_without_weights_shares_are_sizes():
    assert shares([None, None], [25], [50, 25]) == {0: 0.25, 1: 0.75}


@pytest.mark.parametrize(
    ("weights", "expected"),
    [([0.2, 0.2], {0: 0.5, 1: 0.5}), ([3.0, 1.0], {0: 0.75, 1: 0.25}), ([0.5, 0.5], None)],
)
def test_weights_alone_are_scaled_to_one(weights, expected):
    assert shares(weights, [10], [90]) == (expected or {0: 0.5, 1: 0.5})


def test_weight_zero_never_appears():
    found = shares([None, 0.0, 0.5], [10], [10], [10])
    assert found == {0: 0.5, 2: 0.5}
    assert 1 not in source_sequence(order_of([10], [10], [10], shares=found), 50)


def test_a_source_without_documents_leaves_its_share_to_the_others():
    assert shares([0.5, 0.5], [10], []) == {0: 1.0}


def test_one_pass_hands_out_each_document_once_and_ends():
    order = order_of([5] * 7, [9] * 3, epochs=1)
    assert sorted(turn.document for turn in turns(order, 10)) == list(range(10))
    assert order.next() is None


def test_passes_are_counted():
    order = order_of([5] * 3, epochs=3)
    assert [turn.epoch for turn in turns(order, 9)] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert order.next() is None


def test_a_small_source_of_a_large_share_passes_more_often():
    order = order_of([10], [10] * 10, shares={0: 0.5, 1: 0.5})
    epochs = {turn.document: turn.epoch for turn in turns(order, 21)}
    assert epochs[0] == 10
    assert {epochs[document] for document in range(1, 11)} == {0}
    assert order.passes == {0: 11.0, 1: 1.0}


def test_another_pass_has_another_order():
    order = order_of([5] * 20)
    first, second = ([t.document for t in turns(order, 20)] for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second


def test_another_seed_has_another_order():
    orders = [order_of([5] * 20, seed=seed) for seed in (0, 1)]
    assert turns(orders[0], 20) != turns(orders[1], 20)


def test_draws_are_the_same_whenever_they_are_asked_for():
    before = draws(7, 3, "abc", 41)
    draws(7, 3, "other", 0)
    assert draws(7, 3, "abc", 41) == before


@pytest.mark.parametrize("key", [(8, 3, "abc", 41), (7, 4, "abc", 41), (7, 3, "abd", 41)])
def test_draws_change_with_seed_pass_and_document(key):
    assert all(a != b for a, b in zip(draws(7, 3, "abc", 41), draws(*key), strict=True))


def test_draws_change_with_the_start_of_the_segment():
    assert len({draws(7, 3, "abc", start) for start in range(100)}) == 100


@pytest.mark.parametrize(
    ("draw", "bound", "expected"),
    [(0, 10, 0), (2**64 - 1, 10, 9), (2**63, 10, 5), (2**63 - 1, 10, 4), (5, 1, 0)],
)
def test_below_spreads_64_bits_over_a_range(draw, bound, expected):
    assert below(draw, bound) == expected


def test_probability_zero_never_happens_and_one_always_does():
    extremes = (0, 1, 2**63, 2**64 - 1)
    assert [happens(draw, 0.0) for draw in extremes] == [False] * 4
    assert [happens(draw, 1.0) for draw in extremes] == [True] * 4


def test_the_first_cut_comes_first_however_it_was_drawn():
    high, low = 2**64 - 1, 0
    for drawn in (Draws(0, 0, 0, high, low), Draws(0, 0, 0, low, high)):
        cut = choose_cut("abcd", 0, 4, "c", Fim(rate=1.0), drawn)
        assert (cut.prefix_end, cut.middle_end) == (0, 4)


def cuts(fim, count, text="x" * 999):
    keys = (draws(0, 0, f"{number:016x}", 0) for number in range(count))
    found = [choose_cut(text, 0, len(text), "c", fim, drawn) for drawn in keys]
    return [cut for cut in found if cut is not None]


@pytest.mark.parametrize(("rate", "spm"), [(0.5, 0.5), (0.9, 0.25), (0.1, 1.0)])
def test_rate_and_share_of_spm_lie_within_four_deviations(rate, spm):
    count = 5000
    found = cuts(Fim(rate=rate, spm=spm), count)
    num_spm = sum(cut.layout == "spm" for cut in found)
    assert abs(len(found) - rate * count) <= 4 * math.sqrt(count * rate * (1 - rate))
    assert abs(num_spm - spm * len(found)) <= 4 * math.sqrt(len(found) * spm * (1 - spm))


def chi_square(counts):
    expected = sum(counts) / len(counts)
    return sum((count - expected) ** 2 / expected for count in counts)


def tenths(points):
    """How many of the points 0 to 999 fall into each hundred."""
    return [sum(point // 100 == tenth for point in points) for tenth in range(10)]


def test_cuts_are_uniform_over_the_text():
    found = cuts(Fim(rate=1.0), 4000)
    points = [point for cut in found for point in (cut.prefix_end, cut.middle_end)]
    assert chi_square(tenths(points)) < CHI_SQUARE_9


def test_cuts_are_uniform_in_either_layout_and_after_the_draw_that_let_them_happen():
    for layout in ("psm", "spm"):
        found = [cut for cut in cuts(Fim(rate=0.5), 6000) if cut.layout == layout]
        points = [point for cut in found for point in (cut.prefix_end, cut.middle_end)]
        assert chi_square(tenths(points)) < CHI_SQUARE_9


def test_the_two_cuts_are_independent():
    """Of two uniform points the larger is below x with probability x squared."""
    found = cuts(Fim(rate=1.0), 4000)
    below_half = sum(cut.middle_end < 500 for cut in found)
    assert abs(below_half - 1000) <= 4 * math.sqrt(4000 * 0.25 * 0.75)


def test_every_pair_of_cuts_of_a_short_text_occurs():
    pairs = {(cut.prefix_end, cut.middle_end) for cut in cuts(Fim(rate=1.0), 300, "ab")}
    assert pairs == {(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)}


@cache
def encoder_of(tokenizer):
    return Encoder(tokenizer)


@pytest.fixture(scope="module")
def tokenizer(tiny_tokenizer) -> CodeTokenizer:
    return CodeTokenizer(tiny_tokenizer)


def stream_of(docs, tokenizer, *, seed=0, epochs=1, length=64):
    corpus, rules = tokenise(docs, encoder_of(tokenizer)), [Rule(Fim())] * 3
    return block_stream(corpus, rules, Sequences(length=length), seed=seed, epochs=epochs)


def cuts_by_turn(blocks):
    placed = [one for block in blocks for one in block.placed]
    return {(one.turn.document, one.turn.epoch): one.cut for one in placed}


def test_a_stream_s_rate_lies_within_four_deviations(tokenizer):
    docs = documents([6] * 3000)
    stream = stream_of(docs, tokenizer)
    assert sum(len(block.placed) for block in stream) == 3000
    assert abs(stream.counts.psm + stream.counts.spm - 1500) <= 4 * math.sqrt(750)
    assert abs(stream.counts.psm - stream.counts.spm) <= 2 * 4 * math.sqrt(1500 / 4)


def test_another_pass_has_other_cuts(tokenizer):
    docs = documents([40] * 30)
    found = cuts_by_turn(stream_of(docs, tokenizer, epochs=2))
    same = [found[index, 0] == found[index, 1] for index in range(30)]
    assert sum(same) < 20  # a quarter is uncut both times


def test_a_document_s_cuts_do_not_depend_on_its_neighbours(tokenizer):
    docs = documents([20] * 12, [30] * 12)
    together = cuts_by_turn(stream_of(docs, tokenizer))
    alone = [cuts_by_turn(stream_of([document], tokenizer))[0, 0] for document in docs]
    assert [together[index, 0] for index in range(24)] == alone
    assert any(alone)


def test_a_document_s_cuts_do_not_depend_on_the_length_of_a_block(tokenizer):
    docs = documents([20] * 12)
    short, long = (cuts_by_turn(stream_of(docs, tokenizer, length=n)) for n in (64, 2048))
    assert {turn: short[turn] for turn in long} == long


def test_the_same_seed_gives_the_same_blocks(tokenizer):
    docs = documents([40] * 30)
    ids = [
        [block.input_ids.tolist() for block in islice(stream_of(docs, tokenizer, seed=seed), 9)]
        for seed in (3, 3, 4)
    ]
    assert ids[0] == ids[1] != ids[2]
