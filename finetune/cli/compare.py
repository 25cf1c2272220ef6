"""`finetune evaluate --compare A B`"""

from collections.abc import Sequence
from pathlib import Path


def compare(runs: Path, pair: Sequence[str]) -> int:
    """Print what the second run's scores say of the first one's."""
    from rich.console import Console

    from finetune.report.compare import compare_runs
    from finetune.report.compare_table import comparison_table

    a, b = (_folder(runs, name) for name in pair)
    Console(highlight=False).print(comparison_table(compare_runs(a, b)))
    return 0


def _folder(runs: Path, name: str) -> Path:
    """As it is named here, else among the runs."""
    here, among = Path(name), runs / name
    return here if here.is_dir() or not among.is_dir() else among
