"""What a launcher starts on every process: `python -m finetune.training RECIPE [key=value ...]`."""

import argparse
import sys
import time
import warnings
from errno import EDQUOT, EFBIG, ENOSPC
from pathlib import Path
from traceback import format_exc

from finetune.errors import Failed, Refused, UserError
from finetune.recipe import load_recipe
from finetune.run_folder import RunFolder
from finetune.training.launch import die_with_parent
from finetune.training.ranks import STOPPED, End, announce, rank_here, tell

FULL = (ENOSPC, EDQUOT, EFBIG)
"""A write that failed for want of room."""
PATIENCE = 10.0
"""Seconds that rank 0 has to speak before the others do."""


def main(arguments: list[str] | None = None) -> int:
    """Exit codes as of `finetune`; a bare launcher turns them into its own."""
    parser = argparse.ArgumentParser(prog="finetune.training")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--doctor", action="store_true", help="examine the run, and train nothing")
    parser.add_argument(
        "--despite-doctor", action="store_true", help="train although the doctor found faults"
    )
    parsed = parser.parse_intermixed_args(arguments)
    die_with_parent()
    announce()
    # torch's own collectives, as DeepSpeed calls them, warn on every step of every rank.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"torch\.distributed")
    end = _train(parsed)
    return 0 if tell(end) else _report(end)


def _train(parsed: argparse.Namespace) -> End:
    """Train to the end, whichever it is."""
    try:
        recipe = load_recipe(parsed.recipe, tuple(parsed.overrides)).recipe
        from finetune.training.loop import Stopped
        from finetune.training.start import examine, train

        run = RunFolder(parsed.runs.resolve() / recipe.name)
        try:
            if parsed.doctor:
                examine(recipe, run)
            else:
                train(recipe, run, despite_doctor=parsed.despite_doctor)
        except Stopped as stopped:
            return End(code=STOPPED, message=str(stopped))
    except UserError as error:
        return End(code=2, message=str(error))
    except Refused as error:
        return End(code=3, message=str(error))
    except Failed as error:
        return End(code=1, message=str(error))
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            return End(code=1, message=f"{error.filename or 'a file'}: {error.strerror}")
        return End(code=1, message=f"{type(error).__name__}: {error}", traceback=format_exc())
    return End(code=0)


def _report(end: End) -> int:
    """Say it once. A launcher stops all ranks when one ends, so rank 0 gets to speak first."""
    where = ""
    if rank_here() != 0 and end.is_failure:
        time.sleep(PATIENCE)
        where = f"rank {rank_here()}: "
    if end.message and (rank_here() == 0 or end.is_failure):
        print(f"{where}{end.traceback or end.message}", file=sys.stderr, flush=True)
    return end.code


if __name__ == "__main__":
    sys.exit(main())
