"""tokenizer.json -> the arrays and ids by which GGUF states a tokenizer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.errors import UserError
from finetune.families import sentinels_of
from finetune.tokenizer import CodeTokenizer, read_tokenizer_json

NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
"""Kinds of tokens, as GGUF numbers them. Content never becomes a control token."""
_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
_DIGITS = {"type": "Digits", "individual_digits": True}
_SPLITS = {"starcoder": [_DIGITS, _BYTE_LEVEL], "gpt-2": [_BYTE_LEVEL]}
"""How text is parted before merging, by llama.cpp's name for it."""
_NO_WORDS = {"use_regex": True}  # what tokenizer.json leaves out


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """A byte-level BPE as GGUF states it; `tokens` and `kinds` have a place per embedding row."""

    split: str
    tokens: tuple[str, ...]
    kinds: tuple[int, ...]
    merges: tuple[str, ...]
    eod: int
    pad: int
    fim: dict[str, int]
    """Ids of the sentinels by GGUF's names for them; empty for a tokenizer that has none."""


def read_vocabulary(folder: Path, rows: int) -> Vocabulary:
    """The tokenizer of `folder` beside an embedding of `rows`.

    Raises UserError where GGUF has no way to state it: not a byte-level BPE, or one that parts
    text in a way that llama.cpp has no name for.
    """
    parsed, tokenizer = read_tokenizer_json(folder), CodeTokenizer(folder)
    split = _split(parsed, folder)
    tokens, kinds = [f"[PAD{id_}]" for id_ in range(rows)], [UNUSED] * rows
    added = {token["id"]: token["content"] for token in parsed["added_tokens"]}
    for token, id_ in parsed["model"]["vocab"].items():
        tokens[id_], kinds[id_] = token, NORMAL
    for id_, token in added.items():
        is_special = tokenizer.name(id_) is not None
        tokens[id_], kinds[id_] = token, CONTROL if is_special else USER_DEFINED
    return Vocabulary(
        split=split,
        tokens=tuple(tokens),
        kinds=tuple(kinds),
        merges=tuple(map(_merge, parsed["model"]["merges"])),
        eod=tokenizer.eod,
        pad=tokenizer.pad,
        fim=_fim(added),
    )


def _merge(merge: str | list[str]) -> str:
    return merge if isinstance(merge, str) else " ".join(merge)


def _split(parsed: dict[str, Any], folder: Path) -> str:
    step = parsed.get("pre_tokenizer") or {}
    steps = step.get("pretokenizers", []) if step.get("type") == "Sequence" else [step]
    found = [{k: v for k, v in (_NO_WORDS | one).items() if k in _wanted(one)} for one in steps]
    for name, wanted in _SPLITS.items():
        if found == wanted and parsed["model"].get("type") == "BPE" and not parsed["normalizer"]:
            return name
    raise UserError(
        f"{folder}: its tokenizer is none that a GGUF file can state here: that takes a byte-level "
        "BPE without a normaliser that splits text as GPT-2 does, or as StarCoder does; publish "
        "with `artefact: merged`"
    )


def _wanted(step: dict[str, Any]) -> dict[str, Any]:
    """The keys that decide how a step splits."""
    return _DIGITS if step.get("type") == "Digits" else _BYTE_LEVEL


def _fim(added: dict[int, str]) -> dict[str, int]:
    ids = {token: id_ for id_, token in added.items()}
    names = sentinels_of(ids)
    if names is None:
        return {}
    found = {"fim_pre": names.prefix, "fim_suf": names.suffix, "fim_mid": names.middle}
    if names.pad in ids:
        found["fim_pad"] = str(names.pad)
    return {name: ids[token] for name, token in found.items()}
