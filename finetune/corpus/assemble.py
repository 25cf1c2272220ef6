"""Curated shards -> the two corpus files, and a line for every document that was read.

Texts wait in shards on disk: what is a duplicate and what is held out is known only once all of
them were seen. Memory holds about two kilobytes for each document, and the texts of one shard.
"""

import json
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from data_formats.document import Document, dropped
from finetune.corpus.choose import Chosen, choose
from finetune.corpus.holdout import Assignment, Item, split
from finetune.corpus.pipeline import load_plan, shard_file
from finetune.corpus.store import DocumentWriter, ids_of, iter_documents, places_of
from finetune.corpus.summary import CorpusSummary, Tallies
from finetune.errors import UserError
from finetune.recipe.schema import Data
from finetune.run_folder import RunFolder, read_json, whole_file, whole_folder

MEASURED_ONLY = "measured only: the source's weight is 0"


def assemble(folder: Path, data: Data, run: RunFolder, skipped: Mapping[str, int]) -> CorpusSummary:
    """Write the corpus of `run` from the shards in `folder`.

    Raises UserError where nothing is left to train on or to hold out.
    """
    shards = Shards(folder, data)
    assignments = shards.assignments()
    tallies = Tallies()
    with ExitStack() as stack:
        manifest = stack.enter_context(whole_file(run.manifest))
        drops = stack.enter_context(whole_file(run.drops))
        corpus = stack.enter_context(whole_folder(run.train_corpus.parent))
        train = stack.enter_context(DocumentWriter(corpus / run.train_corpus.name))
        holdout = stack.enter_context(DocumentWriter(corpus / run.holdout_corpus.name))
        for line in shards.drops():
            tallies.add_drop(line)
            drops.write(_json_line(line))
        for document, outcome in shards.outcomes(assignments):
            if isinstance(outcome, dict):
                tallies.add_drop(outcome)
                drops.write(_json_line(outcome))
                continue
            (holdout if outcome.is_held_out else train).write(document)
            line = _manifest_line(document, "holdout" if outcome.is_held_out else "train")
            tallies.add(line)
            manifest.write(_json_line(line))
    summary = tallies.summary(skipped, shards.redacted(assignments), shards.left_out())
    return replace(summary, not_compared=shards.chosen.not_compared)


@dataclass(frozen=True)
class Shards:
    """The shards of a plan, their documents numbered through all of them."""

    folder: Path
    data: Data

    @cached_property
    def chosen(self) -> Chosen:
        return choose(self.folder, self.num_shards, self.data.curate.near_duplicates)

    @cached_property
    def num_shards(self) -> int:
        return len(load_plan(self.folder).shards)

    def redacted(self, kept: Container[int]) -> Counter[str]:
        """Kind of personal data -> how often it was replaced in the documents of these numbers."""
        counts: Counter[str] = Counter()
        for shard, start in enumerate(self.chosen.starts):
            for row, mine in read_json(self._file(shard, "json"))["redacted"]:
                if start + row in kept:
                    counts.update(mine)
        return counts

    def left_out(self) -> Counter[str]:
        """What documents lost when they were read; duplicates count too."""
        counts: Counter[str] = Counter()
        for shard in range(self.num_shards):
            counts.update(read_json(self._file(shard, "json"))["left_out"])
        return counts

    def drops(self) -> Iterator[dict[str, Any]]:
        """What never became a document of a shard: line by line, there may be millions."""
        for shard in range(self.num_shards):
            with self._file(shard, "drops.jsonl").open(encoding="utf-8") as file:
                yield from map(json.loads, file)

    def documents(self) -> Iterator[tuple[int, Document]]:
        for shard, start in enumerate(self.chosen.starts):
            yield from enumerate(iter_documents(self._file(shard, "parquet")), start)

    def assignments(self) -> dict[int, Assignment]:
        """Where each document that stays goes, by number; one of weight 0 that is not held out
        goes nowhere.

        Raises UserError where nothing would be left to train on, or to hold out.
        """
        items = dict(self._items())
        if not items:
            raise UserError(self._nothing("to train on or to hold out", {}))
        split_ = split(list(items.values()), self.data.holdout)
        assignments = dict(zip(items, split_, strict=True))
        measured = [
            number
            for number, one in items.items()
            if self.data.sources[one.source].weight == 0 and not assignments[number].is_held_out
        ]
        promoted = self._promoted(measured)
        if promoted:  # into the groups of their own sources; the other sources stay as they are
            items |= {number: one for number, one in self._items() if number in promoted}
            split_ = split(list(items.values()), self.data.holdout)
            assignments = dict(zip(items, split_, strict=True))
        for number in measured:
            del assignments[number]
        if all(one.is_held_out for one in assignments.values()):
            raise UserError(self._nothing("to train on", {MEASURED_ONLY: len(measured)}))
        return assignments

    def _promoted(self, measured: Sequence[int]) -> set[int]:
        """Copies in sources that are trained on of what goes nowhere: they stand for it now."""
        kept_for, is_exact = self.chosen.kept_for, self.chosen.is_exact
        sources = [
            place[0]
            for shard in range(self.num_shards)
            for place in places_of(self._file(shard, "parquet"))
        ]
        wanted = set(measured)
        copies: dict[int, int] = {}
        for number in self.chosen.dropped.tolist():
            kept = int(kept_for[number])
            if (
                kept in wanted
                and is_exact[number]
                and self.data.sources[sources[number]].weight != 0
            ):
                copies.setdefault(kept, number)
        for number in self.chosen.dropped.tolist():
            kept_for[number] = copies.get(int(kept_for[number]), kept_for[number])
        return set(copies.values())

    def outcomes(
        self, assignments: Mapping[int, Assignment]
    ) -> Iterator[tuple[Document, Assignment | dict[str, Any]]]:
        """Every document of the shards, with where it goes or the line of its drop."""
        ids = self._ids_of_kept()
        for number, document in self.documents():
            if number in assignments:
                assignment = assignments[number]
                yield replace(document, group=assignment.group), assignment
                continue
            reason = self.chosen.reason(number) or MEASURED_ONLY
            line = dict(vars(dropped(document, reason)))
            if reason != MEASURED_ONLY:
                kept = int(self.chosen.kept_for[number])
                line["duplicate_of"] = ids[kept]
                if kept not in assignments:
                    line["reason"] = reason.replace("kept", "measured only")
            yield document, line

    def _ids_of_kept(self) -> dict[int, str]:
        """Ids of the documents that stand for others."""
        wanted = {int(one) for one in self.chosen.kept_for[self.chosen.dropped]}
        return {
            number: id_
            for shard, start in enumerate(self.chosen.starts)
            for number, id_ in enumerate(ids_of(self._file(shard, "parquet")), start)
            if number in wanted
        }

    def _items(self) -> Iterator[tuple[int, Item]]:
        for shard, start in enumerate(self.chosen.starts):
            sizes = np.load(self._file(shard, "digests.npy"))["characters"].tolist()
            places = places_of(self._file(shard, "parquet"))
            for number, (place, size) in enumerate(zip(places, sizes, strict=True), start):
                if self.chosen.kept_for[number] == number:
                    yield number, Item(*place, size)

    def _nothing(self, what: str, others: Mapping[str, int]) -> str:
        counts = Counter(others) + Counter(line["reason"] for line in self.drops())
        shown = "; ".join(f"{reason}: {count}" for reason, count in counts.most_common())
        return (
            f"data: nothing is left {what}; dropped: {shown}; widen the sources or the limits of "
            "`data.curate`"
        )

    def _file(self, shard: int, suffix: str) -> Path:
        return shard_file(self.folder, shard, suffix)


def _manifest_line(document: Document, part: str) -> dict[str, Any]:
    """Digest and size are of the text that is trained on: its header included, redacted."""
    line = {
        "id": document.id,
        "path": document.path,
        "repo": document.repo,
        "licence": document.licence,
        "language": document.language,
        "sha256": document.sha256,
        "characters": len(document.text),
        "split": part,
        "source": document.source,
        "group": document.group,
    }
    return {**line, "revision": document.revision} if document.revision else line


def _json_line(line: Mapping[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False) + "\n"
