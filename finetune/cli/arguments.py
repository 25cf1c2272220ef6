"""The arguments that commands on a recipe share."""

from argparse import ArgumentParser, Namespace
from pathlib import Path


def add_recipe(parser: ArgumentParser, nargs: str | None = None) -> None:
    """RECIPE, dotted overrides, and where runs live. `nargs` is `?` where it may be left out: it is
    text then, for what stands first may be an override, and a path would lose one of two slashes.
    """
    kind = Path if nargs is None else str
    parser.add_argument("recipe", type=kind, nargs=nargs, metavar="RECIPE", help="a YAML recipe")
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="key=value",
        help="dotted override, such as train.tokens=2e6",
    )
    add_runs(parser)


def add_runs(parser: ArgumentParser) -> None:
    """--runs DIR."""
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="where runs live (./runs)"
    )


def add_redo(parser: ArgumentParser) -> None:
    """--redo STAGE."""
    parser.add_argument(
        "--redo",
        choices=("prepare", "train", "merge", "evaluate", "release"),
        metavar="STAGE",
        help="clear this stage and those after it first",
    )


def overrides(options: Namespace) -> tuple[str, ...]:
    """The overrides as the recipe room takes them."""
    return tuple(options.overrides)
