"""report.html: one page about a run and the runs that it stands on, with nothing to fetch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune.report import charts, course, table, wording
from finetune.report.forgetting import forgetting, forgetting_notes
from finetune.report.health import health_of, plan_facts
from finetune.report.row import ARROWS
from finetune.report.runs import (
    DataSummary,
    RunView,
    Size,
    base_in_words,
    lineage,
    method_in_words,
    number,
)
from finetune.report.samples import samples_of
from finetune.report.task_page import task_context
from finetune.report.tasks import in_words
from finetune.run_folder import RunFolder, write_text
from finetune.templates import load_template

MOST_LINES = 12


def write_report(run: RunFolder) -> Path:
    """Write the page into the run folder, whole or not at all."""
    write_text(run.report, render(lineage(run)))
    return run.report


def render(views: Sequence[RunView]) -> str:
    """The page about the last of the views."""
    template = load_template(Path(__file__).with_name("page.html.j2"))
    page = template.render(
        view=views[-1],
        root=base_in_words(views[0]) if views[0].present else "",
        headline=table.headline(views[-1]),
        runs=[run_context(view, f"run{position}") for position, view in enumerate(views)],
        legend=table.LEGEND,
        arrows=ARROWS,
        not_measured=wording.NOT_MEASURED,
    )
    return _writable(page)


def run_context(view: RunView, ident: str) -> dict[str, Any]:
    """Everything the template says about one run."""
    return {
        "view": view,
        "ident": ident,
        "method": method_in_words(view),
        "base": base_in_words(view),
        "rows": table.run_rows(view),
        "bits": table.bits_per_byte(view),
        "curves": charts.loss_curves(view, f"{ident}-curves"),
        "left_out": charts.left_out(view),
        "by_layout": course.training_by_layout(view, f"{ident}-by-layout"),
        "by_language": course.validation_by_language(view, f"{ident}-by-language"),
        "languages_left_out": course.languages_left_out(view),
        "meter": course.meter_facts(view),
        "bars": charts.language_bars(view, f"{ident}-bars"),
        "forgetting": forgetting(view),
        "forgetting_notes": forgetting_notes(view),
        "tasks": task_context(view, ident),
        "samples": samples_of(view.scores),
        "settings": settings_in_words(view),
        "gate": gate_refusals(view),
        "data": data_facts(view),
        "proof": merge_facts(view),
        "health": health_of(view.doctor),
        "plan": plan_facts(view),
        "stages": stage_facts(view),
        "versions": version_facts(view),
    }


def gate_refusals(view: RunView) -> list[str]:
    """Why the gate said no; empty where it said yes or was not asked."""
    gate = view.scores.get("gate")
    if not isinstance(gate, dict) or gate.get("passed") is not False:
        return []
    return [str(reason) for reason in gate.get("reasons") or ["no reason recorded"]]


def settings_in_words(view: RunView) -> str:
    """How the infilling was done, and in what jail."""
    infilling = view.scores.get("infilling")
    tuned = infilling.get("tuned") if isinstance(infilling, dict) else None
    settings = tuned.get("settings") if isinstance(tuned, dict) else None
    if isinstance(settings, dict):
        settings = in_words(settings)
    jail = view.scores.get("jail")
    return "; ".join(
        part for part in (str(settings or ""), f"jail: {jail}" if jail else "") if part
    )


def data_facts(view: RunView) -> list[tuple[str, list[tuple[str, str]]]]:
    """Titled lists: documents per split, language and licence, and what was dropped."""
    facts = []
    if view.data is not None:
        facts += _size_facts(view.data)
    if view.drops is not None:
        total = sum(view.drops.values())
        reasons = [(reason, f"{count:,}") for reason, count in view.drops.items()]
        facts.append((f"Dropped: {total:,}", _shortened(reasons) or [("nothing", "0")]))
    return facts


def _size_facts(data: DataSummary) -> list[tuple[str, list[tuple[str, str]]]]:
    documents = [*data.splits.items(), ("together", data.total)]
    return [
        ("Documents", [(name, _size(size)) for name, size in documents]),
        ("Languages", _shortened([(name, _size(size)) for name, size in data.languages.items()])),
        ("Licences", _shortened([(name, _size(size)) for name, size in data.licences.items()])),
    ]


def _size(size: Size) -> str:
    return f"{size.documents:,} ({wording.compact(size.characters)})"


def _shortened(facts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """A manifest may know hundreds of licences; what is left out is at least counted."""
    rest = len(facts) - MOST_LINES
    return facts if rest <= 0 else [*facts[:MOST_LINES], (f"and {rest:,} more", "")]


def merge_facts(view: RunView) -> list[tuple[str, str]]:
    """merge.json in words."""
    if not view.merge:
        return []
    return [
        ("method", str(view.merge.get("method", wording.NOT_MEASURED))),
        *(
            (name, wording.small(number(view.merge, key)))
            for name, key in (
                ("largest difference of logits", "max_abs_logit_difference"),
                ("tolerance", "tolerance"),
            )
        ),
        ("same argmax", table.agreement(number(view.merge, "argmax_agreement"))),
        ("tied embeddings", _yes_or_no(view.merge.get("tied_embeddings"))),
    ]


def _yes_or_no(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else wording.NOT_MEASURED


def stage_facts(view: RunView) -> list[tuple[str, str, str]]:
    """(stage, time, what it said) in the order in which they ran."""
    return [
        (
            stage,
            wording.duration(number(values, "seconds")),
            str(values.get("summary", "")) if isinstance(values, dict) else "",
        )
        for stage, values in view.stages.items()
    ]


def version_facts(view: RunView) -> list[tuple[str, str]]:
    """The toolkit, its commit and the libraries it ran on."""
    toolkit = view.recipe.get("toolkit")
    if not isinstance(toolkit, dict):
        return []
    facts = [("toolkit", str(toolkit.get("version", wording.NOT_MEASURED)))]
    if toolkit.get("git_commit"):
        facts.append(("git commit", str(toolkit["git_commit"])))
    versions = toolkit.get("versions")
    libraries = versions.items() if isinstance(versions, dict) else ()
    return facts + [(str(name), str(version)) for name, version in libraries]


def _writable(page: str) -> str:
    """A model may complete with half a surrogate pair, which no encoding can write."""
    return page.encode("utf-8", "replace").decode("utf-8")
