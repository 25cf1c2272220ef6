"""GPT-BigCode's weights under the names, in the order and of the types that llama.cpp expects."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from finetune.errors import UserError
from finetune.run_folder import read_json

if TYPE_CHECKING:
    from gguf import GGMLQuantizationType

Kind = Literal["f32", "f16", "bf16", "q8_0"]
BLOCK = 32
"""Weights that share a scale in q8_0."""
_POSITIONS = "position_embd.weight"
_GELUS = ("gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_python")
"""llama.cpp computes the one with tanh; `gelu` differs from it by 5e-4 at most."""


@dataclass(frozen=True)
class Weight:
    """A tensor of the model's files and the place it takes in GGUF."""

    name: str
    stored: str
    """Its name in the model's files."""
    file: Path
    shape: tuple[int, ...]
    heads: int | None = None
    """Set where queries, keys and values lie head by head and have to be sorted apart."""

    def read(self) -> NDArray[np.float32]:
        """The values in fp32."""
        from safetensors import safe_open

        with safe_open(self.file, framework="pt") as tensors:
            values = tensors.get_tensor(self.stored).float().numpy()
        return _sorted_apart(values, self.heads) if self.heads else values


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a GPT-BigCode. Raises UserError for any other, and where it has no GGUF."""
    config: dict[str, Any] = read_json(folder / "config.json")
    family = config.get("model_type")
    if family != "gpt_bigcode":
        raise UserError(
            f"{folder}: a model of the family {family} is not written as GGUF here, only "
            "gpt_bigcode is; publish with `artefact: merged` and convert that with llama.cpp's "
            "convert_hf_to_gguf.py"
        )
    activation = config.get("activation_function", "gelu_pytorch_tanh")
    if activation not in _GELUS:
        raise UserError(f"{folder}: llama.cpp knows GPT-BigCode with GELU only, not {activation}")
    if not (config.get("scale_attn_weights", True)):
        raise UserError(f"{folder}: llama.cpp always scales attention, this model does not")
    return config


def weights_of(folder: Path, config: dict[str, Any]) -> Iterator[Weight]:
    """Every tensor of the folder. Raises UserError for one that GGUF has no name for."""
    from gguf import MODEL_ARCH, get_tensor_name_map
    from safetensors import safe_open

    names = get_tensor_name_map(MODEL_ARCH.STARCODER, config["n_layer"])
    tied = config.get("tie_word_embeddings", True)
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as tensors:
            shapes = {key: tuple(tensors.get_slice(key).get_shape()) for key in tensors.keys()}  # noqa: SIM118
        for stored, shape in shapes.items():
            if tied and stored == "lm_head.weight":
                continue  # the same weight a second time
            name = names.get_name(stored, try_suffixes=(".weight", ".bias"))
            if name is None:
                raise UserError(f"{file}: GGUF has no name for its tensor {stored}")
            by_head = "attn_qkv" in name and not config.get("multi_query", True)
            yield Weight(name, stored, file, shape, config["n_head"] if by_head else None)


def type_of(weight: Weight, kind: Kind) -> "GGMLQuantizationType":
    """How llama.cpp wants a tensor stored: vectors and positions in fp32 always."""
    from gguf import GGMLQuantizationType

    if len(weight.shape) < 2 or weight.name == _POSITIONS:
        return GGMLQuantizationType.F32
    if kind == "q8_0" and weight.shape[-1] % BLOCK:
        return GGMLQuantizationType.F16
    return GGMLQuantizationType[kind.upper()]


def _sorted_apart(values: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """(heads, 3, size, ...) -> (3, heads, size, ...): all queries, all keys, all values."""
    apart = values.reshape(heads, 3, -1, *values.shape[1:]).swapaxes(0, 1)
    return np.ascontiguousarray(apart.reshape(values.shape))
