"""What was known before the first step: the doctor's findings, and how a step was spread."""

from dataclasses import dataclass
from typing import Any

from finetune.report.inert import inert_line
from finetune.report.runs import RunView, number

_WORTH_SHOWING = ("fault", "note")


@dataclass(frozen=True, kw_only=True)
class Check:
    """One finding of doctor.json."""

    name: str
    verdict: str
    what: str
    more: tuple[tuple[str, str], ...]
    """Cause and remedy of a fault."""


@dataclass(frozen=True, kw_only=True)
class Health:
    """Faults and notes first; the rest is there to be looked up."""

    summary: str
    is_healthy: bool
    shown: tuple[Check, ...]
    folded: tuple[Check, ...]


def health_of(doctor: dict[str, Any]) -> Health | None:
    """None where the run was not examined."""
    findings = doctor.get("findings")
    if not isinstance(findings, list):
        return None
    checks = [_check(finding) for finding in findings if isinstance(finding, dict)]
    verdicts = [check.verdict for check in checks]
    counts = [f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts)]
    return Health(
        summary=f"{len(checks)} checks: {', '.join(counts)}",
        is_healthy="fault" not in verdicts,
        shown=tuple(check for check in checks if check.verdict in _WORTH_SHOWING),
        folded=tuple(check for check in checks if check.verdict not in _WORTH_SHOWING),
    )


def _check(finding: dict[str, Any]) -> Check:
    named = {key: inert_line(str(finding.get(key) or ""), 600) for key in ("cause", "remedy")}
    return Check(
        name=inert_line(str(finding.get("check", "without a name"))),
        verdict=inert_line(str(finding.get("verdict", "not stated"))),
        what=inert_line(str(finding.get("what", "")), 600),
        more=tuple((key, text) for key, text in named.items() if text),
    )


def plan_facts(view: RunView) -> list[tuple[str, str]]:
    """How a step was spread over processes and passes, and what was kept of activations."""
    train = view.recipe.get("train")
    if not isinstance(train, dict):
        return []
    processes = number(view.doctor, "processes")
    named = {
        "engine": view.recipe.get("engine"),
        "processes": None if processes is None else f"{processes:.0f}",
        "tokens per step": _counted(number(train, "batch_tokens")),
        "blocks per process and pass": _counted(number(train, "micro_batch")),
        "passes per step": _passes(view, processes),
        "activation checkpointing": _on_or_off(train.get("activation_checkpointing")),
        "precision": train.get("precision"),
    }
    return [(name, inert_line(str(value))) for name, value in named.items() if value is not None]


def _passes(view: RunView, processes: float | None) -> str | None:
    """Known where the run's files say everything that it follows from."""
    tokens, micro = (number(view.recipe, "train", key) for key in ("batch_tokens", "micro_batch"))
    length = number(view.recipe, "sequences", "length")
    if not tokens or not micro or not length or not processes:
        return None
    return f"{tokens // length / processes / micro:g}"


def _counted(value: float | None) -> str | None:
    return None if value is None else f"{value:,.0f}"


def _on_or_off(value: object) -> str | None:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else None
