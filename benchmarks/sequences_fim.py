"""Fill-in-the-middle from cached ids, beside encoding every part again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from sequences_tables import Section, cpu_seconds, ratio, speed

from finetune.recipe.schema import Fim
from finetune.recipe.schema import Sequences as Shape
from finetune.sequences import Block, BlockStream, Encoder, Rule, TokenisedCorpus, block_stream
from finetune.sequences.draws import draws
from finetune.sequences.encoder import Ids
from finetune.sequences.segment import Cut, choose_cut, write_segment
from finetune.tokenizer import CodeTokenizer

EDGES = (0, 512, 2048, 8192)
"""Tokens at which the groups of documents begin."""
ALWAYS = Fim(rate=1.0)
Way = Callable[[str, int, int], Ids]
"""The ids of one document in one epoch, by the document's id, position and epoch."""


@dataclass(frozen=True)
class Timed:
    """Tokens written in an epoch, and the CPU seconds of its best turn by way."""

    tokens: int
    seconds: dict[str, float]


def fim_step(corpus: TokenisedCorpus, epochs: int) -> Section:
    """Every document cut, by ways that must agree on every id."""
    section = Section(
        "1. The FIM step, rate 1.0: million tokens per CPU-second",
        f"Cut, written and concatenated; {epochs} epochs, the first of them with an empty memory "
        "of pieces in each group (cold); the best of the others (warm), and of the plain ways the "
        "best of all. `each part`: "
        "tokenizer.encode of prefix, middle and suffix; `one batch`: all three in one call. All "
        "ids of all epochs are equal. Not counted: an encoder finds the boundaries of its "
        f"tokenizer once, {setup_seconds(corpus.tokenizer):.2f} s.",
        ("tokens of a document", "documents", "mean", "cold", "warm", "each part", "one batch",
         "warm / each part", "warm / one batch", "cold / each part"),
    )  # fmt: skip
    sizes = corpus.rows["tokens"]
    groups = np.searchsorted(EDGES, sizes, side="right") - 1
    timed = {}
    for group, low in enumerate(EDGES):
        members = np.flatnonzero(groups == group).tolist()
        if members:
            timed[low] = time_ways(ways_of(corpus), corpus, members, epochs)
            section.rows.append(_row(_name(group), sizes[members], timed[low]))
    section.rows.append(_row("all", sizes, _together(list(timed.values()))))
    return section


def setup_seconds(tokenizer: CodeTokenizer) -> float:
    """What finding the boundaries costs."""
    start = cpu_seconds()
    spliced_encoder(tokenizer)
    return cpu_seconds() - start


def spliced_encoder(tokenizer: CodeTokenizer) -> Encoder:
    """One that knows its tokenizer's boundaries, and no pieces yet."""
    encoder = Encoder(tokenizer)
    assert encoder.reason is None, "there is nothing to compare where nothing can be spliced"
    return encoder


def ways_of(corpus: TokenisedCorpus) -> dict[str, Way]:
    """Ours, and the two plain ones; each memory starts empty, as when a cache was opened."""
    tokenizer = corpus.tokenizer
    spliced, plain = spliced_encoder(tokenizer), Encoder(tokenizer, is_spliced=False)

    def written(encoder: Encoder) -> Way:
        def way(id_: str, index: int, epoch: int) -> Ids:
            tokens = corpus.read(index)
            cut = _cut(tokens.text, id_, epoch)
            return write_segment(tokens, 0, len(tokens.text), cut, encoder).ids

        return way

    def batched(id_: str, index: int, epoch: int) -> Ids:
        text = corpus.read(index).text
        return np.array(ids_in_one_batch(text, _cut(text, id_, epoch), tokenizer), spliced.dtype)

    return {"spliced": written(spliced), "each": written(plain), "batch": batched}


def _cut(text: str, id_: str, epoch: int) -> Cut:
    cut = choose_cut(text, 0, len(text), "python", ALWAYS, draws(0, epoch, id_, 0))
    assert cut is not None, "the rate is 1"
    return cut


def ids_in_one_batch(text: str, cut: Cut, tokenizer: CodeTokenizer) -> list[int]:
    """The layouts spelt out once more, to compare with."""
    bounds = (0, cut.prefix_end, cut.middle_end, len(text))
    texts = [text[bounds[part] : bounds[part + 1]] for part in range(3)]
    prefix, middle, suffix = tokenizer.encode_all(texts)
    names = tokenizer.sentinels
    assert names is not None, "both tokenizers have them"
    if cut.layout == "psm":
        head = [names.prefix, *prefix, names.suffix, *suffix, names.middle]
    else:
        head = [names.prefix, names.suffix, *suffix, names.middle, *prefix]
    return [*head, *middle, tokenizer.eod]


def time_ways(
    ways: dict[str, Way], corpus: TokenisedCorpus, members: Sequence[int], epochs: int
) -> Timed:
    """The ways take turns, epoch by epoch, and their ids are compared."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    tokens = 0
    for epoch in range(epochs):
        found = {}
        for name, way in ways.items():
            start = cpu_seconds()
            found[name] = [way(corpus.id_of(index), index, epoch) for index in members]
            seconds[name].append(cpu_seconds() - start)
        for others in zip(*found.values(), strict=True):
            first, *rest = (ids.tobytes() for ids in others)
            assert all(other == first for other in rest), "every way gives the same ids"
        tokens += sum(map(len, found["spliced"]))
    cold, *warm = seconds.pop("spliced")
    best = {"cold": cold, "warm": min(warm), **{name: min(seconds[name]) for name in seconds}}
    return Timed(tokens // epochs, best)


def _together(timed: Sequence[Timed]) -> Timed:
    seconds = {name: sum(one.seconds[name] for one in timed) for name in timed[0].seconds}
    return Timed(sum(one.tokens for one in timed), seconds)


def _name(group: int) -> str:
    upper = EDGES[group + 1 : group + 2]
    return f"{EDGES[group]} to {upper[0] - 1}" if upper else f"{EDGES[group]} and more"


def _row(name: str, sizes: np.ndarray, timed: Timed) -> tuple[str, ...]:
    cold, warm, each, batch = (timed.seconds[n] for n in ("cold", "warm", "each", "batch"))
    speeds = [speed(timed.tokens, seconds) for seconds in (cold, warm, each, batch)]
    ratios = [ratio(warm, each), ratio(warm, batch), ratio(cold, each)]
    return (name, str(len(sizes)), f"{sizes.mean():.0f}", *speeds, *ratios)


def finished_blocks(corpus: TokenisedCorpus, positions: int, repeats: int) -> Section:
    """Whole blocks from cached ids, beside the same stream that encodes every part again."""
    section = Section(
        "2. Finished blocks: million positions per CPU-second",
        f"From cached ids, the first {positions} positions of the stream at least. Cold: the "
        "memory of pieces is empty; warm: it is left from a stream with another seed. Every column "
        "is of the same blocks: input_ids, labels and position_ids of all were compared. The best "
        f"of {repeats} turns each, taken alternately.",
        ("length", "FIM rate", "blocks", "cold", "warm", "encoding again", "warm / again",
         "cold / again"),
    )  # fmt: skip
    for length in (2048, 8192):
        for rate in (0.5, 1.0):
            count = -(-positions // length)
            section.rows.append(_blocks_row(corpus, length, rate, count, repeats))
    return section


def _blocks_row(
    corpus: TokenisedCorpus, length: int, rate: float, count: int, repeats: int
) -> tuple[str, ...]:
    turns = [_turn(corpus, length, rate, count) for _ in range(repeats)]
    cold, warm, again = (min(seconds) for seconds in zip(*turns, strict=True))
    speeds = [speed(count * length, seconds) for seconds in (cold, warm, again)]
    ratios = [ratio(warm, again), ratio(cold, again)]
    return (str(length), str(rate), str(count), *speeds, *ratios)


def _turn(corpus: TokenisedCorpus, length: int, rate: float, count: int) -> tuple[float, ...]:
    """CPU seconds of the same blocks cold, warm and encoded again."""
    fresh, used = spliced_encoder(corpus.tokenizer), spliced_encoder(corpus.tokenizer)
    plain = Encoder(corpus.tokenizer, is_spliced=False)
    _some(_stream(corpus, used, length, rate, seed=1), count)
    streams = [_stream(corpus, encoder, length, rate, seed=0) for encoder in (fresh, used, plain)]
    seconds, blocks = zip(*(_some(stream, count) for stream in streams), strict=True)
    for one, *others in zip(*blocks, strict=True):
        for name in ("input_ids", "labels", "position_ids"):
            same = [np.array_equal(getattr(one, name), getattr(other, name)) for other in others]
            assert all(same), f"{name} must not depend on how parts are encoded"
    assert len(blocks[0]) == count, "the stream is endless"
    return seconds


def _stream(
    corpus: TokenisedCorpus, encoder: Encoder, length: int, rate: float, seed: int
) -> BlockStream:
    own = replace(corpus, encoder=encoder)
    return block_stream(own, [Rule(Fim(rate=rate))], Shape(length=length), seed=seed)


def _some(stream: BlockStream, count: int) -> tuple[float, list[Block]]:
    start = cpu_seconds()
    blocks = list(islice(stream, count))
    return cpu_seconds() - start, blocks
