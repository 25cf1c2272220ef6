"""Where the parts of a repository lie: all of them inside it, and all of them plain files.

A `.git` can lead elsewhere: as a file or a link to another folder, by `commondir`, by the
`alternates` that lend it objects. A repository that nobody trusts would so pass off what lies
elsewhere on this disk as its own. What leads out of it is refused, unless the other end points
back: worktrees and submodules are made so. What is no plain file is refused because git would
follow it, or wait for it for ever.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from data_formats.git_process import Git, as_text, head_of, printable, run

MOST_BYTES = 1 << 20
"""Of a config, and of every file that names a place."""

_READ = ("config", "packed-refs", "shallow", "refs", "objects", "reftable", "logs")
_SETTINGS = r"^(extensions\..*|core\.(repositoryformatversion|worktree)|remote\..*\.promisor)$"
_HARMLESS = frozenset(
    ("noop", "noop-v1", "partialclone", "preciousobjects", "relativeworktrees", "worktreeconfig")
)
"""Extensions that change nothing in how objects and branches are read."""
_PASSED_ON = ("objectformat", "refstorage")
_FALSE = ("false", "no", "off", "0")


@dataclass(frozen=True)
class Settings:
    """What a repository's config says of itself. What it includes from elsewhere is not read."""

    version: str
    extensions: dict[str, str]
    worktree: str | None
    is_partial: bool
    """A remote promises to have what is missing."""


def locate(folder: Path) -> tuple[Git, bool]:
    """How git reads the repository whose top folder this is, and whether it is a partial clone.

    Raises ValueError where it is none, or leads out of itself.
    """
    git_dir = _git_dir(folder)
    common = _common(folder, git_dir)
    _refuse_no_repository(folder, git_dir, common)
    for path in _entries(git_dir, common):
        if path.is_symlink():
            raise ValueError(
                f"{folder}: {path} is a link that leads to {os.path.realpath(path)}; put in its "
                f"place what it leads to, or give a clone by `git clone --no-local {folder}`"
            )
        if not path.is_file():
            raise _not_plain(folder, path)
    _refuse_alternates(folder, common)
    settings = _settings(folder, common / "config")
    return Git(folder, git_dir, common, _own_config(folder, settings)), settings.is_partial


def _git_dir(folder: Path) -> Path:
    """Where HEAD lies; it is in the folder, or knows the folder."""
    inside = folder / ".git"
    if not os.path.lexists(inside):
        return folder
    target = inside.resolve()
    if inside.is_symlink():
        if not target.is_relative_to(folder):
            raise _outside(folder, inside, target)
        return target
    if inside.is_dir():
        return inside
    text = _text(folder, inside)
    if not text.startswith("gitdir: "):
        raise ValueError(f"{folder}: {inside} names no folder; clone the repository again")
    target = (folder / text.removeprefix("gitdir: ")).resolve()
    if not target.is_dir():
        raise ValueError(
            f"{folder}: {inside} leads to {target}, which is not there; `git worktree repair` in "
            "the repository that it belongs to may mend it"
        )
    if not (target.is_relative_to(folder) or _points_back(folder, target)):
        raise _outside(folder, inside, target)
    return target


def _points_back(folder: Path, git_dir: Path) -> bool:
    """Whether it is the git folder of this worktree, or of this submodule."""
    back = git_dir / "gitdir"
    if os.path.lexists(back):
        named = git_dir / _text(folder, back)
        return named.parent.resolve() / named.name == folder / ".git"
    config = git_dir / "config"
    worktree = _settings(folder, config).worktree if os.path.lexists(config) else None
    return worktree is not None and (git_dir / worktree).resolve() == folder


def _common(folder: Path, git_dir: Path) -> Path:
    """Where objects and branches lie; of a worktree, in the repository that lists it."""
    file = git_dir / "commondir"
    if not os.path.lexists(file):
        return git_dir
    common = (git_dir / _text(folder, file)).resolve()
    if git_dir.resolve().parent != common / "worktrees":
        raise _outside(folder, file, common)
    return common


def _refuse_no_repository(folder: Path, git_dir: Path, common: Path) -> None:
    head = head_of(git_dir / "HEAD")
    is_head = head is not None and re.match(rb"ref:\s*refs/|[0-9a-f]{40}", head)
    has_parts = (common / "objects").is_dir() and (common / "refs").is_dir()
    if is_head and has_parts:
        return
    above = next((one for one in folder.parents if os.path.lexists(one / ".git")), None)
    if above is not None and git_dir == folder:
        raise ValueError(f"{folder}: lies inside the repository {above}; give that folder instead")
    if os.path.lexists(git_dir / "HEAD") and head is None:
        raise _not_plain(folder, git_dir / "HEAD")
    what = "its HEAD names no branch" if has_parts else f"no objects and refs in {common}"
    raise ValueError(
        f"{folder}: not a git repository ({what}); give the top folder of a clone, or a bare "
        "repository"
    )


def _entries(git_dir: Path, common: Path) -> Iterator[Path]:
    """All files that git may open, and whatever stands in the place of one."""
    pending = [common / name for name in _READ] + [git_dir / "logs"]
    while pending:
        path = pending.pop()
        if path.is_symlink() or not path.is_dir():
            if os.path.lexists(path):
                yield path
            continue
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))
                elif not entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)


def _refuse_alternates(folder: Path, common: Path) -> None:
    file = common / "objects" / "info" / "alternates"
    if not os.path.lexists(file):
        return
    for line in _text(folder, file).splitlines():
        if line and not line.startswith("#"):
            raise ValueError(
                f"{folder}: {file} takes objects from {printable(line)}, which is another "
                f"repository; `git repack -a -d` and then `rm {file}` makes this one whole, or "
                "give the other as `path`"
            )


def _settings(folder: Path, file: Path) -> Settings:
    """From a config, by git's own rules, as text that git is handed: it opens nothing."""
    values: dict[str, str] = {}
    if os.path.lexists(file):
        with TemporaryFile() as content:
            content.write(_content(folder, file))
            content.seek(0)
            command = ("config", "--no-includes", "-z", "--file", "-", "--get-regexp", _SETTINGS)
            done = run(folder, *command, places={"GIT_DIR": os.devnull}, stdin=content)
        if done.returncode not in (0, 1):  # 1: none of them is there
            said = printable(as_text(done.stderr))
            raise ValueError(f"{folder}: {file} is no git config ({said}); mend it, or clone again")
        lines = os.fsdecode(done.stdout).split("\0")
        values = {name: value for name, _, value in (line.partition("\n") for line in lines)}
    extensions = {
        name.removeprefix("extensions."): value
        for name, value in values.items()
        if name.startswith("extensions.")
    }
    promised = [value.lower() for name, value in values.items() if name.endswith(".promisor")]
    return Settings(
        version=values.get("core.repositoryformatversion", "0"),
        extensions=extensions,
        worktree=values.get("core.worktree"),
        is_partial="partialclone" in extensions or any(one not in _FALSE for one in promised),
    )


def _own_config(folder: Path, settings: Settings) -> str:
    """The config that git is given: how the objects and the branches are written, no more."""
    unknown = sorted(settings.extensions.keys() - _HARMLESS - set(_PASSED_ON))
    passed = {key: one for key, one in settings.extensions.items() if key in _PASSED_ON}
    is_odd = not all(re.fullmatch(r"\w+", one) for one in passed.values())
    if settings.version not in ("0", "1") or is_odd or (unknown and settings.version == "1"):
        what = ", ".join(unknown or [f"version {settings.version}", *passed.values()])
        raise ValueError(
            f"{folder}: is written in a way that is not known here ({printable(what)}); give a "
            f"clone by `git clone --no-local {folder}`"
        )
    if settings.version == "0" or not passed:
        return "[core]\n\trepositoryformatversion = 0\n"
    lines = "".join(f"\t{key} = {one}\n" for key, one in passed.items())
    return f"[core]\n\trepositoryformatversion = 1\n[extensions]\n{lines}"


def _text(folder: Path, file: Path) -> str:
    """A file that names a place."""
    return os.fsdecode(_content(folder, file)).rstrip("\r\n")


def _content(folder: Path, file: Path) -> bytes:
    if file.is_symlink() or not file.is_file():
        raise _not_plain(folder, file)
    with file.open("rb") as stream:
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"{folder}: {file} is larger than {MOST_BYTES} bytes; shorten it")
    return content


def _not_plain(folder: Path, file: Path) -> ValueError:
    return ValueError(
        f"{folder}: {file} is no plain file, and git would wait for it or follow it; put a plain "
        "file in its place, or clone the repository again"
    )


def _outside(folder: Path, file: Path, target: Path) -> ValueError:
    return ValueError(
        f"{folder}: {file} leads to {target}, which does not belong to it; give the repository "
        "that is meant as `path`, or clone it here"
    )
