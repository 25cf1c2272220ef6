"""`finetune prepare | train | merge | release RECIPE`: one stage each."""

from argparse import ArgumentParser, Namespace

from finetune.cli.arguments import add_recipe, overrides


def add_arguments(parser: ArgumentParser, command: str) -> None:
    add_recipe(parser)
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
    from finetune.job import open_job
    from finetune.stages import run_stages

    job = open_job(
        options.recipe,
        overrides(options),
        options.runs,
        despite_gate=getattr(options, "despite_gate", False),
        despite_doctor=getattr(options, "despite_doctor", False),
    )
    run_stages(job, [options.command], options.redo)
    return 0
