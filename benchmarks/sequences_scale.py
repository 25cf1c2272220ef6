"""Memory and the time to the first block as the corpus grows; a process for every measurement."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sequences_corpus import copies, small_documents, write_once
from sequences_tables import MILLION, Section, speed

from data_formats.document import Document

LENGTH = 2048
SIZES = (1, 4, 16)
WAIT = 600
"""Seconds after which a peer's measurement is given up."""


def measure(folder: Path, *arguments: object, wait: float | None = None) -> dict[str, Any] | None:
    """What `sequences_process.py` prints; None where it takes longer than `wait`.

    Caches of ours and of datasets lie below `folder`.
    """
    script = Path(__file__).with_name("sequences_process.py")
    own = {"FINETUNE_CACHE": str(folder / "cache"), "HF_DATASETS_CACHE": str(folder / "datasets")}
    command = [sys.executable, str(script), *map(str, arguments)]
    try:
        done = subprocess.run(
            command, env={**os.environ, **own}, stdout=subprocess.PIPE, timeout=wait, check=True
        )
    except subprocess.TimeoutExpired:
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def growing(documents: Sequence[Document], tokenizer: Path, folder: Path) -> Section:
    """One epoch at once, four and sixteen times the corpus."""
    section = Section(
        f"5. Memory as the corpus grows, length {LENGTH}",
        "Ours: blocks of one epoch at FIM rate 0.5 from a cache. TRL: pack_dataset of the same "
        "ids, on disk as a dataset already, and every row read; one column, where SFTTrainer has "
        "two. Peak: resident memory, pages of mapped files included, which the system can take "
        "back; anonymous: without them, sampled every 20 ms; TRL's imports, torch among them, "
        "count in both. First: wall time from the process's start, its imports and, for TRL, all "
        "packing included.",
        ("corpus", "million tokens", "way", "peak MiB", "anonymous MiB", "first sequence, s",
         "of CPU, s", "million positions per CPU-second after that"),
    )  # fmt: skip
    for times in SIZES:
        file = write_once(folder / f"{times}x.parquet", copies(documents, times))
        measure(folder, "build", file, tokenizer)
        measure(folder, "ids", file, tokenizer, folder / f"{times}x-ids")
        ours = measure(folder, "stream", file, tokenizer, LENGTH, 0)
        assert ours, "it has all the time it needs"
        size = (f"{times}x", f"{ours['in'] / MILLION:.0f}")
        section.rows.append((*size, "ours", *_cells(ours)))
        for strategy in ("bfd", "bfd_split"):
            theirs = measure(folder, "trl", folder / f"{times}x-ids", LENGTH, strategy, wait=WAIT)
            section.rows.append((*size, f"TRL {strategy}", *_cells(theirs)))
    return section


def _cells(found: dict[str, Any] | None) -> tuple[str, ...]:
    if found is None:
        return (f"given up after {WAIT} s", *["not measured"] * 4)
    return (
        f"{found['peak']:.0f}",
        f"{found['anonymous']:.0f}",
        f"{found['first']:.1f}",
        f"{found['first_cpu']:.1f}",
        speed(found["positions"], found["cpu"]),
    )


def many_documents(
    documents: Sequence[Document], tokenizer: Path, folder: Path, count: int
) -> Section:
    """A corpus of very many small documents, from nothing and from its cache."""
    section = Section(
        f"6. {count} small documents, length {LENGTH}",
        "Five to twenty lines each. The cache is made from a corpus file by one process per core; "
        "every line is a fresh process, its start and imports included.",
        ("measure", "value"),
    )
    file = write_once(folder / f"{count}-small.parquet", small_documents(documents, count))
    built = measure(folder, "build", file, tokenizer)
    streamed = measure(folder, "stream", file, tokenizer, LENGTH, 10)
    assert built, "it has all the time it needs"
    assert streamed, "it has all the time it needs"
    section.rows += [
        ("million tokens", f"{streamed['in'] / MILLION:.1f}"),
        ("cache made, wall seconds", f"{built['wall']:.1f}"),
        ("cache made, CPU seconds of all processes", f"{built['all_cpu']:.1f}"),
        ("cache made, tokens (million) per CPU-second", speed(streamed["in"], built["all_cpu"])),
        ("first block from the cache, wall seconds", f"{streamed['first']:.2f}"),
        ("first block from the cache, CPU seconds", f"{streamed['first_cpu']:.2f}"),
        ("blocks in at most 10 seconds after that", str(streamed["sequences"])),
        ("million positions per CPU-second", speed(streamed["positions"], streamed["cpu"])),
        ("peak MiB", f"{streamed['peak']:.0f}"),
        ("of it anonymous MiB", f"{streamed['anonymous']:.0f}"),
    ]
    return section
