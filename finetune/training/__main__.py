"""What a launcher starts on every process: `python -m finetune.training RECIPE [key=value ...]`."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from finetune.errors import Refused, UserError
from finetune.recipe import load_recipe
from finetune.run_folder import RunFolder
from finetune.training.launch import die_with_parent


def main(arguments: list[str] | None = None) -> int:
    """Exit codes as of `finetune`; the launcher turns them into its own."""
    parser = argparse.ArgumentParser(prog="finetune.training")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parsed = parser.parse_args(arguments)
    die_with_parent()
    first = os.environ.get("RANK", "0") == "0"
    try:
        recipe = load_recipe(parsed.recipe, tuple(parsed.overrides)).recipe
        from finetune.training.start import train

        return _trained(lambda: train(recipe, RunFolder(parsed.runs.resolve() / recipe.name)))
    except UserError as error:
        if first:
            print(error, file=sys.stderr, flush=True)
        return 2
    except Refused as error:
        if first:
            print(error, file=sys.stderr, flush=True)
        return 3


def _trained(run: Callable[[], None]) -> int:
    from finetune.training.loop import Stopped

    try:
        run()
    except Stopped:
        print("stopped by SIGTERM; the checkpoint is saved", file=sys.stderr, flush=True)
        return 143
    return 0


if __name__ == "__main__":
    sys.exit(main())
