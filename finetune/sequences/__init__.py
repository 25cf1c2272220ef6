"""Document -> Block: fill-in-the-middle, packing, and a stream that resumes exactly.

Order of work: write each candidate segment (`segment.py`, with draws keyed in `draws.py`), choose
which share a window (`packing.py`), lay them out (`block.py`). `stream.py` is the way in.
"""

from finetune.sequences.block import Block
from finetune.sequences.stream import BlockStream, block_stream

__all__ = ["Block", "BlockStream", "block_stream"]
