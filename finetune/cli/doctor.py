"""`finetune doctor RECIPE`"""

from argparse import ArgumentParser, Namespace

from finetune.cli.arguments import add_recipe, overrides


def add_arguments(parser: ArgumentParser, _: str) -> None:
    add_recipe(parser)
    parser.epilog = (
        "Prepares the run first if need be, trains nothing, and writes doctor.json into the run's "
        "folder. Exit code 3 where something is at fault."
    )


def run(options: Namespace) -> int:
    """Examine the run through the launcher and engine that will train it."""
    from finetune.job import open_job
    from finetune.stages import doctor

    doctor(open_job(options.recipe, overrides(options), options.runs))
    return 0
