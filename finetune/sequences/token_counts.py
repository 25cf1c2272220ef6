"""How many tokens a corpus holds, by language and by licence."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from finetune.corpus.store import licences_of
from finetune.corpus.summary import UNKNOWN_LICENCE
from finetune.sequences.cache import open_corpus
from finetune.tokenizer import CodeTokenizer


def token_counts(file: Path, tokenizer: CodeTokenizer) -> dict[str, dict[str, int]]:
    """`languages` and `licences` of a corpus file, each with its tokens, the most first.

    The corpus is tokenised where that was not done before. The sentinels of formats count; those
    of fill-in-the-middle and the ends of documents, which training adds, do not.
    """
    corpus = open_corpus(file, tokenizer)
    tokens = corpus.rows["tokens"].astype(np.float64)
    languages = np.bincount(corpus.rows["language"], tokens, len(corpus.languages))
    licences = [licence or UNKNOWN_LICENCE for licence in licences_of(file)]
    names, positions = np.unique(np.array(licences, dtype=object), return_inverse=True)
    return {
        "languages": _counted(corpus.languages, languages.tolist()),
        "licences": _counted(names.tolist(), np.bincount(positions, tokens).tolist()),
    }


def _counted(names: Sequence[str], counts: list[float]) -> dict[str, int]:
    pairs = zip(names, map(int, counts), strict=True)
    return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))
