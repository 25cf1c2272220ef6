"""How full, how mixed and how often cut real streams are, at the lengths that models train at."""

import math
import random
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from data_formats.document import Document
from finetune.recipe.schema import Data, Fim, Sequences, Source, SourceFim
from finetune.sequences import Encoder, Rule, block_stream, rules_of, tokenise
from finetune.sequences.segment import Cut, choose_cut, choose_kind
from finetune.tokenizer import CodeTokenizer


def document(text, name, source=0, language="python"):
    return Document(text=text, path=name, repo="r", language=language, source=source)


@pytest.fixture(scope="module")
def encoder(tiny_tokenizer) -> Encoder:
    return Encoder(CodeTokenizer(tiny_tokenizer))


@pytest.fixture(scope="module")
def modules(encoder):
    """Modules of the standard library: many short ones, some longer than any block."""
    files = sorted(Path(random.__file__).parent.glob("*.py"))[:150]
    texts = [(file.name, file.read_text(encoding="utf-8")) for file in files]
    return tokenise([document(text, name) for name, text in texts], encoder)


@pytest.fixture(scope="module")
def long_files(encoder):
    """300 files of about 14 blocks of 2048 tokens each."""
    rng = random.Random(0)
    names = ["total", "value", "items", "result", "self.items"]

    def line():
        return " " * rng.choice([0, 4, 8]) + f"{rng.choice(names)} = {rng.choice(names)} + 1\n"

    texts = ["".join(line() for _ in range(1500)) for _ in range(300)]
    return tokenise([document(text, f"{i}.py") for i, text in enumerate(texts)], encoder)


@pytest.mark.parametrize("length", [2048, 8192])
@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_at_least_995_in_1000_positions_are_filled(modules, length, rate):
    stream = block_stream(modules, [Rule(Fim(rate=rate))], Sequences(length=length), seed=0)
    blocks = sum(1 for _ in islice(stream, 400))
    assert blocks == 400
    assert stream.counts.fill >= 0.995


def test_every_character_of_a_pass_is_placed_once(modules):
    stream = block_stream(modules, [Rule(Fim())], Sequences(length=2048), seed=0, epochs=1)
    placed = np.zeros(len(modules), dtype=np.int64)
    for block in stream:
        for one in block.placed:
            placed[one.turn.document] += one.segment[1] - one.segment[0]
    assert placed.tolist() == modules.rows["characters"].tolist()


@pytest.mark.parametrize("rate", [0.3, 0.5, 0.9])
def test_the_effective_rate_of_long_files_is_the_nominal_one(long_files, rate):
    """Fixed chunks after the transformation left a nominal 0.5 at 0.15 to 0.31."""
    stream = block_stream(long_files, [Rule(Fim(rate=rate))], Sequences(length=2048), seed=0)
    while stream.counts.segments < 20_000:
        stream.packer.next_window()
    counts = stream.counts
    assert counts.splits > 15_000
    assert abs(counts.effective_rate - rate) < 0.01
    transformed = counts.psm + counts.spm
    assert abs(counts.psm - transformed / 2) < 4 * math.sqrt(transformed / 4)


def test_sources_have_their_shares_of_the_tokens_that_are_placed(encoder):
    sizes = {0: (40, 30), 1: (400, 3), 2: (9, 200)}
    documents = [
        document("value = total\n" * lines, f"{source}-{i}.py", source)
        for source, (lines, count) in sizes.items()
        for i in range(count)
    ]
    rules = [Rule(Fim(), weight=0.6), Rule(Fim(), weight=0.1), Rule(Fim())]
    corpus = tokenise(documents, encoder)
    stream = block_stream(corpus, rules, Sequences(length=256), seed=0)
    tokens = dict.fromkeys(sizes, 0)
    for block in islice(stream, 3000):
        for one in block.placed:
            source = int(corpus.rows["source"][one.turn.document])
            tokens[source] += sum(n for role, n in one.roles if role not in ("sentinel", "end"))
    total = sum(tokens.values())
    shares = {source: count / total for source, count in tokens.items()}
    assert shares == pytest.approx({0: 0.6, 1: 0.1, 2: 0.3}, abs=0.02)


def test_passes_are_counted_by_source(encoder):
    documents = [document("x = 1\n" * 8, f"{i}.py", source=i % 2) for i in range(40)]
    rules = [Rule(Fim(), weight=0.75), Rule(Fim())]
    corpus = tokenise(documents, encoder)
    stream = block_stream(corpus, rules, Sequences(length=128), seed=0)
    for _ in islice(stream, 200):
        pass
    passes = stream.packer.order.passes
    assert passes[0] / passes[1] == pytest.approx(3.0, rel=0.02)


SOURCE = {"format": "source_code", "path": "."}


def rules(*sources, fim=None):
    data = Data(sources=tuple(Source(**SOURCE, **source) for source in sources))
    return rules_of(data, fim or Fim(), Sequences())


def test_a_source_writes_as_the_recipe_says_where_it_says_nothing():
    assert rules({}, fim=Fim(rate=0.7, cut="line")) == [Rule(Fim(rate=0.7, cut="line"), "all")]


def test_a_source_overrides_key_by_key():
    own = SourceFim(spm=0.1, cut={"character": 0.5, "cursor": 0.5})
    (rule,) = rules({"fim": own, "labels": "middle", "weight": 0.2}, fim=Fim(rate=0.7))
    expected = Fim(rate=0.7, spm=0.1, cut={"character": 0.5, "cursor": 0.5})
    assert rule == Rule(expected, "middle", 0.2)


def test_sources_of_one_stream_are_written_each_in_its_way(encoder):
    documents = [document("value = total\n" * 9, f"{i}.py", source=i % 2) for i in range(60)]
    own = [Rule(Fim(rate=0.0)), Rule(Fim(rate=1.0, spm=1.0, spm_layout="spm_v1"), "middle")]
    corpus = tokenise(documents, encoder)
    for block in block_stream(corpus, own, Sequences(length=256), seed=0, epochs=1):
        for one in block.placed:
            labels = block.labels[one.start : one.end]
            if one.turn.document % 2 == 0:
                assert one.cut is None
                assert (labels[1:] != -100).all()
                continue
            assert one.cut.layout == "spm_v1"
            middle = dict(one.roles)["middle"]
            assert (labels != -100).sum() == middle + 1


def test_a_mixture_of_cuts_has_its_shares(encoder):
    from finetune.sequences.draws import draws

    text = "def f(x):\n    return x\n" * 20
    fim = Fim(rate=1.0, cut={"character": 3, "line": 1})
    found = [
        choose_cut(text, 0, len(text), "python", fim, draws(0, 0, f"{i:016x}", 0))
        for i in range(4000)
    ]
    lines = sum(cut.kind == "line" for cut in found)
    assert abs(lines - 1000) < 4 * math.sqrt(4000 * 0.25 * 0.75)
    assert all(cut.kind == cut.wanted for cut in found)


def test_a_mixture_is_the_same_in_any_order():
    kinds = {"line": 1.0, "character": 3.0, "cursor": 2.0}
    for draw in range(0, 2**64, 2**58):
        assert choose_kind(kinds, draw) == choose_kind(dict(reversed(kinds.items())), draw)


def test_a_cut_that_the_text_does_not_allow_is_made_by_character_and_counted(encoder):
    texts = ["def f(:\n" * 20, "def f(x):\n    return x\n" * 20]
    documents = [document(text, f"{i}.py") for i, text in enumerate(texts)]
    corpus = tokenise(documents, encoder)
    stream = block_stream(
        corpus, [Rule(Fim(rate=1.0, cut="syntax"))], Sequences(length=1024), seed=0, epochs=1
    )
    (block,) = stream
    assert {one.turn.document: (one.cut.kind, one.cut.wanted) for one in block.placed} == {
        0: ("character", "syntax"),
        1: ("syntax", "syntax"),
    }
    assert stream.counts.kinds == {"character": 1, "syntax": 1}
    assert stream.counts.instead == {"syntax": 1}


def test_a_cut_remembers_its_kind():
    assert Cut("psm", 0, 1).kind == Cut("psm", 0, 1).wanted == "character"
