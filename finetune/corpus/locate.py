"""A recipe's source -> the list of its files, by their names alone. Cheap enough for a check."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from hashlib import blake2b
from pathlib import Path

from data_formats.source_code import LANGUAGE_OF_TAG, LANGUAGES, language_of
from finetune.corpus.globs import WILDCARDS, matcher, may_match_below
from finetune.corpus.packages import INSTALLED_FOLDERS, STDLIB, Place, find_package
from finetune.errors import UserError
from finetune.recipe.schema import Source

NOTEBOOKS = ("notebooks", "notebook_scripts")
JUPYTER = "jupyter"
STDLIB_TESTS = frozenset({"test", "tests", "idle_test"})


@dataclass(frozen=True)
class SourceFile:
    """A file to read, and what it is called in the corpus."""

    file: Path
    path: str
    """Relative to the source's root, with forward slashes."""
    language: str


@dataclass(frozen=True)
class SourceFiles:
    """The files of one source, sorted by path."""

    root: Path
    repo: str
    licence: str | None
    files: tuple[SourceFile, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)
    """What was passed over in listing: reason -> number of files or folders."""
    is_single_file: bool = False
    """The root is a folder that others share: a package of a single module."""


def locate(source: Source) -> SourceFiles:
    """List the files of `source`; none is opened.

    Raises UserError where the folder or package is missing, the language is unknown, a pattern
    cannot match, or no file is left.
    """
    where = f"path: {source.path}" if source.path is not None else f"package: {source.package}"
    if source.language is not None and source.language not in LANGUAGES:
        raise UserError(f"{where}: {_unknown_language(source.language)}")
    place = _folder(source) if source.path is not None else find_package(source.package or "")
    _check_patterns(source, place.root, where)
    skipped: Counter[str] = Counter()
    paths = _paths(place, source.include, source.package == STDLIB, skipped)
    files = tuple(sorted(_chosen(source, place.root, paths, skipped), key=lambda one: one.path))
    if not files:
        raise UserError(f"{where}: {_nothing(source, place, skipped)}")
    licence = place.licence or source.licence
    is_single = place.file is not None
    return SourceFiles(place.root, place.repo, licence, files, dict(skipped), is_single)


def fingerprint(files: SourceFiles) -> str:
    """16 hex digits that change when a file is added, removed, renamed or written to.

    Taken over names, sizes and modification times, so that no content is read.
    """
    digest = blake2b(f"{files.repo}\0{files.licence}\0".encode(), digest_size=8)
    for one in files.files:
        try:
            status = one.file.stat()
            state = f"{status.st_size}\0{status.st_mtime_ns}"
        except OSError:
            state = "missing"
        digest.update(f"{one.path}\0{state}\0".encode())
    return digest.hexdigest()


def _folder(source: Source) -> Place:
    given = Path(source.path or "").expanduser()
    root = given.resolve()
    if root.is_file():
        raise UserError(
            f"path: {given}: is a file; give its folder as `path: {given.parent}` and choose it "
            f"with `include: ['{given.name}']`"
        )
    if not root.is_dir():
        raise UserError(f"path: {given}: there is no such folder; create it or mend the path")
    return Place(root, _utf8(root.name), source.licence)


def _check_patterns(source: Source, root: Path, where: str) -> None:
    """Refuse a pattern that names a folder: it would match no file and silently do nothing."""
    for key, patterns in (("include", source.include), ("exclude", source.exclude)):
        for pattern in patterns:
            plain = not WILDCARDS & set(pattern) and not pattern.endswith("/")
            if plain and (root / pattern).is_dir():
                raise UserError(
                    f"{where}: {key}: `{pattern}` is a folder, and patterns match files; write "
                    f"`{pattern}/**` for all that lies below it"
                )


def _paths(
    place: Place, include: Sequence[str], is_stdlib: bool, skipped: Counter[str]
) -> Iterator[str]:
    """Relative paths of the regular files below the root; what is passed over is counted."""
    if place.file is not None:
        yield place.file.name
        return
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            entries = list(os.scandir(place.root / folder))
        except OSError:
            skipped["folder that cannot be opened"] += 1
            continue
        for entry in entries:
            path = f"{folder}{entry.name}"
            reason = _passed_over(entry, place.root) or (
                _outside_stdlib(path) if is_stdlib else None
            )
            if reason is None and entry.is_dir() and not may_match_below(include, path):
                reason = "folder that no pattern includes"
            if reason is not None:
                skipped[reason] += 1
            elif entry.is_dir():
                folders.append(f"{path}/")
            else:
                yield path


def _passed_over(entry: "os.DirEntry[str]", root: Path) -> str | None:
    """Why an entry is neither read nor entered, or None."""
    if entry.is_symlink():
        # Not followed even inside the root: the target is read under its own name, and a link to
        # a folder above would never end.
        target = Path(os.path.realpath(entry.path))
        inside = target.is_relative_to(root)
        return "symbolic link within the folder" if inside else "symbolic link out of the folder"
    if entry.is_dir():
        if entry.name == "__pycache__":
            return "__pycache__ folder"
        return "hidden folder" if entry.name.startswith(".") else None
    return None if entry.is_file() else "not a regular file"


def _outside_stdlib(path: str) -> str | None:
    """What lies in the standard library's folder without being part of the library proper."""
    if path in INSTALLED_FOLDERS:
        return "folder of installed packages"
    if path.startswith(("config-", "_sysconfigdata_")):
        return "settings of this machine's build"
    name = path.rpartition("/")[2]
    return "test folder of the standard library" if name in STDLIB_TESTS else None


def _chosen(
    source: Source, root: Path, paths: Iterator[str], skipped: Counter[str]
) -> Iterator[SourceFile]:
    included, excluded = matcher(source.include), matcher(source.exclude)
    for path in paths:
        reason = name_reason(source, path, included, excluded)
        if reason is None:
            yield SourceFile(root / path, _utf8(path), language_in(source, path) or "")
        else:
            skipped[reason] += 1


def name_reason(
    source: Source, path: str, included: Callable[[str], bool], excluded: Callable[[str], bool]
) -> str | None:
    """Why a file of this name is not read, or None."""
    if not included(path):
        return "not included"
    if excluded(path):
        return "excluded"
    language = language_in(source, path)
    if language is None:
        is_code = source.format not in NOTEBOOKS
        return "no known language" if is_code else "not a notebook"
    if language != JUPYTER and source.language not in (None, language):
        return "another language"
    return None


def language_in(source: Source, path: str) -> str | None:
    """The language of a file of this source by its name; a notebook's is known when it is read."""
    if source.format in NOTEBOOKS:
        return JUPYTER if path.endswith(".ipynb") else None
    return language_of(path, source.language)


def walk(root: Path, *, is_stdlib: bool = False) -> Iterator[str]:
    """Relative paths of all regular files below a folder; links are not followed."""
    return _paths(Place(root, "", None), ("**",), is_stdlib, Counter())


def _utf8(name: str) -> str:
    """A file name as text that can be written: bytes that are not UTF-8 become `\\xNN`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _unknown_language(name: str) -> str:
    near = LANGUAGE_OF_TAG.get(name.lower()) or language_of(f"_.{name}")
    near = near or next(iter(get_close_matches(name.lower(), LANGUAGES, n=1)), None)
    hint = f"did you mean `{near}`?" if near else f"known here: {', '.join(LANGUAGES)}"
    return f"unknown language `{name}`; {hint}"


def _nothing(source: Source, place: Place, skipped: Counter[str]) -> str:
    """The sentence for a source without files, with what would bring some in."""
    if all((place.root / name).exists() for name in ("HEAD", "objects", "refs")):
        return "is a bare git repository, which has no files outside git; give its `revision:`"
    counts = ", ".join(f"{reason}: {count}" for reason, count in skipped.most_common())
    found = f"no file is left to read ({counts})" if counts else "the folder is empty"
    if skipped["another language"]:
        paths = _paths(place, source.include, source.package == STDLIB, Counter())
        others = Counter(language for path in paths if (language := language_of(path)))
        seen = ", ".join(name for name, _ in others.most_common(8))
        return f"{found}; `language: {source.language}` matches none; recognised here: {seen}"
    if skipped["not a notebook"]:
        return f"{found}; notebooks end in `.ipynb`"
    if skipped["no known language"]:
        return f"{found}; the language is told by a file's name, see LANGUAGES in data_formats"
    if skipped["not included"] or skipped["excluded"]:
        return f"{found}; widen `include` or narrow `exclude` (`**/*.py` matches at any depth)"
    return f"{found}; give the folder that holds the files themselves"
