"""Checkpoints that are whole or not there, in one format for all engines.

```
checkpoints/step-N/
    weights/NAME.safetensors    a trained weight in fp32, AdamW's moments and steps of it
    rng-R.safetensors           of rank R
    state.json                  step, place in the data, what the run stands on
    checkpoint.json             size and digest of every file, written last
```

A checkpoint is written aside and takes its name with one rename; a kill at any moment leaves the
one before it untouched. DeepSpeed's own checkpoints hold flat shards, which only the same stage on
as many ranks can load; its converter is a program of its own, and reads no adapters whose base is
left out. So weights are gathered whole, one at a time, and the ranks take turns at writing them: a
rank holds one in memory, all write at once, and any engine with any number of ranks goes on from
any checkpoint.

torch is imported where it is used: the command line asks for the newest checkpoint without it.
"""

import json
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from finetune.errors import Failed, UserError
from finetune.run_folder import read_json, sha256_of, sync_folder, write_synced
from finetune.training.scale import read_scale, write_scale
from finetune.training.together import refuse_any

FORMAT = 2
"""Of the files above."""
NAME = re.compile(r"^step-(\d+)$")
Listing = dict[str, dict[str, Any]]
"""`bytes` and `sha256` by the name of a file."""


def newest_checkpoint(folder: Path) -> Path | None:
    """The latest checkpoint whose files all have their digests; broken ones are passed over."""
    return next(filter(is_whole, complete_checkpoints(folder)), None)


def complete_checkpoints(folder: Path) -> Iterator[Path]:
    """Checkpoints whose files all have their sizes, the latest first. Their bytes are not read,
    which takes minutes where a large model is tuned as a whole."""
    for path in sorted(folder.glob("step-*"), key=_step, reverse=True):
        listed = _listing(path)
        if listed is not None and all(
            (path / name).is_file() and (path / name).stat().st_size == entry["bytes"]
            for name, entry in listed.items()
        ):
            yield path


def _step(path: Path) -> int:
    match = NAME.match(path.name)
    return int(match.group(1)) if match else -1


def _listing(path: Path) -> Listing | None:
    """The files of a checkpoint; None where it is none, or not whole."""
    listing = path / "checkpoint.json"
    if not NAME.match(path.name) or not listing.is_file():
        return None
    try:
        found = read_json(listing)
    except ValueError:
        return None  # cut off in the middle
    if found["format"] != FORMAT:
        raise UserError(
            f"{path}: written by another version of this toolkit; finish the run with that one, "
            "or train anew: `finetune run RECIPE --redo train`"
        )
    files: Listing = found["files"]
    return files


def is_whole(path: Path) -> bool:
    """Whether every file that the checkpoint lists is there, byte for byte."""
    listed = _listing(path)
    if listed is None or not all((path / name).is_file() for name in listed):
        return False
    with ThreadPoolExecutor() as pool:  # hashing lets other threads run
        found = pool.map(sha256_of, [path / name for name in listed])
        return [entry["sha256"] for entry in listed.values()] == list(found)


def save_checkpoint(
    folder: Path,
    step: int,
    *,
    accelerator: Any,
    model: Any,
    optimizer: Any,
    state: dict[str, Any],
    keep: int,
    best: int = 0,
) -> Path:
    """Write `step-N` with the trained weights, the optimiser, every rank's RNG and `state`.

    Of the others the newest stay, `keep` in all, and that of step `best`. Every rank must call it,
    and see the same `folder`. Raises Failed on every rank where one could not write; nothing is
    left of `step-N` then.
    """
    final, aside = folder / f"step-{step}", folder / f".step-{step}.partial"
    if accelerator.is_main_process:
        shutil.rmtree(aside, ignore_errors=True)
    accelerator.wait_for_everyone()
    listed = _write_by_turns(aside, accelerator, model, optimizer)
    own = _Files(aside)
    if accelerator.is_main_process:
        scale = read_scale(accelerator, optimizer)
        own.write_json("state.json", {**state, "scale": scale})
        files = {name: entry for part in [*listed, own.listed] for name, entry in part.items()}
        own.problem = own.problem or _unseen(aside, files)
        own.write_json("checkpoint.json", {"format": FORMAT, "step": step, "files": files})
    _refuse(accelerator, own.problem, folder, aside)
    if accelerator.is_main_process:
        for made in (aside / "weights", aside):
            sync_folder(made)
        shutil.rmtree(final, ignore_errors=True)
        aside.rename(final)
        sync_folder(folder)
        _rotate(folder, step, keep, best)
    accelerator.wait_for_everyone()
    return final


@dataclass
class _Files:
    """What one rank writes below a folder, up to the first file that cannot be written.

    Behind that one it writes nothing more, and goes on: the other ranks wait for it to gather.
    """

    folder: Path
    listed: Listing = field(default_factory=dict)
    problem: str | None = None

    def write(self, name: str, content: bytes) -> None:
        """Write and force to disk. The digest is that of what was meant."""
        if self.problem is not None:
            return
        try:
            write_synced(self.folder / name, content)
        except OSError as error:
            self.problem = f"{self.folder / name}: {error.strerror}"
        self.listed[name] = {"bytes": len(content), "sha256": sha256(content).hexdigest()}

    def write_json(self, name: str, value: Any) -> None:
        self.write(name, (json.dumps(value, indent=2) + "\n").encode())

    def write_tensors(self, name: str, tensors: dict[str, Any]) -> None:
        from safetensors.torch import save

        if self.problem is None:
            on_cpu = {key: tensor.to("cpu").contiguous() for key, tensor in tensors.items()}
            self.write(f"{name}.safetensors", save(on_cpu))


def _write_by_turns(folder: Path, accelerator: Any, model: Any, optimizer: Any) -> list[Listing]:
    """Every rank writes its share of the weights and its own RNG; what each of them has written."""
    from accelerate.utils import gather_object

    from finetune.training.masters import read_masters

    own, ranks = _Files(folder), accelerator.num_processes
    for turn, (name, whole) in enumerate(read_masters(accelerator.unwrap_model(model), optimizer)):
        if turn % ranks == accelerator.process_index:
            own.write_tensors(f"weights/{name}", whole)
    own.write_tensors(f"rng-{accelerator.process_index}", _rng_state())
    _refuse(accelerator, own.problem, folder.parent, folder)
    found: list[Listing] = gather_object([own.listed]) if ranks > 1 else [own.listed]
    return found


def _refuse(accelerator: Any, problem: str | None, folder: Path, aside: Path) -> None:
    """Raise Failed on every rank where one has a problem, without what was written."""
    try:
        refuse_any(accelerator, problem)
    except Failed as error:
        if accelerator.is_main_process:
            shutil.rmtree(aside, ignore_errors=True)
        last = next((path.name for path in complete_checkpoints(folder)), None)
        kept = f"{last} is kept" if last else "there is none before it"
        raise Failed(f"the checkpoint could not be written: {error}; {kept}") from error


def _unseen(folder: Path, files: Listing) -> str | None:
    """Why rank 0 cannot vouch for what the others have written."""
    missing = [name for name in files if not (folder / name).is_file()]
    if not missing:
        return None
    return (
        f"{folder / missing[0]} was written by another rank and is not seen by rank 0: the folder "
        "of runs must be one that all nodes share"
    )


def load_checkpoint(
    path: Path,
    *,
    accelerator: Any,
    model: Any,
    optimizer: Any,
) -> dict[str, Any]:
    """Put weights, optimiser and this rank's RNG back; returns the stored state.

    Every rank must call it. A rank that the checkpoint does not know keeps its own RNG.
    """
    from safetensors.torch import load_file

    from finetune.training.masters import write_masters

    write_masters(
        accelerator.unwrap_model(model),
        optimizer,
        lambda name: load_file(path / "weights" / f"{name}.safetensors"),
    )
    _restore_rng(path / f"rng-{accelerator.process_index}.safetensors")
    state: dict[str, Any] = read_json(path / "state.json")
    write_scale(accelerator, optimizer, state["scale"])
    return state


def _rng_state() -> dict[str, Any]:
    """Of dropout: the only draws that training makes outside the data."""
    import torch

    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def _restore_rng(file: Path) -> None:
    import torch
    from safetensors.torch import load_file

    if not file.is_file():
        return
    rng = load_file(file)
    torch.set_rng_state(rng["cpu"])
    if "cuda" in rng and torch.cuda.is_available():
        torch.cuda.set_rng_state(rng["cuda"])


def _rotate(folder: Path, step: int, keep: int, best: int) -> None:
    """Keep the newest `keep` up to `step`, and `best`; leftovers of interrupted writes go as well.

    A checkpoint beyond `step` was found broken when the run resumed before it.
    """
    named = sorted(folder.glob("step-*"), key=_step)
    whole = [path for path in named if _step(path) <= step]
    for path in [path for path in named if path not in whole[-keep:] and _step(path) != best]:
        shutil.rmtree(path)
    for path in folder.glob(".step-*.partial"):
        shutil.rmtree(path)
