"""What the caller knows about a release that no file of the run folder states."""

from dataclasses import dataclass
from pathlib import Path

from finetune.publishing.artefacts import Artefact


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
