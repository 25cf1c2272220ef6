"""The curation of one document: steps that each keep it, change it, or drop it with a reason.

In this order: opt-outs (of the content as it was found), language, licence, filters, benchmark
text, personal data. What compares documents with each other comes later, see `choose.py`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b

from data_formats.dependencies import by_dependency, by_path
from data_formats.document import Document, Drop, dropped
from data_formats.repository import RepositoryFile, repository_documents
from data_formats.source_code import with_header
from finetune.corpus import filters
from finetune.corpus.contamination import Contamination
from finetune.corpus.licensing import LicenceTree, licence_of, licence_reason, normalise
from finetune.corpus.licensing.expressions import joined
from finetune.corpus.opt_out import OptOut
from finetune.corpus.personal_data import redact, redacted
from finetune.corpus.summary import BENCHMARK
from finetune.recipe.schema import Curate, Source

SOURCE_FILES = ("source_code", "repository", "notebook_scripts")
"""Formats to which The Stack's filters for source files apply."""

REPOSITORY_NAMES = 0.5
"""Probability that a repository's document names it and its files, as StarCoder2 was trained."""

MAY_BE_PERSONAL = re.compile(r"[@=:]|\d")
"""Addresses have the first, passwords stand behind the next two, and keys have digits."""

ROW_NUMBER = re.compile(r":\d+(?:#\d+)?\Z")
"""What tells a row from the others of its file, and a row's documents from each other."""

SAME_PATH = "two files of one path"

ORDERS = {"path": by_path, "dependency": by_dependency}


Outcome = Document | Drop


@dataclass(frozen=True)
class Chain:
    """The steps for the documents of one source."""

    source: Source
    curate: Curate
    licences: LicenceTree | None
    """What folders state; None where rows speak for themselves."""
    stated: str | None
    """Licence of the package or of the recipe, where nothing nearer states one."""
    opt_out: OptOut
    contamination: Contamination

    def __call__(self, outcomes: Iterable[Outcome], redacted: Counter[str]) -> Iterator[Outcome]:
        """What becomes of each thing that was read; replaced personal data is counted by kind."""
        kept = (one if isinstance(one, Drop) else self._curated(one, redacted) for one in outcomes)
        whole = self._together(kept) if self.source.format == "repository" else kept
        return (
            replace(one, repo=self._public(one.repo), path=self._public(one.path)) for one in whole
        )

    def _curated(self, document: Document, redacted: Counter[str]) -> Outcome:
        document = self._licensed(document)
        reason = self._reason(document)
        if reason is not None:
            return dropped(document, reason)
        overlap = self.contamination.overlap(document.text)
        if overlap is not None:
            return dropped(document, f"{BENCHMARK}{overlap.task}", overlap.problem)
        if self.curate.personal_data == "keep":
            return document
        document, counts = redact(document)
        redacted.update(counts)
        return document

    def _licensed(self, document: Document) -> Document:
        tree = self.licences
        if tree is None:
            licence = normalise(document.licence) if document.licence else self.stated
            return replace(document, licence=licence)
        licence = licence_of(document.text, document.path, tree, self.stated)
        return replace(document, licence=licence)

    def _reason(self, document: Document) -> str | None:
        """Why a document is not kept: the first step that says so."""
        return (
            self.opt_out.reason(document)
            or self._language_reason(document)
            or licence_reason(document.licence, self.curate.licences)
            or self._filter_reason(document)
        )

    def _language_reason(self, document: Document) -> str | None:
        wanted = self.source.language
        return "another language" if wanted and document.language != wanted else None

    def _filter_reason(self, document: Document) -> str | None:
        limits, text = self.curate, document.text
        if self.source.format in SOURCE_FILES:
            return filters.text_reason(text, limits)
        return filters.too_long(text, limits) or filters.blank(text)

    def _together(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        """The files that were kept as documents of whole repositories, behind all drops."""
        documents: dict[str, Document] = {}
        for one in outcomes:
            if isinstance(one, Drop):
                yield one
            # A folder cannot hold two, but a tree that no checkout made, and names in bytes, can.
            elif documents.setdefault(one.path, one) is not one:
                yield dropped(one, SAME_PATH)
        if not documents:
            return
        first = next(iter(documents.values()))
        files = [RepositoryFile(one.path, one.text, one.language) for one in documents.values()]
        # Ordered by the names that imports mean, and only then made public: two can be one by that.
        ordered = ORDERS[self.source.order](files)
        yield from repository_documents(
            (replace(file, path=self._public(file.path)) for file in ordered),
            repo=first.repo,
            revision=first.revision,
            licence=_joined({one.licence for one in documents.values()}),
            source=first.source,
            max_characters=self.curate.max_characters,
            names=self._has_names(first.repo),
        )

    def _has_names(self, repo: str) -> bool:
        share = REPOSITORY_NAMES if self.source.header is None else self.source.header
        digest = blake2b(repo.encode(), digest_size=4, person=b"names").digest()
        return int.from_bytes(digest, "little") < share * 2**32

    def with_header(self, document: Document) -> Document:
        """Behind everything that looks at the text: repository, path and stars before the code."""
        if self.source.format != "source_code" or not self.source.header:
            return document
        return with_header(document, self.source.header)

    def _public(self, name: str) -> str:
        """A name as manifests and headers have it: it may hold a person's address, or a key."""
        if self.curate.personal_data == "keep":
            return name
        row = ROW_NUMBER.search(name)  # by which every row's name would be one of its own
        end = row.start() if row else len(name)
        return _public_name(name[:end]) + name[end:]


@lru_cache(maxsize=1024)
def _public_name(name: str) -> str:
    return redacted(name) if MAY_BE_PERSONAL.search(name) else name


def _joined(licences: set[str | None]) -> str | None:
    """What holds for files of several licences together; None where one of them states none."""
    stated = sorted(one for one in licences if one is not None)
    return joined(stated) if len(stated) == len(licences) else None
