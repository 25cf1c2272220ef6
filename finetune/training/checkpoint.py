"""Checkpoints that are whole or not there, and the newest that is.

A checkpoint is written aside, its digests last, and takes its name with one rename; a kill at any
moment leaves the one before it untouched. Under DeepSpeed its own sharded files lie inside.
torch is imported where it is used: the command line asks for the newest checkpoint without it.
"""

import re
import shutil
from pathlib import Path
from typing import Any

from finetune.errors import UserError
from finetune.run_folder import read_json, sha256_of, sync_tree, write_json

NAME = re.compile(r"^step-(\d+)$")


def newest_checkpoint(folder: Path) -> Path | None:
    """The latest checkpoint whose files all have their digests; broken ones are passed over."""
    named = sorted(folder.glob("step-*"), key=_step, reverse=True)
    return next((path for path in named if is_whole(path)), None)


def _step(path: Path) -> int:
    match = NAME.match(path.name)
    return int(match.group(1)) if match else -1


def is_whole(path: Path) -> bool:
    """Whether every file that the checkpoint lists is there, byte for byte."""
    listing = path / "checkpoint.json"
    if not NAME.match(path.name) or not listing.is_file():
        return False
    try:
        digests = read_json(listing)["files"]
    except (ValueError, KeyError):
        return False  # cut off in the middle
    return all((path / n).is_file() and sha256_of(path / n) == d for n, d in digests.items())


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
    """Write `step-N` with the trainable weights, the optimiser, every rank's RNG and `state`.

    Of the others the newest stay, `keep` in all, and that of step `best`.

    Every rank must call it; rank 0 names the result.
    """
    final = folder / f"step-{step}"
    aside = folder / f".step-{step}.partial"
    if accelerator.is_main_process:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
    accelerator.wait_for_everyone()
    if hasattr(model, "save_checkpoint"):  # a DeepSpeed engine: every rank writes its shards
        model.save_checkpoint(str(aside), tag="deepspeed", exclude_frozen_parameters=True)
    elif accelerator.is_main_process:
        _save_plain(aside, accelerator.unwrap_model(model), optimizer)
    import torch

    torch.save(_rng_state(), aside / f"rng-{accelerator.process_index}.pt")
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        write_json(aside / "state.json", state)
        files = sorted(path for path in aside.rglob("*") if path.is_file())
        digests = {path.relative_to(aside).as_posix(): sha256_of(path) for path in files}
        write_json(aside / "checkpoint.json", {"step": step, "files": digests})
        sync_tree(aside)
        shutil.rmtree(final, ignore_errors=True)
        aside.rename(final)
        _rotate(folder, step, keep, best)
    accelerator.wait_for_everyone()
    return final


def _save_plain(folder: Path, model: Any, optimizer: Any) -> None:
    import torch
    from safetensors.torch import save_file

    trained = {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}
    save_file({n: t.contiguous() for n, t in trained.items()}, folder / "trainable.safetensors")
    torch.save(optimizer.state_dict(), folder / "optimizer.pt")


def load_checkpoint(
    path: Path,
    *,
    accelerator: Any,
    model: Any,
    optimizer: Any,
) -> dict[str, Any]:
    """Put weights, optimiser and this rank's RNG back; returns the stored state."""
    if hasattr(model, "load_checkpoint"):
        _refuse_other_ranks(path, accelerator.num_processes)
        model.load_checkpoint(str(path), tag="deepspeed", load_module_strict=False)
    else:
        _load_plain(path, accelerator.unwrap_model(model), optimizer)
    _restore_rng(path / f"rng-{accelerator.process_index}.pt")
    state: dict[str, Any] = read_json(path / "state.json")
    return state


def _refuse_other_ranks(path: Path, processes: int) -> None:
    stored = read_json(path / "state.json")["processes"]
    if stored != processes:
        raise UserError(
            f"{path}: sharded over {stored} processes, and {processes} were started; resume with "
            f"{stored}, or run again with --redo train"
        )


def _restore_rng(file: Path) -> None:
    """Dropout goes on where it stopped; a rank that the checkpoint does not know starts afresh."""
    import torch

    if not file.is_file():
        return
    rng = torch.load(file, map_location="cpu", weights_only=True)
    torch.set_rng_state(rng["cpu"])
    if "cuda" in rng and torch.cuda.is_available():
        torch.cuda.set_rng_state(rng["cuda"])


def _load_plain(folder: Path, model: Any, optimizer: Any) -> None:
    import torch
    from safetensors.torch import load_file

    stored = load_file(folder / "trainable.safetensors")
    own = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert stored.keys() == own.keys(), "the recipe was compared before the checkpoint is read"
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(stored[name])
    state = torch.load(folder / "optimizer.pt", map_location="cpu", weights_only=True)
    optimizer.load_state_dict(state)


def _rng_state() -> dict[str, Any]:
    import torch

    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


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
