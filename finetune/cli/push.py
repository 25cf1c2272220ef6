"""`finetune push RECIPE`"""

from argparse import ArgumentParser, Namespace

from finetune.cli.arguments import add_recipe, overrides


def add_arguments(parser: ArgumentParser, _: str) -> None:
    add_recipe(parser)


def run(options: Namespace) -> int:
    """Upload what release/ holds, and say where it went."""
    from finetune.stages import open_job, push

    print(push(open_job(options.recipe, overrides(options), options.runs)))
    return 0
