"""The tensors of a base's files, by the names that they have in a model."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from safetensors import safe_open

from finetune.base import WEIGHTS, WEIGHTS_INDEX
from finetune.methods import BODIES
from finetune.run_folder import read_json

WRAPPERS = ("base_model.model.", "module.")
"""What PEFT and engines put before a name."""


@dataclass(frozen=True)
class Stored:
    """Read one at a time: no more than one tensor is held."""

    folder: Path

    @cached_property
    def _files(self) -> dict[str, str]:
        """The file of each tensor."""
        if (self.folder / WEIGHTS).is_file():
            with safe_open(self.folder / WEIGHTS, "pt") as opened:
                return dict.fromkeys(opened.keys(), WEIGHTS)
        shards: dict[str, str] = read_json(self.folder / WEIGHTS_INDEX)["weight_map"]
        return shards

    def named(self, name: str) -> Any:
        """The tensor of a parameter of the model, whatever wraps that; None where no file has it.

        Files may lack what the names in a model begin with.
        """
        found = next((one for one in self._spellings(name) if one in self._files), None)
        return None if found is None else self.read(found)

    def read(self, name: str) -> Any:
        """By its name in the files."""
        with safe_open(self.folder / self._files[name], "pt") as opened:
            return opened.get_tensor(name)

    def ending(self, *modules: str) -> str | None:
        """The weight of the first module whose name ends in one of `modules`."""
        return next((n for n in self._files if n.split(".")[-2:-1] in [[m] for m in modules]), None)

    def _spellings(self, name: str) -> Iterator[str]:
        name = plain_name(name)
        yield name
        body, _, rest = name.partition(".")
        if body in BODIES:
            yield rest
        yield from (f"{body}.{name}" for body in BODIES)


def plain_name(name: str) -> str:
    """A parameter's name in a model that nothing wraps."""
    for wrapper in WRAPPERS:
        name = name.removeprefix(wrapper)
    return name.replace(".base_layer.", ".")
