"""`finetune check RECIPE`"""

from argparse import ArgumentParser, Namespace

from finetune.cli.arguments import add_recipe, overrides


def add_arguments(parser: ArgumentParser, _: str) -> None:
    add_recipe(parser)
    parser.add_argument(
        "--online", action="store_true", help="fetch base and benchmarks from the Hub"
    )


def run(options: Namespace) -> int:
    """Print every problem with its file and line, or say that there is none."""
    from finetune.base import base_facts, fetch
    from finetune.preflight import refuse_problems
    from finetune.recipe import load_recipe
    from finetune.recipe.schema import Pretrained
    from finetune.run_folder import RunFolder
    from finetune.tasks import benchmarks_folder

    loaded = load_recipe(options.recipe, overrides(options))
    folder = RunFolder(options.runs.resolve() / loaded.recipe.name)
    base = loaded.recipe.base
    if options.online and isinstance(base, Pretrained) and not base_facts(base, folder).folder:
        fetch(base)
    if options.online:
        benchmarks_folder(loaded.recipe.evaluate.benchmarks)
    findings = refuse_problems(loaded, folder)
    for note in findings.notes:
        print(f"note: {note}")
    print(f"{options.recipe}: no problems")
    return 0
