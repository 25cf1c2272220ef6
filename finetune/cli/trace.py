"""`finetune trace RUN_OR_MODEL FILE`"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path

from finetune.cli.arguments import add_runs


def add_arguments(parser: ArgumentParser, _: str) -> None:
    parser.add_argument(
        "where",
        type=Path,
        metavar="RUN_OR_MODEL",
        help="a run (its folder, or its name) or a model's folder with training_index.bloom",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the code; - for standard input")
    parser.add_argument("--json", action="store_true", help="one JSON object, every match in it")
    add_runs(parser)
    parser.epilog = (
        "Exit code 0 whether anything is found or not. A run names documents; a model's folder "
        "only tells which passages were trained on. Passages of fewer than 60 characters (100 in "
        "a model's folder) are not told from chance."
    )


def run(options: Namespace) -> int:
    """Print the training documents that contain FILE's code."""
    from finetune.errors import UserError
    from finetune.trace import BLOOM_FILE, INDEX_FOLDER

    text = _read(options.file)
    folders = (options.where, options.runs / options.where)
    for folder in folders:
        if (folder / INDEX_FOLDER).is_dir():
            return _by_index(folder, text, options)
        if (folder / BLOOM_FILE).is_file():
            return _by_filter(folder / BLOOM_FILE, text, options)
    raise UserError(
        f"{options.where}: neither here nor in {options.runs} is there a folder of that name with "
        f"{INDEX_FOLDER}/ (which `finetune prepare` makes) or {BLOOM_FILE} (which a release holds "
        "where its recipe says `publish.training_index: true`)"
    )


def _read(file: Path) -> str:
    from data_formats.source_code import decode_source
    from finetune.errors import UserError

    try:
        return decode_source(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}; give a file of code") from error
    except UnicodeDecodeError:
        raise UserError(f"{file}: not UTF-8, as all training code is; convert it first") from None


def _by_index(folder: Path, text: str, options: Namespace) -> int:
    from finetune.run_folder import RunFolder
    from finetune.trace import INDEX_FOLDER, find
    from finetune.trace.wording import trace_json, trace_summary, trace_table

    corpus = RunFolder(folder).train_corpus
    trace = find(folder / INDEX_FOLDER, corpus if corpus.is_file() else None, text)
    if options.json:
        return _print_json({"file": str(options.file), **trace_json(trace)})
    from rich.console import Console

    if trace.matches:
        Console(highlight=False).print(trace_table(trace))
    return _print_lines(trace_summary(trace))


def _by_filter(file: Path, text: str, options: Namespace) -> int:
    from finetune.trace import check_bloom
    from finetune.trace.wording import membership_json, membership_summary

    found = check_bloom(file, text)
    if options.json:
        return _print_json({"file": str(options.file), **membership_json(found, text)})
    return _print_lines(membership_summary(found, text))


def _print_json(value: dict[str, object]) -> int:
    import json

    print(json.dumps(value, ensure_ascii=False))
    return 0


def _print_lines(lines: Iterable[str]) -> int:
    for line in lines:
        print(line)
    return 0
