"""What `near_duplicates.py` measures on: parts of real files, and copies of known likeness.

Files are those that are installed here: the standard library and packages. They are only read.
"""

import io
import json
import keyword
import random
import re
import sysconfig
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

LINES = (30, 120)
"""A part is of so many consecutive lines."""
COPIED = 0.2
"""Share of documents that are a changed copy of the one before."""
Gram = tuple[str, ...]


def stdlib_files() -> list[Path]:
    """Python files of the standard library, its tests included."""
    root = Path(sysconfig.get_paths()["stdlib"])
    files = (one for one in sorted(root.rglob("*.py")) if "site-packages" not in one.parts)
    return [one for one in files if _text(one)]


def all_files() -> list[Path]:
    """Those, and the files of every package that is installed here."""
    return [*stdlib_files(), *sorted(Path(sysconfig.get_paths()["purelib"]).rglob("*.py"))]


def gram_set(text: str) -> set[Gram]:
    """The definition once more, on tuples of tokens."""
    tokens = [token for token in re.split(r"[^A-Za-z_0-9]", text) if token]
    return {tuple(tokens[at : at + 5]) for at in range(len(tokens) - 4)}


def exact(one: str, other: str) -> float:
    """Jaccard similarity of two texts, one of at least five tokens."""
    ours, theirs = gram_set(one), gram_set(other)
    return len(ours & theirs) / max(len(ours | theirs), 1)


def write_corpus(file: Path, count: int) -> None:
    """`count` lines of JSON: a text, the line it is a copy of or None, and their similarity."""
    generator = random.Random(0)
    parts = _parts(generator)
    last = ""
    with file.open("w", encoding="utf-8") as out:
        for number in range(count):
            line: dict[str, object] = {"copy_of": None}
            if last and generator.random() < COPIED:
                text = _changed(last, generator)
                line |= {"copy_of": number - 1, "similarity": exact(text, last)}
                last = ""
            else:
                text = last = next(parts)
            out.write(json.dumps({"text": text, **line}) + "\n")


def _parts(generator: random.Random) -> Iterator[str]:
    """Consecutive, not overlapping parts of all files, the files in random order."""
    files = all_files()
    generator.shuffle(files)
    for file in files:
        lines = _text(file).splitlines(keepends=True)
        at = 0
        while at + LINES[0] < len(lines):
            size = generator.randint(*LINES)
            yield "".join(lines[at : at + size])
            at += size


def _changed(text: str, generator: random.Random) -> str:
    """Indented otherwise, and up to eight of its names renamed throughout."""
    names = Counter(re.findall(r"[A-Za-z_]\w*", text))
    known = sorted(name for name in names if not keyword.iskeyword(name))
    chosen = generator.sample(known, min(len(known), generator.randint(0, 8)))
    if chosen:
        pattern = re.compile(rf"\b(?:{'|'.join(chosen)})\b")
        text = pattern.sub(lambda found: f"new_{found[0]}", text)
    return re.sub(r"^ +", lambda found: found[0] * 2, text, flags=re.MULTILINE)


def _text(file: Path) -> str:
    try:
        with tokenize.open(file) as opened:
            return opened.read()
    except (SyntaxError, UnicodeDecodeError, io.UnsupportedOperation):
        return ""  # test data of unknown encodings; no reader of ours would keep it
