"""ATTRIBUTION.md: the works trained on whose licences ask that their authors be named.

Whether weights are a copy of what they were trained on is nobody's to decide here; output can
repeat a file, and whoever passes it on then finds here whose it may be. Named are repositories and
packages under a stated licence; what is proprietary, or under none that is known, is counted in the
card and not named, for it may be private.
"""

from finetune.corpus.licensing import normalise
from finetune.publishing.evidence import Corpus
from finetune.publishing.local_paths import mask_text

ATTRIBUTION = "ATTRIBUTION.md"
WITHOUT = frozenset({"0BSD", "CC0-1.0", "MIT-0", "Unlicense", "WTFPL", "PDDL-1.0", "BlueOak-1.0.0"})
"""SPDX ids that ask for no attribution."""
_HEAD = """\
# Attribution

This model was trained on files of the works named below, by the licence that their files state.
These licences ask that copyright and licence notices stay with copies of the files; the notices
themselves stand in each work's own files.
"""


def asks_for_attribution(corpus: Corpus) -> bool:
    """Whether a work has to be named."""
    return any(map(_public_licence, corpus.works))


def attribution(corpus: Corpus) -> str:
    """The text of ATTRIBUTION.md; empty where no work has to be named."""
    named: dict[str, set[str]] = {}
    for stated, works in corpus.works.items():
        if licence := _public_licence(stated):
            named.setdefault(licence, set()).update(map(mask_text, works))
    if not named:
        return ""
    parts = [_HEAD]
    for licence, names in sorted(named.items()):
        listed = "\n".join(f"- {name}" for name in sorted(names))
        parts.append(f"## {licence}\n\n{listed}\n")
    return "\n".join(parts)


def _public_licence(stated: str) -> str | None:
    """The SPDX expression of a licence that asks for attribution; None of any other statement.

    `LicenseRef-...` stands for what is proprietary, contradictory or not recognised.
    """
    known = normalise(stated)
    return None if known is None or known in WITHOUT or "LicenseRef-" in known else known
