"""One measurement in a process of its own, for `near_duplicates.py`: prints a line of JSON.

python benchmarks/near_duplicates_process.py sketch CORPUS FOLDER
python benchmarks/near_duplicates_process.py cluster FOLDER OUTCOME
python benchmarks/near_duplicates_process.py datasketch CORPUS BANDS ROWS OUTCOME
"""

import json
import sys
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from sequences_process import _status, _watch
from sequences_tables import cpu_seconds

THRESHOLD = 0.7
SHARD = 5000
"""Documents of a shard."""


def texts_of(corpus: str) -> Iterator[str]:
    """One after the other, none kept."""
    with Path(corpus).open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["text"]


def sketch(corpus: str, folder: str) -> dict[str, float]:
    """Sketches of all documents, shard by shard."""
    from data_formats.document import Document
    from finetune.corpus.minhash import Sketches
    from finetune.corpus.minhash import sketch as sketch_of

    texts, number = texts_of(corpus), 0
    while part := list(islice(texts, SHARD)):
        documents = (Document(text=one, path="", repo="", language="python") for one in part)
        shard = Sketches.of([sketch_of(one, "source_code") for one in documents])
        shard.save(Path(folder) / f"{number:05}")
        number += 1
    return {}


def cluster(folder: str, outcome: str) -> dict[str, float]:
    """Which documents stay, from the sketches on disk; their keepers are saved as `outcome`."""
    from finetune.corpus.minhash import Sketches
    from finetune.corpus.near_duplicates import near_duplicates

    stems = sorted(one.with_name(one.name[:5]) for one in Path(folder).glob("*.sketches.npy"))
    found = near_duplicates([Sketches.open(stem) for stem in stems], THRESHOLD)
    np.save(outcome, found.kept_for)
    return {"skipped": found.num_pairs_skipped}


def datasketch(corpus: str, bands: str, rows: str, outcome: str) -> dict[str, float]:
    """MinHashLSH as it is used for code: whoever meets an earlier document is dropped for it."""
    from datasketch import MinHash, MinHashLSH
    from near_duplicates_corpus import gram_set

    index = MinHashLSH(threshold=THRESHOLD, num_perm=256, params=(int(bands), int(rows)))
    kept_for = []
    for number, text in enumerate(texts_of(corpus)):
        minhash = MinHash(num_perm=256)
        minhash.update_batch([" ".join(gram).encode() for gram in gram_set(text)])
        met = index.query(minhash)
        kept_for.append(min(met, default=number))
        if not met:
            index.insert(number, minhash)
    np.save(outcome, np.array(kept_for))
    return {}


def main(name: str, *arguments: str) -> None:
    """Run one measurement and print it with its time and memory."""
    peaks, stop = [0.0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(peaks, stop), daemon=True)
    watcher.start()
    start = time.perf_counter()
    ways = {"sketch": sketch, "cluster": cluster, "datasketch": datasketch}
    measured = ways[name](*arguments)
    wall = time.perf_counter() - start
    stop.set()
    watcher.join()
    own = {"peak": _status("VmHWM"), "anonymous": peaks[0], "wall": wall, "cpu": cpu_seconds()}
    print(json.dumps({**measured, **own}))


if __name__ == "__main__":
    main(*sys.argv[1:])
