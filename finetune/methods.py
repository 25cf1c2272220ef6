"""What each tuning method asks of base, engine and machine, told without torch."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path

from finetune.base import BaseFacts, weight_names
from finetune.errors import UserError
from finetune.families import target_problem
from finetune.recipe import Problem, Recipe
from finetune.recipe.schema import Full, Lora, Train
from finetune.run_folder import read_json
from finetune.tokenizer import num_ids

HEADS = ("lm_head", "embed_out")
"""Names of output embeddings. Where they are tied to the input's, no weight has this name."""

BODIES = ("transformer", "model")
"""What the name of a weight begins with in a model, and may lack in a file."""


def method_problems(recipe: Recipe, facts: BaseFacts) -> Iterator[Problem]:
    """Why the recipe's method cannot train this base with this engine on this machine."""
    if isinstance(recipe.tune, Lora):
        yield from _lora_problems(recipe.tune, recipe.engine)
        if facts.model_type is not None:
            tied = facts.folder is None or is_tied(facts.folder)
            problem = target_problem(recipe.tune, facts.model_type, facts.modules, tied=tied)
            if problem:
                yield Problem(("tune", "targets"), problem)
    if facts.folder is None:
        return
    if isinstance(recipe.tune, Full) and recipe.tune.trainable is not None:
        names = weight_names(facts.folder)
        whole = [f"{body}.{name}" for body in BODIES for name in names]
        problem = trainable_problem(recipe.tune.trainable, [*names, *whole])
        if problem:
            yield Problem(("tune", "trainable"), problem)
    rows = read_json(facts.folder / "config.json").get("vocab_size")
    if isinstance(rows, int):
        problem = added_tokens_problem(num_ids(facts.folder), rows)
        if problem:
            yield Problem(("base",), f"{facts.description}: {problem}")


def is_tied(folder: Path) -> bool:
    """Whether one weight of a model folder is both the input's and the output's embedding."""
    names = weight_names(folder)
    has_head = any(name.split(".")[-2:-1] == [head] for name in names for head in HEADS)
    return not has_head or read_json(folder / "config.json").get("tie_word_embeddings") is True


def refuse_unfit(recipe: Recipe, facts: BaseFacts) -> None:
    """Raise UserError with the first problem: a launcher started by hand has asked nobody."""
    for problem in method_problems(recipe, facts):
        raise UserError(f"{'.'.join(map(str, problem.key))}: {problem.message}")


def _lora_problems(lora: Lora, engine: str) -> Iterator[Problem]:
    if lora.initial == "orthogonal" and lora.rank % 2:
        message = f"orthogonal adapters need an even rank; set tune.rank to {lora.rank + 1}"
        yield Problem(("tune", "initial"), message)
    if lora.method == "qlora":
        problem = bitsandbytes_problem()
        if problem:
            yield Problem(("tune", "method"), problem)
        if lora.initial not in ("zero", "gaussian"):
            message = (
                f"{lora.initial} computes with the base's weights, which qlora holds in 4 bits; "
                "set it to zero or gaussian"
            )
            yield Problem(("tune", "initial"), message)
        if engine.startswith("zero3"):
            message = (
                f"{engine} cannot share out weights in 4 bits; choose engine ddp, which needs no "
                "more: adapters are small"
            )
            yield Problem(("engine",), message)


def bitsandbytes_problem() -> str | None:
    """Why QLoRA cannot run on this machine, or None; nothing is imported."""
    if find_spec("bitsandbytes") is not None:
        return None
    return (
        "qlora needs bitsandbytes, which is not installed: pip install 'finetune-code[qlora]', "
        "or choose lora"
    )


def gguf_problem() -> str | None:
    """Why no GGUF can be written or read on this machine, or None; nothing is imported."""
    if find_spec("gguf") is not None:
        return None
    return "a GGUF needs gguf, which is not installed: pip install 'finetune-code[gguf]'"


def refuse_without_gpu(train: Train, num_gpus: int) -> None:
    """Raise UserError where what the recipe asks for needs a GPU and there is none."""
    if num_gpus > 0:
        return
    if train.attention.startswith("flash"):
        raise UserError(f"train.attention: {train.attention} needs a GPU; use sdpa")
    if train.precision == "fp16":
        raise UserError("train.precision: fp16 needs a GPU; use bf16 or fp32")


def trainable_problem(patterns: Sequence[str], names: Sequence[str]) -> str | None:
    """Why these patterns of weight names cannot be followed, or None."""
    for pattern in patterns:
        if any(fnmatchcase(name, pattern) for name in names):
            continue
        if any(head in pattern for head in HEADS):
            embedding = next((n for n in names if "wte" in n or "embed_tokens" in n), "its name")
            return (
                f"`{pattern}` matches no weight: the output embedding is tied to the input's, and "
                f"there is one weight for both; write `{embedding}` to train it"
            )
        near = get_close_matches(pattern.strip("*."), names, n=3, cutoff=0.3)
        examples = ", ".join(near or list(names)[:3])
        return (
            f"`{pattern}` matches no weight of the base; its names are like {examples} (patterns "
            "match whole names: write `*.h.3.*` for a layer)"
        )
    return None


def added_tokens_problem(ids: int, rows: int) -> str | None:
    """Why a tokenizer of so many ids does not fit an embedding of so many rows, or None."""
    if ids <= rows:
        return None
    return (
        f"its tokenizer has {ids} ids and its embedding {rows} rows: tokens were added that have "
        "no weights. Use spare tokens of its vocabulary, or enlarge the embedding and save the "
        "base first"
    )
