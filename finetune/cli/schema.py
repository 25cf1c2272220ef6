"""`finetune schema`"""

from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser, _: str) -> None:
    """None of its own."""


def run(_: Namespace) -> int:
    """Print the JSON Schema of recipes."""
    from finetune.recipe.json_schema import schema_text

    print(schema_text(), end="")
    return 0
