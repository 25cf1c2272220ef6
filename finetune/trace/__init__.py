"""Which training documents contain a given piece of code.

    units.py    text -> characters or words, with their places
    hashing.py  hashes of all k-grams at once
    winnow.py   the few of them that stand for a text
    index.py    a corpus -> sorted fingerprints and their documents, in parts
    places.py   passages, as code points and as lines
    runs.py     passages that two texts share, unit by unit
    repeats.py  passages of a short text, by reading all of a corpus
    lookup.py   a text -> documents, spans on both sides
    bloom.py    the filter that can travel with a released model
    wording.py  what was found, for people and as JSON

Fingerprints and not a suffix array: an index takes about one byte per character of code where the
array alone takes four (eight above 2^31 characters) and the text besides; it is made in one pass
over the corpus, in bounded memory, with numpy and nothing else; a lookup maps it instead of loading
it. Nothing is lost by that: fingerprints only name the documents to look into, and each passage is
then compared with the stored text character by character. `benchmarks/trace_index.py` measures
both.

Code that was reformatted is found by its words. Code whose identifiers were renamed throughout is
not found, nor is code that was rewritten: that something is not found proves only that it was not
copied.
"""

from pathlib import Path

from finetune.trace.bloom import Membership, check_bloom, write_bloom
from finetune.trace.index import IndexSummary, build_index
from finetune.trace.lookup import Frequent, Match, SpanPair, Trace, find
from finetune.trace.places import Place, place_in

INDEX_FOLDER = Path("trace")
"""Of the index, inside a run's folder."""
BLOOM_FILE = Path("training_index.bloom")
"""Of the filter, inside a release's folder."""

__all__ = [
    "BLOOM_FILE",
    "INDEX_FOLDER",
    "Frequent",
    "IndexSummary",
    "Match",
    "Membership",
    "Place",
    "SpanPair",
    "Trace",
    "build_index",
    "check_bloom",
    "find",
    "place_in",
    "write_bloom",
]
