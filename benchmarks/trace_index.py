"""The trace index, side by side with a suffix array.

    python benchmarks/trace_index.py                   # about three minutes on two cores
    python benchmarks/trace_index.py --million 10      # ten million characters instead of fifty
    python benchmarks/trace_index.py --write           # and results/trace.md

The corpus: Python and C files of the packages installed here, each different, in an order drawn
with a fixed seed. Nothing is downloaded but the peer, pydivsufsort.
"""

import os
import random
import re
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

from sequences_tables import Section, cpu_seconds, machine

from data_formats.document import Document
from finetune.corpus.store import read_documents, write_documents
from finetune.trace import Trace, build_index, check_bloom, find, write_bloom

RESULTS = Path(__file__).with_name("results") / "trace.md"
PEER = "pydivsufsort"
ASKED = 100
"""Snippets of each kind."""
COMMANDS = 20
"""Snippets for which the whole command is started."""
LEAST, LEAST_WORDS, LEAST_RELEASED = 60, 24, 100
SUFFIXES = (".py", ".c", ".h", ".hpp", ".cpp", ".cu", ".js")
LARGEST = 1_000_000
TIMES = ("median ms", "max ms", "median CPU ms", "max CPU ms")
WORD = re.compile(r"[A-Za-z0-9_]+")
COMMAND = (
    "from argparse import ArgumentParser; from finetune.cli import trace; p = ArgumentParser(); "
    "trace.add_arguments(p, 'trace'); trace.run(p.parse_args())"
)


def arguments() -> Namespace:
    """What was asked for."""
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--million", type=int, default=50, help="characters of corpus, in millions")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    return parser.parse_args()


def read_files(num_characters: int) -> tuple[list[Document], list[Document]]:
    """A corpus of that size, and the documents that are left, none of which it holds."""
    root = Path(sysconfig.get_path("purelib"))
    files = sorted(file for file in root.rglob("*") if file.suffix in SUFFIXES)
    random.Random(0).shuffle(files)
    corpus: dict[str, Document] = {}
    others: dict[str, Document] = {}
    for file in files:
        if file.is_file() and file.stat().st_size <= LARGEST:
            try:
                text = file.read_bytes().decode()
            except UnicodeDecodeError:
                continue  # no reader of ours would keep it
            path = file.relative_to(root).as_posix()
            one = Document(text=text, path=path, repo=path.partition("/")[0], language="code")
            if num_characters > 0 and text not in corpus:
                corpus[text] = one
                num_characters -= len(text)
            elif text not in corpus and len(others) < 3000:
                others[text] = one
    return list(corpus.values()), list(others.values())


def snippets(documents: Sequence[Document], least: int) -> Iterator[tuple[str, Document]]:
    """`least` to 400 characters from anywhere in a file, without end; never only blanks."""
    draws = random.Random(1)
    while True:
        document, size = draws.choice(documents), draws.randint(least, 400)
        if len(document.text) >= size:
            start = draws.randint(0, len(document.text) - size)
            snippet = document.text[start : start + size]
            if len(set(snippet)) >= 10:
                yield snippet, document


class Oracle:
    """Which passages stand in the corpus, told without any fingerprint."""

    def __init__(self, documents: Sequence[Document]) -> None:
        from pydivsufsort import divsufsort

        self.content = "\0".join(one.text.replace("\r\n", "\n") for one in documents).encode()
        self.array = divsufsort(self.content)
        self.words = " \0 ".join(" ".join(WORD.findall(one.text)) for one in documents)

    def count(self, passage: str) -> int:
        """How often it stands in the corpus."""
        from pydivsufsort import sa_search

        return int(sa_search(self.content, self.array, passage.encode())[0] or 0)

    def knows(self, snippet: str) -> bool:
        """Whether any 60 characters, or any 24 words in a row, stand in the corpus."""
        text, words = snippet.replace("\r\n", "\n"), WORD.findall(snippet)
        windows = range(len(text) - LEAST + 1)
        if any(self.count(text[at : at + LEAST]) for at in windows):
            return True
        runs = range(len(words) - LEAST_WORDS + 1)
        return any(f" {' '.join(words[at : at + LEAST_WORDS])} " in self.words for at in runs)


def measured(work: Callable[..., Any], *args: Any) -> tuple[Any, float, float]:
    """Result, wall seconds and peak MiB of `work`, in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measure, work, *args).result()


def _measure(work: Callable[..., Any], *args: Any) -> tuple[Any, float, float]:
    start = time.perf_counter()
    result = work(*args)
    seconds = time.perf_counter() - start
    return result, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def suffix_array(corpus: Path, file: Path) -> int:
    """The peer: texts joined and sorted; bytes of the array and of the text that it needs."""
    from pydivsufsort import divsufsort

    content = "\0".join(one.text for one in read_documents(corpus)).encode()
    array = divsufsort(content)
    file.write_bytes(array.tobytes())
    return int(array.nbytes) + len(content)


def timed(work: Callable[..., Any], *args: Any, **options: Any) -> tuple[Any, tuple[float, float]]:
    """Result, and milliseconds: wall, and CPU with that of children that have ended."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    result = work(*args, **options)
    return result, (1000 * (time.perf_counter() - wall), 1000 * (cpu_seconds() - cpu))


def in_words(times: Sequence[tuple[float, float]]) -> list[str]:
    """What `TIMES` names."""
    wall, cpu = zip(*times, strict=True)
    return [f"{value:.0f}" for value in (median(wall), max(wall), median(cpu), max(cpu))]


def build_section(folder: Path, num_characters: int) -> Section:
    """Seconds, sizes and memory of each build."""
    corpus = folder / "corpus" / "train.parquet"
    section = Section(
        "1. Build",
        "Each in a process of its own, reading the corpus file included; characters are code "
        "points. The array counts the text besides, without which it finds nothing; the index "
        "needs the corpus file, which a run keeps anyway.",
        ("way", "seconds", "million characters per second", "bytes per character", "peak MiB"),
    )
    ways: tuple[tuple[str, Callable[..., Any], Path], ...] = (
        ("trace index", build_index, folder / "trace"),
        ("Bloom filter, rate 1e-4", write_bloom, folder / "training_index.bloom"),
        (PEER, suffix_array, folder / "suffixes"),
    )
    for name, work, target in ways:
        result, seconds, peak = measured(work, corpus, target)
        size = result if isinstance(result, int) else result.bytes
        speed = num_characters / seconds / 1e6
        row = (f"{seconds:.1f}", f"{speed:.1f}", f"{size / num_characters:.3f}", f"{peak:.0f}")
        section.rows.append((name, *row))
    return section


def holds(trace: Trace, snippet: str, texts: dict[str, str]) -> bool:
    """Whether each span that was reported is what it claims to be."""
    for match in trace.matches:
        for span in match.spans:
            assert span.document is not None
            ours = snippet[span.file.start : span.file.end]
            theirs = texts[match.path][span.document.start : span.document.end]
            if match.kind == "exact":
                same = ours.replace("\r\n", "\n") == theirs.replace("\r\n", "\n")
            else:
                same = WORD.findall(ours) == WORD.findall(theirs)
            if not same:
                return False
    return True


def lookup_section(
    folder: Path, documents: Sequence[Document], planted: list[Any], absent: list[str]
) -> Section:
    """Times, recall, and false reports of the index."""
    corpus, texts = folder / "corpus" / "train.parquet", {d.path: d.text for d in documents}
    section = Section(
        "2. Lookup in the index",
        f"Snippets of {LEAST} to 400 characters from anywhere in a file. Planted: cut out of the "
        "corpus; found means all of it, exactly, in the very document that it was cut from. "
        "Absent: from other files, where the suffix array and a search of the joined words find "
        "neither 60 characters nor 24 words of it in the corpus. Wrong: a reported span that is "
        "not the same on both sides. Milliseconds in one process.",
        ("snippets", "number", "found", "reported", "wrong", *TIMES),
    )
    for name, asked in (("planted", planted), ("absent", [(text, None) for text in absent])):
        times, found, reported, wrong = [], 0, 0, 0
        for snippet, document in asked:
            trace, took = timed(find, folder / "trace", corpus, snippet)
            times.append(took)
            reported += bool(trace.matches)
            wrong += not holds(trace, snippet, texts)
            found += document is not None and any(
                one.path == document.path and one.kind == "exact" and one.share > 0.9
                for one in trace.matches
            )
        counts = (len(asked), found if name == "planted" else "-", reported, wrong)
        section.rows.append((name, *map(str, counts), *in_words(times)))
    return section


def command_section(folder: Path, planted: list[Any], absent: list[str]) -> Section:
    """The whole command, the start of Python included."""
    section = Section(
        "3. The whole command",
        "A process that prints its answer, the start of Python and every import included.",
        ("snippets", "number", *TIMES),
    )
    for name, asked in (("planted", [text for text, _ in planted]), ("absent", absent)):
        times = []
        for snippet in asked[:COMMANDS]:
            (folder / "query").write_bytes(snippet.encode())
            command = [sys.executable, "-c", COMMAND, str(folder), str(folder / "query")]
            times.append(timed(subprocess.run, command, check=True, capture_output=True)[1])
        section.rows.append((name, str(len(times)), *in_words(times)))
    return section


def filter_section(folder: Path, planted: list[Any], others: Sequence[Document]) -> Section:
    """What the released filter finds, and how often it errs."""
    file = folder / "training_index.bloom"
    found = sum(bool(check_bloom(file, text).spans) for text, _ in planted)
    asked = hits = 0
    draws = random.Random(2)
    for document in others[:500]:
        # Letters in another order: the same statistics, and no passage of the corpus.
        text = "".join(draws.sample(document.text, len(document.text)))
        if len(text) >= LEAST_RELEASED:
            answer = check_bloom(file, text)
            asked += answer.num_fingerprints
            hits += len(answer.spans)
    section = Section(
        "4. The released filter",
        f"Planted snippets of {LEAST_RELEASED} to 400 characters; and fingerprints of other files "
        "whose characters were shuffled, so that none is in the corpus.",
        ("planted", "found", "absent fingerprints", "found all the same", "rate", "stated rate"),
    )
    row = (str(len(planted)), str(found), f"{asked:,}", str(hits), f"{hits / asked:.1e}", "1.0e-04")
    section.rows.append(row)
    return section


def sections(folder: Path, documents: list[Document], others: list[Document]) -> Iterator[Section]:
    """Each measured when its turn comes."""
    yield build_section(folder, sum(len(one.text) for one in documents))
    oracle, planted, absent = Oracle(documents), snippets(documents, LEAST), list[str]()
    for snippet, _ in snippets(others, LEAST):
        if not oracle.knows(snippet):
            absent.append(snippet)
        if len(absent) == ASKED:
            break
    asked = [next(planted) for _ in range(ASKED)]
    assert all(oracle.count(text.replace("\r\n", "\n")) for text, _ in asked)
    yield lookup_section(folder, documents, asked, absent)
    yield command_section(folder, asked, absent)
    released = snippets(documents, LEAST_RELEASED)
    yield filter_section(folder, [next(released) for _ in range(ASKED)], others)


def main(asked: Namespace) -> None:
    """Measure, print, and write where that was asked for."""
    if find_spec(PEER) is None:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", PEER], check=True)
    documents, others = read_files(asked.million * 1_000_000)
    facts = [
        *machine(),
        f"load average at the start: {os.getloadavg()[0]:.1f}; what others do here lengthens wall "
        "time",
        f"corpus: {len(documents):,} files of {len({one.repo for one in documents})} installed "
        f"packages, {sum(len(one.text) for one in documents):,} characters",
    ]
    print(*facts, sep="\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "corpus").mkdir()
        write_documents(folder / "corpus" / "train.parquet", documents)
        done = []
        for section in sections(folder, documents, others):
            section.show()
            done.append(section)
    if asked.write:
        options = [] if asked.million == 50 else [f"--million {asked.million}"]
        command = " ".join(["python benchmarks/trace_index.py", *options, "--write"])
        lines = "\n".join(f"- {fact}" for fact in facts)
        tables = "\n".join(section.markdown() for section in done)
        RESULTS.write_text(
            f"# The trace index, side by side\n\nWritten by `{command}`.\n\n{lines}\n\n{tables}",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main(arguments())
