"""Tensors of a model folder, read one at a time and written shard by shard."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from shutil import disk_usage

import torch
from huggingface_hub import split_torch_state_dict_into_shards
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from finetune.errors import Failed
from finetune.run_folder import write_json

SHARD = 5_000_000_000
"""Bytes of one file at most. The library's own limit is ten times that."""

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


def save_tensors(values: Mapping[str, Tensor], file: Path) -> None:
    """Write one safetensors file. Raises Failed where the disk takes no more."""
    try:
        save_file(dict(values), file, metadata={"format": "pt"})
    except (OSError, SafetensorError) as error:
        raise Failed(f"{file} could not be written: {error}; make room and run it again") from error


def write_shards(
    sources: Sources,
    shapes: Iterable[tuple[str, torch.Size]],
    folder: Path,
    dtype: torch.dtype,
    shard: int = SHARD,
) -> None:
    """Write what `sources` make as `dtype`, holding one shard at a time, named as the Hub does.

    Raises Failed where the disk cannot hold it.
    """
    planned = {name: torch.empty(shape, dtype=dtype, device="meta") for name, shape in shapes}
    plan = split_torch_state_dict_into_shards(planned, max_shard_size=shard)
    needed, free = sum(tensor.nbytes for tensor in planned.values()), disk_usage(folder).free
    if needed > free:
        raise Failed(
            f"{folder.parent}: the merge takes {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are "
            "free; make room and run it again"
        )
    for file, names in plan.filename_to_tensors.items():
        made = {name: sources[name]().to("cpu", dtype).contiguous() for name in names}
        save_tensors(made, folder / file)
        del made
    if plan.is_sharded:
        index = {"metadata": plan.metadata, "weight_map": plan.tensor_to_filename}
        write_json(folder / "model.safetensors.index.json", json.loads(json.dumps(index)))
