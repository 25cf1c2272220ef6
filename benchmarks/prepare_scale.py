"""The whole of `prepare`'s reading and curating as the corpus grows, on one and on two processes.

    python benchmarks/prepare_scale.py            # about five minutes on two cores
    python benchmarks/prepare_scale.py --write    # and results/prepare_scale.md

Documents are rows of JSON Lines: parts of the Python files that are installed here, one in five a
changed copy. Every step is on: licences, filters, personal data, near-duplicates, and benchmarks
where FINETUNE_BENCHMARKS names their folder.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from argparse import ArgumentParser
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from near_duplicates_corpus import write_corpus
from sequences_tables import Section, machine

from finetune.corpus.prepare import prepare_corpus, what_to_avoid
from finetune.recipe.schema import Data
from finetune.run_folder import RunFolder

RESULTS = Path(__file__).with_name("results") / "prepare_scale.md"
SIZES = {"1x": 6_250, "4x": 25_000, "16x": 100_000}
MEBIBYTE = 1 << 20


def measured(corpus: str, workers: int, folder: str) -> dict[str, Any]:
    """One preparation, in a process of its own."""
    source = {"format": "source_code", "path": corpus, "language": "python", "licence": "MIT"}
    data = Data(sources=[source], workers=workers)
    contamination = what_to_avoid(data.curate, None)
    peaks, stop = [0.0, 0.0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(peaks, stop))
    watcher.start()
    began = time.monotonic()
    summary = prepare_corpus(data, RunFolder(Path(folder)), contamination)
    wall = time.monotonic() - began
    stop.set()
    watcher.join()
    kept = summary.train.documents + summary.holdout.documents
    drops = dict(summary.drops)
    return {"wall": wall, "main": peaks[0], "child": peaks[1], "kept": kept, "drops": drops}


def _watch(peaks: list[float], stop: threading.Event) -> None:
    """Resident memory in MiB: the most of this process, and of any that it started."""
    own = psutil.Process()
    while not stop.wait(0.1):
        peaks[0] = max(peaks[0], own.memory_info().rss / MEBIBYTE)
        for child in own.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                peaks[1] = max(peaks[1], child.memory_info().rss / MEBIBYTE)


def growth(folder: Path) -> Section:
    section = Section(
        "Reading and curating, as the corpus grows",
        "Peak: resident memory, sampled, of the process that chooses and writes (and holds what "
        "documents are compared with), and of the largest of those that read and curate.",
        (
            *("size", "documents", "workers", "wall s", "documents per s"),
            *("peak MiB: main", "peak MiB: workers", "kept", "dropped"),
        ),
    )
    for name, count in SIZES.items():
        corpus = folder / f"{name}.jsonl"
        write_corpus(corpus, count)
        for workers in (1, 2):
            arguments = [str(corpus), str(workers), str(folder / f"{name}-{workers}")]
            command = [sys.executable, __file__, "--one", *arguments]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
            one = json.loads(done.stdout.splitlines()[-1])
            numbers = (one["wall"], count / one["wall"], one["main"])
            child = f"{one['child']:.0f}" if workers > 1 else "in main"
            section.rows.append(
                (
                    *(name, f"{count:,}", str(workers)),
                    *(f"{number:,.1f}" for number in numbers),
                    *(child, f"{one['kept']:,}", f"{sum(one['drops'].values()):,}"),
                )
            )
            print(name, workers, {key: one[key] for key in ("wall", "main", "child", "drops")})
    return section


def main() -> None:
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    parser.add_argument("--one", nargs=3, metavar=("CORPUS", "WORKERS", "FOLDER"))
    options = parser.parse_args()
    if options.one:
        corpus, workers, folder = options.one
        print(json.dumps(measured(corpus, int(workers), folder)))
        return
    with tempfile.TemporaryDirectory() as folder:
        section = growth(Path(folder))
    section.show()
    if options.write:
        benchmarks = "compared" if os.environ.get("FINETUNE_BENCHMARKS") else "not compared"
        facts = [*machine(), f"benchmarks: {benchmarks}"]
        listed = "\n".join(f"- {fact}" for fact in facts)
        command = "python benchmarks/prepare_scale.py --write"
        RESULTS.write_text(
            f"# Preparing at scale\n\nWritten by `{command}`.\n\n{listed}\n\n{section.markdown()}",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
