"""First tokenising and packing, and what packing keeps, beside TRL."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from types import SimpleNamespace

import datasets
import numpy as np
import pyarrow.compute as pc
from sequences_tables import Section, cpu_seconds, ratio, speed
from transformers import PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer, pack_dataset

from data_formats.document import Document
from finetune.corpus.store import write_documents
from finetune.families import END_OF_DOCUMENT
from finetune.recipe.schema import Fim
from finetune.recipe.schema import Sequences as Shape
from finetune.sequences import (
    BlockStream,
    Encoder,
    Rule,
    TokenisedCorpus,
    block_stream,
    open_corpus,
    tokenise,
)
from finetune.tokenizer import CodeTokenizer

STRATEGIES = ("bfd", "bfd_split", "wrapped")
"""TRL's; the first is its default."""


def quiet() -> None:
    """No bars, and nothing taken from an earlier run."""
    datasets.disable_progress_bars()
    datasets.disable_caching()


def first_pass(documents: Sequence[Document], tokenizer: Path, repeats: int) -> Section:
    """From texts to packed sequences, everything fresh."""
    section = Section(
        "3. First tokenise-and-pack, length 2048: million tokens of text per CPU-second",
        f"The best of {repeats} turns each, taken alternately; every turn with new tokenizer "
        "objects, one process, no FIM. Ours ends with blocks (labels and positions included), "
        "TRL's with the packed dataset. `SFTTrainer`: its own preparation of a dataset of texts. "
        "`without labels`: its maps for EOS and ids, and pack_dataset. `batched by hand`: the "
        "least that leads to packed ids, one batched map and pack_dataset.",
        ("way", "tokens per CPU-second", "CPU seconds", "ours in memory is faster by"),
    )
    ways: dict[str, Callable[[], object]] = {
        "ours, in memory": lambda: _ours(documents, tokenizer),
        "ours, cache on disk and read back": lambda: _ours_on_disk(documents, tokenizer),
        **{f"TRL SFTTrainer, {s}": lambda s=s: _trainer(documents, tokenizer, s)
           for s in STRATEGIES},
        "TRL without labels, bfd": lambda: _steps_alone(documents, tokenizer),
        "TRL batched by hand, bfd": lambda: _batched(documents, tokenizer),
    }  # fmt: skip
    turns = [{name: way() for name, way in ways.items()} for _ in range(repeats)]
    tokens = _tokens(documents, tokenizer)
    best = {name: min(turn[name] for turn in turns) for name in ways}
    for name, seconds in best.items():
        faster = ratio(best["ours, in memory"], seconds)
        section.rows.append((name, speed(tokens, seconds), f"{seconds:.2f}", faster))
    return section


def _tokens(documents: Sequence[Document], tokenizer: Path) -> int:
    return tokenise(documents, Encoder(CodeTokenizer(tokenizer))).num_tokens


def _fresh(documents: Sequence[Document]) -> list[Document]:
    """Without the digests that a document remembers once they were asked for."""
    return [replace(document) for document in documents]


def _ours(documents: Sequence[Document], tokenizer: Path) -> float:
    own = _fresh(documents)
    start = cpu_seconds()
    _drain(tokenise(own, Encoder(CodeTokenizer(tokenizer))))
    return cpu_seconds() - start


def _ours_on_disk(documents: Sequence[Document], tokenizer: Path) -> float:
    """The workers that build the cache are counted, with their start."""
    with tempfile.TemporaryDirectory() as folder, _cache_in(Path(folder)):
        file = Path(folder) / "corpus.parquet"
        write_documents(file, documents)
        start = cpu_seconds()
        _drain(open_corpus(file, CodeTokenizer(tokenizer)))
        return cpu_seconds() - start


def _drain(corpus: TokenisedCorpus) -> None:
    for _ in _stream(corpus, 2048, rate=0.0):
        pass


def _stream(corpus: TokenisedCorpus, length: int, rate: float) -> BlockStream:
    return block_stream(corpus, [Rule(Fim(rate=rate))], Shape(length=length), seed=0, epochs=1)


@contextmanager
def _cache_in(folder: Path) -> Iterator[None]:
    """FINETUNE_CACHE for a while."""
    before = os.environ.get("FINETUNE_CACHE")
    os.environ["FINETUNE_CACHE"] = str(folder / "cache")
    try:
        yield
    finally:
        os.environ.pop("FINETUNE_CACHE")
        if before is not None:
            os.environ["FINETUNE_CACHE"] = before


def _texts(documents: Sequence[Document]) -> datasets.Dataset:
    return datasets.Dataset.from_dict({"text": [document.text for document in documents]})


def _loaded(tokenizer: Path) -> PreTrainedTokenizerFast:
    """From tokenizer.json itself: by its class name it would lose the step that splits digits."""
    file = str(tokenizer / "tokenizer.json")
    return PreTrainedTokenizerFast(tokenizer_file=file, eos_token=END_OF_DOCUMENT)


def _trainer(documents: Sequence[Document], tokenizer: Path, strategy: str) -> float:
    """The method by which SFTTrainer prepares a dataset, without a model and a trainer around."""
    texts, loaded = _texts(documents), _loaded(tokenizer)
    trainer = SimpleNamespace(_tokenizer=loaded, chat_template=None, completion_only_loss=False)
    config = SFTConfig(
        packing=True,
        packing_strategy=strategy,
        max_length=2048,
        report_to="none",
        use_cpu=True,
        bf16=False,
    )
    start = cpu_seconds()
    SFTTrainer._prepare_dataset(trainer, texts, loaded, config, True, None, "train")
    return cpu_seconds() - start


def _steps_alone(documents: Sequence[Document], tokenizer: Path) -> float:
    """What SFTTrainer does to each text, without the labels it builds."""
    texts, loaded = _texts(documents), _loaded(tokenizer)
    start = cpu_seconds()
    ended = texts.map(lambda one: {"text": one["text"] + END_OF_DOCUMENT})
    ids = ended.map(lambda one: {"input_ids": loaded(text=one["text"])["input_ids"]})
    pack_dataset(ids.select_columns("input_ids"), 2048, STRATEGIES[0])
    return cpu_seconds() - start


def _batched(documents: Sequence[Document], tokenizer: Path) -> float:
    """The least work that leads to packed ids."""
    texts, loaded = _texts(documents), _loaded(tokenizer)

    def encoded(batch: dict[str, list[str]]) -> dict[str, list[list[int]]]:
        return {
            "input_ids": loaded([text + END_OF_DOCUMENT for text in batch["text"]])["input_ids"]
        }

    start = cpu_seconds()
    ids = texts.map(encoded, batched=True, remove_columns=["text"])
    pack_dataset(ids, 2048, STRATEGIES[0])
    return cpu_seconds() - start


def kept_and_filled(corpus: TokenisedCorpus) -> Section:
    """What becomes of every token, ours and TRL's, from the same ids."""
    section = Section(
        "4. Kept and filled",
        "Kept, TRL: tokens in its packed rows of those that went in (an end for each document "
        "included). Kept, ours: characters that lie in exactly one segment; `uncounted` is the "
        "rest. Filled: positions that hold a token where every row is laid out at full length. "
        "Cuts of documents: ours at line ends where there is one; of `wrapped`, rows that do not "
        "begin with a document.",
        ("length", "way", "sequences", "kept", "uncounted", "filled", "cuts of documents",
         "effective FIM rate"),
    )  # fmt: skip
    ids = _with_ends(corpus)
    for length in (2048, 8192):
        for rate in (0.0, 0.5, 1.0):
            section.rows.append(_our_row(corpus, length, rate))
        for strategy in STRATEGIES:
            section.rows.append(_their_row(ids, length, strategy))
    return section


def _our_row(corpus: TokenisedCorpus, length: int, rate: float) -> tuple[str, ...]:
    stream = _stream(corpus, length, rate)
    spans: dict[int, list[tuple[int, int]]] = {}
    filled = 0
    for block in stream:
        filled += block.placed[-1].end
        for placed in block.placed:
            spans.setdefault(placed.turn.document, []).append(placed.segment)
    kept = sum(_covered_once(found) for found in spans.values())
    characters = int(corpus.rows["characters"].sum(dtype=np.uint64))
    counts = stream.counts
    assert counts.tokens == filled, "what was counted is what lies in the blocks"
    return (
        str(length), f"ours, FIM rate {rate}", str(counts.windows), f"{kept / characters:.2%}",
        f"{characters - kept} characters", f"{counts.fill:.3%}", str(counts.splits),
        f"{counts.effective_rate:.3f}",
    )  # fmt: skip


def _covered_once(spans: list[tuple[int, int]]) -> int:
    """Characters, from the first on, that the spans cover without a gap or an overlap."""
    at = 0
    for start, end in sorted(spans):
        if start != at:
            break
        at = end
    return at


def _with_ends(corpus: TokenisedCorpus) -> datasets.Dataset:
    eod = corpus.tokenizer.eod
    each = [np.append(corpus.read(i).ids, eod).astype(np.int32) for i in range(len(corpus))]
    return datasets.Dataset.from_dict({"input_ids": each})


def _their_row(ids: datasets.Dataset, length: int, strategy: str) -> tuple[str, ...]:
    packed = pack_dataset(ids, length, strategy)
    given, kept = _num_tokens(ids), _num_tokens(packed)
    if strategy == "wrapped":
        cut = f"{_cut_rows(ids, packed)}"
    else:
        pieces = sum(map(len, packed["seq_lengths"]))
        longer = sum(size > length for size in _lengths(ids))
        cut = f"{longer} truncated" if pieces == len(ids) else str(pieces - len(ids))
    return (
        str(length), f"TRL {strategy}", str(len(packed)), f"{kept / given:.2%}",
        f"{given - kept} tokens", f"{kept / (len(packed) * length):.3%}", cut, "no FIM",
    )  # fmt: skip


def _lengths(ids: datasets.Dataset) -> list[int]:
    found: list[int] = []
    for batch in ids.with_format("arrow").iter(1000):
        found += pc.list_value_length(batch["input_ids"]).to_pylist()
    return found


def _num_tokens(ids: datasets.Dataset) -> int:
    return sum(_lengths(ids))


def _cut_rows(ids: datasets.Dataset, packed: datasets.Dataset) -> int:
    """Rows whose first token is not a document's; rows are packed from 1000 documents at a time."""
    starts = set(accumulate(_lengths(ids), initial=0))
    return sum(start not in starts for start in accumulate(_lengths(packed), initial=0))
