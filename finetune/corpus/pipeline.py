"""Sources -> shards of curated documents on disk, on datatrove's executors.

```
plan.pickle               what is read, how it is curated, where each shard begins
00007.parquet             documents that every step kept     00007.drops.jsonl   the others
00007.sketches.npy        what near-duplicates are told by   00007.digests.npy   of texts
00007.grams.npy           and proven by
00007.json                counts; written last
```

A shard is a run of one or more sources, of about `SHARD_BYTES`; where it begins depends on the
sources alone. A task takes every n-th shard, so any number of tasks and processes leaves the same
files, and a task that is started again passes over the shards that are whole.

The steps are plain callables that datatrove's executors take as they are: `LocalPipelineExecutor`
here, `SlurmPipelineExecutor` or `RayPipelineExecutor` where one machine is too small, with the
folder on a disk that the machines share.
"""

import json
import os
import pickle
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

import numpy as np
from loguru import logger

from data_formats.document import Document, Drop
from finetune.corpus.chain import Chain, Outcome
from finetune.corpus.minhash import UNCOMPARED, Sketch, Sketches, sketch
from finetune.corpus.reader import Reader
from finetune.corpus.store import write_documents
from finetune.errors import UserError
from finetune.run_folder import write_text

# Where a step fails, datatrove logs the values of its variables: texts, and what is secret in them.
logger.disable("datatrove")

SHARD_BYTES = 4 << 20
SHARD_WORKS = 16_384
"""Files at most: what is known of each is in memory until its shard is written."""
COMPARED = ("source_code", "notebooks", "notebook_scripts")
"""Formats in which near-duplicates are looked for. A commit resembles the one before it by nature,
and an instruction its template."""


DIGEST = np.dtype([("sha256", "V32"), ("characters", "<u4")])


@dataclass(frozen=True)
class Slice:
    """Neighbouring works of one source."""

    source: int
    first: int
    last: int
    """The first that is no more part of it."""


@dataclass(frozen=True)
class Plan:
    """What is read and how it is curated."""

    readers: tuple[Reader, ...]
    chains: tuple[Chain, ...]
    """By source."""
    shards: tuple[tuple[Slice, ...], ...]
    is_compared: bool
    """Whether near-duplicates are looked for."""

    def save(self, folder: Path) -> None:
        (folder / "plan.pickle").write_bytes(pickle.dumps(self))


@lru_cache(maxsize=1)
def load_plan(folder: Path) -> Plan:
    """The plan that `Plan.save` left; once for each process."""
    plan: Plan = pickle.loads((folder / "plan.pickle").read_bytes())
    return plan


def shards_of(
    sizes: Sequence[Sequence[int]], together: Sequence[bool]
) -> tuple[tuple[Slice, ...], ...]:
    """Shards of about `SHARD_BYTES`, in the order of the sources.

    `sizes` are bytes by source and work; `together` says of each source whether it is one shard's.
    """
    shards: list[tuple[Slice, ...]] = []
    slices: list[Slice] = []
    size = 0
    for source, (mine, is_whole) in enumerate(zip(sizes, together, strict=True)):
        first = 0
        for at, one in enumerate(mine, start=1):
            size += one
            is_large = size >= SHARD_BYTES or at - first >= SHARD_WORKS
            is_full = is_large and (at == len(mine) or not is_whole)
            if is_full or at == len(mine):
                slices.append(Slice(source, first, at))
                first = at
            if is_full:
                shards.append(tuple(slices))
                slices, size = [], 0
    return (*shards, tuple(slices)) if slices else tuple(shards)


@dataclass(frozen=True)
class Shard:
    """A shard on its way: what was read, and what is counted while it passes."""

    number: int
    outcomes: Iterator[tuple[int, Outcome]]
    """Source, and a document or why there is none."""
    redacted: Counter[str] = field(default_factory=Counter)
    """Kind of personal data -> how often it was replaced since the last document was written."""
    left_out: Counter[str] = field(default_factory=Counter)
    """What documents that are kept lost: pictures, messages of bots, ..."""


def steps(folder: Path) -> list[Callable[..., Any]]:
    """The pipeline of a task over the plan in `folder`, as datatrove's executors take it."""
    return [Read(folder), Curated(folder), Written(folder)]


@dataclass(frozen=True)
class Read:
    """Hands out the shards of a task, each as a stream."""

    folder: Path

    def __call__(self, data: object = None, rank: int = 0, world_size: int = 1) -> Iterator[Shard]:
        plan = load_plan(self.folder)
        for number in range(rank, len(plan.shards), world_size):
            if not is_whole(self.folder, number):
                left_out: Counter[str] = Counter()
                outcomes = self._read(plan, plan.shards[number], left_out)
                yield Shard(number, outcomes, left_out=left_out)

    def _read(
        self, plan: Plan, slices: Sequence[Slice], left_out: Counter[str]
    ) -> Iterator[tuple[int, Outcome]]:
        for one in slices:
            reader = plan.readers[one.source]
            try:
                for outcome in reader.read(reader.works[one.first : one.last], left_out):
                    yield one.source, outcome
            except ValueError as error:
                if type(error) is not ValueError:
                    raise
                # The formats' own message: where, what, how to mend it.
                raise UserError(str(error)) from error


@dataclass(frozen=True)
class Curated:
    """Puts every document through the chain of its source."""

    folder: Path

    def __call__(
        self, data: Iterable[Shard], rank: int = 0, world_size: int = 1
    ) -> Iterator[Shard]:
        chains = load_plan(self.folder).chains
        for shard in data:
            yield replace(shard, outcomes=self._curated(chains, shard))

    def _curated(self, chains: Sequence[Chain], shard: Shard) -> Iterator[tuple[int, Outcome]]:
        for source, mine in groupby(shard.outcomes, key=itemgetter(0)):
            for outcome in chains[source]((one for _, one in mine), shard.redacted):
                yield source, outcome


@dataclass(frozen=True)
class Written:
    """Writes each shard, whole or not at all."""

    folder: Path

    def __call__(self, data: Iterable[Shard], rank: int = 0, world_size: int = 1) -> Iterator[int]:
        plan = load_plan(self.folder)
        for shard in data:
            self._write(plan, shard)
            yield shard.number

    def _write(self, plan: Plan, shard: Shard) -> None:
        digests: list[tuple[bytes, int]] = []
        sketches: list[Sketch] = []
        redacted: list[tuple[int, dict[str, int]]] = []

        def documents(drops: IO[str]) -> Iterator[Document]:
            for source, one in shard.outcomes:
                if isinstance(one, Drop):
                    drops.write(json.dumps(vars(one), ensure_ascii=False) + "\n")
                    continue
                if shard.redacted:  # of a repository's files it goes with the first document
                    redacted.append((len(digests), dict(shard.redacted)))
                    shard.redacted.clear()
                chain = plan.chains[source]
                digests.append((bytes.fromhex(one.sha256), len(one.text)))
                sketches.append(_sketch(one, chain.source.format, plan.is_compared))
                yield chain.with_header(one)

        # Aside and renamed: a worker whose parent was killed may be at the same shard.
        aside = self.folder / f".{os.getpid()}"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        file = partial(shard_file, aside, shard.number)
        with file("drops.jsonl").open("w", encoding="utf-8", newline="\n") as drops:
            write_documents(file("parquet"), documents(drops))
        Sketches.of(sketches).save(shard_stem(aside, shard.number))
        np.save(file("digests.npy"), np.array(digests, dtype=DIGEST))
        counts = {"redacted": redacted, "left_out": shard.left_out}
        for one in aside.iterdir():
            one.replace(self.folder / one.name)
        aside.rmdir()
        write_text(shard_file(self.folder, shard.number, "json"), json.dumps(counts))


def _sketch(document: Document, format_: str, is_compared: bool) -> Sketch:
    is_looked_at = is_compared and format_ in COMPARED
    return sketch(document, format_) if is_looked_at else UNCOMPARED


def shard_stem(folder: Path, shard: int) -> Path:
    return folder / f"{shard:05}"


def shard_file(folder: Path, shard: int, suffix: str) -> Path:
    return folder / f"{shard:05}.{suffix}"


def is_whole(folder: Path, shard: int) -> bool:
    return shard_file(folder, shard, "json").is_file()
