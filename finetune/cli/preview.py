"""`finetune preview RECIPE`"""

from argparse import ArgumentParser, Namespace

from finetune.cli.arguments import add_recipe, overrides


def add_arguments(parser: ArgumentParser, _: str) -> None:
    add_recipe(parser)
    parser.add_argument("-n", type=int, default=2, metavar="N", help="number of blocks (2)")
    parser.add_argument("--json", action="store_true", help="one JSON object per block")


def run(options: Namespace) -> int:
    """Print the first blocks that training will see. Prepares the run first if need be."""
    import json

    from finetune.sequences.block import as_json
    from finetune.sequences.preview import block_text, summary
    from finetune.stages import open_job, training_stream

    job = open_job(options.recipe, overrides(options), options.runs)
    stream = training_stream(job)
    blocks = [next(stream) for _ in range(max(1, options.n))]
    if options.json:
        for block in blocks:
            print(json.dumps(as_json(block, stream.documents), ensure_ascii=False))
        return 0
    from rich.console import Console

    console = Console(highlight=False)
    for block in blocks:
        console.print(block_text(block, stream.documents, stream.packer.tokenizer))
    for line in summary(stream.counts, job.recipe.fim.rate):
        console.print(line)
    return 0
