"""Which files are tables: one by its name, those of a folder, of a pattern, of a saved dataset.

A link inside a folder is not followed: it may lead out of it. The path itself may be one.
"""

import fnmatch
import glob
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_formats import hub_datasets, json_lines

KINDS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}
"""By suffix; JSON Lines may have `.gz` or `.zst` behind it."""

LINK = "symbolic link"
NO_FILE = "not a regular file"
CLOSED = "folder that cannot be opened"

STATE_BYTES = 64 * 2**20
"""Of the list of files that `save_to_disk` leaves, at most."""


def find_tables(path: Path, skipped: Counter[str]) -> tuple[Path, list[tuple[Path, str]]]:
    """A folder, and the tables in or below it with their kinds, in the order of reading.

    What is passed over is counted in `skipped`. Raises ValueError where there is no table.
    """
    if path.is_dir():
        files = _saved(path)
        if files is None:
            files = _in_folder(path, skipped)
        if not files:
            remedy = _remedy(skipped) or f" ({_suffixes()}); give their folder itself"
            raise ValueError(f"{path}: holds no table{remedy}")
        root = path
    elif path.is_file():
        root, files = path.parent, [path]
    else:
        root = _folder_of_pattern(path)
        files = _matched(root, path.relative_to(root).parts, skipped)
        if not files:
            remedy = _remedy(skipped) or "; mend the path or the pattern"
            raise ValueError(f"{path}: there is no such file{remedy}")
    return root, [(file, _checked_kind(file)) for file in files]


def _remedy(skipped: Counter[str]) -> str:
    if not skipped[LINK]:
        return ""
    return ", only symbolic links, which are not followed; give what they lead to, or copies"


def _in_folder(folder: Path, skipped: Counter[str]) -> list[Path]:
    found = []
    for file in sorted(folder.iterdir()):
        if _kind(file) is None or (file.is_dir() and not file.is_symlink()):
            continue
        reason = _passed_over(file)
        if reason is None:
            found.append(file)
        else:
            skipped[reason] += 1
    return found


def _passed_over(file: Path) -> str | None:
    """Why something that is no folder is not read, or None."""
    if file.is_symlink():
        return LINK
    return None if file.is_file() else NO_FILE


def _matched(root: Path, pattern: tuple[str, ...], skipped: Counter[str]) -> list[Path]:
    """The files below a folder whose names are those of a pattern, part by part, sorted."""
    found: set[Path] = set()
    passed_over: dict[Path, str] = {}
    left, seen = [(root, pattern)], set()
    while left:
        folder, (part, *rest) = left.pop()
        if part == "**":
            left.append((folder, (*(rest or ["*"]),)))
        for path in _entries(folder, part, passed_over):
            is_link = path.is_symlink()
            if path.is_dir() and not is_link:
                below = (path, (part, *rest) if part == "**" else (*rest,))
                if below[1] and below not in seen:
                    seen.add(below)
                    left.append(below)
            elif is_link and (path.is_dir() or not rest):
                passed_over[path] = LINK
            elif not rest and part != "**":
                reason = _passed_over(path)
                if reason is None:
                    found.add(path)
                else:
                    passed_over[path] = reason
    skipped.update(passed_over.values())
    return sorted(found)


def _entries(folder: Path, part: str, passed_over: dict[Path, str]) -> Iterator[Path]:
    """What a part of a pattern matches in a folder; `*` and `**` match no hidden names."""
    if part != "**" and not glob.has_magic(part):
        if os.path.lexists(folder / part):
            yield folder / part
        return
    try:
        paths = list(folder.iterdir())
    except OSError:
        passed_over[folder] = CLOSED
        return
    for path in paths:
        is_shown = part.startswith(".") or not path.name.startswith(".")
        if is_shown and fnmatch.fnmatchcase(path.name, part):
            yield path


def _folder_of_pattern(pattern: Path) -> Path:
    """The longest folder that no wildcard is part of."""
    return next(one for one in pattern.parents if not glob.has_magic(str(one)))


def _saved(folder: Path) -> list[Path] | None:
    """The files of a dataset that `save_to_disk` wrote, in its order; None where it is none."""
    if not hub_datasets.is_saved(folder):
        return None
    splits = folder / "dataset_dict.json"
    if splits.is_file():
        names = _written(splits).get("splits")
        if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
            raise _not_saved(splits, "has no list of `splits`")
        raise ValueError(f"{folder}: holds several splits; give one: {', '.join(names)}")
    state = folder / "state.json"
    listed = _written(state).get("_data_files")
    if listed is None:
        return None
    if not isinstance(listed, list):
        raise _not_saved(state, "has no list of `_data_files`")
    return [_data_file(state, one) for one in listed]


def _data_file(state: Path, entry: Any) -> Path:
    name = entry.get("filename") if isinstance(entry, dict) else None
    if not isinstance(name, str):
        raise _not_saved(state, "has no `filename` for one of its `_data_files`")
    file = state.parent / Path(name).name
    if _passed_over(file) is not None:
        raise _not_saved(state, f"names {Path(name).name[:200]!r}, which is no regular file here")
    return file


def _written(file: Path) -> dict[str, Any]:
    """The object in a file that `save_to_disk` left."""
    with file.open("rb") as stream:
        content = stream.read(STATE_BYTES + 1)
    try:
        value = json.loads(content) if len(content) <= STATE_BYTES else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _not_saved(file, "is no JSON object")
    return value


def _not_saved(file: Path, why: str) -> ValueError:
    return ValueError(f"{file}: {why}; save the dataset again, or give its files by a pattern")


def _kind(file: Path) -> str | None:
    kind = KINDS.get((file.with_suffix("") if json_lines.is_compressed(file) else file).suffix)
    return kind if kind == "jsonl" or not json_lines.is_compressed(file) else None


def _checked_kind(file: Path) -> str:
    kind = _kind(file)
    if kind is None:
        raise ValueError(f"{file}: is no table that can be read; known are {_suffixes()}")
    if file.suffix == ".json":
        with file.open("rb") as stream:
            head = stream.read(1024).removeprefix(json_lines.BYTE_ORDER_MARK).lstrip()
        if head.startswith(b"["):
            raise ValueError(
                f"{file}: is one JSON array; write one object per line: `jq -c '.[]' FILE`"
            )
    return kind


def _suffixes() -> str:
    return f"{', '.join(KINDS)}; JSON Lines also with .gz or .zst behind"
