"""One measurement in a process of its own, for `sequences.py`: prints a line of JSON.

python benchmarks/sequences_process.py build CORPUS TOKENIZER
python benchmarks/sequences_process.py stream CORPUS TOKENIZER LENGTH SECONDS
python benchmarks/sequences_process.py ids CORPUS TOKENIZER FOLDER
python benchmarks/sequences_process.py trl FOLDER LENGTH STRATEGY
"""

import json
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from sequences_tables import cpu_seconds

if TYPE_CHECKING:  # each measurement pays for its own imports
    from finetune.sequences import TokenisedCorpus

Measured = dict[str, float]
MEBIBYTE = 1 << 20
SAMPLED = 0.02
"""Seconds between two looks at the memory."""


def build(corpus: str, tokenizer: str) -> Measured:
    """Make the cache of a corpus file."""
    _open(corpus, tokenizer)
    return {}


def stream(corpus: str, tokenizer: str, length: str, seconds: str) -> Measured:
    """One epoch of blocks from a cache, or as many as come in `seconds` where they are not 0."""
    from finetune.recipe.schema import Fim, Sequences
    from finetune.sequences import Rule, block_stream

    opened = _open(corpus, tokenizer)
    blocks = block_stream(opened, [Rule(Fim())], Sequences(length=int(length)), seed=0, epochs=1)
    found = _drain((len(block.input_ids) for block in blocks), float(seconds))
    return {"documents": len(opened), "in": opened.num_tokens, **found}


def ids(corpus: str, tokenizer: str, folder: str) -> Measured:
    """The same ids as a dataset on disk, each document's end included."""
    import datasets
    import numpy as np

    opened = _open(corpus, tokenizer)
    eod = opened.tokenizer.eod

    def rows() -> Iterator[dict[str, object]]:
        for index in range(len(opened)):
            yield {"input_ids": np.append(opened.read(index).ids, eod).astype(np.int32)}

    features = datasets.Features({"input_ids": datasets.List(datasets.Value("int32"))})
    datasets.disable_progress_bars()
    made = datasets.Dataset.from_generator(rows, features, cache_dir=f"{folder}-made")
    made.save_to_disk(folder)
    return {}


def trl(folder: str, length: str, strategy: str) -> Measured:
    """Pack a dataset on disk and read every row."""
    import datasets
    from trl import pack_dataset

    datasets.disable_progress_bars()
    datasets.disable_caching()
    given = datasets.load_from_disk(folder)
    packed = pack_dataset(given, int(length), strategy).with_format("numpy")
    return _drain((len(row["input_ids"]) for row in packed), 0.0)


def _open(corpus: str, tokenizer: str) -> "TokenisedCorpus":
    from finetune.sequences import open_corpus
    from finetune.tokenizer import CodeTokenizer

    return open_corpus(Path(corpus), CodeTokenizer(Path(tokenizer)))


def _drain(sizes: Iterable[int], seconds: float) -> Measured:
    """Seconds from the process's start to the first of `sizes`, and the speed of the others."""
    iterator = iter(sizes)
    first = next(iterator)
    found = {"first": _age(), "first_cpu": cpu_seconds()}
    wall = time.monotonic()
    count, positions = 0, 0
    for size in chain([first], iterator):
        count += 1
        positions += size
        if seconds and time.monotonic() - wall >= seconds:
            break
    spent = cpu_seconds() - found["first_cpu"]
    return {**found, "sequences": count, "positions": positions, "cpu": spent}


def _age() -> float:
    return time.time() - psutil.Process().create_time()


def _status(name: str) -> float:
    """A field of this process's status, in MiB."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    kibibytes = next(line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return int(kibibytes) * 1024 / MEBIBYTE


def _watch(peaks: list[float], stop: threading.Event) -> None:
    """The most anonymous memory: the kernel keeps no peak of that."""
    while not stop.wait(SAMPLED):
        peaks.append(max(peaks.pop(), _status("RssAnon")))


def main(name: str, *arguments: str) -> None:
    """Run one measurement and print it with the process's own age, CPU time and memory."""
    peaks, stop = [0.0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(peaks, stop), daemon=True)
    watcher.start()
    ways = {"build": build, "stream": stream, "ids": ids, "trl": trl}
    measured = ways[name](*arguments)
    stop.set()
    watcher.join()
    # VmHWM is the peak of this program alone; ru_maxrss would begin with its parent's.
    own = {"peak": _status("VmHWM"), "anonymous": peaks[0], "wall": _age()}
    print(json.dumps({**measured, **own, "all_cpu": cpu_seconds()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
