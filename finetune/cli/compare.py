"""`finetune evaluate --compare A B`"""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path


def add_compare(parser: ArgumentParser) -> None:
    """--compare A B."""
    parser.add_argument(
        "--compare",
        nargs=2,
        metavar=("A", "B"),
        help="show two evaluated runs side by side instead (their folders, or their names)",
    )


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
