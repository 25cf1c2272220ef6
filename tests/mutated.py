"""Good values with one part made odd, as nobody writes them but somebody may send them."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any


def _deep(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


ODD = (
    None,
    True,
    -1,
    5,
    10**30,
    1.0,
    float("inf"),
    float("nan"),
    "",
    " \n",
    "\0",
    "x" * 100_000,
    "/" * 10_000,
    "`@" * 5_000,
    [],
    [None],
    ["a", 1],
    [[]],
    {},
    {"a": None},
    {"role": [], "login": {}, "text": {}},
    _deep(200),
    b"\xff",
    datetime(2024, 1, 1, tzinfo=UTC),
    Decimal("1.5"),
)
"""The last three are Parquet's."""
ODD_JSON = ODD[:-3]


def mutated(good: Any, count: int, odd: tuple[Any, ...] = ODD) -> Iterator[tuple[str, Any]]:
    """Copies of `good`, in each of which one part or two are odd or missing, and what was done."""
    for seed in range(count):
        random = Random(seed)
        value, done = {"": deepcopy(good)}, ""
        for _ in range(random.choice((1, 1, 2))):
            holder, key = random.choice(list(_places(value)))
            if isinstance(holder, dict) and random.random() < 0.1:
                del holder[key]
                done += f"no {key}; "
            else:
                holder[key] = deepcopy(random.choice(odd))
                done += f"{key}: {str(holder[key])[:40]!r}; "
            if not value:
                break
        yield f"{seed}: {done}", value.get("")


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a value, with each of its keys or indices."""
    keys = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    for key in keys:
        yield value, key
        yield from _places(value[key])
