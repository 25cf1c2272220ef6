"""Which licence a file is under, and whether a recipe lets it in.

`licence_tree` reads what a repository states, `licence_of` adds a file's own header,
`licence_reason` judges. A permissive licence counts only where its text is whole; what nobody can
read is never permissive. Engineers wrote this, not lawyers.
"""

from finetune.corpus.licensing.expressions import (
    CONTRADICTORY,
    PROPRIETARY,
    UNRECOGNISED,
    normalise,
)
from finetune.corpus.licensing.headers import header_licence
from finetune.corpus.licensing.policy import allowed, licence_reason, permitted
from finetune.corpus.licensing.texts import recognise
from finetune.corpus.licensing.tree import LicenceTree, Statement, licence_of, licence_tree

__all__ = [
    "CONTRADICTORY",
    "PROPRIETARY",
    "UNRECOGNISED",
    "LicenceTree",
    "Statement",
    "allowed",
    "header_licence",
    "licence_of",
    "licence_reason",
    "licence_tree",
    "normalise",
    "permitted",
    "recognise",
]
