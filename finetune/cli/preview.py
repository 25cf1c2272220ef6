"""`finetune preview RECIPE`"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from finetune.cli.arguments import add_recipe, overrides


def add_arguments(parser: ArgumentParser, _: str) -> None:
    add_recipe(parser)
    parser.add_argument("-n", type=int, default=2, metavar="N", help="number of blocks (2)")
    parser.add_argument("--json", action="store_true", help="one JSON object per block")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page instead")


def run(options: Namespace) -> int:
    """Show the first blocks that training will see. Prepares the run first if need be."""
    import json
    from itertools import islice

    from finetune.job import open_job
    from finetune.sequences.block import as_json
    from finetune.sequences.preview import block_text, summary
    from finetune.stages import preview_stream

    job = open_job(options.recipe, overrides(options), options.runs)
    stream = preview_stream(job)
    blocks = list(islice(stream, max(1, options.n)))
    if options.html:
        from finetune.sequences.preview_page import write_page

        write_page(options.html, job.recipe.name, blocks, stream)
        print(options.html)
    if options.json:
        for block in blocks:
            print(json.dumps(as_json(block, stream.corpus), ensure_ascii=False))
    if options.html or options.json:
        return 0
    from rich.console import Console

    console = Console(highlight=False)
    for block in blocks:
        console.print(block_text(block, stream.corpus))
    for line in summary(stream):
        console.print(line, markup=False, soft_wrap=True)
    return 0
