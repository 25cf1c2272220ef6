"""What a completion repeats of the code that its model was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from finetune.completing.model import NamedModel
from finetune.errors import UserError
from finetune.trace import check_bloom, find, place_in
from finetune.trace.bloom import PASSAGES
from finetune.trace.index import CHARACTERS
from finetune.trace.lookup import SURE_UNPROVEN
from finetune.trace.places import Place, is_long_enough
from finetune.trace.repeats import LEAST, find_repeats


@dataclass(frozen=True, kw_only=True)
class Source:
    """A passage of the completion that stands in training code."""

    completion: Place
    path: str | None
    """None where a filter knows the passage and not its document; so for what follows."""
    repo: str | None
    licence: str | None
    revision: str | None
    document: Place | None


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """What was looked into, and what was found there, the longest first."""

    by: Literal["corpus", "fingerprints", "filter", "nothing"]
    """The training code itself; its index alone; a release's filter; or nothing was at hand."""
    least: int
    """Characters of the shortest passage that is found for certain."""
    sources: Sequence[Source]


def look_up(model: NamedModel, completion: str) -> Lookup:
    """Passages of `completion` in what is at hand of the model's training code."""
    run = model.run
    if run is not None and run.train_corpus.is_file():
        return Lookup(by="corpus", least=LEAST, sources=_in_corpus(model, completion))
    if run is not None and run.trace.is_dir():
        is_enough = is_long_enough(completion, CHARACTERS.least)
        sources = _by_index(model, completion) if is_enough else []
        return Lookup(by="fingerprints", least=SURE_UNPROVEN, sources=sources)
    if model.bloom is not None:
        is_enough = is_long_enough(completion, PASSAGES.least)
        sources = _by_filter(model, completion) if is_enough else []
        return Lookup(by="filter", least=PASSAGES.least, sources=sources)
    return Lookup(by="nothing", least=0, sources=[])


def _in_corpus(model: NamedModel, completion: str) -> list[Source]:
    assert model.run is not None
    return [
        Source(
            completion=one.text,
            path=one.path,
            repo=one.repo,
            licence=one.licence,
            revision=one.revision,
            document=one.document,
        )
        for one in find_repeats(model.run.train_corpus, completion)
    ]


def _by_index(model: NamedModel, completion: str) -> list[Source]:
    assert model.run is not None
    try:
        trace = find(model.run.trace, None, completion)
    except UserError as error:
        raise UserError(f"the completion cannot be traced: {error}") from error
    return [
        Source(
            completion=span.file,
            path=match.path,
            repo=match.repo,
            licence=match.licence,
            revision=match.revision,
            document=None,
        )
        for match in trace.matches
        for span in match.spans
    ]


def _by_filter(model: NamedModel, completion: str) -> list[Source]:
    assert model.bloom is not None
    unknown = {"path": None, "repo": None, "licence": None, "revision": None, "document": None}
    spans = check_bloom(model.bloom, completion).spans
    return [Source(completion=place_in(completion, *span), **unknown) for span in spans]
