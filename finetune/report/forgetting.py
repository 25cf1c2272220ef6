"""What a run forgot: losses in languages that were measured and not trained on."""

from collections.abc import Mapping
from typing import Any

from finetune.report.inert import inert_line, short
from finetune.report.row import Row, compared
from finetune.report.runs import RunView, number
from finetune.report.tasks import MOST_NAME
from finetune.report.wording import LAYOUTS

UNITS = (("losses_by_language", ""), ("bits_per_byte_by_language", "bits per byte, "))
"""Keys of the scores, and how their rows are told from those of losses."""


def forgetting(view: RunView) -> list[Row] | None:
    """Every layout of every such language; None where the scores do not say which were trained
    on."""
    trained = view.scores.get("trained_languages")
    if not isinstance(trained, list):
        return None
    return [
        compared(
            view.name,
            f"{short(language, MOST_NAME)}, {unit}{name}",
            number(view.scores, key, language, "base", layout),
            number(view.scores, key, language, "tuned", layout),
        )
        for language in sorted(_dict(view.scores.get("losses_by_language")))
        if language not in trained
        for key, unit in UNITS
        for layout, name in LAYOUTS.items()
        if number(view.scores, key, language, "tuned", layout) is not None
    ]


def forgetting_notes(view: RunView) -> list[tuple[str, str]]:
    """What the recipe brought for it: files by language, and what was left out."""
    notes = []
    stated = view.scores.get("forgetting")
    for source in stated if isinstance(stated, list) else []:
        name = inert_line(str(_dict(source).get("source", "")))
        for what, prefix in (
            ("documents", "files of "),
            ("drops", "left out: "),
            ("skipped", "skipped: "),
            ("parts_left_out", "without "),
            ("redacted", "replaced: "),
        ):
            for key, count in _dict(_dict(source).get(what)).items():
                notes.append((f"{name}, {prefix}{inert_line(str(key))}", f"{count}"))
    return notes


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
