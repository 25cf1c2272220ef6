"""Document -> Block: fill-in-the-middle, packing, and a stream that resumes exactly.

Read in this order: `boundaries.py` says where a text may be cut and keep its tokens, `encoder.py`
turns that into ids of any part at the price of its ends, `tokenised.py` and `cache.py` hold a
corpus as ids. `cuts.py` chooses the points of a cut with draws keyed in `draws.py`, `segment.py`
writes a segment, `packing.py` chooses which share a window, `block.py` lays them out.
`stream.py` is the way in.
"""

from finetune.sequences.block import Block
from finetune.sequences.cache import open_corpus
from finetune.sequences.encoder import Encoder
from finetune.sequences.packing import Rule
from finetune.sequences.stream import BlockStream, block_stream, rules_of
from finetune.sequences.tokenised import TokenisedCorpus, tokenise

__all__ = [
    "Block",
    "BlockStream",
    "Encoder",
    "Rule",
    "TokenisedCorpus",
    "block_stream",
    "open_corpus",
    "rules_of",
    "tokenise",
]
