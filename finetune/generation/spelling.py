"""Written ids -> text, special tokens by their names; and when a stop string has been written."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from finetune.tokenizer import CodeTokenizer, read_tokenizer_json

ANCHOR = "a"
"""Decoded in front of what was written: some tokenizers drop the space that begins a text."""


@lru_cache(maxsize=8)
def opening_ids(tokenizer: CodeTokenizer) -> tuple[int, ...]:
    """Special tokens that the tokenizer's files put before every text: none for StarCoder."""
    from tokenizers import Tokenizer

    stated = {**read_tokenizer_json(tokenizer.folder), "truncation": None, "padding": None}
    whole = Tokenizer.from_str(json.dumps(stated, ensure_ascii=False))
    ids = whole.encode(ANCHOR, add_special_tokens=True).ids
    bare = whole.encode(ANCHOR, add_special_tokens=False).ids
    at = next(i for i in range(len(ids)) if ids[i : i + len(bare)] == bare)
    return tuple(ids[:at])


@dataclass(frozen=True)
class Speller:
    """The text of what a model wrote."""

    tokenizer: CodeTokenizer

    def text(self, ids: Sequence[int]) -> str:
        """Content as text, special tokens by name: a model that goes on with another file's head
        behind its answer has not written a clean answer."""
        parts: list[str] = []
        run: list[int] = []
        for id_ in ids:
            name = self.tokenizer.name(id_)
            if name is None:
                run.append(id_)
                continue
            parts += [self._content(run), name]
            run = []
        return "".join([*parts, self._content(run)])

    def _content(self, ids: list[int]) -> str:
        if not ids:
            return ""
        anchor = self.tokenizer.encode(ANCHOR)
        return self.tokenizer.decode([*anchor, *ids])[len(ANCHOR) :]

    def has_just_stopped(self, ids: Sequence[int], stops: Sequence[str]) -> bool:
        """Whether the last token may have completed a stop string.

        A token is at least one byte, so a stop lies in as many of the last tokens as it has bytes;
        three more, for a character that the first of them may have torn.
        """
        if not stops:
            return False
        reach = max(len(stop.encode()) for stop in stops) + 3
        tail = self.text(ids[-reach:])
        return any(stop in tail for stop in stops)
