"""Judges hostile programs among good ones, as whichever user runs this, and prints what came of it.

python on_trial.py BACKEND FILE     FILE: {"name": source, ...} as JSON
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from finetune.errors import Refused
from finetune.jail import Limits, Program, find_backend, judge
from finetune.jail.backends import installed_backends
from finetune.jail.limits import MEBIBYTE

TESTS = (
    "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 9\n"
    "    assert helper(7) == 7\n    for x in [candidate(4)]:\n        assert x == 16\n"
    "check(f)\nassert f(4) == 16\n"
)
GIVEN = "def helper(value):\n    return value\n"
GOOD = "print('good')\ndef f(x):\n    return x * x\n"
LIMITS = Limits(seconds=1, memory=512 * MEBIBYTE)


def good_or(source: str) -> Program:
    return Program(source=GIVEN + source, tests=TESTS, given=GIVEN, entry="f")


def main(name: str, sources: Mapping[str, str]) -> None:
    (backend,) = [one for one in installed_backends() if one.name == name]
    order = [source for pair in ((one, GOOD) for one in sources.values()) for source in pair]
    started = time.monotonic()
    verdicts = judge([good_or(source) for source in order], backend, limits=LIMITS, workers=2)
    seconds = time.monotonic() - started
    told = {
        "user": os.geteuid(),
        "seconds": seconds,
        "hostile": {
            key: vars(verdict) for key, verdict in zip(sources, verdicts[::2], strict=True)
        },
        "good": [vars(verdict) for verdict in verdicts[1::2]],
        "left": [one.name() for one in psutil.Process().children(recursive=True)],
    }
    print(json.dumps(told))


def probe() -> None:
    try:
        print(json.dumps({"found": find_backend().name}))
    except Refused as error:
        print(json.dumps({"refused": str(error)}))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()))
    else:
        probe()
