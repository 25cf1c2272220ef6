"""What is kept out of training to measure with: whole groups, chosen without a seed.

A group is a package folder or a module of its repository: `json` for `json/decoder.py`, `abc` for
`abc.py`; where a source holds several repositories, it is one of those. Groups are ordered by a
hash of (repository, group), so two recipes that read the same source hold out the same files,
whatever else they read and however they weigh it. What one source holds out, no other source of
the same recipe trains on.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import PurePosixPath

from finetune.errors import UserError

MAX_OVERSHOOT = 1.5
_ROW = re.compile(r"(.*:[0-9]+)(?:#[0-9]+)?", re.DOTALL)
"""A row of a table, or one of its instances: the table is no group, for it may be all there is."""
# A folder with so much of a source is not a group but the place where its groups lie: beside
# `src/`, a lone `setup.py` must not become all that is held out.
NEARLY_ALL = 0.9


@dataclass(frozen=True)
class Item:
    """What the split needs to know of a document."""

    source: int
    repo: str
    path: str
    language: str
    characters: int


@dataclass(frozen=True)
class Assignment:
    """Where an item goes."""

    group: str
    is_held_out: bool


def split(items: Sequence[Item], share: float) -> list[Assignment]:
    """One assignment per item, in order: `share` of the characters per source and language.

    Raises UserError where no source and language has two items to tell apart.
    """
    groups = _groups(items)
    parts: dict[tuple[int, str], list[int]] = defaultdict(list)
    for at, item in enumerate(items):
        parts[item.source, item.language].append(at)
    held: set[int] = set()
    for part in parts.values():
        if len({groups[at] for at in part}) == 1:
            groups.update({at: items[at].path for at in part})
        sizes: Counter[str] = Counter()
        for at in part:
            sizes[groups[at]] += items[at].characters
        chosen = choose(sizes, items[part[0]].repo, share)  # of several, any: it only adds salt
        held.update(at for at in part if groups[at] in chosen)
    if not held:
        raise UserError(_nothing_to_split(items))
    held |= _the_same_elsewhere(items, held)
    return [Assignment(groups[at], at in held) for at in range(len(items))]


def _the_same_elsewhere(items: Sequence[Item], held: Collection[int]) -> set[int]:
    """What is held out of one source is held out of all: a commit holds the file it changes, and a
    script is its notebook."""
    places = {(items[at].repo, items[at].path) for at in held}
    return {at for at, item in enumerate(items) if (item.repo, item.path) in places}


def choose(sizes: Mapping[str, int], repo: str, share: float) -> set[str]:
    """Groups of about `share` of the characters; never all of them, and at least one of several.

    A group that would take the sum beyond 1.5 times the target is passed over; where that leaves
    none, the smallest is taken.
    """
    ordered = sorted(sizes, key=lambda group: _rank(repo, group))
    target = share * sum(sizes.values())
    chosen: list[str] = []
    taken = 0
    for group in ordered:
        if taken >= target:
            break
        if taken + sizes[group] <= MAX_OVERSHOOT * target:
            chosen.append(group)
            taken += sizes[group]
    if not chosen and len(ordered) > 1:
        return {min(ordered, key=lambda group: sizes[group])}
    return set(chosen[:-1] if len(chosen) == len(ordered) else chosen)


def _rank(repo: str, group: str) -> bytes:
    return blake2b(f"{repo}\0{group}".encode(), digest_size=16).digest()


def _groups(items: Sequence[Item]) -> dict[int, str]:
    sources: dict[int, list[Item]] = defaultdict(list)
    for item in items:
        sources[item.source].append(item)
    several = {source for source, mine in sources.items() if len({one.repo for one in mine}) > 1}
    opened = {s: opened_folders(mine) for s, mine in sources.items() if s not in several}
    return {
        at: item.repo if item.source in several else group_of(item.path, opened[item.source])
        for at, item in enumerate(items)
    }


def group_of(path: str, opened: Sequence[str] = ()) -> str:
    """The package folder or module that `path` belongs to, below the `opened` folders.

    >>> group_of("json/decoder.py"), group_of("abc.py"), group_of("src/json/decoder.py", ["src"])
    ('json', 'abc', 'src/json')
    """
    row = _ROW.fullmatch(path)
    if row:
        return row[1]
    parts = path.split("/")
    depth = 0
    while depth < len(parts) - 1 and "/".join(parts[: depth + 1]) in opened:
        depth += 1
    name = parts[depth] if depth < len(parts) - 1 else PurePosixPath(parts[depth]).stem
    return "/".join([*parts[:depth], name])


def opened_folders(items: Sequence[Item]) -> list[str]:
    """Folders that hold (nearly) all of a source, outermost first: groups are told apart below."""
    total = sum(item.characters for item in items)
    opened: list[str] = []
    while True:
        prefix = f"{opened[-1]}/" if opened else ""
        folders: Counter[str] = Counter()
        for item in items:
            folder, slash, _ = item.path.removeprefix(prefix).partition("/")
            if slash and item.path.startswith(prefix):
                folders[prefix + folder] += item.characters
        heaviest, characters = max(folders.items(), key=lambda one: one[1], default=("", 0))
        if not heaviest or characters < NEARLY_ALL * total:
            return opened
        opened.append(heaviest)


def _nothing_to_split(items: Sequence[Item]) -> str:
    shown = ", ".join(f"{item.repo}/{item.path}" for item in items[:3])
    what = f"the only document is {shown}" if len(items) == 1 else f"single documents: {shown}"
    return (
        f"data.sources: nothing to hold out and train on: {what}; a source needs at least two "
        "files of one language, so add files or widen `include`"
    )
