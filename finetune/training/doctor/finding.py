"""What one check came to, in words, in the terminal and as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["ok", "fault", "note", "not applicable"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A `fault` stops a run; a `note` is worth knowing and stops nothing."""

    check: str
    verdict: Verdict
    what: str
    """One sentence, with the numbers that were measured."""
    cause: str = ""
    remedy: str = ""


def ok(check: str, what: str) -> Finding:
    return Finding(check=check, verdict="ok", what=what)


def fault(check: str, what: str, *, cause: str, remedy: str) -> Finding:
    return Finding(check=check, verdict="fault", what=what, cause=cause, remedy=remedy)


def note(check: str, what: str) -> Finding:
    return Finding(check=check, verdict="note", what=what)


def not_applicable(check: str, why: str) -> Finding:
    return Finding(check=check, verdict="not applicable", what=why)


def faults(findings: Sequence[Finding]) -> list[Finding]:
    """Those that stop a run."""
    return [finding for finding in findings if finding.verdict == "fault"]


def in_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """A line for each, aligned; below a fault its cause and remedy."""
    names = max((len(finding.check) for finding in findings), default=0)
    for finding in findings:
        verdict = "FAULT" if finding.verdict == "fault" else finding.verdict
        yield f"{finding.check:<{names}}  {verdict:<14}  {finding.what}"
        for label, text in (("cause", finding.cause), ("remedy", finding.remedy)):
            if text:
                yield f"{'':<{names}}  {'':<14}  {label}: {text}"


def refusal(findings: Sequence[Finding]) -> str:
    """The sentence that ends a run with faults."""
    found = faults(findings)
    names = ", ".join(finding.check for finding in found)
    number = "1 fault" if len(found) == 1 else f"{len(found)} faults"
    return f"doctor: {number}: {names}; doctor.json in the run's folder has causes and remedies"


def as_json(findings: Sequence[Finding], **facts: Any) -> dict[str, Any]:
    """What doctor.json holds."""
    return {
        "healthy": not faults(findings),
        **facts,
        "findings": [asdict(finding) for finding in findings],
    }
