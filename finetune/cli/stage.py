"""`finetune prepare | train | merge | evaluate | release RECIPE`: one stage each."""

from argparse import ArgumentParser, Namespace

from finetune.cli.arguments import add_recipe, overrides
from finetune.cli.compare import add_compare, compare


def add_arguments(parser: ArgumentParser, command: str) -> None:
    add_recipe(parser, nargs="?" if command == "evaluate" else None)
    if command == "evaluate":
        add_compare(parser)
    redo = f"clear what {command} and the stages after it left, and do it again"
    parser.add_argument("--redo", action="store_const", const=command, help=redo)
    if command == "release":
        parser.add_argument(
            "--despite-gate", action="store_true", help="release although the gate did not pass"
        )
    if command == "train":
        parser.add_argument(
            "--despite-doctor", action="store_true", help="train although the doctor found faults"
        )


def run(options: Namespace) -> int:
    """Run the stage of the command's name."""
    from finetune.errors import UserError
    from finetune.stages import open_job, run_stages

    pair = getattr(options, "compare", None)
    if (pair is None) == (options.recipe is None):
        raise UserError("finetune evaluate: give a RECIPE, or two runs with --compare A B")
    if pair is not None:
        return compare(options.runs, pair)
    job = open_job(
        options.recipe,
        overrides(options),
        options.runs,
        despite_gate=getattr(options, "despite_gate", False),
        despite_doctor=getattr(options, "despite_doctor", False),
    )
    run_stages(job, [options.command], options.redo)
    return 0
