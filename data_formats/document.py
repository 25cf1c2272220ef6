"""The unit that every reader yields and every later stage consumes."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b, sha256


@dataclass(frozen=True, kw_only=True)
class Document:
    """One training text and where it comes from.

    `text` is plain content: a sentinel's name inside it is text, never a token.
    """

    text: str
    path: str
    """Path inside its repository, with forward slashes."""
    repo: str
    """Repository, package or folder that the file belongs to."""
    language: str
    """Lower-case language name, `python`, `cpp`, ..."""
    licence: str | None = None
    """SPDX expression, or None where nothing states one."""
    source: int = 0
    """Position of the recipe's source that yielded it."""
    group: str = ""
    """Package or module: files of one group are never split between training and holdout."""

    @cached_property
    def sha256(self) -> str:
        """Hex digest of the UTF-8 text."""
        return sha256(self.text.encode()).hexdigest()

    @cached_property
    def id(self) -> str:
        """16 hex digits that name this content at this place, the same on every machine."""
        place = f"{self.repo}\0{self.path}\0{self.sha256}"
        return blake2b(place.encode(), digest_size=8).hexdigest()
