"""What the caller knows about a release that no file of the run folder states."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from finetune.publishing.artefacts import Artefact
from finetune.recipe.schema import Benchmark


@dataclass(frozen=True, kw_only=True)
class ReleaseFacts:
    """Everything beside the run's own files that a card and a licence need."""

    licence: str
    """Hub id under which the release stands, as `licences.derivative_licence` gave it."""
    base_licence: str
    """Hub id of the base's licence."""
    base_folder: Path | None
    """Folder of the base's files, whose LICENSE, NOTICE and card are passed on."""
    base_model_id: str | None
    """The base on the Hub; None for one that is not there. Never a local path."""
    base_description: str
    """What the base is, as a noun phrase for the card."""
    artefact: Artefact
    """Plain weights, the adapter alone, or one GGUF file."""
    repo: str
    """`owner/name`."""
    has_training_index: bool = False
    """Whether a filter that tells what was trained on is shipped."""
    summary: str = ""
    """The publisher's own words for the top of the card."""
    gated_prompt: str | None = None
    """What somebody has to agree to before a download."""
    merged_repo: str | None = None
    """The repository of the plain weights, which a quantised release names as its base."""
    benchmarks: Mapping[str, Benchmark] = field(default_factory=dict)
    """Benchmarks of the Hub by the task whose score they list."""
