"""`finetune plan RECIPE`"""

from argparse import ArgumentParser, ArgumentTypeError, Namespace

from finetune.cli.arguments import add_recipe, overrides


def add_arguments(parser: ArgumentParser, _: str) -> None:
    add_recipe(parser)
    parser.add_argument(
        "--gpus", metavar="NxGPU", help="such as 8xA100-80GB (the GPUs of this machine)"
    )
    parser.add_argument(
        "--mfu", type=_share, metavar="SHARE", help="of the GPUs' peak that training reaches"
    )
    parser.add_argument("--price", type=_price, metavar="P", help="of a GPU for an hour")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.epilog = "Exit code 0 whether it fits or not; `fits` in --json says which."


def run(options: Namespace) -> int:
    """Say whether the recipe fits, what it takes, and what to change where it does not."""
    from finetune.errors import UserError
    from finetune.planning import as_json, gpus_here, outlook, parse_gpus
    from finetune.recipe import load_recipe
    from finetune.run_folder import RunFolder

    machine = parse_gpus(options.gpus) if options.gpus else gpus_here()
    if machine is None:
        raise UserError("--gpus: this machine shows no GPU; name what to plan for: 8xA100-80GB")
    recipe = load_recipe(options.recipe, overrides(options)).recipe
    folder = RunFolder(options.runs.resolve() / recipe.name)
    seen = outlook(recipe, folder, machine, mfu=options.mfu, price=options.price)
    if options.json:
        import json

        print(json.dumps(as_json(seen)))
        return 0
    from rich.console import Console

    from finetune.planning.table import outlook_table

    Console(highlight=False).print(outlook_table(seen))
    return 0


def _share(text: str) -> float:
    value = _number(text)
    if not 0 < value <= 1:
        raise ArgumentTypeError(f"{text} is no share: between 0 and 1, such as 0.45")
    return value


def _price(text: str) -> float:
    value = _number(text)
    if value < 0:
        raise ArgumentTypeError(f"{text}: a price is not negative")
    return value


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no number") from None
    if value != value or value in (float("inf"), float("-inf")):
        raise ArgumentTypeError(f"{text!r} is no finite number")
    return value
