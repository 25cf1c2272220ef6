"""The base's files, before anything of them is loaded. Needs no torch."""

from pathlib import Path

from finetune.base import WEIGHTS, WEIGHTS_INDEX, header_of
from finetune.errors import UserError
from finetune.run_folder import read_json
from finetune.tokenizer import prove
from finetune.training.doctor.finding import Finding, fault, not_applicable, ok

FETCH = "fetch or copy the base again, and compare its size with where it came from"


def whole_weights(folder: Path) -> Finding:
    """Whether every weights file is as long as its own header says."""
    held = 0
    names = {WEIGHTS}
    if not (folder / WEIGHTS).is_file():
        names = {*read_json(folder / WEIGHTS_INDEX)["weight_map"].values()}
    for name in sorted(names):
        file = folder / name
        try:
            header, start = header_of(file)
        except UserError as error:
            return fault(
                "weight files",
                str(error),
                cause="a download or a copy that was cut off",
                remedy=FETCH,
            )
        ends = [one["data_offsets"][1] for key, one in header.items() if key != "__metadata__"]
        wanted, size = start + max(ends, default=0), file.stat().st_size
        if size != wanted:
            return fault(
                "weight files",
                f"{name} has {size:,} bytes, and its header names {wanted:,}",
                cause="a download or a copy that was cut off" if size < wanted else "not its own",
                remedy=FETCH,
            )
        held += size
    return ok("weight files", f"{len(names)} of {held:,} bytes, as their headers say")


def same_tokenizer(folder: Path, *, trust_remote_code: bool) -> Finding:
    """Whether transformers loads the tokenizer that tokenizer.json describes."""
    try:
        prove(folder, trust_remote_code=trust_remote_code)
    except UserError as error:
        return fault(
            "tokenizer",
            str(error),
            cause="transformers rebuilds some classes by their name, and then leaves out steps of "
            "tokenizer.json, such as the one that parts digits",
            remedy='set "tokenizer_class": "PreTrainedTokenizerFast" in tokenizer_config.json',
        )
    return ok("tokenizer", "transformers gives the ids of tokenizer.json")


def ids_in_embedding(folder: Path, *, trust_remote_code: bool) -> Finding:
    """Whether the embedding has a row for each special token that the settings name. What a config
    leaves out has its family's default, which may be another vocabulary's."""
    from transformers import AutoConfig, GenerationConfig

    from finetune.models.special_ids import ids_without_row

    config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    has_own = (folder / "generation_config.json").is_file()
    try:
        generation = GenerationConfig.from_pretrained(folder) if has_own else None
    except (OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
        return fault(
            "special ids",
            f"generation_config.json cannot be read: {error}",
            cause="a file that was edited, cut off or is of another version",
            remedy="mend it, or take it out: config.json has the ids, too",
        )
    rows = getattr(config.get_text_config(), "vocab_size", None)
    if not isinstance(rows, int):
        return not_applicable("special ids", "config.json does not state the rows of the embedding")
    problems = ids_without_row(config, generation, rows)
    if problems:
        return fault(
            "special ids",
            "; ".join(problems),
            cause="settings of another vocabulary, or a family's default that config.json does not "
            "replace",
            remedy="write the tokenizer's own ids there, or null",
        )
    return ok("special ids", f"the embedding of {rows:,} rows has all that the settings name")
