"""`finetune evaluate`: a recipe's base and tuned, two runs side by side, or a model as it is."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from finetune.cli.arguments import add_recipe, overrides


def add_arguments(parser: ArgumentParser, command: str) -> None:
    add_recipe(parser, nargs="?")
    parser.add_argument(
        "--redo",
        action="store_const",
        const=command,
        help="clear what evaluate and the stages after it left, and do it again",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--generate-only",
        action="store_true",
        help="write the completions of the tasks and judge none, where there is no jail",
    )
    what.add_argument(
        "--judge",
        nargs="+",
        metavar="FILE",
        help="judge files that --generate-only wrote, on any machine with a jail",
    )
    what.add_argument(
        "--compare",
        nargs=2,
        metavar=("A", "B"),
        help="show two evaluated runs side by side instead (their folders, or their names)",
    )
    what.add_argument(
        "--model",
        metavar="MODEL",
        help="measure a model as it is instead, without a recipe: a folder or a Hub id",
    )
    parser.add_argument(
        "--tasks", metavar="A,B", help="with --model: what it is asked, such as humaneval,mbpp"
    )


def run(options: Namespace) -> int:
    """Do what was asked for."""
    from finetune.errors import UserError

    if options.recipe is not None and "=" in options.recipe:  # no recipe, but an override
        options.overrides.insert(0, options.recipe)
        options.recipe = None
    alone = options.judge or options.compare or options.model or None
    if (options.recipe is None) == (alone is None):
        raise UserError(
            "finetune evaluate: give a RECIPE; or --judge FILE, --compare A B, or --model MODEL"
        )
    if (options.tasks is None) != (options.model is None):
        raise UserError("finetune evaluate: --model and --tasks go together")
    if options.redo and (alone or options.generate_only):
        raise UserError("finetune evaluate: --redo is for a recipe's stage alone")
    if options.judge:
        return _judge(options)
    if options.compare:
        from finetune.cli.compare import compare

        return compare(options.runs, options.compare)
    return _model(options) if options.model else _recipe(options)


def _judge(options: Namespace) -> int:
    from finetune.errors import UserError
    from finetune.evaluation.judge_file import judge_file

    stated = [one for one in options.judge if "=" in one and not Path(one).exists()]
    if len(stated) == len(options.judge):
        raise UserError("finetune evaluate: --judge needs a file that --generate-only wrote")
    for file in options.judge:
        if file not in stated:
            print(judge_file(Path(file), (*overrides(options), *stated)).in_words())
    return 0


def _model(options: Namespace) -> int:
    from finetune.recipe.alone import evaluate_section

    tasks = tuple(name.strip() for name in options.tasks.split(","))
    section = evaluate_section(overrides(options), tasks=tasks)  # a mistake is told at once

    from rich.console import Console

    from finetune.evaluation.one_model import evaluate_model
    from finetune.report.one_model import scores_table

    file, scores = evaluate_model(options.model, section, options.runs)
    Console(highlight=False).print(scores_table(scores))
    print(file)
    return 0


def _recipe(options: Namespace) -> int:
    from finetune.job import open_job
    from finetune.stages import run_stages, write_completions

    job = open_job(Path(options.recipe), overrides(options), options.runs)
    if not options.generate_only:
        run_stages(job, [options.command], options.redo)
        return 0
    for file in write_completions(job):
        print(file)
    return 0
