"""The merged model as one GGUF file, which llama.cpp and what is built on it read; with proof.

    vocabulary.py  tokenizer.json -> what GGUF states of a tokenizer
    tensors.py     names and shapes of GPT-BigCode's weights in GGUF
    write.py       a folder -> a file, one tensor in memory at a time
    read.py        the file read back: tensors against the folder's, ids against tokenizer.json's
    runtime.py     the file in llama.cpp itself: ids and logits
    export.py      all of it, and gguf.json
    of_run.py      what a recipe asks for, from a run's folder

The format is written by `gguf`, llama.cpp's own package. Its converter does not do here: it knows
tokenizers by a hash, and so none that was trained by this toolkit; and it states one head of keys
and values for every GPT-BigCode, those with one per query head included.
"""

from finetune.exporting.export import PROOF, export_gguf, file_name
from finetune.exporting.of_run import exported
from finetune.exporting.read import Contents, contents_of

__all__ = [
    "PROOF",
    "Contents",
    "contents_of",
    "export_gguf",
    "exported",
    "file_name",
]
