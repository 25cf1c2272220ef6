"""Read documents, keep what is fit to learn from, and hold some out to measure with.

`open_source` lists a source, `prepare_corpus` writes the corpus of a run, `iter_documents` reads it
back. Everything that is listed ends up in the manifest or, with a reason, among the drops.

```
reader.py      what a reader does; files.py, history.py, rows.py are the three there are
chain.py       the curation of one document: opt-out, licence, filters, benchmarks, personal data
pipeline.py    sources -> shards of curated documents; execute.py runs it on all cores
choose.py      exact and near-duplicates, of which one stays
assemble.py    shards -> train.parquet, holdout.parquet, manifest.jsonl, drops.jsonl
prepare.py     the four in a row. Read it first.
```
"""

from finetune.corpus.reader import open_source
from finetune.corpus.store import iter_documents, read_documents
from finetune.corpus.summary import CorpusSummary, Tally, summarise

__all__ = [
    "CorpusSummary",
    "Tally",
    "iter_documents",
    "open_source",
    "read_documents",
    "summarise",
]
