"""A model and a cursor -> what the model writes there, and where it may come from."""

from dataclasses import dataclass
from typing import Any

from finetune.completing.cursor import Cursor
from finetune.completing.model import NamedModel
from finetune.completing.sources import Lookup, look_up
from finetune.generation.completion import Finish, Request
from finetune.generation.engine import LocalModel
from finetune.generation.infill import Gap, prompt_budget, psm_prompt
from finetune.generation.sampling import Sampling
from finetune.licences import OPENRAIL
from finetune.models.load import best_device, load_model
from finetune.tokenizer import CodeTokenizer

DISCLAIMER = (
    "machine generated: the model's licence forbids showing this in public without saying so "
    "(Attachment A, restriction (f))"
)


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A completion at a cursor."""

    text: str
    finish: Finish
    tokens: int
    prompt_tokens: int
    lookup: Lookup
    disclaimer: str | None
    """What whoever publishes the text is bound to by the model's licence."""


def complete_at(
    model: NamedModel,
    cursor: Cursor,
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    lines: int | None = None,
    seed: int = 0,
) -> Filled:
    """What the model writes at the cursor, at most `lines` lines of it.

    Prefix and suffix lose their far ends where they are longer than the model's positions allow:
    the suffix may take a quarter of the room, or what the prefix leaves. Raises UserError where
    `max_new_tokens` leaves a prompt no room.
    """
    sampling = Sampling(max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)
    tokenizer, loaded = CodeTokenizer(model.folder), _loaded(model)
    budget = prompt_budget(loaded, max_new_tokens, "--max-new-tokens")
    prompt = tuple(psm_prompt(Gap(cursor.prefix, cursor.suffix), tokenizer, budget))
    stops = ("\n",) if lines == 1 else ()
    request = Request(task="complete", id="", sample=0, prompt=prompt, stops=stops)
    local = LocalModel(model=loaded, tokenizer=tokenizer, name=str(model.folder), batch_size=1)
    (made,) = local.complete([request], sampling)
    text = "\n".join(made.text.split("\n")[:lines])
    return Filled(
        text=text,
        finish=made.finish if text == made.text else "stop",
        tokens=made.tokens,
        prompt_tokens=len(prompt),
        lookup=look_up(model, text),
        disclaimer=DISCLAIMER if model.licence == OPENRAIL else None,
    )


def _loaded(model: NamedModel) -> Any:
    loaded: Any = load_model(model.folder, attention=None)
    if model.adapter is not None:
        from finetune.models.adapters import load_adapter  # PEFT takes seconds to load

        loaded = load_adapter(loaded, model.adapter)
    return loaded.to(best_device()).eval()
