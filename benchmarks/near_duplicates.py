"""Near-duplicates, side by side with datasketch.

    python benchmarks/near_duplicates.py            # about ten minutes on two cores
    python benchmarks/near_duplicates.py --quick    # a tenth of the documents
    python benchmarks/near_duplicates.py --write    # everything, and results/near_duplicates.md

Documents are parts of the Python files that are installed here; one in five is a changed copy of
the one before, with a similarity that is counted exactly.
"""

import json
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from near_duplicates_corpus import all_files, exact, gram_set, stdlib_files, write_corpus
from near_duplicates_process import THRESHOLD
from sequences_tables import Section, machine

from data_formats.document import Document
from finetune.corpus.lsh import Bands, best_bands
from finetune.corpus.minhash import Sketches, grams, signature, sketch
from finetune.corpus.near_duplicates import near_duplicates

RESULTS = Path(__file__).with_name("results") / "near_duplicates.md"
SIZES = {"1x": 6_250, "4x": 25_000, "16x": 100_000}
BINS = (0.3, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9, 1.0)
WAIT = 600
"""Seconds after which a peer's measurement is given up."""
OURS, SAME, DEFAULT = "ours", "datasketch, the same bands", "datasketch, its own bands"
PEER_BANDS = {SAME: best_bands(THRESHOLD), DEFAULT: Bands(25, 10)}
Outcome = dict[str, np.ndarray]
"""Which document stands for each, by way."""


def measure(*arguments: object) -> dict[str, Any] | None:
    """What `near_duplicates_process.py` prints; None where it takes too long."""
    script = Path(__file__).with_name("near_duplicates_process.py")
    command = [sys.executable, str(script), *map(str, arguments)]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=WAIT, check=True)
    except subprocess.TimeoutExpired:
        return None
    return json.loads(done.stdout.splitlines()[-1])


def growth(folder: Path, sizes: dict[str, int], outcomes: Outcome) -> Section:
    """Speed and memory as the corpus grows; the outcomes of the last size stay in `outcomes`."""
    section = Section(
        "1. Speed and memory as the corpus grows",
        "One process each; imports and reading the texts are included. Sketch: a shard of 5,000 "
        "documents at a time, saved. Cluster: the step over all shards, memory-mapped. "
        "Peak: resident memory, pages of mapped files included, which the system can take back; "
        "anonymous: without them, sampled every 20 ms.",
        ("size", "documents", "way", "wall s", "CPU s", "documents per CPU-second",
         "peak MiB", "anonymous MiB", "dropped"),
    )  # fmt: skip
    for name, count in sizes.items():
        corpus, shards = folder / f"{name}.jsonl", folder / name
        shards.mkdir()
        write_corpus(corpus, count)
        results = {"ours: sketch": measure("sketch", corpus, shards)}
        results["ours: cluster"] = measure("cluster", shards, folder / "ours.npy")
        outcomes[OURS] = np.load(folder / "ours.npy")
        for way, bands in PEER_BANDS.items():
            file = folder / "theirs.npy"
            peer = ("datasketch", corpus, bands.num_bands, bands.num_rows, file)
            results[way] = measure(*peer)
            outcomes.pop(way, None)
            if results[way]:
                outcomes[way] = np.load(file)
        for way, found in results.items():
            kept_for = outcomes.get(OURS if way.startswith("ours") else way)
            dropped = 0 if kept_for is None else int((kept_for != np.arange(count)).sum())
            section.rows.append((name, str(count), way, *_cells(found, count, dropped)))
        print(*section.rows[-len(results) :], sep="\n")
    return section


def _cells(found: dict[str, Any] | None, count: int, dropped: int) -> tuple[str, ...]:
    if found is None:
        return (f"given up after {WAIT} s", *["not measured"] * 5)
    numbers = (count / found["cpu"], found["peak"], found["anonymous"], dropped)
    return (f"{found['wall']:.1f}", f"{found['cpu']:.1f}", *(f"{one:.0f}" for one in numbers))


def caught(folder: Path, name: str, outcomes: Outcome) -> Section:
    """The probability of a drop by similarity, from the copies of the largest size."""
    section = Section(
        f"2. How many changed copies of the {name} corpus are dropped, by their similarity",
        "Of a copy and its original one is dropped (or both, for a third). Meet: the probability "
        "to meet in some band, by the formula, at the lower end of the row. Ours drops nothing "
        f"below {THRESHOLD} for its likeness to this original, but may for that to another.",
        ("similarity", "pairs", *outcomes, "meet, by formula"),
    )
    with (folder / f"{name}.jsonl").open(encoding="utf-8") as lines:
        copies = [(number, line["copy_of"], line["similarity"])
                  for number, line in enumerate(map(json.loads, lines))
                  if line["copy_of"] is not None]  # fmt: skip
    likeness = np.array([similarity for _, _, similarity in copies])
    either = np.array([(copy, original) for copy, original, _ in copies])
    for low, high in zip(BINS, [*BINS[1:], 2.0], strict=True):
        here = (likeness >= low) & (likeness < high)
        shares = []
        for kept_for in outcomes.values():
            is_dropped = kept_for != np.arange(len(kept_for))
            shares.append(f"{is_dropped[either[here]].any(axis=1).mean():.2%}")
        title = f"{low:g} to {high:g}" if low < 1 else "1"
        section.rows.append(
            (title, str(here.sum()), *shares, f"{best_bands(THRESHOLD).caught(low):.2%}")
        )
    return section


def false_drops(folder: Path, name: str, outcomes: Outcome) -> Section:
    """Drops for a document that is less similar than asked for, counted on tuples of tokens."""
    section = Section(
        "3. False drops: the kept document is less similar than 0.7",
        "Similarities are counted once more on sets of tuples of tokens. By estimate: "
        "the order of ours, but a drop wherever signatures agree in 70% of their slots.",
        ("corpus", "documents", "way", "dropped", "of them false", "share of all documents",
         "least similarity"),
    )  # fmt: skip
    with (folder / f"{name}.jsonl").open(encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    library = [file.read_bytes().decode("utf-8", "replace") for file in stdlib_files()]
    documents = [Document(text=one, path="", repo="", language="python") for one in library]
    shard = Sketches.of([sketch(one, "source_code") for one in documents])
    found = near_duplicates([shard], THRESHOLD).kept_for
    estimated = by_estimate(shard)
    cases = [(f"parts, {name}", texts, way, kept) for way, kept in outcomes.items()]
    cases += [("standard library", library, OURS, found)]
    cases += [("standard library", library, "by estimate", estimated)]
    for corpus, given, way, kept_for in cases:
        dropped = np.flatnonzero(kept_for != np.arange(len(kept_for)))
        similar = [exact(given[one], given[kept_for[one]]) for one in dropped]
        false = sum(one < THRESHOLD for one in similar)
        section.rows.append(
            (corpus, str(len(given)), way, str(len(dropped)), str(false),
             f"{false / len(given):.3%}", f"{min(similar):.3f}")
        )  # fmt: skip
    return section


def by_estimate(shard: Sketches) -> np.ndarray:
    """Greedy over signatures alone: what a drop would rest on without grams."""
    rows = shard.rows
    kept_for = np.arange(len(rows))
    order = np.lexsort((kept_for, -rows["length"].astype(int), -rows["documentation"].astype(int)))
    kept = np.zeros(len(rows), bool)
    for one in order[rows["grams"][order] > 0]:
        agree = (rows["signature"][kept] == rows["signature"][one]).mean(axis=1)
        near = np.flatnonzero(kept)[agree >= THRESHOLD]
        kept_for[one] = near[0] if len(near) else one
        kept[one] = not len(near)
    return kept_for


def bucket(count: int) -> Section:
    """Very many documents that meet in nearly every band."""
    section = Section(
        "4. One bucket of boilerplate",
        "A text of 200 words and one number (similarity 0.95 with each other); of 100 words and 30 "
        "of its own (0.62, kept). Cluster step only, in memory; skipped are meetings behind the "
        "leaders of a bucket.",
        ("documents", "count", "CPU s", "documents per CPU-second", "kept", "meetings skipped"),
    )
    head = [f"licence{number}" for number in range(200)]
    texts = {
        "differ in a number": lambda at: [*head[:100], f"year{at}", *head[100:]],
        "share a head": lambda at: [*head[:100], *(f"own{at}_{place}" for place in range(30))],
    }
    for name, words in texts.items():
        documents = (Document(text=" ".join(words(at)), path="", repo="", language="python")
                     for at in range(count))  # fmt: skip
        shard = Sketches.of([sketch(one, "source_code") for one in documents])
        start = time.process_time()
        found = near_duplicates([shard], THRESHOLD)
        spent = time.process_time() - start
        kept = count - len(found.dropped)
        numbers = (f"{spent:.1f}", f"{count / spent:.0f}", str(kept), str(found.num_pairs_skipped))
        section.rows.append((name, str(count), *numbers))
    return section


def signatures(folder: Path, name: str, count: int = 400) -> Section:
    """Time and error of the signatures alone, from the same sets of grams."""
    from datasketch import MinHash

    section = Section(
        f"5. Signatures of {count} documents, 256 slots",
        "From sets of grams that are there already; error of the estimate over all copies among "
        "them and their originals. Best of three.",
        ("way", "CPU s", "mean absolute error", "mean error"),
    )
    with (folder / f"{name}.jsonl").open(encoding="utf-8") as lines:
        documents = [json.loads(line) for line, _ in zip(lines, range(count), strict=False)]
    hashed = [grams(one["text"]) for one in documents]
    tuples = [[" ".join(gram).encode() for gram in gram_set(one["text"])] for one in documents]

    def theirs(given: list[bytes]) -> np.ndarray:
        minhash = MinHash(num_perm=256)
        minhash.update_batch(given)
        return minhash.hashvalues

    ways: tuple[tuple[str, Any, Sequence[Any]], ...]
    ways = (("rensa (ours)", signature, hashed), ("datasketch", theirs, tuples))
    for way, make, given in ways:
        seconds = []
        for _ in range(3):
            start = time.process_time()
            made = [make(one) for one in given]
            seconds.append(time.process_time() - start)
        errors = [
            (made[at] == made[one["copy_of"]]).mean() - one["similarity"]
            for at, one in enumerate(documents)
            if one["copy_of"] is not None
        ]
        cells = (min(seconds), np.abs(errors).mean(), np.mean(errors))
        section.rows.append((way, *(f"{one:.4f}" for one in cells)))
    return section


def sections(folder: Path, divisor: int) -> Iterator[Section]:
    """Each measured when its turn comes."""
    sizes = {name: count // divisor for name, count in SIZES.items()}
    outcomes: Outcome = {}
    yield growth(folder, sizes, outcomes)
    largest = list(sizes)[-1]
    yield caught(folder, largest, outcomes)
    yield false_drops(folder, largest, outcomes)
    yield bucket(20_000 // divisor)
    yield signatures(folder, largest)


def facts() -> list[str]:
    """What was measured on, and with what."""
    date, hardware, _ = machine()
    bands = best_bands(THRESHOLD)
    names = ("rensa", "datasketch", "numpy")
    return [
        date,
        hardware,
        "software: Python "
        + sys.version.split()[0]
        + "".join(f", {name} {version(name)}" for name in names),
        f"corpus: parts of 30 to 120 lines of {len(all_files())} installed Python files",
        f"similarity {THRESHOLD} of sets of 5-grams, 256 slots; {bands.num_bands} bands of "
        f"{bands.num_rows} (ours), 25 of 10 (datasketch's own choice)",
    ]


def main(asked: Namespace) -> None:
    """Measure, print, and write where that was asked for."""
    if find_spec("datasketch") is None:
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "datasketch"], check=True)
    stated, done = facts(), []
    print(*stated, sep="\n")
    with tempfile.TemporaryDirectory() as folder:
        for section in sections(Path(folder), 10 if asked.quick else 1):
            section.show()
            done.append(section)
    if asked.write:
        command = f"python benchmarks/near_duplicates.py{' --quick' * asked.quick} --write"
        listed = "\n".join(f"- {fact}" for fact in stated)
        tables = "\n".join(section.markdown() for section in done)
        text = f"# Near-duplicates, side by side\n\nWritten by `{command}`.\n\n{listed}\n\n{tables}"
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the documents")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    main(parser.parse_args())
