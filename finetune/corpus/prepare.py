"""Recipe's `data` -> the corpus files of a run: read, curate, hold out, and account for each file.

Texts go through a scratch file rather than memory, because what is held out is known only once
all of them were seen.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from data_formats.document import Document
from data_formats.source_code import decode_source
from finetune.corpus import curate
from finetune.corpus.holdout import Assignment, Item, split
from finetune.corpus.locate import SourceFile, SourceFiles, locate
from finetune.corpus.store import iter_documents, write_documents
from finetune.corpus.summary import CorpusSummary, summarise
from finetune.errors import UserError
from finetune.recipe.schema import Curate, Data
from finetune.run_folder import RunFolder, whole_folder, write_text

MEASURED_ONLY = "measured only: the source's weight is 0"


@dataclass(frozen=True)
class Drop:
    """A document that is not used. `id` is None where its text could not be read."""

    id: str | None
    path: str
    repo: str
    reason: str


def prepare_corpus(data: Data, run: RunFolder) -> CorpusSummary:
    """Write the corpus, `manifest.jsonl` and `drops.jsonl` of `run`, and say what they hold.

    Raises UserError where a source cannot be found or nothing is left to train on or to hold out;
    the run's earlier files then stay as they were.
    """
    sources = [locate(source) for source in data.sources]
    run.path.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=run.path, prefix=".kept.") as scratch:
        kept = Path(scratch) / "kept.parquet"
        items, drops = _keep(curated(sources, data.curate), kept)
        if not items:
            raise UserError(_nothing("to train on or to hold out", drops))
        assignments = split(items, data.holdout)
        weights = [data.sources[item.source].weight for item in items]
        used = [
            one.is_held_out or weight != 0 for one, weight in zip(assignments, weights, strict=True)
        ]
        drops += _measured_only(kept, used)
        if not any(used[at] and not one.is_held_out for at, one in enumerate(assignments)):
            raise UserError(_nothing("to train on", drops))
        manifest = _write_corpus(kept, assignments, used, run)
    write_text(run.manifest, _json_lines(manifest))
    write_text(run.drops, _json_lines(vars(drop) for drop in drops))
    skipped: Counter[str] = Counter()
    for files in sources:
        skipped.update(files.skipped)
    return summarise(manifest, map(vars, drops), skipped)


def curated(sources: Sequence[SourceFiles], limits: Curate) -> Iterator[Document | Drop]:
    """Every listed file as a document, or as a drop with its reason; in the recipe's order."""
    seen: set[str] = set()
    for index, source in enumerate(sources):
        for file in source.files:
            outcome = _read(file, source, index, limits)
            if isinstance(outcome, Drop):
                yield outcome
                continue
            digest = outcome.sha256
            reason = curate.DUPLICATE if digest in seen else None
            reason = reason or curate.text_reason(outcome.text, limits)
            seen.add(digest)
            yield _dropped(outcome, reason) if reason else outcome


def _read(file: SourceFile, source: SourceFiles, index: int, limits: Curate) -> Document | Drop:
    try:
        reason = curate.too_large(file.file.stat().st_size, limits)
        content = b"" if reason else file.file.read_bytes()
    except OSError as error:
        reason = f"could not be read: {error.strerror}"
    reason = reason or curate.bytes_reason(content)
    if reason is not None:
        return Drop(None, file.path, source.repo, reason)
    return Document(
        text=decode_source(content),
        path=file.path,
        repo=source.repo,
        language=file.language,
        licence=source.licence,
        source=index,
    )


def _dropped(document: Document, reason: str) -> Drop:
    return Drop(document.id, document.path, document.repo, reason)


def _keep(outcomes: Iterable[Document | Drop], file: Path) -> tuple[list[Item], list[Drop]]:
    """Store the documents in `file`; remember of each what the split needs, and every drop."""
    items: list[Item] = []
    drops: list[Drop] = []

    def documents() -> Iterator[Document]:
        for one in outcomes:
            if isinstance(one, Drop):
                drops.append(one)
                continue
            items.append(Item(one.source, one.repo, one.path, one.language, len(one.text)))
            yield one

    write_documents(file, documents())
    return items, drops


def _measured_only(kept: Path, used: Sequence[bool]) -> list[Drop]:
    if all(used):
        return []
    documents = zip(iter_documents(kept), used, strict=True)
    return [_dropped(document, MEASURED_ONLY) for document, is_used in documents if not is_used]


def _write_corpus(
    kept: Path, assignments: Sequence[Assignment], used: Sequence[bool], run: RunFolder
) -> list[dict[str, Any]]:
    """Write both corpus files; the manifest's lines, in the order of reading."""
    lines: dict[int, dict[str, Any]] = {}

    def part(is_held_out: bool) -> Iterator[Document]:
        rows = zip(iter_documents(kept), assignments, used, strict=True)
        for at, (document, one, is_used) in enumerate(rows):
            if is_used and one.is_held_out is is_held_out:
                grouped = replace(document, group=one.group)
                lines[at] = _manifest_line(grouped, "holdout" if is_held_out else "train")
                yield grouped

    with whole_folder(run.train_corpus.parent) as folder:
        write_documents(folder / run.train_corpus.name, part(is_held_out=False))
        write_documents(folder / run.holdout_corpus.name, part(is_held_out=True))
    return [lines[at] for at in sorted(lines)]


def _manifest_line(document: Document, part: str) -> dict[str, Any]:
    return {
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


def _json_lines(lines: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _nothing(what: str, drops: Iterable[Drop]) -> str:
    counts = Counter(drop.reason for drop in drops).most_common()
    shown = "; ".join(f"{reason}: {count}" for reason, count in counts)
    return (
        f"data: nothing is left {what}; dropped: {shown}; widen the sources or the limits of "
        "`data.curate`"
    )
