"""The files of a merge, tensor by tensor, beside what base and adapter make by the formula."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from finetune.errors import Refused
from finetune.merging.formula import Adapter, expected
from finetune.merging.tensors import TensorFiles

ROUNDING = {torch.float32: 2**-24, torch.bfloat16: 2**-8, torch.float16: 2**-11}
"""Largest relative error of one rounding."""


@dataclass(frozen=True, kw_only=True)
class TensorProof:
    """What the comparison found."""

    problems: list[str]
    compared: int
    adapted: int
    largest_error: float
    """Of a stored value, in units of what rounding may do to it: 1 is the most allowed."""
    shapes: dict[str, dict[str, Any]]
    """By name, layers counted together: number of tensors, and the shape of each."""


def compare_tensors(
    base: Path, adapter: Adapter, merged: Path, names: list[str], dtype: torch.dtype
) -> TensorProof:
    """Each of `names` in `merged` against W + s B A of `base` and `adapter`, one at a time.

    A weight without adapter must be the base's, bit for bit, once that is of type `dtype`.
    """
    before, after = TensorFiles(base), TensorFiles(merged)
    problems = [f"{name} was not written" for name in names if name not in after.index]
    problems += [f"{name} does not belong there" for name in after.index if name not in set(names)]
    problems += [
        f"{name} has an adapter and was not merged"
        for name in adapter.parts
        if name not in after.index
    ]
    errors = [0.0]
    for name in (one for one in names if one in after.index):
        stored_name = before.stored_name(name)
        if stored_name is None:
            problems.append(f"{name} is not in the base")
            continue
        wanted = expected(name, before.read(stored_name), adapter)
        problem, error = _difference(wanted.values, wanted.slack, after.read(name), dtype)
        errors.append(error)
        problems += [f"{name} {problem}"] if problem else []
    return TensorProof(
        problems=problems,
        compared=len(names),
        adapted=len(adapter.parts),
        largest_error=max(errors),
        shapes=_shapes(after),
    )


def refuse_unfit(adapter: Adapter, base: Path) -> None:
    """Raise Refused where an adapter is incomplete, holds no numbers, or is of another base."""
    files = TensorFiles(base)
    unfit = list(_unfit(adapter, files))
    if not adapter.parts:
        unfit = ["it is empty"]
    if unfit:
        more = f" and {len(unfit) - 3} more" if len(unfit) > 3 else ""
        raise Refused(
            f"merge: the adapter does not fit the base: {'; '.join(unfit[:3])}{more}; nothing was "
            "merged. Merge it into the base that it was trained on, or train again"
        )


def refuse_incomplete(adapter: Adapter, attached: Iterable[str]) -> None:
    """Raise Refused where an adapter lacks a weight that its settings name.

    PEFT fills such a one in, with an update that does nothing, and warns.
    """
    lost = [name for name in attached if name not in adapter.parts]
    if lost:
        raise Refused(
            f"merge: the adapter has nothing for {', '.join(lost[:3])}, {len(lost)} in all, which "
            "its settings name: its file lost a part; nothing was merged. Train again"
        )


def _unfit(adapter: Adapter, files: TensorFiles) -> Iterator[str]:
    for name, parts in adapter.parts.items():
        for part, tensor in parts.items():
            if not torch.isfinite(tensor).all():
                yield f"{part} of {name} holds values that are not finite"
        stored_name = files.stored_name(name)
        if stored_name is None:
            yield f"the base has no {name}"
            continue
        shape, low_rank = files.shape(stored_name), {"lora_A", "lora_B"}
        if low_rank & parts.keys() and not name.endswith(".bias"):
            wanted = {*low_rank, *({"lora_magnitude_vector"} if adapter.config["use_dora"] else ())}
            missing = sorted(wanted - parts.keys())
            if missing:
                yield f"{', '.join(missing)} of {name} is missing"
                continue
            made = [parts["lora_B"].shape[0], parts["lora_A"].shape[1]]
            if made not in (shape, shape[::-1]):
                yield f"{name} is {_size(shape)} in the base and {_size(made)} in the adapter"


def _difference(
    wanted: Tensor, slack: float, found: Tensor, dtype: torch.dtype
) -> tuple[str, float]:
    """What is wrong with a tensor of the merge, if anything, and its largest error."""
    if found.dtype != dtype and found.is_floating_point():
        return f"is {found.dtype} and not {dtype}", 0.0
    if found.shape != wanted.shape:
        return f"is {_size(list(found.shape))} and not {_size(list(wanted.shape))}", 0.0
    if not torch.isfinite(found).all():
        return "holds values that are not finite", 0.0
    if not slack:
        same = torch.equal(found, wanted.to(found.dtype))
        return ("" if same else "is not what was trained"), 0.0
    tiny = torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps
    allowed = (wanted.abs() * ROUNDING[dtype]).add_(slack + tiny)
    error = float(((found.double() - wanted).abs_() / allowed).max())
    return ("" if error <= 1 else f"is off by {error:.3g} times what rounding may do"), error


def _shapes(files: TensorFiles) -> dict[str, dict[str, Any]]:
    kinds: Counter[tuple[str, tuple[int, ...]]] = Counter()
    for name in files.index:
        kinds[re.sub(r"\.\d+\.", ".*.", name), tuple(files.shape(name))] += 1
    return {
        name if num_named == 1 else f"{name} {_size(list(shape))}": {
            "tensors": count,
            "shape": list(shape),
        }
        for (name, shape), count in kinds.items()
        for num_named in [sum(other == name for other, _ in kinds)]
    }


def _size(shape: list[int]) -> str:
    return " x ".join(map(str, shape))
