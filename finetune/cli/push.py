"""`finetune push RECIPE`"""

from argparse import ArgumentParser, Namespace

from finetune.cli.arguments import add_recipe, overrides


def add_arguments(parser: ArgumentParser, _: str) -> None:
    add_recipe(parser)
    way = parser.add_mutually_exclusive_group()
    way.add_argument(
        "--dry-run",
        dest="way",
        action="store_const",
        const="dry_run",
        help="print what would be sent, file by file; send nothing",
    )
    way.add_argument(
        "--pull-request",
        dest="way",
        action="store_const",
        const="pull_request",
        help="propose the release to a repository that is there, and leave its main as it is",
    )
    parser.set_defaults(way="main")
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
    print(push(job, options.way))
    return 0
