"""Tensors of a model folder, read and written one at a time."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from shutil import disk_usage
from typing import Any

import torch
from huggingface_hub import split_torch_state_dict_into_shards
from safetensors import safe_open
from torch import Tensor

from finetune.errors import Failed
from finetune.models.load import SHARD_SIZE
from finetune.run_folder import write_json

_TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}

Sources = Mapping[str, Callable[[], Tensor]]
"""How to make each tensor, by its name in the file."""


@dataclass(frozen=True)
class TensorFiles:
    """All tensors of the safetensors files in a folder, by name."""

    folder: Path

    @cached_property
    def index(self) -> dict[str, Path]:
        """Names of tensors, and the file of each."""
        found = {}
        for file in sorted(self.folder.glob("*.safetensors")):
            with safe_open(file, framework="pt") as opened:
                found.update(dict.fromkeys(opened.keys(), file))
        return found

    def stored_name(self, name: str) -> str | None:
        """`name` as the files have it: some bases leave out the first part (`transformer.`)."""
        _, _, rest = name.partition(".")
        return next((one for one in (name, rest) if one in self.index), None)

    def read(self, name: str) -> Tensor:
        """One tensor, mapped from its file, which is let go with the tensor."""
        with safe_open(self.index[name], framework="pt") as opened:
            tensor: Tensor = opened.get_tensor(name)
        return tensor

    def shape(self, name: str) -> list[int]:
        """Of one tensor, from the file's header."""
        with safe_open(self.index[name], framework="pt") as opened:
            shape: list[int] = list(opened.get_slice(name).get_shape())
        return shape


def save_tensors(sources: Sources, planned: Mapping[str, Tensor], file: Path) -> None:
    """Write one safetensors file, a tensor at a time, of the types and shapes of `planned`.

    The library's own call wants all tensors at once, and maps the file that it writes as well:
    twice the file in memory. Raises Failed where the disk takes no more.
    https://github.com/huggingface/safetensors#format
    """
    names = sorted(planned, key=lambda name: (-planned[name].itemsize, name))  # aligned so
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in names:
        begin, end = end, end + planned[name].nbytes
        described = {"dtype": _TYPES[planned[name].dtype], "shape": list(planned[name].shape)}
        header[name] = {**described, "data_offsets": [begin, end]}
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    try:
        with file.open("wb") as opened:
            opened.write(len(head).to_bytes(8, "little") + head)
            for name in names:
                values = sources[name]().to("cpu", planned[name].dtype).contiguous()
                assert values.shape == planned[name].shape
                opened.write(values.reshape(-1).view(torch.uint8).numpy().data)
    except OSError as error:
        raise Failed(f"{file} could not be written: {error}; make room and run it again") from error


def write_shards(
    sources: Sources,
    weights: Mapping[str, Tensor],
    folder: Path,
    dtype: torch.dtype,
    shard: int | str = SHARD_SIZE,
) -> None:
    """Write what `sources` make, in files of `shard` bytes at most, named as the Hub does.

    Shapes are those of `weights`; what is floating-point becomes `dtype`. Raises Failed where the
    disk cannot hold it.
    """
    planned = {
        name: torch.empty(
            weight.shape, dtype=dtype if weight.is_floating_point() else weight.dtype, device="meta"
        )
        for name, weight in weights.items()
    }
    plan = split_torch_state_dict_into_shards(planned, max_shard_size=shard)
    needed, free = sum(tensor.nbytes for tensor in planned.values()), disk_usage(folder).free
    if needed > free:
        raise Failed(
            f"{folder.parent}: the merge takes {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are "
            "free; make room and run it again"
        )
    for file, names in plan.filename_to_tensors.items():
        save_tensors(sources, {name: planned[name] for name in names}, folder / file)
    if plan.is_sharded:
        index = {"metadata": plan.metadata, "weight_map": plan.tensor_to_filename}
        write_json(folder / "model.safetensors.index.json", index)
