"""Files in languages that were not trained on: what a model may have forgotten is measured there.

The recipe names them as `evaluate.forgetting`. They are curated as the training files are, with the
same filters, opt-outs and redaction; what is left out is counted with its reason.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_formats.document import Document, Drop, dropped
from finetune.corpus.chain import Chain
from finetune.corpus.contamination import contamination_index
from finetune.corpus.opt_out import OptOut, read_opt_out
from finetune.corpus.reader import Reader, open_source
from finetune.corpus.store import languages_of
from finetune.errors import UserError
from finetune.ledger import Ledger
from finetune.recipe.schema import Curate, Source
from finetune.run_folder import RunFolder

CONTENT = "evaluate.forgetting."
"""How the names of the inputs begin."""
TRAINED = "its language was trained on"
HELD_OUT = "its language is held out already"
TWICE = "the same text twice"


@dataclass(frozen=True, kw_only=True)
class Untrained:
    """Documents in languages that were not trained on, and what scores.json says of them."""

    trained: frozenset[str]
    """The languages that were."""
    documents: Sequence[Document] = ()
    stated: Sequence[Mapping[str, Any]] = ()
    """By source: `source`, documents by language, what was left out by reason, of documents too,
    and replaced personal data by kind."""

    @property
    def languages(self) -> frozenset[str]:
        return frozenset(document.language for document in self.documents)


def inputs_of_forgetting(
    sources: Sequence[Source], ledger: Ledger, *, redo: str | None
) -> dict[str, str]:
    """Digests of what would be read, by the names under which a change is told; those of the last
    evaluation where a source is no longer there and evaluation need not be done again.

    Raises UserError where a source is not there.
    """
    try:
        return {
            f"{CONTENT}{index}: content": _opened(source, index).fingerprint()
            for index, source in enumerate(sources)
        }
    except UserError as error:
        if redo == "evaluate" or not ledger.is_done("evaluate"):
            raise
        print(f"evaluate: what it read cannot be looked at again: {error}", file=sys.stderr)
        before = ledger.records()["evaluate"]["inputs"]
        return {name: digest for name, digest in before.items() if name.startswith(CONTENT)}


def read_untrained(sources: Sequence[Source], curate: Curate, run: RunFolder) -> Untrained:
    """The documents of `sources` in languages that the prepared corpus of `run` does not hold.

    Raises UserError where a source cannot be read or nothing of it is left.
    """
    trained = frozenset(languages_of(run.train_corpus))
    held_out = frozenset(languages_of(run.holdout_corpus))
    opt_out = read_opt_out(Path(curate.opt_out).expanduser()) if curate.opt_out else OptOut()
    reasons = {**dict.fromkeys(held_out, HELD_OUT), **dict.fromkeys(trained, TRAINED)}
    documents: list[Document] = []
    stated = []
    seen: set[str] = set()
    for index, source in enumerate(sources):
        kept: list[Document] = []
        drops: Counter[str] = Counter()
        parts: Counter[str] = Counter()
        redacted: Counter[str] = Counter()
        reader = _opened(source, index)
        curated = _curated(source, reader, curate, opt_out, parts, redacted)
        for one in _fit(curated, reasons, seen):
            if isinstance(one, Drop):
                drops[one.reason] += 1
            else:
                kept.append(one)
        if not kept:
            why = "; ".join(f"{reason} ({count})" for reason, count in drops.items()) or "no file"
            raise UserError(f"evaluate.forgetting.{index}: nothing is left to measure: {why}")
        documents += kept
        stated.append(
            {
                "source": reader.repo,
                "documents": dict(sorted(Counter(one.language for one in kept).items())),
                "drops": dict(drops.most_common()),
                "skipped": dict(reader.skipped),
                "parts_left_out": dict(parts.most_common()),
                "redacted": dict(redacted.most_common()),
            }
        )
    return Untrained(trained=trained, documents=documents, stated=stated)


def _opened(source: Source, index: int) -> Reader:
    try:
        return open_source(source, index)
    except UserError as error:
        raise UserError(f"evaluate.forgetting.{index}: {error}") from error


def _curated(
    source: Source,
    reader: Reader,
    curate: Curate,
    opt_out: OptOut,
    parts: Counter[str],
    redacted: Counter[str],
) -> Iterator[Document | Drop]:
    """Nothing is learned from these files, so benchmark text in them does no harm."""
    chain = Chain(
        source, curate, reader.licences(), reader.stated, opt_out, contamination_index([])
    )
    try:
        yield from chain(reader.read(reader.works, parts), redacted)
    except ValueError as error:
        if type(error) is not ValueError:
            raise
        # The formats' own message: where, what, how to mend it.
        raise UserError(str(error)) from error


def _fit(
    outcomes: Iterator[Document | Drop], reasons: Mapping[str, str], seen: set[str]
) -> Iterator[Document | Drop]:
    for one in outcomes:
        if isinstance(one, Drop):
            yield one
        elif one.language in reasons:
            yield dropped(one, reasons[one.language])
        elif one.sha256 in seen:
            yield dropped(one, TWICE)
        else:
            seen.add(one.sha256)
            yield one
