"""Tokenizer files: read, made, and proven to be what their folder describes.

Text is encoded straight through `tokenizers` from `tokenizer.json`. transformers rebuilds some
tokenizers from their class name and then drops the step that splits digits; `prove` refuses that.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from finetune.errors import UserError
from finetune.families import END_OF_DOCUMENT, STARCODER_SPECIAL_TOKENS, sentinels_of
from finetune.run_folder import digest_of

PROBE = (
    "def f_12(x):\n\tif x >= 3.14159:  # 日本 é 🙂\r\n        return [x, 2026, 0x1F] * 100\n\n\n"
    "    42, ½,  7\n"
)
"""Digits behind several spaces are where a tokenizer that lost its digit splitting differs."""

BRACKETED = re.compile(r"<.+>|\[.+\]", re.DOTALL).fullmatch

FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
)
"""What a tokenizer may consist of on disk."""


@dataclass(frozen=True)
class SentinelIds:
    """Token ids of the fill-in-the-middle sentinels."""

    prefix: int
    middle: int
    suffix: int


@dataclass(frozen=True)
class CodeTokenizer:
    """The text of documents as ids, where content can never produce a special token."""

    folder: Path

    @cached_property
    def _json(self) -> dict[str, Any]:
        return read_tokenizer_json(self.folder)

    @cached_property
    def _added(self) -> dict[str, int]:
        return {token["content"]: token["id"] for token in self._json["added_tokens"]}

    @cached_property
    def _names(self) -> dict[int, str]:
        """Special tokens by id: those flagged, and those in brackets, for some families flag none.

        Other added tokens, such as runs of spaces, are content.
        """
        added = self._json["added_tokens"]
        return {t["id"]: t["content"] for t in added if t["special"] or BRACKETED(t["content"])}

    @cached_property
    def content_json(self) -> dict[str, Any]:
        """The same tokenizer without special tokens: `<fim_middle>` in a file is plain text.

        Nothing is cut off or filled up either, whatever the files ask for.
        """
        kept = [token for token in self._json["added_tokens"] if token["id"] not in self._names]
        plain = {"added_tokens": kept, "post_processor": None, "truncation": None, "padding": None}
        return {**self._json, **plain}

    @cached_property
    def digest(self) -> str:
        """Of what decides the ids of content."""
        return digest_of(self.content_json)

    @cached_property
    def _content(self) -> Any:
        from tokenizers import Tokenizer

        return Tokenizer.from_str(json.dumps(self.content_json, ensure_ascii=False))

    @cached_property
    def eod(self) -> int:
        """Id of the token that ends a document."""
        name = _end_of_document(self.folder)
        if name not in self._added:
            raise UserError(f"{self.folder}: the end-of-document token {name} is not in its tokens")
        return self._added[name]

    @cached_property
    def sentinels(self) -> SentinelIds | None:
        """Ids by name, or None for a tokenizer that has none."""
        names = sentinels_of(self._added)
        if names is None:
            return None
        added = self._added
        return SentinelIds(added[names.prefix], added[names.middle], added[names.suffix])

    @cached_property
    def pad(self) -> int:
        """Id that fills the end of a block; its labels are masked by position."""
        names = sentinels_of(self._added)
        return self._added[names.pad] if names and names.pad in self._added else self.eod

    @cached_property
    def size(self) -> int:
        """The highest id and one: ids need not be without gaps."""
        ids = [*self._added.values(), *self._content.get_vocab(with_added_tokens=True).values()]
        return max(ids, default=-1) + 1

    def encode(self, text: str) -> list[int]:
        """Ids of plain content. Raises UserError where the text is not valid Unicode."""
        ids: list[int] = self._encoding(text).ids
        return ids

    def encode_all(self, texts: list[str]) -> list[list[int]]:
        """Ids of several texts, faster than one by one."""
        try:
            encodings = self._content.encode_batch_fast(texts, add_special_tokens=False)
        except TypeError:  # one of them is no Unicode: say which character
            return [self.encode(text) for text in texts]
        return [encoding.ids for encoding in encodings]

    def encode_with_starts(self, text: str) -> tuple[list[int], list[int]]:
        """Ids, and for each of them the code point at which it starts (may repeat)."""
        encoding = self._encoding(text)
        return encoding.ids, [start for start, _ in encoding.offsets]

    def _encoding(self, text: str) -> Any:
        try:
            return self._content.encode(text, add_special_tokens=False)
        except TypeError:  # tokenizers says only that it wants a string
            lone = re.search("[\ud800-\udfff]", text)
            if lone is None:
                raise
            raise UserError(
                f"a text holds the lone surrogate U+{ord(lone[0]):04X} at character "
                f"{lone.start()}, which is not valid Unicode; repair or leave out its file"
            ) from None

    def decode(self, ids: Iterable[int]) -> str:
        """Text of content ids, without any clean-up; special tokens are left out."""
        content = [id_ for id_ in ids if id_ not in self._names]
        text: str = self._content.decode(content, skip_special_tokens=False)
        return text

    def spellings(self) -> dict[int, bytes]:
        """The bytes of text that each content id of a byte-level vocabulary stands for."""
        bytes_of = {char: byte for byte, char in enumerate(_byte_characters())}
        return {
            id_: bytes(bytes_of[char] for char in token)
            for token, id_ in self._content.get_vocab(with_added_tokens=False).items()
            if id_ not in self._names and all(char in bytes_of for char in token)
        }

    @cached_property
    def special_ids(self) -> dict[str, int]:
        """Special tokens by their spelling: what decides the ids of sentinels."""
        return {name: id_ for id_, name in self._names.items()}

    def special_id(self, name: str) -> int | None:
        """Id of a special token by its spelling, or None for a tokenizer without it."""
        id_ = self._added.get(name)
        return id_ if id_ in self._names else None

    def name(self, id_: int) -> str | None:
        """The special token's own spelling, or None for a content token."""
        return self._names.get(id_)


def _byte_characters() -> list[str]:
    """The printable character by which byte-level vocabularies write each byte (GPT-2's table)."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


def read_tokenizer_json(folder: Path) -> dict[str, Any]:
    """The parsed `tokenizer.json`. Raises UserError where it is missing or broken."""
    file = folder / "tokenizer.json"
    try:
        parsed: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{folder}: no tokenizer.json; save the base with a fast tokenizer first"
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: cannot be read: {error}") from error
    return parsed


def special_tokens(folder: Path) -> set[str]:
    """Spellings of the added tokens of a tokenizer folder. Needs no library."""
    return {token["content"] for token in read_tokenizer_json(folder)["added_tokens"]}


def num_ids(folder: Path) -> int:
    """The highest id of a tokenizer folder and one. Needs no library."""
    parsed = read_tokenizer_json(folder)
    vocabulary = parsed["model"].get("vocab", {})
    ids = vocabulary.values() if isinstance(vocabulary, dict) else range(len(vocabulary))
    return max([*ids, *(token["id"] for token in parsed["added_tokens"])], default=-1) + 1


def fim_problem(folder: Path) -> str | None:
    """Why fill-in-the-middle is impossible with this tokenizer, or None. Needs no library."""
    tokens = {token["content"]: token for token in read_tokenizer_json(folder)["added_tokens"]}
    names = sentinels_of(tokens)
    if names is None:
        return "its tokenizer has no fill-in-the-middle sentinels; set fim.rate to 0"
    for name in (names.prefix, names.middle, names.suffix):
        if tokens[name]["lstrip"] or tokens[name]["rstrip"]:
            return f"its sentinel {name} strips the white space around it; set fim.rate to 0"
    return None


def _end_of_document(folder: Path) -> str:
    file = folder / "tokenizer_config.json"
    if not file.is_file():
        return END_OF_DOCUMENT
    token = json.loads(file.read_text(encoding="utf-8")).get("eos_token") or END_OF_DOCUMENT
    return str(token["content"] if isinstance(token, dict) else token)


def train_tokenizer(texts: Iterable[str], vocabulary: int, positions: int, folder: Path) -> None:
    """Write a byte-level BPE of `vocabulary` ids, StarCoder's 19 special tokens at 0 to 18.

    Digits are split one by one before byte-level merging, as StarCoder does.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(STARCODER_SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_DOCUMENT,
        "eos_token": END_OF_DOCUMENT,
        "unk_token": END_OF_DOCUMENT,
        "pad_token": "<fim_pad>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": positions,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def prove(folder: Path, *, trust_remote_code: bool = False) -> None:
    """Refuse a folder whose tokenizer, as transformers loads it, is not its tokenizer.json.

    Everyone who loads the released model goes through transformers, so both must agree.
    Raises UserError with the remedy.
    """
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    stated = Tokenizer.from_str(json.dumps(read_tokenizer_json(folder), ensure_ascii=False))
    loaded = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    expected = stated.encode(PROBE, add_special_tokens=False).ids
    got = loaded.encode(PROBE, add_special_tokens=False)
    if got != expected:
        has_config = (folder / "config.json").is_file()
        beside = "" if has_config else "put the model's config.json beside it, or "
        raise UserError(
            f"{folder}: transformers does not load the tokenizer that tokenizer.json describes "
            f"(it rebuilds it from tokenizer_class); {beside}set "
            '"tokenizer_class": "PreTrainedTokenizerFast" in tokenizer_config.json'
        )
