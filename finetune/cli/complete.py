"""`finetune complete MODEL FILE:LINE[:COL]`"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from finetune.cli.arguments import add_runs

if TYPE_CHECKING:
    from finetune.completing.complete import Filled
    from finetune.completing.cursor import Cursor
    from finetune.completing.sources import Source

SHOWN = 5
"""Training documents that are named in the terminal; JSON has all."""


def add_arguments(parser: ArgumentParser, _: str) -> None:
    parser.add_argument(
        "model",
        type=Path,
        metavar="MODEL",
        help="a run (its folder, or its name), or a folder with a model or an adapter",
    )
    parser.add_argument(
        "where",
        metavar="FILE:LINE[:COL]",
        help="the cursor, counted from 1; at the end of the line without COL",
    )
    parser.add_argument(
        "--max-new-tokens", type=int, default=64, metavar="N", help="longest completion (64)"
    )
    parser.add_argument("--lines", type=int, metavar="N", help="longest completion in lines")
    parser.add_argument(
        "--temperature", type=float, default=0.0, metavar="T", help="0: the likeliest token (0)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the temperature (0)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    add_runs(parser)
    parser.epilog = (
        "The completion alone goes to standard output, all else to standard error. A passage of 50 "
        "characters or more that the run's training code holds is named with path and licence; "
        "white space counts as one blank, whatever its amount."
    )


def run(options: Namespace) -> int:
    """Print what the model writes at the cursor, and what of it is training code."""
    from finetune.errors import UserError

    if options.lines is not None and options.lines < 1:
        raise UserError(f"--lines: {options.lines} is not 1 or more")
    from finetune.completing.cursor import parse_cursor
    from finetune.completing.model import find_model

    cursor = parse_cursor(options.where)
    model = find_model(options.model, options.runs)
    from finetune.completing.complete import complete_at  # torch: a mistake is told before

    filled = complete_at(
        model,
        cursor,
        max_new_tokens=options.max_new_tokens,
        temperature=options.temperature,
        lines=options.lines,
        seed=options.seed,
    )
    if options.json:
        _print_json(cursor, filled)
        return 0
    _print_completion(cursor, filled)
    for line in _words(filled):
        print(line, file=sys.stderr)
    return 0


def _print_json(cursor: "Cursor", filled: "Filled") -> None:
    import json
    from dataclasses import asdict

    place = {"file": str(cursor.file), "line": cursor.line, "column": cursor.column}
    value = {**place, "machine_generated": True, **asdict(filled)}
    print(json.dumps(value, ensure_ascii=False))


def _print_completion(cursor: "Cursor", filled: "Filled") -> None:
    """In its line and in colour on a terminal; the bare text, and no byte more, elsewhere."""
    if not sys.stdout.isatty():
        sys.stdout.write(filled.text)
        sys.stdout.flush()
        return
    from rich.console import Console
    from rich.text import Text

    text = Text(cursor.line_before, style="dim")
    text.append(filled.text, style="bold green")
    text.append(cursor.line_behind, style="dim")
    Console(highlight=False, soft_wrap=True).print(text)


def _words(filled: "Filled") -> Iterator[str]:
    lookup = filled.lookup
    yield from map(_source, lookup.sources[:SHOWN])
    if len(lookup.sources) > SHOWN:
        yield f"and {len(lookup.sources) - SHOWN:,} more, which --json lists"
    if lookup.by == "nothing":
        yield (
            "no index of the training code is at hand (a run's folder has one, a release only with "
            "`publish.training_index: true`): whether this repeats training code is not known"
        )
    elif not lookup.sources:
        yield f"repeats no {lookup.least} characters or more of the training code at hand"
    if filled.disclaimer:
        yield filled.disclaimer


def _source(source: "Source") -> str:
    passage = source.completion
    said = f"{passage.end - passage.start} characters from character {passage.start + 1} repeat"
    if source.path is None:
        return f"{said} training code; the released filter does not know which document"
    place = f":{source.document.first_line}" if source.document else ""
    revision = f" at {source.revision[:12]}" if source.revision else ""
    licence = source.licence or "licence not stated"
    return f"{said} {source.repo} {source.path}{place}{revision} ({licence})"
