"""LICENSE, NOTICE and the base's own documentation: what has to travel with the weights."""

import shutil
from pathlib import Path

from finetune.licences import (
    BASE_CARD,
    LICENCE_FILES,
    base_documentation,
    licence_text,
    obligations,
)
from finetune.publishing.artefacts import PROVENANCE
from finetune.publishing.attribution import ATTRIBUTION, attribution
from finetune.publishing.evidence import Corpus
from finetune.publishing.facts import ReleaseFacts
from finetune.run_folder import write_text

PAPERS = ("README.md", "NOTICE", ATTRIBUTION, PROVENANCE, BASE_CARD, *LICENCE_FILES)
"""Names that a release writes itself, whatever the folder it is made from holds."""


def write_papers(folder: Path, facts: ReleaseFacts, corpus: Corpus) -> None:
    """LICENSE, ATTRIBUTION.md for the works of `corpus` that ask for it, and NOTICE and
    BASE_CARD.md where the base has something to pass on.

    Raises UserError where no text of a licence is at hand.
    """
    write_text(folder / "LICENSE", _licence(facts))
    if named := attribution(corpus):
        write_text(folder / ATTRIBUTION, named)
    if has_notice(facts.base_folder):
        shutil.copyfile(f"{facts.base_folder}/NOTICE", folder / "NOTICE")
    documentation = base_documentation(facts.base_folder)
    if documentation:
        write_text(folder / BASE_CARD, documentation)


def has_notice(base: Path | None) -> bool:
    """Whether the base brings a NOTICE file."""
    return base is not None and (base / "NOTICE").is_file()


def _licence(facts: ReleaseFacts) -> str:
    """The release's licence; where it narrows the base's, the base's text follows it."""
    text = licence_text(facts.licence, facts.base_folder, facts.base_licence)
    if facts.licence == facts.base_licence or not obligations(facts.base_licence).must_include:
        return text
    base = licence_text(facts.base_licence, facts.base_folder, facts.base_licence)
    line = "=" * 80
    note = f"The base of this model stands under {facts.base_licence}, whose text follows."
    return f"{text.rstrip()}\n\n{line}\n{note}\n{line}\n\n{base}"
