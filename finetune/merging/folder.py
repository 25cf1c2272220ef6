"""What stands in a model folder beside its weights, and whether it fits them."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from finetune.base import BaseFacts
from finetune.licences import BASE_CARD, LICENCE_FILES, base_documentation
from finetune.models.special_ids import ids_without_row
from finetune.run_folder import read_json, write_json
from finetune.tokenizer import FILES, CodeTokenizer

TRAINING_ONLY = ("quantization_config", "_name_or_path", "torch_dtype")
"""Of a configuration: what describes how and from where it was loaded. `dtype` stays."""


def stored_dtype(folder: Path) -> torch.dtype:
    """The dtype that a folder's config states for its weights; fp32 where it states none."""
    config = read_json(folder / "config.json")
    name = config.get("dtype") or config.get("torch_dtype") or "float32"
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def complete_folder(folder: Path, base: BaseFacts, model: Any, dtype: torch.dtype) -> None:
    """The config, and what the base brings: tokenizer, generation settings, licence papers.

    `model` is the one whose weights are in the folder. Its configuration is the base's, for
    training changes the dropout, and a path of this machine belongs into no folder that travels.
    """
    assert base.folder is not None
    if not (base.folder / "generation_config.json").is_file():
        model.generation_config.save_pretrained(folder)
    for name in (*FILES, "generation_config.json", *LICENCE_FILES, "NOTICE"):
        if (base.folder / name).is_file():
            shutil.copyfile(base.folder / name, folder / name)
    if base.trust_remote_code:
        for code in base.folder.glob("*.py"):
            shutil.copyfile(code, folder / code.name)
    config = read_json(base.folder / "config.json")
    kept = {key: value for key, value in config.items() if key not in TRAINING_ONLY}
    changed = {
        "architectures": config.get("architectures") or [type(model).__name__],
        "dtype": str(dtype).removeprefix("torch."),
        "use_cache": True,
        "vocab_size": model.get_input_embeddings().weight.shape[0],
    }
    write_json(folder / "config.json", kept | changed)
    documentation = base_documentation(base.folder)
    if documentation:
        (folder / BASE_CARD).write_text(documentation, encoding="utf-8")
    metadata = {"license": base.licence, "base_model": base.model_id}
    lines = "".join(f"{key}: {json.dumps(value)}\n" for key, value in metadata.items() if value)
    (folder / "README.md").write_text(f"---\n{lines}---\n", encoding="utf-8")


def folder_problems(folder: Path, model: Any) -> list[str]:
    """What is wrong with a merge beside its values. `model` was read from `folder`."""
    problems = []
    if model.config.tie_word_embeddings and not is_tied(model):
        problems.append("the embeddings of the base are tied, those of the merge are not")
    rows, ids = model.get_input_embeddings().weight.shape[0], CodeTokenizer(folder).size
    if ids > rows:
        problems.append(f"the tokenizer has {ids} ids, the embedding {rows} rows")
    head = model.get_output_embeddings()
    if head is not None and head.weight.shape[0] != rows:
        problems.append(f"the head has {head.weight.shape[0]} rows, the embedding {rows}")
    return problems + ids_without_row(model.config, model.generation_config, rows)


def is_tied(model: Any) -> bool:
    """Whether input and output embeddings are one weight."""
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    return head is not None and head.weight.data_ptr() == embedding.weight.data_ptr()
