"""What a prepared corpus comes to: tokens, the index by which it can be traced, and a table."""

import sys
from dataclasses import asdict
from pathlib import Path

from finetune.corpus.contamination import Contamination, sentence
from finetune.corpus.summary import CorpusSummary
from finetune.corpus.table import summary_table
from finetune.run_folder import RunFolder, write_json
from finetune.sequences.token_counts import token_counts
from finetune.tokenizer import CodeTokenizer
from finetune.trace import build_index


def take_inventory(
    run: RunFolder, summary: CorpusSummary, contamination: Contamination, base: Path | None
) -> None:
    """Write corpus.json and the trace index of `run`, and print what was kept and dropped.

    `base` is the folder whose tokenizer counts tokens; without one only characters are counted.
    """
    from rich.console import Console

    tokens = token_counts(run.train_corpus, CodeTokenizer(base)) if base else None
    index = build_index(run.train_corpus, run.trace)
    compared = sentence(contamination, summary.benchmark_drops)
    facts = {**asdict(summary), "tokens": tokens, "benchmarks": compared, "trace": asdict(index)}
    write_json(run.corpus_summary, facts)
    Console(stderr=True).print(summary_table(summary, tokens))
    if tokens is None:
        print("tokens: counted by `train`, for the base is not here yet", file=sys.stderr)
    print(compared, file=sys.stderr)
    size = f"{index.bytes:,} bytes over {index.documents:,} documents"
    print(
        f"trace: an index of {size}, for `finetune trace {run.path}`", file=sys.stderr, flush=True
    )
