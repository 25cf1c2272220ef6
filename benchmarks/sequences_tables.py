"""Clocks, tables and the results file of `sequences.py`."""

import os
import platform
import resource
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

MILLION = 1e6


@dataclass
class Section:
    """One question, and the table that answers it."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def show(self) -> None:
        """Print it."""
        from rich.console import Console  # measured processes share this file, and do without
        from rich.table import Table

        table = Table(*self.columns, title=self.title, caption=self.note, title_justify="left")
        for row in self.rows:
            table.add_row(*row)
        Console(width=140).print(table)

    def markdown(self) -> str:
        """The same for a file."""
        lines = [self.columns, ("---",) * len(self.columns), *self.rows]
        rows = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"## {self.title}\n\n{self.note}\n\n{rows}\n"


def cpu_seconds() -> float:
    """User and system time of this process, its threads and the children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def speed(tokens: float, seconds: float) -> str:
    """Million tokens per second, in three digits or so."""
    return f"{tokens / seconds / MILLION:.3g}"


def ratio(ours: float, theirs: float) -> str:
    """How many times as long theirs takes."""
    return f"{theirs / ours:.3g}x"


def machine() -> list[str]:
    """Date, hardware and software, a line each."""
    names = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((n.split(":")[1].strip() for n in names if n.startswith("model name")), "unknown")
    libraries = ("trl", "transformers", "datasets", "tokenizers", "numpy", "pyarrow")
    return [
        f"date: {datetime.now(UTC):%Y-%m-%d}",
        f"machine: {len(os.sched_getaffinity(0))} cores of {model}",
        f"software: Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in libraries),
    ]


def write_results(file: Path, command: str, facts: list[str], sections: list[Section]) -> None:
    """The whole run as Markdown."""
    listed = "\n".join(f"- {fact}" for fact in facts)
    tables = "\n".join(section.markdown() for section in sections)
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        f"# Sequences, side by side\n\nWritten by `{command}`.\n\n{listed}\n\n{tables}",
        encoding="utf-8",
    )
