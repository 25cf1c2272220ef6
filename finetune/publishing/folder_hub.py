"""A folder as the Hub, so that the whole job ends somewhere without an account.

```
hub/owner/name/        exactly the files of the newest push
hub/owner/.name.json   sha256 of each, visibility, number of the push
```
"""

import shutil
from pathlib import Path
from typing import Any

from finetune.errors import Refused, UserError
from finetune.publishing.artefacts import entries, kind_of
from finetune.publishing.changes import as_text, changes
from finetune.publishing.checks import check_release
from finetune.publishing.files import link_or_copy
from finetune.publishing.names import refuse_bad_name
from finetune.publishing.snapshot import hashed, refuse_missing
from finetune.run_folder import read_json, sha256_of, whole_folder, write_json


def push_to_folder(release: Path, hub: Path, repo: str, private: bool) -> str:
    """Make `hub/owner/name` hold exactly the files of `release`; returns what was done.

    The release is checked once more, and the copy is checked and compared by sha256 before it takes
    the place of the older one. Raises UserError for a name outside the hub or a folder that is no
    release, Refused where the copy differs from what was to be copied.
    """
    target = _target(hub, repo)
    refuse_missing(release)
    artefact = kind_of(release)
    check_release(release, artefact)
    wanted = _digests(release)
    record = target.with_name(f".{target.name}.json")
    present = _digests(target) if target.is_dir() else {}
    number = _number(record)
    size = f"{len(wanted)} {'file' if len(wanted) == 1 else 'files'}"
    visibility = "private" if private else "public"
    if present == wanted:
        number = max(number, 1)  # a crash may have come before the first record
        _note(record, wanted, private, number)
        return f"{target} already holds these {size} (push {number}, {visibility}): copied nothing"
    with whole_folder(target) as folder:
        _fill(folder, release, target, wanted, present)
        _verify(folder, wanted)
        check_release(folder, artefact)  # release/ may have changed since it was checked
    _note(record, wanted, private, number + 1)
    return f"{target} holds {size}, verified by sha256 (push {number + 1}, {visibility})"


def dry_run_on_folder(release: Path, hub: Path, repo: str, private: bool) -> str:
    """What a push would copy, file by file; changes nothing."""
    target = _target(hub, repo)
    refuse_missing(release)
    check_release(release, kind_of(release))
    files = hashed(release)
    present = _digests(target) if target.is_dir() else {}
    same = [name for name, file in files.items() if present.get(name) == file.sha256]
    visibility = "private" if private else "public"
    return as_text(changes(files, present, same), files, f"{target} ({visibility})")


def _target(hub: Path, repo: str) -> Path:
    refuse_bad_name(repo)
    owner, _, name = repo.partition("/")
    target = hub.resolve() / owner / name
    if target.is_symlink() or target.resolve() != target:
        raise UserError(f"{hub / repo}: a link leads out of the hub's folder; remove it")
    return target


def _digests(folder: Path) -> dict[str, str]:
    return {name: sha256_of(folder / name) for name in entries(folder)}


def _fill(
    folder: Path, release: Path, old: Path, wanted: dict[str, str], present: dict[str, str]
) -> None:
    """Files that the older push has byte for byte get a second name, the others are copied."""
    for name, digest in wanted.items():
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if present.get(name) == digest:
            link_or_copy(old / name, copy)
        else:  # never linked to the release: that folder is still the user's
            shutil.copyfile(release / name, copy)


def _verify(folder: Path, wanted: dict[str, str]) -> None:
    got = _digests(folder)
    wrong = sorted(name for name in wanted.keys() | got.keys() if wanted.get(name) != got.get(name))
    if wrong:
        raise Refused(
            f"the copy differs from the release in {', '.join(wrong)}; the hub keeps what it had."
            " Check the disk and whether something writes to release/, then push again"
        )


def _number(record: Path) -> int:
    if not record.is_file():
        return 0
    try:
        return int(read_json(record)["push"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{record}: not a record of pushes; remove it to count anew") from error


def _note(record: Path, files: dict[str, str], private: bool, number: int) -> None:
    value: dict[str, Any] = {"push": number, "private": private, "files": files}
    if not record.is_file() or read_json(record) != value:
        write_json(record, value)
