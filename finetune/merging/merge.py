"""Merge, save, reload from disk, and compare with the unmerged model on real text."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from finetune.base import BaseFacts
from finetune.errors import Refused
from finetune.licences import BASE_CARD, LICENCE_FILES, base_documentation
from finetune.models.adapters import load_adapter
from finetune.models.forward import collate
from finetune.models.load import DROPOUTS, SHARD_SIZE, best_device, load_model
from finetune.models.quantised import compute_in_fp32, dequantised
from finetune.models.tunable import DTYPES
from finetune.run_folder import RunFolder, read_json, whole_folder, write_json
from finetune.sequences import Block
from finetune.tokenizer import FILES, CodeTokenizer, prove

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


def merge(
    run: RunFolder,
    base: BaseFacts,
    method: str,
    blocks: Sequence[Block],
    precision: str = "bf16",
) -> Proof:
    """Write merged/ with its proof. Raises Refused where the proof fails; nothing is left then.

    `method` and `precision` are the recipe's; the latter tells from which values QLoRA's 4 bits
    were made.
    """
    assert base.folder is not None, "training has read the base from its folder"
    dtype = torch.float32 if method == "full" else stored_dtype(base.folder)
    with whole_folder(run.merged) as folder:
        model, before = _unmerged(run, base, method, DTYPES[precision], blocks)
        if method != "full":
            model = model.merge_and_unload(safe_merge=True)
        model.to("cpu", dtype).save_pretrained(folder, max_shard_size=SHARD_SIZE)
        _complete_folder(folder, base)
        after_model = load_model(folder, trust_remote_code=base.trust_remote_code)
        after = _logits(after_model, blocks)
        proof = Proof(
            method="none" if method == "full" else method,
            max_abs_logit_difference=_largest_difference(before, after),
            argmax_agreement=_agreement(before, after),
            tolerance=TOLERANCES[dtype],
            tied_embeddings=_is_tied(after_model),
            compared_tokens=sum(one[..., 0].numel() for one in after),
            dtype=str(dtype).removeprefix("torch."),
        )
        _refuse(proof, folder, after_model)
        prove(folder, trust_remote_code=base.trust_remote_code)
        write_json(folder / "merge.json", vars(proof))
    return proof


def stored_dtype(folder: Path) -> torch.dtype:
    """The dtype that a folder's config states for its weights; fp32 where it states none."""
    config = read_json(folder / "config.json")
    name = config.get("dtype") or config.get("torch_dtype") or "float32"
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def _unmerged(
    run: RunFolder,
    base: BaseFacts,
    method: str,
    trained: torch.dtype,
    blocks: Sequence[Block],
) -> tuple[Any, list[Tensor]]:
    """What training made, from its own files, in a form that can be merged; and its logits."""
    trust = base.trust_remote_code
    if method == "full":
        model: Any = load_model(run.model, trust_remote_code=trust)
        return model, _logits(model, blocks)
    assert base.folder is not None
    if method != "qlora":
        plain = load_model(base.folder, trust_remote_code=trust)
        adapted: Any = load_adapter(plain, run.adapter)
        return adapted, _logits(adapted, blocks)
    before = _logits(load_adapter(compute_in_fp32(_in_4_bits(base, trained)), run.adapter), blocks)
    return load_adapter(dequantised(_in_4_bits(base, trained)), run.adapter), before


def _in_4_bits(base: BaseFacts, dtype: torch.dtype) -> Any:
    assert base.folder is not None
    trust = base.trust_remote_code
    return load_model(base.folder, dtype=dtype, quantised=True, trust_remote_code=trust)


def _complete_folder(folder: Path, base: BaseFacts) -> None:
    """What the base brings beside its weights: tokenizer, licence papers, dropout, `use_cache`."""
    assert base.folder is not None
    for name in (*FILES, "generation_config.json", *LICENCE_FILES, "NOTICE"):
        if (base.folder / name).is_file():
            shutil.copyfile(base.folder / name, folder / name)
    documentation = base_documentation(base.folder)
    if documentation:
        (folder / BASE_CARD).write_text(documentation, encoding="utf-8")
    config, of_base = read_json(folder / "config.json"), read_json(base.folder / "config.json")
    for name in DROPOUTS:
        if name in of_base:
            config[name] = of_base[name]
    write_json(folder / "config.json", {**config, "use_cache": True})
    metadata = {"license": base.licence, "base_model": base.model_id}
    lines = "".join(f"{key}: {json.dumps(value)}\n" for key, value in metadata.items() if value)
    (folder / "README.md").write_text(f"---\n{lines}---\n", encoding="utf-8")


@torch.inference_mode()
def _logits(model: Any, blocks: Sequence[Block]) -> list[Tensor]:
    model.to(best_device()).eval()
    batches = [collate([block], best_device()) for block in blocks]
    return [
        model(
            input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False
        ).logits.cpu()
        for batch in batches
    ]  # each (1, L, V)


def _largest_difference(before: list[Tensor], after: list[Tensor]) -> float:
    differences = [(a - b).abs().max() for a, b in zip(before, after, strict=True)]
    return float(torch.stack(differences).max())  # Python's max() would lose a NaN


def _agreement(before: list[Tensor], after: list[Tensor]) -> float:
    same = [(a.argmax(-1) == b.argmax(-1)).float() for a, b in zip(before, after, strict=True)]
    return float(torch.cat([one.flatten() for one in same]).mean())


def _is_tied(model: Any) -> bool:
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    return head is not None and head.weight.data_ptr() == embedding.weight.data_ptr()


def _refuse(proof: Proof, folder: Path, model: Any) -> None:
    if not proof.max_abs_logit_difference <= proof.tolerance:
        raise Refused(
            f"merge: logits differ by {proof.max_abs_logit_difference:.3g} from the unmerged "
            f"model's, more than {proof.tolerance:.0e}; nothing was merged"
        )
    if model.config.tie_word_embeddings and not proof.tied_embeddings:
        raise Refused("merge: the embeddings of the base are tied, those of the merge are not")
    rows, ids = model.get_input_embeddings().weight.shape[0], CodeTokenizer(folder).size
    if ids > rows:
        raise Refused(f"merge: the tokenizer has {ids} ids, the embedding {rows} rows")
