"""A GGUF file read back: its tensors against the folder's, its tokenizer against tokenizer.json."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from finetune.errors import Refused
from finetune.exporting.tensors import BLOCK, Kind, type_of, weights_of
from finetune.tokenizer import CodeTokenizer

if TYPE_CHECKING:
    from gguf import GGUFReader, ReaderTensor

Array = NDArray[np.float32]


def compare_tensors(folder: Path, file: Path, kind: Kind, config: dict[str, Any]) -> float:
    """The largest difference of a weight of `file` from the folder's.

    Raises Refused where one is missing, added, or not what its type makes of the folder's: equal
    once rounded in f32, f16 and bf16, within half a step (and the rounding of the step) in q8_0.
    """
    from gguf import GGUFReader

    stored = {tensor.name: tensor for tensor in GGUFReader(file).tensors}
    weights = list(weights_of(folder, config))
    others = stored.keys() ^ {weight.name for weight in weights}
    if others:
        raise Refused(f"{file.name}: tensors on one side alone: {', '.join(sorted(others))}")
    largest = 0.0
    for weight in weights:
        tensor, wanted = stored[weight.name], weight.read()
        values = values_of(tensor)
        if values.shape != wanted.shape:
            raise Refused(f"{file.name}: {weight.name} has another shape than in the model's files")
        if not np.isfinite(values).all():
            raise Refused(
                f"{file.name}: {weight.name} has numbers that are NaN or infinite; where the "
                f"model's own are finite, {kind} cannot hold them, and bf16 can"
            )
        difference = np.abs(values - wanted)
        if not (difference <= _bound(wanted, type_of(weight, kind).name)).all():
            raise Refused(f"{file.name}: {weight.name} is not what the model's files hold")
        largest = max(largest, float(difference.max(initial=0)))
    return largest


def values_of(tensor: "ReaderTensor") -> Array:
    """A tensor in fp32, in the shape that torch has it in."""
    from gguf import quants

    values = quants.dequantize(tensor.data, tensor.tensor_type)
    return np.asarray(values, np.float32).reshape(tensor.shape[::-1].tolist())


def _bound(wanted: Array, type_: str) -> Array:
    """How far each weight may be off: what torch's own rounding makes of it, or q8_0's step."""
    import torch

    if type_ == "Q8_0":
        blocks = np.abs(wanted.reshape(-1, BLOCK)).max(axis=1, keepdims=True)
        step = blocks / 127
        rounding = 127 * np.maximum(step * 2.0**-11, 2.0**-25)  # the step itself is kept in fp16
        bound = np.broadcast_to(1.0001 * (step / 2 + rounding), (len(blocks), BLOCK))
        return bound.reshape(wanted.shape)
    dtype = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}[type_]
    rounded = torch.from_numpy(wanted).to(dtype).float().numpy()
    return np.asarray(np.abs(rounded - wanted), np.float32)


def compare_tokenizer(folder: Path, file: Path, texts: Sequence[str]) -> int:
    """How many ids of `texts` agree between tokenizer.json and one made from the file's arrays.

    Raises Refused where any differs, or the end-of-text token or a sentinel has another id or can
    be spelled by text.
    """
    from gguf import GGUFReader

    reader, tokenizer = GGUFReader(file), CodeTokenizer(folder)
    made = _rebuilt(reader)
    compared = 0
    for text in texts:
        ids = tokenizer.encode(text)
        if made.encode(text, add_special_tokens=False).ids != ids:
            raise Refused(f"{file.name}: its tokenizer gives other ids than {folder}")
        compared += len(ids)
    _compare_sentinels(reader, tokenizer, file)
    return compared


def _rebuilt(reader: "GGUFReader") -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokens = _field(reader, "tokenizer.ggml.tokens")
    kinds = _field(reader, "tokenizer.ggml.token_type")
    content = {token: id_ for id_, token in enumerate(tokens) if kinds[id_] in (1, 3)}
    merges = [tuple(merge.split(" ")) for merge in _field(reader, "tokenizer.ggml.merges")]
    made = Tokenizer(models.BPE(vocab=content, merges=merges))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    digits = [pre_tokenizers.Digits(individual_digits=True)]
    is_starcoder = _field(reader, "tokenizer.ggml.pre") == "starcoder"
    made.pre_tokenizer = pre_tokenizers.Sequence([*(digits if is_starcoder else []), byte_level])
    made.add_tokens([token for id_, token in enumerate(tokens) if kinds[id_] == 4])
    return made


def _compare_sentinels(reader: "GGUFReader", tokenizer: CodeTokenizer, file: Path) -> None:
    ids = tokenizer.sentinels
    wanted = {"eos": tokenizer.eod}
    if ids is not None:
        wanted |= {"fim_pre": ids.prefix, "fim_suf": ids.suffix, "fim_mid": ids.middle}
    kinds = _field(reader, "tokenizer.ggml.token_type")
    for name, id_ in wanted.items():
        if _field(reader, f"tokenizer.ggml.{name}_token_id") != id_ or kinds[id_] != 3:
            raise Refused(f"{file.name}: {name} is not the token that {tokenizer.folder} has")


def _field(reader: "GGUFReader", name: str) -> Any:
    field = reader.get_field(name)
    return None if field is None else field.contents()


_VOCABULARY = ("tokenizer.ggml.tokens", "tokenizer.ggml.merges")


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a GGUF file holds beside numbers, and which of those are none."""

    not_finite: Sequence[str]
    """Tensors."""
    said: Mapping[str, Any]
    """Its fields of text and lists of text, and under `tensors` their names."""
    vocabulary: Sequence[str]
    """Tokens and merges, as it spells them."""


def contents_of(file: Path) -> Contents:
    """All that can be looked at before a GGUF file is published.

    Raises ValueError where it cannot be read, whatever its reader stumbles over.
    """
    from gguf import GGUFReader

    try:
        reader = GGUFReader(file)
        fields = {name: field.contents() for name, field in reader.fields.items()}
        finite = {one.name: bool(np.isfinite(values_of(one)).all()) for one in reader.tensors}
    except (ValueError, TypeError, LookupError, OSError, ArithmeticError, RuntimeError) as error:
        raise ValueError(f"not a readable GGUF file ({type(error).__name__}: {error})") from error
    texts = {name: value for name, value in fields.items() if _is_text(value)}
    words = [texts.pop(name, None) for name in _VOCABULARY]
    return Contents(
        not_finite=[name for name, is_finite in finite.items() if not is_finite],
        said={**texts, "tensors": list(finite)},
        vocabulary=[word for one in words if isinstance(one, list) for word in one],
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(one, str) for one in value)
    )
