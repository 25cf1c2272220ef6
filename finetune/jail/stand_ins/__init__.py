"""Small doubles of test libraries that benchmarks ask for and no toolchain brings.

They lie here in their own languages, are written for the functions that the benchmarks call, and
stand in the jail beside the program.
"""

from functools import cache
from importlib.resources import files


@cache
def stand_in(name: str) -> str:
    """The text of one of these files."""
    return (files("finetune.jail.stand_ins") / name).read_text(encoding="utf-8")


def closed(source: str, tests: str) -> tuple[str, str]:
    """The brace with which tests begin where an answer ends at it, moved to where it belongs."""
    if not tests.lstrip().startswith("}"):
        return source, tests
    return f"{source}\n}}\n", tests.lstrip().removeprefix("}")
