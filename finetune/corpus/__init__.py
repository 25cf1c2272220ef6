"""Read source files, keep what is fit to learn from, and hold some out to measure with.

`locate` lists a source's files, `prepare_corpus` writes the corpus of a run, `read_documents` reads
it back. Every file that is listed ends up in the manifest or, with a reason, among the drops.
"""

from finetune.corpus.locate import SourceFile, SourceFiles, fingerprint, locate
from finetune.corpus.prepare import prepare_corpus
from finetune.corpus.store import iter_documents, read_documents
from finetune.corpus.summary import CorpusSummary, Tally, summarise

__all__ = [
    "CorpusSummary",
    "SourceFile",
    "SourceFiles",
    "Tally",
    "fingerprint",
    "iter_documents",
    "locate",
    "prepare_corpus",
    "read_documents",
    "summarise",
]
