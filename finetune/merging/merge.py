"""Merge, save, reload from disk, and prove that it is the unmerged model.

Two checks, both on what was read back: each tensor against W + s B A (`tensor_proof`), and the
logits of real text against base and adapter (`logit_proof`). Weights stay in their files but for
those that compute or are written.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from finetune.base import BaseFacts
from finetune.errors import Refused
from finetune.merging.as_stored import leave_in_files
from finetune.merging.folder import complete_folder, folder_problems, is_tied, stored_dtype
from finetune.merging.formula import Adapter, read_adapter
from finetune.merging.logit_proof import LogitProof, compare_logits, keep_logits
from finetune.merging.sources import (
    changed_weights,
    plain_values,
    plain_weights,
    unchanged_weights,
)
from finetune.merging.tensor_proof import (
    TensorProof,
    compare_tensors,
    refuse_incomplete,
    refuse_unfit,
)
from finetune.merging.tensors import write_shards
from finetune.models.adapters import load_adapter
from finetune.models.load import SHARD_SIZE, load_model
from finetune.models.quantised import compute_in_fp32
from finetune.models.tunable import DTYPES
from finetune.run_folder import RunFolder, whole_folder, write_json
from finetune.sequences import Block
from finetune.tokenizer import prove

TOLERANCES = {torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""Largest difference of a logit by the type that the merge is stored in.

Both sides compute in fp32, so what is compared is the rounding of the stored weights alone: LoRA
merges measured 3e-7 in fp32 and 5e-3 in bf16. That holds for QLoRA too, whose trained model is the
4-bit base with its adapter: it is merged into the base's values as 4 bits hold them. Merged into
the base as it was, or back into 4 bits, it would be another model.
"""


@dataclass(frozen=True)
class Proof:
    """What merge.json holds."""

    method: str
    max_abs_logit_difference: float
    argmax_agreement: float
    tolerance: float
    tied_embeddings: bool
    compared_tokens: int
    dtype: str
    compared_tensors: int
    adapted_tensors: int
    max_tensor_error: float
    """In units of what rounding to `dtype` may do: above 1 nothing is merged."""
    shapes: dict[str, dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What is merged: a folder of plain weights, and an adapter on them, if any."""

    base: BaseFacts
    plain: Path
    plain_dtype: torch.dtype
    adapter: Path | None
    dtype: torch.dtype
    """Of the merge."""


def merge(
    run: RunFolder,
    base: BaseFacts,
    method: str,
    blocks: Sequence[Block],
    precision: str = "bf16",
    shard: int | str = SHARD_SIZE,
) -> Proof:
    """Write merged/ with its proof. Raises Refused where the proof fails; nothing is left then.

    `method` and `precision` are the recipe's; the latter tells from which values QLoRA's 4 bits
    were made. `shard`: bytes of a file at most.
    """
    assert base.folder is not None, "training has read the base from its folder"
    with whole_folder(run.merged) as folder:
        work = folder / ".working"
        work.mkdir()
        parts = _parts(run, base, method)
        if parts.adapter:
            refuse_unfit(read_adapter(parts.adapter), base.folder)
        if method == "qlora":
            parts = _out_of_4_bits(parts, work, DTYPES[precision], blocks, shard)
        names = _write(parts, folder, work, blocks, shard)
        tensors, logits, tied = _compare(parts, folder, work, blocks, names)
        proof = _proof("none" if method == "full" else method, parts, tensors, logits, tied)
        prove(folder, trust_remote_code=base.trust_remote_code)
        shutil.rmtree(work)
        write_json(folder / "merge.json", vars(proof))
    return proof


def _parts(run: RunFolder, base: BaseFacts, method: str) -> Parts:
    assert base.folder is not None
    if method == "full":
        fp32 = torch.float32
        return Parts(base=base, plain=run.model, plain_dtype=fp32, adapter=None, dtype=fp32)
    dtype = stored_dtype(base.folder)
    return Parts(base=base, plain=base.folder, plain_dtype=dtype, adapter=run.adapter, dtype=dtype)


def _out_of_4_bits(
    parts: Parts, work: Path, dtype: torch.dtype, blocks: Sequence[Block], shard: int | str
) -> Parts:
    """Keep the logits of the 4-bit base with its adapter, and write that base's values as fp32."""
    assert parts.adapter is not None
    trust = parts.base.trust_remote_code
    plain = work / "plain"
    plain.mkdir()

    def in_4_bits() -> Any:
        loaded = load_model(parts.plain, dtype=dtype, quantised=True, trust_remote_code=trust)
        return compute_in_fp32(loaded)

    keep_logits(load_adapter(in_4_bits(), parts.adapter), blocks, work / "logits")
    sources, weights = plain_values(in_4_bits())
    write_shards(sources, weights, plain, torch.float32, shard)
    shutil.copyfile(parts.plain / "config.json", plain / "config.json")
    return replace(parts, plain=plain, plain_dtype=torch.float32)


def _write(
    parts: Parts, folder: Path, work: Path, blocks: Sequence[Block], shard: int | str
) -> list[str]:
    """Keep the unmerged model's logits, and write the merge. Returns the names of its tensors."""
    trust = parts.base.trust_remote_code
    model: Any = load_model(parts.plain, dtype=parts.plain_dtype, trust_remote_code=trust)
    weights = plain_weights(model)
    adapted, sources = model, unchanged_weights(weights)
    if parts.adapter:
        adapted = load_adapter(model, parts.adapter)
        changed = changed_weights(weights, adapted)
        refuse_incomplete(read_adapter(parts.adapter), changed)
        sources = {**sources, **changed}
    leave_in_files(weights, parts.plain)
    if not (work / "logits").exists():
        keep_logits(adapted, blocks, work / "logits")
    write_shards(sources, weights, folder, parts.dtype, shard)
    complete_folder(folder, parts.base, model, parts.dtype)
    return list(weights)


def _compare(
    parts: Parts, folder: Path, work: Path, blocks: Sequence[Block], names: list[str]
) -> tuple[TensorProof, LogitProof, bool]:
    """Both checks on what is on disk. Raises Refused with everything that they find."""
    adapter = read_adapter(parts.adapter) if parts.adapter else Adapter(parts={}, config={})
    tensors = compare_tensors(parts.plain, adapter, folder, names, parts.dtype)
    trust = parts.base.trust_remote_code
    model: Any = load_model(folder, dtype=parts.dtype, trust_remote_code=trust)
    leave_in_files(plain_weights(model), folder)
    logits = compare_logits(model, blocks, work / "logits")
    problems, tolerance = folder_problems(folder, model), TOLERANCES[parts.dtype]
    if not logits.max_abs_difference <= tolerance:
        problems.append(
            f"logits differ by {logits.max_abs_difference:.3g} from the unmerged model's, more "
            f"than {tolerance:.0e}"
        )
    problems += tensors.problems[:3]
    if len(tensors.problems) > 3:
        problems.append(f"{len(tensors.problems) - 3} more tensors are wrong")
    if problems:
        raise Refused(f"merge: {'; '.join(problems)}; nothing was merged")
    return tensors, logits, is_tied(model)


def _proof(
    method: str, parts: Parts, tensors: TensorProof, logits: LogitProof, tied: bool
) -> Proof:
    return Proof(
        method=method,
        max_abs_logit_difference=logits.max_abs_difference,
        argmax_agreement=logits.argmax_agreement,
        tolerance=TOLERANCES[parts.dtype],
        tied_embeddings=tied,
        compared_tokens=logits.tokens,
        dtype=str(parts.dtype).removeprefix("torch."),
        compared_tensors=tensors.compared,
        adapted_tensors=tensors.adapted,
        max_tensor_error=tensors.largest_error,
        shapes=tensors.shapes,
    )
