"""`finetune push RECIPE`"""

from argparse import ArgumentParser, Namespace

from finetune.cli.arguments import add_recipe, overrides


def add_arguments(parser: ArgumentParser, _: str) -> None:
    add_recipe(parser)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print what would be sent, file by file; send nothing",
    )
    parser.add_argument(
        "--despite-gate", action="store_true", help="push although the gate did not pass"
    )
    parser.epilog = (
        "The token is read from HF_TOKEN or from the file of `hf auth login`. A push that was cut "
        "off goes on where it stopped when it is run again."
    )


def run(options: Namespace) -> int:
    """Upload what release/ holds, and say where it went."""
    from finetune.job import open_job
    from finetune.stages import push

    job = open_job(
        options.recipe,
        overrides(options),
        options.runs,
        despite_gate=options.despite_gate,
    )
    print(push(job, dry_run=options.dry_run))
    return 0
