"""`finetune run RECIPE`"""

from argparse import ArgumentParser, Namespace

from finetune.cli.arguments import add_recipe, add_redo, overrides


def add_arguments(parser: ArgumentParser, _: str) -> None:
    add_recipe(parser)
    add_redo(parser)
    parser.add_argument("--push", action="store_true", help="upload release/ at the end")
    parser.add_argument(
        "--despite-gate", action="store_true", help="release although the gate did not pass"
    )
    parser.add_argument(
        "--despite-doctor", action="store_true", help="train although the doctor found faults"
    )


def run(options: Namespace) -> int:
    """Do what is missing, then show the run and those it stands on."""
    from finetune.job import open_job
    from finetune.stages import all_stages, push, run_stages

    job = open_job(
        options.recipe,
        overrides(options),
        options.runs,
        despite_gate=options.despite_gate,
        despite_doctor=options.despite_doctor,
    )
    run_stages(job, all_stages(job), options.redo)
    if options.push:
        print(push(job))
    from rich.console import Console

    from finetune.report import lineage, lineage_table

    Console().print(lineage_table(lineage(job.run)))
    print(f"report: {job.run.report}")
    return 0
