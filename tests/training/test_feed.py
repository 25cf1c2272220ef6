"""The same blocks whoever builds them: workers, ranks, and any point of resumption."""

import json
import random

import pytest
import torch

from data_formats.document import Document
from finetune.errors import Failed
from finetune.recipe.schema import Fim, Sequences
from finetune.sequences import Encoder, Rule, block_stream, tokenise
from finetune.tokenizer import CodeTokenizer
from finetune.training.feed import Feed

DOCUMENTS = [
    Document(
        text=f"def f_{i}(x):\n    return x + {i}\n" * (1 + i % 9),
        path=f"{i}.py",
        repo="r",
        language="python",
        source=i % 3,
    )
    for i in range(80)
]
RULES = [Rule(Fim()), Rule(Fim(cut="line"), weight=0.3), Rule(Fim(rate=0.9), "middle", 0.2)]
COUNT = 36
"""Blocks of all ranks; a multiple of 1, 2 and 3."""


@pytest.fixture(scope="module")
def corpus(tiny_tokenizer):
    return tokenise(DOCUMENTS, Encoder(CodeTokenizer(tiny_tokenizer)))


def stream_of(corpus, epochs=None):
    return block_stream(corpus, RULES, Sequences(length=64), seed=3, epochs=epochs)


def as_lists(block):
    arrays = (block.input_ids, block.labels, block.position_ids)
    return [*(array.tolist() for array in arrays), block.placed]


def read(corpus, count, *, ranks, workers, state=None):
    """`count` blocks of all ranks in their order, and each rank's state behind them."""
    shares, states = [], []
    for rank in range(ranks):
        feed = Feed(stream_of(corpus), rank, ranks, workers)
        feed.start(json.loads(json.dumps(state)) if state else None)
        shares.append([as_lists(block) for block in feed.take(count // ranks)])
        states.append(feed.state())
    return [shares[i % ranks][i // ranks] for i in range(count)], states


@pytest.fixture(scope="module")
def whole(corpus):
    stream = stream_of(corpus)
    return [as_lists(next(stream)) for _ in range(COUNT)]


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("workers", [0, 1, 4])
def test_blocks_are_the_same_for_any_workers_and_ranks_and_point_of_resumption(
    corpus, whole, workers, ranks
):
    at = ranks * random.Random(10 * workers + ranks).randrange(1, COUNT // ranks)
    before, states = read(corpus, at, ranks=ranks, workers=workers)
    assert before == whole[:at]
    assert {state["next_block"] for state in states} == {at}
    after, _ = read(corpus, COUNT - at, ranks=1, workers=0, state=states[0])
    assert after == whole[at:]


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("workers", [0, 1, 4])
def test_a_state_of_two_ranks_is_resumed_by_any_number(corpus, whole, workers, ranks):
    _, states = read(corpus, 12, ranks=2, workers=1)
    for state in states:
        count = (COUNT - 12) // ranks * ranks
        after, _ = read(corpus, count, ranks=ranks, workers=workers, state=state)
        assert after == whole[12 : 12 + count]


@pytest.mark.parametrize("workers", [0, 2])
def test_the_random_numbers_of_dropout_do_not_move(corpus, workers):
    feed = Feed(stream_of(corpus), workers=workers)
    before = torch.get_rng_state()
    feed.start()
    feed.take(3)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_state_is_small_and_plain_json(corpus):
    _, (state,) = read(corpus, 30, ranks=1, workers=0)
    assert len(json.dumps(state)) < 2000


def test_a_state_before_the_first_block_begins_there(corpus, whole):
    feed = Feed(stream_of(corpus))
    feed.start()
    after, _ = read(corpus, 6, ranks=2, workers=0, state=feed.state())
    assert after == whole[:6]


def test_counts_cover_the_blocks_of_all_ranks(corpus):
    feed = Feed(stream_of(corpus), rank=1, ranks=2)
    feed.start()
    feed.take(5)
    assert feed.counts.windows == 10
    stream = stream_of(corpus)
    stream.skip_to(10)
    assert feed.counts == stream.counts
    assert feed.passes == stream.packer.order.passes


@pytest.mark.parametrize("workers", [0, 2])
def test_a_corpus_that_ends_too_early_is_an_error(corpus, workers):
    feed = Feed(stream_of(corpus, epochs=1), workers=workers)
    feed.start()
    with pytest.raises(Failed, match="ended before the training did"):
        feed.take(10_000)
