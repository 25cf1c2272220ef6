"""The `finetune` command: one small file per command, imported only when it is asked for.

Exit codes: 0 done; 1 the run failed; 2 the user's mistake; 3 gate, doctor or a proof refused;
143 stopped by SIGTERM after saving.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from finetune.errors import Failed, Refused, UserError

COMMANDS = {
    "new": "write a commented recipe",
    "check": "parse, resolve, and report every problem at once",
    "schema": "print the recipe's JSON Schema",
    "preview": "show the first real training sequences",
    "plan": "memory, time and cost, and what to change if it does not fit",
    "doctor": "examine the run on real base and data before it trains",
    "prepare": "read and curate the sources",
    "train": "start training under the recipe's engine, or resume it",
    "merge": "make plain weights, with proof",
    "evaluate": "measure base and tuned side by side, or a model as it is",
    "release": "build the folder that a push uploads",
    "push": "upload release/ to the recipe's Hub",
    "complete": "fill in at a cursor, and name what repeats training code",
    "trace": "which training documents contain this code",
    "run": "all stages up to release/; uploads only with --push",
}
STAGES = ("prepare", "train", "merge", "release")
"""Commands that run one stage and nothing else."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, call, and turn what is raised into an exit code and one message."""
    parser = _parser()
    parsed, rest = parser.parse_known_args(arguments)
    if parsed.command is None:
        parser.print_help(sys.stdout if parsed.help else sys.stderr)
        return 0 if parsed.help else 2
    module = import_module(
        "finetune.cli.stage" if parsed.command in STAGES else f"finetune.cli.{parsed.command}"
    )
    own = argparse.ArgumentParser(
        prog=f"finetune {parsed.command}", description=COMMANDS[parsed.command]
    )
    own.add_argument("--traceback", action="store_true", help="show where a message came from")
    own.set_defaults(command=parsed.command)
    module.add_arguments(own, parsed.command)
    # Intermixed: `RECIPE --runs DIR key=value` is as good as `RECIPE key=value --runs DIR`.
    options = own.parse_intermixed_args([*(["--help"] if parsed.help else []), *rest])
    return _call(module.run, options)


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:<{width}}  {text}" for name, text in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="finetune",
        description="Specialise StarCoder-family code models.",
        epilog=f"commands:\n{lines}\n\n`finetune COMMAND --help` tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    parser.add_argument("command", nargs="?", choices=COMMANDS, metavar="COMMAND")
    parser.add_argument("-h", "--help", action="store_true")
    return parser


def _call(run: object, options: argparse.Namespace) -> int:
    assert callable(run)
    try:
        code: int = run(options)
    except UserError as error:
        return _report(error, 2, options)
    except Refused as error:
        return _report(error, 3, options)
    except Failed as error:
        return _report(error, 1, options)
    except KeyboardInterrupt:
        print("interrupted; `finetune run` goes on from here", file=sys.stderr)
        return 130
    return code


def _report(error: Exception, code: int, options: argparse.Namespace) -> int:
    if options.traceback:
        import traceback

        traceback.print_exc()
    print(error, file=sys.stderr)
    return code
