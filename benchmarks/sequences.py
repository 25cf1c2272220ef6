"""Sequences, side by side with encoding again and with TRL.

    python benchmarks/sequences.py                      # about twelve minutes on two cores
    python benchmarks/sequences.py --quick              # a small corpus, about two minutes
    python benchmarks/sequences.py --million --write    # everything, and results/sequences.md

The corpus is downloaded once: wheels of released packages, of which only Python files are read.
Seconds are of CPU unless they are called wall; rows of one table come from one run.
"""

import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from sequences_corpus import PACKAGES, QUICK_PACKAGES, find_tokenizer, read_packages
from sequences_fim import fim_step, finished_blocks
from sequences_scale import growing, many_documents
from sequences_tables import Section, machine, write_results

from data_formats.document import Document
from finetune.sequences import Encoder, TokenisedCorpus, tokenise
from finetune.tokenizer import CodeTokenizer

RESULTS = Path(__file__).with_name("results") / "sequences.md"
PEERS = ("trl", "datasets")


def arguments() -> Namespace:
    """What was asked for."""
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="four packages, one repeat")
    parser.add_argument("--million", action="store_true", help="also a million small documents")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    parser.add_argument("--tokenizer", type=Path, help="folder of a tokenizer.json")
    parser.add_argument(
        "--corpus",
        type=Path,
        default=Path(tempfile.gettempdir()) / "finetune-benchmark-corpus",
        help="where downloads and larger files are kept (default: %(default)s)",
    )
    return parser.parse_args()


def install_peers() -> None:
    """The libraries to compare with, where they are missing."""
    missing = [name for name in PEERS if find_spec(name) is None]
    if missing:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *missing], check=True)


def sections(
    documents: Sequence[Document],
    corpus: TokenisedCorpus,
    folder: Path,
    *,
    quick: bool,
    million: bool,
) -> Iterator[Section]:
    """Each measured when its turn comes."""
    from sequences_peers import first_pass, kept_and_filled, quiet  # they need the peers

    quiet()
    tokenizer = corpus.tokenizer.folder
    asked: list[Callable[[], Section]] = [
        lambda: fim_step(corpus, epochs=3 if quick else 4),
        lambda: finished_blocks(corpus, 500_000 if quick else 4_000_000, repeats=1 if quick else 3),
        lambda: first_pass(documents, tokenizer, repeats=1 if quick else 2),
        lambda: kept_and_filled(corpus),
        lambda: growing(documents, tokenizer, folder),
    ]
    if million:
        count = 20_000 if quick else 1_000_000
        asked.append(lambda: many_documents(documents, tokenizer, folder, count))
    for section in asked:
        yield section()


def facts_of(corpus: TokenisedCorpus, packages: Sequence[str], name: str) -> list[str]:
    """What was measured on, and with what."""
    sizes = corpus.rows["tokens"]
    return [
        *machine(),
        f"tokenizer: {name}",
        f"corpus: Python files of {', '.join(packages)}",
        f"documents: {len(corpus)}, of {corpus.num_tokens} tokens in all; a mean of "
        f"{sizes.mean():.0f} and a median of {np.median(sizes):.0f} tokens",
    ]


def main(asked: Namespace) -> None:
    """Measure, print, and write where that was asked for."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    install_peers()
    packages = QUICK_PACKAGES if asked.quick else PACKAGES
    documents = read_packages(packages, asked.corpus)
    tokenizer, name = find_tokenizer(documents, asked.corpus)
    if asked.tokenizer:
        tokenizer, name = asked.tokenizer, asked.tokenizer.name
    corpus = tokenise(documents, Encoder(CodeTokenizer(tokenizer)))
    facts = facts_of(corpus, packages, name)
    print(*facts, sep="\n")
    done = []
    with tempfile.TemporaryDirectory(dir=asked.corpus) as folder:
        options = {"quick": asked.quick, "million": asked.million}
        for section in sections(documents, corpus, Path(folder), **options):
            section.show()
            done.append(section)
    if asked.write:
        options = [f"--{name}" for name in ("quick", "million") if getattr(asked, name)]
        command = " ".join(["python", "benchmarks/sequences.py", *options, "--write"])
        write_results(RESULTS, command, facts, done)


if __name__ == "__main__":
    main(arguments())
