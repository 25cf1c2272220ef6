"""A corpus file's documents as ids on disk: tokenised once for every run that reads the same bytes.

```
~/.cache/finetune/tokens/KEY/     KEY: digest of the corpus file, the tokenizer and this format
    rows.npy                      one ROW per document, memory-mapped
    0000.ids  0000.starts         of a shard's documents, one behind the other, little-endian
    0000.text                     UTF-8
    0000.outlines                 JSON, of the documents that have one
    cache.json                    what it was made from, and the size of every file
```

A folder appears whole, by one rename; processes that want the same one wait for the first. It is
read by position (`pread`), so that a corpus larger than memory takes none: mapped pages would
count as the process's own. It can be deleted at any time.
"""

import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from multiprocessing import current_process, get_context
from pathlib import Path
from typing import Any

import numpy as np

from data_formats.document import Document
from finetune.corpus.store import (
    content_digest,
    document_at,
    iter_documents,
    languages_of,
    num_groups,
)
from finetune.errors import UserError
from finetune.run_folder import digest_of, read_json, sync_tree, write_json
from finetune.sequences.encoder import Encoder, Tokens
from finetune.sequences.outline import Outline, outline_of
from finetune.sequences.tokenised import ROW, TokenisedCorpus, numbered, row_of
from finetune.tokenizer import CodeTokenizer

FORMAT = 2
"""To be raised whenever the files, or the ids in them, would differ."""
MOST_SHARDS = 64
"""Four open files each."""


NO_GUARD = (
    "the token cache is made by several processes, and one of them ended at once: a script that "
    'opens a corpus does so below `if __name__ == "__main__":`'
)


def cache_folder() -> Path:
    """Where caches lie: FINETUNE_CACHE, or `finetune` in the user's folder for caches."""
    own = os.environ.get("FINETUNE_CACHE")
    user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own) if own else Path(user) / "finetune"


def open_corpus(file: Path, tokenizer: CodeTokenizer) -> TokenisedCorpus:
    """The documents of a corpus file as ids, tokenised on all cores where no cache has them.

    Raises UserError where the cache cannot be written.
    """
    key = digest_of([FORMAT, content_digest(file), tokenizer.digest, tokenizer.special_ids])
    folder = cache_folder() / "tokens" / key
    if not _is_whole(folder):
        if getattr(current_process(), "_inheriting", False):  # as multiprocessing itself asks it
            raise UserError(NO_GUARD)
        try:
            with _alone(folder):
                if not _is_whole(folder):
                    _build(file, tokenizer, folder)
        except OSError as error:
            raise UserError(
                f"{folder}: the token cache cannot be written: {error.strerror}; set "
                "FINETUNE_CACHE to a folder with room"
            ) from error
    return _opened(folder, file, tokenizer)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time; the others find its work done."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_whole(folder: Path) -> bool:
    """Whether every file is there in its full size."""
    listing = folder / "cache.json"
    if not listing.is_file():
        return False
    sizes = read_json(listing)["bytes"]
    return all(
        (folder / name).is_file() and (folder / name).stat().st_size == size
        for name, size in sizes.items()
    )


def _build(file: Path, tokenizer: CodeTokenizer, folder: Path) -> None:
    """Write the folder aside and give it its name at the end."""
    for left in folder.parent.glob(f"{folder.name}.*.partial"):
        shutil.rmtree(left)  # of a process that was killed: nobody else is at work here
    aside = folder.with_suffix(f".{os.getpid()}.partial")
    aside.mkdir()
    try:
        shards = _shards(num_groups(file))
        parts = _tokenised(file, tokenizer.folder, aside, shards)
        rows = np.concatenate([np.zeros(0, ROW), *parts])
        names, rows["language"] = numbered(languages_of(file))
        np.save(aside / "rows.npy", rows)
        sizes = {path.name: path.stat().st_size for path in sorted(aside.iterdir())}
        about = {"corpus": content_digest(file), "tokenizer": tokenizer.digest, "languages": names}
        write_json(aside / "cache.json", {"format": FORMAT, **about, "bytes": sizes})
        sync_tree(aside)
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _shards(groups: int) -> list[range]:
    """Consecutive row groups for each shard."""
    count = min(groups, MOST_SHARDS)
    bounds = [groups * shard // count for shard in range(count + 1)] if count else []
    return [range(*pair) for pair in pairwise(bounds)]


def _tokenised(
    file: Path, tokenizer: Path, folder: Path, shards: list[range]
) -> Iterator[np.ndarray]:
    """The rows of each shard, in order; the work is spread over processes where it is worth it."""
    cores = 1 if current_process().daemon else len(os.sched_getaffinity(0))
    jobs = [(file, tokenizer, folder, number, shard) for number, shard in enumerate(shards)]
    if len(jobs) < 2 or cores < 2:
        yield from map(_write_shard, jobs)
        return
    # Started afresh: a copy of a process whose libraries hold threads may wait for them for ever.
    with ProcessPoolExecutor(min(cores, len(jobs)), mp_context=get_context("spawn")) as pool:
        try:
            for number, rows in enumerate(pool.map(_write_shard, jobs)):
                print(f"tokens: shard {number + 1} of {len(jobs)}", file=sys.stderr, flush=True)
                yield rows
        except BrokenProcessPool as error:
            raise UserError(NO_GUARD) from error


def _write_shard(job: tuple[Path, Path, Path, int, range]) -> np.ndarray:
    """Tokenise some row groups of a corpus file into one shard's files."""
    file, tokenizer, folder, number, groups = job
    encoder = Encoder(CodeTokenizer(tokenizer))
    rows, tokens_so_far, bytes_so_far, outlines_so_far = [], 0, 0, 0
    with (
        (folder / f"{number:04}.ids").open("wb") as ids,
        (folder / f"{number:04}.starts").open("wb") as starts,
        (folder / f"{number:04}.text").open("wb") as text,
        (folder / f"{number:04}.outlines").open("wb") as outlines,
    ):
        for document in iter_documents(file, groups):
            outline = outline_of(document)
            one, content = encoder.tokens(document.text, outline), document.text.encode()
            beside = outline.to_json().encode() if outline else b""
            place = (number, len(content), tokens_so_far, bytes_so_far)
            rows.append(row_of(document, one, *place, len(beside), outlines_so_far))
            ids.write(one.ids.tobytes())
            starts.write(one.starts.tobytes())
            text.write(content)
            outlines.write(beside)
            outlines_so_far += len(beside)
            tokens_so_far += len(one.ids)
            bytes_so_far += len(content)
    return np.array(rows, dtype=ROW)


@dataclass
class _Shards:
    """The open files of a cache."""

    folder: Path
    dtype: np.dtype[Any]
    _open: dict[str, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """All are opened at once: who deletes the folder later takes nothing away."""
        for file in self.folder.glob("[0-9]*.*"):
            self._open[file.name] = os.open(file, os.O_RDONLY)

    def read(self, row: Any) -> Tokens:
        _, _, _, tokens, _, is_exact, shard, num_bytes, first_token, first_byte, *rest = row.item()
        size = self.dtype.itemsize
        ids = self._bytes(f"{shard:04}.ids", first_token * size, tokens * size)
        starts = self._bytes(f"{shard:04}.starts", first_token * 4, tokens * 4)
        text = self._bytes(f"{shard:04}.text", first_byte, num_bytes)
        beside, first_outline = rest
        outline = self._bytes(f"{shard:04}.outlines", first_outline, beside) if beside else b""
        return Tokens(
            text.decode(),
            np.frombuffer(ids, dtype=self.dtype),
            np.frombuffer(starts, dtype=np.uint32),
            is_exact,
            Outline.from_json(outline.decode()) if outline else None,
        )

    def _bytes(self, name: str, at: int, count: int) -> bytes:
        found = os.pread(self._open[name], count, at)
        while len(found) < count:  # a read is at most 2 GiB, and may be shorter
            more = os.pread(self._open[name], count - len(found), at + len(found))
            if not more:
                raise UserError(f"{self.folder / name}: shorter than it was; delete {self.folder}")
            found += more
        return found

    def __del__(self) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)


def _opened(folder: Path, file: Path, tokenizer: CodeTokenizer) -> TokenisedCorpus:
    encoder = Encoder(tokenizer)
    rows = np.load(folder / "rows.npy", mmap_mode="r")
    shards, names = _Shards(folder, encoder.dtype), read_json(folder / "cache.json")["languages"]

    # A long document gives many segments: the few that are being split are not read each time.
    read = lru_cache(maxsize=16)(lambda index: shards.read(rows[index]))

    def describe(index: int) -> Document:
        return document_at(file, index, read(index).text)

    return TokenisedCorpus(encoder, rows, names, read, describe)
