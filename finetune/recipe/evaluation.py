"""The recipe's `evaluate` section: what is measured of base and tuned, and how far it may fall."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, Field

from finetune.recipe.fields import SECTION, Count, Natural
from finetune.recipe.source import KeyPath

LAYOUTS = ("left_to_right", "psm", "spm")
"""What held-out losses are measured in."""
INFILLING = "infilling"
"""The gate's name of what `infilling_problems` measures."""


class Gate(BaseModel):
    """How far a measure may get worse against the base before the release is refused."""

    model_config = SECTION
    max_loss_rise: Annotated[float, Field(ge=0.0)] | None = None
    """In nats per token; of a layout."""
    max_drop_points: Annotated[float, Field(ge=0.0)] | None = None
    """In points of a hundred; of `infilling`."""


class Evaluate(BaseModel):
    """What is measured of base and tuned, on held-out files only."""

    model_config = SECTION
    infilling_problems: Natural = 200
    """Held-out lines to fill in; 0 turns it off."""
    max_new_tokens: Count = 48
    """Longest completion of a line."""
    loss_tokens: Count = 2_000_000
    """At most so many held-out tokens per language and layout."""
    benchmarks: str | None = None
    """Folder of benchmark files; the variable FINETUNE_BENCHMARKS when left out."""
    gate: dict[str, Gate] = {}
    """A run that does worse does not reach release/. By layout, or `infilling`."""


def contradictions(section: Evaluate) -> Iterator[tuple[KeyPath, str]]:
    """What each key alone allows but the keys together do not; keys from the section on."""
    measured = (*LAYOUTS, INFILLING)
    for name, gate in section.gate.items():
        limit, other = "max_loss_rise", "max_drop_points"
        if name not in LAYOUTS:
            limit, other = other, limit
        if name not in measured:
            yield ("gate", name), f"is not measured; what is: {', '.join(measured)}"
        elif getattr(gate, limit) is None or getattr(gate, other) is not None:
            yield ("gate", name), f"takes {limit}, and that alone"
