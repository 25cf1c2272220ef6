"""Names and hashes of what a run leaves behind, and writes that are whole or not there.

```
runs/NAME/
    recipe.yaml      as resolved, with versions      stages.json  what ran, on what, how long
    corpus/          train.parquet, holdout.parquet  manifest.jsonl  drops.jsonl
    corpus.json      what the corpus holds           trace/       index of the training texts
    base/            only where the base was made from scratch
    doctor.json      what was found before the first step
    checkpoints/     resumable                       log.jsonl    metrics per step
    adapter/ | model/  what training made
    merged/          plain weights, tokenizer, merge.json
    gguf/            the same as one file, gguf.json; only where that is released
    scores.json      report.html                     release/     what a push uploads
```
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from finetune.errors import UserError


@dataclass(frozen=True)
class RunFolder:
    """The files of one run. Only names: nothing is created or read here."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def recipe(self) -> Path:
        return self.path / "recipe.yaml"

    @property
    def stages(self) -> Path:
        return self.path / "stages.json"

    @property
    def train_corpus(self) -> Path:
        return self.path / "corpus" / "train.parquet"

    @property
    def holdout_corpus(self) -> Path:
        return self.path / "corpus" / "holdout.parquet"

    @property
    def manifest(self) -> Path:
        return self.path / "manifest.jsonl"

    @property
    def drops(self) -> Path:
        return self.path / "drops.jsonl"

    @property
    def corpus_summary(self) -> Path:
        return self.path / "corpus.json"

    @property
    def trace(self) -> Path:
        return self.path / "trace"

    @property
    def base(self) -> Path:
        return self.path / "base"

    @property
    def doctor(self) -> Path:
        return self.path / "doctor.json"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def adapter(self) -> Path:
        return self.path / "adapter"

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def merged(self) -> Path:
        return self.path / "merged"

    @property
    def merge_proof(self) -> Path:
        return self.merged / "merge.json"

    @property
    def gguf(self) -> Path:
        return self.path / "gguf"

    @property
    def gguf_proof(self) -> Path:
        return self.gguf / "gguf.json"

    @property
    def scores(self) -> Path:
        return self.path / "scores.json"

    @property
    def evaluation(self) -> Path:
        """completions/ and verdicts/, by model and task."""
        return self.path / "evaluation"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def release(self) -> Path:
        return self.path / "release"

    @property
    def log(self) -> Path:
        return self.path / "log.jsonl"


@contextmanager
def whole_file(path: Path) -> Iterator[IO[str]]:
    """A text file to write that takes the name `path` only once the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with aside.open("w", encoding="utf-8", newline="\n") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` in one step: a reader sees the old file or the new one."""
    with whole_file(path) as file:
        file.write(text)


def write_json(path: Path, value: Any) -> None:
    """`value` as indented JSON, in one step."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """The JSON value of `path`."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to fill that takes the name `path` only once the block ends without an error."""
    aside, old = path.with_name(f".{path.name}.partial"), path.with_name(f".{path.name}.old")
    if old.exists() and not path.exists():  # a kill came between the two renames below
        old.rename(path)
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        yield aside
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    _open_to_readers(aside)
    sync_tree(aside)
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        path.rename(old)
    aside.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def _open_to_readers(folder: Path) -> None:
    """safetensors writes files that nobody else may read; a shared model is read by others."""
    umask = os.umask(0)
    os.umask(umask)
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(0o666 & ~umask)


def write_synced(path: Path, content: bytes) -> None:
    """A new file and its folders, forced to disk. A write that fails leaves what it wrote."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to disk: of files made, renamed, removed."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Force every file below `folder` to disk, so that a rename never outruns its contents."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(value: Any) -> str:
    """16 hex digits of a JSON value, the same for equal values whatever their key order."""
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(canonical.encode(), digest_size=8).hexdigest()


HEX_DIGEST = re.compile(r"[0-9a-f]{16}|[0-9a-f]{40}|[0-9a-f]{64}")
"""What `digest_of`, git and sha256 come to."""

_HELD: set[IO[str]] = set()
"""Files of the locks that this process holds."""


def _let_go() -> None:
    """In a child that was forked: a lock belongs to all who hold its file, and a child may outlive
    a parent that was killed, as the manager of datatrove's executor does."""
    for file in _HELD:
        file.close()


os.register_at_fork(after_in_child=_let_go)


@contextmanager
def locked(run: RunFolder, name: str = "run") -> Iterator[None]:
    """Hold a run folder for one process. Raises UserError where another process holds it.

    The lock goes with the process, whatever ends it.
    """
    import fcntl

    run.path.mkdir(parents=True, exist_ok=True)
    with (run.path / f".{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{run.path}: another process is working on this run; wait for it or stop it"
            ) from None
        _HELD.add(file)
        try:
            yield
        finally:
            _HELD.discard(file)
