"""What a repository's licence files and metadata say about each of its files.

The nearest folder that states a licence governs all below it: `vendor/foo/LICENSE` governs
`vendor/foo`, whatever the root says.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from finetune.corpus.licensing.expressions import (
    CONTRADICTORY,
    UNRECOGNISED,
    joined,
    licences_in,
    normalise,
)
from finetune.corpus.licensing.headers import header_licence
from finetune.corpus.licensing.metadata import is_metadata, stated_in
from finetune.corpus.licensing.reuse import Annotation, dep5_annotations, reuse_annotations
from finetune.corpus.licensing.texts import recognise

MAX_BYTES = 1_000_000
"""A longer licence file is not read whole, and what is not read whole is not recognised."""

MAX_ANNOTATIONS = 2_000
"""Patterns of REUSE in one repository; each is tried on each file. Beyond them nothing is
recognised."""

Read = Callable[[str, int], bytes]
"""(path, size) -> the first `size` bytes of a file; its OSError counts as an unreadable licence."""

_LICENCE_FILE = re.compile(
    r"(?:(?P<before>[\w.]+)[-_.])?(?:un)?licen[cs]es?(?:[-_.](?P<tag>[\w.+-]+?))??"
    r"(?:\.(?:txt|md|markdown|rst|adoc|html?))?"
    r"|copying(?:[-_.](?P<copying>[\w.+-]+?))??(?:\.(?:txt|md|rst))?",
    re.I,
)
_TAG = re.compile(
    r"(?:mit|apache|apl|asl|bsd|isc|zlib|boost|bsl|unlicense|cc0|mpl|epl|[al]?gpl|lesser|psf)"
    r"(?:[-_.]?v?\d[\w.-]*)?|expat",
    re.I,
)
_INSTALLED = re.compile(r"((?:.*/)?)[^/]+\.(?:dist|egg)-info/(?:licenses/)?[^/]+")


@dataclass(frozen=True)
class Statement:
    """A licence, and the file that states it."""

    licence: str
    file: str


@dataclass(frozen=True)
class LicenceTree:
    """The licences of one repository, without the files' own headers."""

    stated: Mapping[str, Statement]
    """Folder -> what governs it; the root is the empty string."""
    annotations: tuple[Annotation, ...] = ()
    """Patterns of REUSE, the last that matches a path counts."""

    def statement(self, path: str) -> Statement | None:
        """What governs the file at `path`: REUSE's annotation, else the nearest folder's."""
        for one in reversed(self.annotations):
            if one.matches(path):
                return Statement(one.licence, one.file)
        folder = path
        while folder:
            folder = folder.rpartition("/")[0]
            if folder in self.stated:
                return self.stated[folder]
        return None

    def of(self, path: str) -> str | None:
        """The SPDX expression for the file at `path`, or None where nothing is stated."""
        statement = self.statement(path)
        return statement.licence if statement else None


def licence_tree(paths: Iterable[str], read: Read) -> LicenceTree:
    """Read the licence files, metadata and REUSE annotations among a repository's `paths`.

    Paths are relative to the repository, with forward slashes; nothing else is opened.
    """
    folders: dict[str, list[str]] = defaultdict(list)
    reuse: list[str] = []
    spdx_named: list[str] = []
    for path in sorted(paths):
        folder, _, name = path.rpartition("/")
        if name == "REUSE.toml" or path == ".reuse/dep5":
            reuse.append(path)
        elif folder == "LICENSES":
            spdx_named.append(path)
        elif is_metadata(name) or _alternative(name) is not None:
            folders[_governed(path)].append(path)
    stated = {
        folder: statement
        for folder, files in _without_environments(folders).items()
        if (statement := _statement(files, read))
    }
    if "" not in stated and len(spdx_named) == 1:
        name = spdx_named[0].rpartition("/")[2]
        licence = normalise(name.removesuffix(".txt")) or UNRECOGNISED
        stated[""] = Statement(licence, spdx_named[0])
    annotations = [one for path in reuse for one in _annotations(path, read)]
    if len(annotations) > MAX_ANNOTATIONS:
        annotations = [Annotation(".*", UNRECOGNISED, annotations[0].file)]
    return LicenceTree(stated, tuple(annotations))


def licence_of(text: str, path: str, tree: LicenceTree, stated: str | None) -> str | None:
    """The licence of one file: its own header's, else the nearest folder's, else `stated`.

    `stated` is what the recipe says of the whole source; it also speaks where the root's own files
    are unrecognised or contradict each other, and never for a folder below with a licence of its
    own.
    """
    header = header_licence(text)
    if header is not None:
        return header
    statement = tree.statement(path)
    if statement is None:
        return stated
    unclear = statement.licence in (UNRECOGNISED, CONTRADICTORY)
    if stated is not None and unclear and tree.stated.get("") == statement:
        return stated
    return statement.licence


def _alternative(name: str) -> str | None:
    """Of a licence file's name: the licence that it is tagged with, empty where there is no tag.

    None for every other file, `LICENSE-3rdparty` and `license.py` among them.
    """
    found = _LICENCE_FILE.fullmatch(name)
    if not found:
        return None
    tags = [tag for tag in found.groups() if tag]
    if not tags:
        return ""
    return tags[0].lower() if len(tags) == 1 and _TAG.fullmatch(tags[0]) else None


def _governed(path: str) -> str:
    """The folder that a file speaks for: an installed package's metadata lies beside it."""
    installed = _INSTALLED.fullmatch(path)
    return installed[1].rstrip("/") if installed else path.rpartition("/")[0]


def _without_environments(folders: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """A folder that several packages are installed in is none of theirs."""
    kept = {}
    for folder, files in folders.items():
        infos = {path.split("-info/")[0] for path in files if _INSTALLED.fullmatch(path)}
        several = len(infos) > 1
        kept[folder] = [one for one in files if not (several and _INSTALLED.fullmatch(one))]
    return kept


def _statement(files: list[str], read: Read) -> Statement | None:
    """What the licence files and the metadata of one folder say together."""
    texts: dict[str, Statement] = {}
    metadata: list[Statement] = []
    for path in files:
        name = path.rpartition("/")[2]
        tag = _alternative(name)
        content = _content(path, read)
        if tag is not None:
            licence = (recognise(content) if content is not None else None) or UNRECOGNISED
            texts[tag or f" {path}"] = Statement(licence, path)
        elif content is not None and (said := stated_in(name, content.encode())):
            metadata.append(Statement(said, path))
    text = _of_texts(texts, metadata)
    return _agreed([*([text] if text else []), *metadata])


def _content(path: str, read: Read) -> str | None:
    try:
        content = read(path, MAX_BYTES + 1)
    except OSError:
        return None
    return content.decode("utf-8-sig", "replace") if len(content) <= MAX_BYTES else None


def _of_texts(texts: Mapping[str, Statement], metadata: list[Statement]) -> Statement | None:
    """LICENSE-MIT beside LICENSE-APACHE is a choice; the GPL beside the LGPL is a part of it."""
    plain = [one for tag, one in texts.items() if tag.startswith(" ")]
    tagged = [one for tag, one in texts.items() if not tag.startswith(" ")]
    lesser = next((one for one in texts.values() if one.licence.startswith("LGPL-")), None)
    if lesser and all(one.licence.startswith(("LGPL-", "GPL-")) for one in texts.values()):
        return lesser
    if len(tagged) > 1 or (tagged and not plain):
        choice = _choice(tagged)
        pointers = all(one.licence == UNRECOGNISED for one in plain)
        same = any(licences_in(one.licence) == licences_in(choice.licence) for one in metadata)
        if not plain or (pointers and same):
            return choice
        plain.append(choice)
    elif tagged:
        plain += tagged
    if not plain:
        return None
    return Statement(joined(one.licence for one in plain) or UNRECOGNISED, plain[0].file)


def _choice(tagged: list[Statement]) -> Statement:
    if any(one.licence == UNRECOGNISED for one in tagged):
        return Statement(UNRECOGNISED, tagged[0].file)
    either = " OR ".join(f"({one.licence})" for one in tagged)
    return Statement(normalise(either) or UNRECOGNISED, tagged[0].file)


def _agreed(statements: list[Statement]) -> Statement | None:
    """One statement of all: a text comes first, metadata may only make it more precise."""
    agreed: Statement | None = None
    for one in statements:
        if agreed is None or agreed.licence == one.licence:
            agreed = agreed or one
        elif one.licence == UNRECOGNISED:
            continue  # a vague word in metadata contradicts nothing
        elif agreed.licence == UNRECOGNISED:
            # Nobody read the text, so a metadata file's word for it is not taken.
            agreed = agreed if _alternative(agreed.file.rpartition("/")[2]) is not None else one
        else:
            agreed = _merged(agreed, one)
    return agreed


def _merged(first: Statement, second: Statement) -> Statement:
    """The one that names all that the other names, else a contradiction."""
    one, other = _versions_open(first.licence), _versions_open(second.licence)
    if one == other:
        return second if "-or-later" in second.licence else first
    if one < other:
        return second
    if other < one:
        return first
    return Statement(CONTRADICTORY, second.file)


def _versions_open(expression: str) -> frozenset[str]:
    """The licences named, without saying whether later versions of GNU's will do."""
    return frozenset(re.sub("-(?:only|or-later)$", "", one) for one in licences_in(expression))


def _annotations(path: str, read: Read) -> list[Annotation]:
    content = _content(path, read)
    if content is None:
        return []
    return (dep5_annotations if path == ".reuse/dep5" else reuse_annotations)(path, content)
