"""The model card, the checks, the release folder, and its way to the Hub or a folder as the Hub.

`build_release` fills release/ through an allow-list and checks it before it gets its name;
`push_release` makes a repository hold exactly those files. Read `release.py` first, then `hub.py`.
"""

from finetune.publishing.artefacts import Artefact
from finetune.publishing.card import render_card
from finetune.publishing.card_check import validate_card
from finetune.publishing.checks import check_release
from finetune.publishing.facts import ReleaseFacts
from finetune.publishing.folder_hub import push_to_folder
from finetune.publishing.provenance import verify
from finetune.publishing.push import push_release
from finetune.publishing.release import build_release

__all__ = [
    "Artefact",
    "ReleaseFacts",
    "build_release",
    "check_release",
    "push_release",
    "push_to_folder",
    "render_card",
    "validate_card",
    "verify",
]
