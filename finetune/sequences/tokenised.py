"""Documents as token ids, in memory or on disk, read one at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_formats.document import Document
from finetune.sequences.encoder import Encoder, Tokens
from finetune.sequences.outline import outline_of
from finetune.tokenizer import CodeTokenizer

ROW = np.dtype(
    [
        ("id", "<u8"),  # the document's id, as a number
        ("source", "<i4"),  # position among the recipe's sources
        ("language", "<u2"),  # position in `languages`
        ("tokens", "<u4"),
        ("characters", "<u4"),
        ("is_exact", "?"),
        ("shard", "<u2"),  # which files hold it; unused in memory
        ("bytes", "<u4"),  # of text
        ("first_token", "<u8"),  # where it starts in its shard
        ("first_byte", "<u8"),
        ("outline", "<u4"),  # bytes of its outline; 0 for a plain document
        ("first_outline", "<u8"),
    ]
)
"""What is known of each document without reading it."""


@dataclass(frozen=True)
class TokenisedCorpus:
    """Documents in their order. `read` and `describe` take a document's position."""

    encoder: Encoder
    rows: NDArray[Any]  # (documents,) of ROW
    languages: Sequence[str]
    """Names of the languages that rows refer to."""
    read: Callable[[int], Tokens]
    describe: Callable[[int], Document]
    """The document itself, for people; not for the hot path."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def tokenizer(self) -> CodeTokenizer:
        return self.encoder.tokenizer

    @cached_property
    def num_tokens(self) -> int:
        """Of all documents, without their ends."""
        return int(self.rows["tokens"].sum(dtype=np.uint64))

    @cached_property
    def num_inexact(self) -> int:
        """Documents whose parts are encoded again at each cut."""
        return int(len(self.rows) - self.rows["is_exact"].sum())

    def id_of(self, index: int) -> str:
        """16 hex digits, as `Document.id`."""
        return f"{int(self.rows['id'][index]):016x}"

    def language(self, index: int) -> str:
        """Lower-case name of a document's language."""
        return self.languages[int(self.rows["language"][index])]

    def in_language(self, language: str) -> "TokenisedCorpus":
        """The documents of one language, in their order."""
        number = self.languages.index(language)
        return self.only(np.flatnonzero(self.rows["language"] == number).tolist())

    def only(self, indices: Sequence[int]) -> "TokenisedCorpus":
        """These documents alone, in this order."""
        chosen = list(indices)
        return TokenisedCorpus(
            self.encoder,
            self.rows[chosen],
            self.languages,
            lambda index: self.read(chosen[index]),
            lambda index: self.describe(chosen[index]),
        )


def tokenise(documents: Sequence[Document], encoder: Encoder) -> TokenisedCorpus:
    """All of `documents` in memory.

    Raises UserError where a text is not valid Unicode.
    """
    tokens = [encoder.tokens(one.text, outline_of(one)) for one in documents]
    described = [row_of(*pair) for pair in zip(documents, tokens, strict=True)]
    rows = np.array(described, dtype=ROW)
    names, rows["language"] = numbered([document.language for document in documents])
    return TokenisedCorpus(encoder, rows, names, tokens.__getitem__, documents.__getitem__)


def numbered(names: Sequence[str]) -> tuple[list[str], NDArray[Any]]:
    """The different names in order, and the position of each one's among them."""
    different, positions = np.unique(np.array(names, dtype=object), return_inverse=True)
    return different.tolist(), positions


def row_of(document: Document, tokens: Tokens, *place: int) -> tuple[int | bool, ...]:
    """A document's ROW, without its language, which has a number only among others.

    `place` is its shard, and of text, tokens and outline how much and where.
    """
    return (
        int(document.id, 16),
        document.source,
        0,
        len(tokens.ids),
        len(document.text),
        tokens.is_exact,
        *(place or (0, 0, 0, 0, 0, 0)),
    )
