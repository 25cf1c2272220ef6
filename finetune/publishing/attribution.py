"""ATTRIBUTION.md: the works trained on whose licences ask that their authors be named.

Whether weights are a copy of what they were trained on is nobody's to decide here; output can
repeat a file, and whoever passes it on then finds here whose it may be. Named are repositories and
packages under a stated licence; what is proprietary, or under none that is known, is counted in the
card and not named, for it may be private.
"""

from finetune.corpus.licensing import CONTRADICTORY, PROPRIETARY, UNRECOGNISED
from finetune.publishing.evidence import Corpus
from finetune.publishing.local_paths import mask_text

ATTRIBUTION = "ATTRIBUTION.md"
WITHOUT = frozenset(
    {"0BSD", "CC0-1.0", "MIT-0", "Unlicense", "WTFPL", "PDDL-1.0", "BlueOak-1.0.0"}
    | {CONTRADICTORY, PROPRIETARY, UNRECOGNISED}
)
"""SPDX ids that ask for no attribution, and what is no licence that anybody could keep to."""
_HEAD = """\
# Attribution

This model was trained on files of the works named below, by the licence that their files state.
These licences ask that copyright and licence notices stay with copies of the files; the notices
themselves stand in each work's own files.
"""


def asks_for_attribution(corpus: Corpus) -> bool:
    """Whether a work has to be named."""
    return any(licence not in WITHOUT for licence in corpus.works)


def attribution(corpus: Corpus) -> str:
    """The text of ATTRIBUTION.md; empty where no work has to be named."""
    if not asks_for_attribution(corpus):
        return ""
    parts = [_HEAD]
    for licence, works in sorted(corpus.works.items()):
        if licence not in WITHOUT:
            names = "\n".join(f"- {mask_text(name)}" for name in sorted(works))
            parts.append(f"## {licence}\n\n{names}\n")
    return "\n".join(parts)
