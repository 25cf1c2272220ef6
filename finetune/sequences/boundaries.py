"""Where a text may be cut so that both sides keep the tokens they have together.

Byte-level BPE merges within the pieces that a pre-tokenizer makes. A place between two characters
is a *boundary* where, whatever stands around it, pieces(A + B) = pieces(A) + pieces(B): then the
ids of the whole are those of A and then those of B. Which pairs of characters are boundaries is
proven from the pre-tokenizer's own expressions:

- no match can hold the left character and then the right one, nor look ahead from the left one, so
  a match that begins in A goes the same way as at A's end, and one that begins in B never saw A;
- one of the two is always part of a match, so no piece of unmatched text joins both sides. A step
  that leaves both unmatched, as splitting off digits does with letters, joins them into one piece,
  and the next step is asked.

Only boundaries whose right character is ASCII are used: such a character never composes with what
precedes it, so the rule holds under normalisation to NFC too.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune.sequences.pattern import ASCII, BEYOND_ASCII, Char, Pattern, Unknown, parse

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""What `ByteLevel` splits by, from https://github.com/openai/gpt-2 (encoder.py)."""

KNOWN = [char for char in ASCII if char.text is not None and (char.text >= " " or char.is_space)]
"""Control characters are left out: regular expression engines disagree on some of them."""

NOT_ASCII = r"[^\x00-\x7f\s\u180e\u200b]"
"""Beyond ASCII, and no white space in any version of Unicode."""

SPACES = [code for code in range(128, 0x3001) if chr(code).isspace()] + [0x180E, 0x200B]
"""White space beyond ASCII, in this or an older version of Unicode."""

BEYOND = 128
"""Row of the table for any such character; 0, NUL's, stands for white space beyond ASCII."""

WINDOW = 32
"""Characters that are looked back over at first; then twice as many each time."""


@dataclass(frozen=True)
class Boundaries:
    """Finds boundaries in a text. Both expressions match the left character of one."""

    table: NDArray[np.bool_]
    """(129, 128): by left and right character."""
    forward: re.Pattern[str]
    backward: re.Pattern[str]
    """For reversed text: it matches the right character."""

    def at(self, text: str, place: int) -> bool:
        """Whether there is a boundary before code point `place`; always at both ends."""
        return not 0 < place < len(text) or (
            self.forward.match(text, place - 1, place + 1) is not None
        )

    def first(self, text: str, start: int, end: int) -> int | None:
        """The first boundary strictly between `start` and `end`."""
        match = self.forward.search(text, start, end)
        return match.end() if match else None

    def last(self, text: str, start: int, end: int) -> int | None:
        """The last boundary strictly between `start` and `end`."""
        size = WINDOW
        while True:
            low = max(start, end - size)
            match = self.backward.search(text[low:end][::-1])
            if match:
                return end - match.end()
            if low == start:
                return None
            size *= 2

    def pieces(self, text: str) -> list[str]:
        """`text` in pieces whose ids, one after the other, are the ids of the whole."""
        left, right = self._codes(text)
        places = (np.flatnonzero(self.table[left, right]) + 1).tolist()
        return [text[i:j] for i, j in zip([0, *places], [*places, len(text)], strict=True)]

    def _codes(self, text: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """Rows and columns of the table for each pair of neighbours."""
        if text.isascii():
            codes = np.frombuffer(text.encode("ascii"), dtype=np.uint8)  # (characters,)
            return codes[:-1], codes[1:]
        points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)  # (characters,)
        left = np.where(np.isin(points, SPACES), 0, np.minimum(points, BEYOND))
        return left[:-1], np.where(points < BEYOND, points, 0)[1:]


def boundaries_of(tokenizer_json: dict[str, Any]) -> Boundaries | str:
    """The boundaries of a tokenizer, or in words why none are known.

    `tokenizer_json` is the tokenizer that encodes content: any added token left in it is found
    before text is split, at places of its own.
    """
    problem = _problem(tokenizer_json)
    if problem:
        return problem
    try:
        steps = list(_steps(tokenizer_json["pre_tokenizer"]))
        patterns = [parse(step) for step in steps]
    except Unknown as unknown:
        return f"its pre-tokenizer is not one of those that were proven ({unknown})"
    boundaries = _compile(patterns)
    return boundaries or "its pre-tokenizer leaves text unsplit, so no cut is known to be safe"


def _problem(tokenizer_json: dict[str, Any]) -> str | None:
    model, normalizer = tokenizer_json["model"], tokenizer_json.get("normalizer")
    if model.get("type") != "BPE":
        return f"its model is {model.get('type')}, not byte-level BPE"
    if model.get("dropout"):
        return "its merges are drawn by chance (dropout)"
    if model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"):
        return "its tokens carry marks for the inside or the end of a word"
    if normalizer not in (None, {"type": "NFC"}, {"type": "Sequence", "normalizers": []}):
        return f"its normaliser changes texts ({normalizer.get('type')})"
    if tokenizer_json["added_tokens"]:
        name = json.dumps(tokenizer_json["added_tokens"][0]["content"], ensure_ascii=False)
        return f"added tokens such as {name} are content and are found before text is split"
    return None


def _steps(pre_tokenizer: dict[str, Any] | None) -> Iterator[str]:
    """The expressions by which text is split, in order."""
    parts = _flat(pre_tokenizer or {"type": None})
    if [part["type"] for part in parts].count("ByteLevel") != 1 or parts[-1]["type"] != "ByteLevel":
        raise Unknown("no ByteLevel at its end")
    for part in parts:
        kind = part["type"]
        if kind == "Digits":
            yield r"\p{N}" if part["individual_digits"] else r"\p{N}+"
        elif kind == "ByteLevel" and not part["add_prefix_space"]:
            if part.get("use_regex", True):
                yield GPT2
        elif kind == "Split" and part["behavior"] == "Isolated" and not part["invert"]:
            yield _expression(part["pattern"])
        else:
            raise Unknown(kind)


def _flat(part: dict[str, Any]) -> list[dict[str, Any]]:
    inner = part.get("pretokenizers")
    return [part] if inner is None else [leaf for one in inner for leaf in _flat(one)]


def _expression(pattern: dict[str, str]) -> str:
    return pattern["Regex"] if "Regex" in pattern else re.escape(pattern["String"])


def is_boundary(patterns: list[Pattern], lefts: Sequence[Char], right: Char) -> bool:
    """Whether every text may be parted between one of `lefts`, whichever it is, and `right`.

    Each step may take a character beyond ASCII for another kind: engines know other Unicodes.
    """
    for pattern in patterns:
        if any(pattern.may_join(left, right) for left in lefts):
            return False
        if pattern.covers(right) or all(pattern.covers(left) for left in lefts):
            return True
    return False


def _compile(patterns: list[Pattern]) -> Boundaries | None:
    table = np.zeros((BEYOND + 1, BEYOND), dtype=np.bool_)
    for right in KNOWN:
        for left in KNOWN:
            table[_code(left), _code(right)] = is_boundary(patterns, [left], right)
        table[BEYOND, _code(right)] = is_boundary(patterns, BEYOND_ASCII, right)
    # Left characters with the same right ones share an alternative of the expressions.
    lefts: dict[bytes, list[int]] = {}
    for code in np.flatnonzero(table.any(axis=1)).tolist():
        lefts.setdefault(table[code].tobytes(), []).append(code)
    rights = [np.flatnonzero(table[codes[0]]).tolist() for codes in lefts.values()]
    pairs = [(_class(a), _class(b)) for a, b in zip(lefts.values(), rights, strict=True)]
    if not pairs:
        return None
    return Boundaries(
        table,
        re.compile("|".join(f"{left}(?={right})" for left, right in pairs)),
        re.compile("|".join(f"{right}(?={left})" for left, right in pairs)),
    )


def _code(char: Char) -> int:
    assert char.text is not None
    return ord(char.text)


def _class(codes: Sequence[int]) -> str:
    """An expression for one character among `codes`."""
    ascii_codes = [code for code in codes if code != BEYOND]
    inside = "".join(f"\\x{code:02x}" for code in ascii_codes)
    choices = [f"[{inside}]"] * bool(ascii_codes) + [NOT_ASCII] * (len(ascii_codes) < len(codes))
    return choices[0] if len(choices) == 1 else f"(?:{'|'.join(choices)})"
