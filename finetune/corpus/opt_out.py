"""What never enters a corpus: owners, repositories, paths and contents that were opted out.

One entry a line; `#` opens a comment where it begins a line or follows a blank:

    owner: NAME                            all repositories of a user or an organisation
    repo: OWNER/NAME                       one repository; also written OWNER/NAME alone, or as its
                                           address, https://github.com/OWNER/NAME
    path: GLOB                             files by OWNER/NAME/path, as in `include` of a recipe
    sha256: HEX                            one file by the digest of its UTF-8 text

Owners and repositories are compared without regard to case, as GitHub does.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from data_formats.document import Document, Drop, dropped
from finetune.corpus.globs import matcher
from finetune.errors import UserError

KEYS = ("owner", "repo", "path", "sha256")
_NAME = r"[\w.-]+"
_SHAPES = {
    "owner": (_NAME, "a user's or an organisation's name"),
    "repo": (rf"{_NAME}(?:/{_NAME})+", "OWNER/NAME"),
    "path": (r".*[^/*?\[\].].*", "a pattern that names something, such as `acme/tools/keys/**`"),
    "sha256": (r"[0-9a-f]{64}", "64 hexadecimal digits"),
}


@dataclass(frozen=True)
class OptOut:
    """The entries of an opt-out file; a step from a document to itself or its drop."""

    owners: frozenset[str] = frozenset()
    repos: frozenset[str] = frozenset()
    """Lower case, as the owners are."""
    paths: tuple[str, ...] = ()
    sha256: frozenset[str] = frozenset()

    def reason(self, document: Document) -> str | None:
        """Why a document must not enter, or None.

        A repository that is known by its folder's name alone has no owner, and only its path and
        its content can be compared.
        """
        repo = document.repo.lower()
        if "/" in repo and repo.partition("/")[0] in self.owners:
            return "opted out: owner"
        if repo in self.repos:
            return "opted out: repository"
        if self._matches(f"{document.repo}/{document.path}"):
            return "opted out: path"
        return "opted out: content" if document.sha256 in self.sha256 else None

    def __call__(self, document: Document) -> Document | Drop:
        """The document as it is, or its drop."""
        reason = self.reason(document)
        return dropped(document, reason) if reason else document

    @cached_property
    def _matches(self) -> Callable[[str], bool]:
        return matcher(self.paths)

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name != "_matches"}


def read_opt_out(path: Path) -> OptOut:
    """The entries of the file at `path`.

    Raises UserError with file and line for what is no entry: a line that was skipped would let in
    what somebody asked to be left out.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UserError(
            f"opt_out: {path}: cannot be read: {why}; give a text file with one entry a line"
        ) from error
    entries: dict[str, list[str]] = {key: [] for key in KEYS}
    for number, line in enumerate(text.splitlines(), start=1):
        entry = re.sub(r"(?:^|\s)#.*", "", line).strip()
        if entry:
            key, value = _entry(entry, f"{path}:{number}")
            entries[key].append(value)
    return OptOut(
        owners=frozenset(entries["owner"]),
        repos=frozenset(entries["repo"]),
        paths=tuple(entries["path"]),
        sha256=frozenset(entries["sha256"]),
    )


def _entry(entry: str, where: str) -> tuple[str, str]:
    key, value = _split(entry, where)
    value = value if key == "path" else value.lower()
    shape, wanted = _SHAPES[key]
    if not re.fullmatch(shape, value):
        raise UserError(f"{where}: `{key}: {value}` is not {wanted}; mend or remove the line")
    return key, value


def _split(entry: str, where: str) -> tuple[str, str]:
    """Key and value of an entry; one that is only a repository or its address has no key."""
    if re.match(r"(?i)https?://", entry):
        return _address(entry, where)
    if re.fullmatch(_SHAPES["repo"][0], entry):
        return "repo", entry
    key, colon, value = entry.partition(":")
    key, value = key.strip().lower(), value.strip()
    if colon and key == "repo" and re.match(r"(?i)https?://", value):
        return _address(value, where)
    if colon and key in KEYS:
        return key, value
    near = get_close_matches(key, KEYS, n=1)
    hint = f"did you mean `{near[0]}: {value}`?" if near else "write `owner: NAME`, `repo: "
    hint += "" if near else "OWNER/NAME`, `path: GLOB` or `sha256: HEX`"
    raise UserError(f"{where}: `{entry}` is no entry; {hint}")


def _address(address: str, where: str) -> tuple[str, str]:
    """An owner's or a repository's address; one of something inside a repository says too much."""
    parts = [part for part in urlsplit(address).path.split("/") if part]
    if len(parts) == 1:
        return "owner", parts[0]
    if len(parts) == 2:
        return "repo", f"{parts[0]}/{parts[1].removesuffix('.git')}"
    raise UserError(
        f"{where}: `{address}` is not the address of an owner or a repository; for a part of one "
        "write `path: OWNER/NAME/folder/**`"
    )
