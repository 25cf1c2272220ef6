"""What a launcher starts on every process: `python -m finetune.training RECIPE [key=value ...]`."""

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from finetune.errors import Failed, UserError
from finetune.recipe import load_recipe
from finetune.run_folder import RunFolder
from finetune.training.launch import die_with_parent


def main(arguments: list[str] | None = None) -> int:
    """Exit codes as of `finetune`; the launcher turns them into its own."""
    parser = argparse.ArgumentParser(prog="finetune.training")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parsed = parser.parse_intermixed_args(arguments)
    die_with_parent()
    # torch's own collectives, as DeepSpeed calls them, warn on every step of every rank.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"torch\.distributed")
    try:
        recipe = load_recipe(parsed.recipe, tuple(parsed.overrides)).recipe
        from finetune.training.start import train

        return _trained(lambda: train(recipe, RunFolder(parsed.runs.resolve() / recipe.name)))
    except UserError as error:
        return _report(error, 2)
    except Failed as error:
        return _report(error, 1)


def _report(error: Exception, code: int) -> int:
    """Say it once. A launcher stops all ranks when one ends, so rank 0 gets to speak first."""
    rank = os.environ.get("RANK", "0")
    if rank == "0":
        print(error, file=sys.stderr, flush=True)
    else:
        time.sleep(10)
        print(f"rank {rank}: {error}", file=sys.stderr, flush=True)
    return code


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
