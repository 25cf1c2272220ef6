"""Beside the program under test, in its process: runs it and answers for its functions.

Nothing here is trusted by the tests. A program that takes this process over can do no more than
answer calls with plain values, which is what it was asked for.
"""

from __future__ import annotations

import itertools
import operator
import sys
import types
from collections.abc import Callable
from typing import Any

from finetune.jail.inside.wire import Closed, decode, encode, receive, send

ENDS = (StopIteration, StopAsyncIteration, GeneratorExit, SystemExit, KeyboardInterrupt)


def serve(descriptor: int, source: str) -> None:
    """Runs `source` as a module, then answers questions about it until the other side is done."""
    objects: list[Any] = []
    numbers: dict[int, int] = {}
    module = types.ModuleType("candidate")
    sys.modules["candidate"] = module
    try:
        exec(compile(source, "candidate.py", "exec"), module.__dict__)
    except BaseException as error:  # whatever it is, the program did not load
        send(descriptor, _raised(error))
        return
    send(descriptor, b"V" + encode(None, lambda _: 0))
    operations: dict[str, Callable[..., Any]] = {
        "names": lambda names: [(n, module.__dict__[n]) for n in names if n in module.__dict__],
        "call": lambda function, arguments, keywords: function(*arguments, **keywords),
        "get": getattr,
        "set": setattr,
        "iter": iter,
        "next": lambda iterator: list(itertools.islice(iterator, 1)),
        "len": len,
        "bool": bool,
        "str": str,
        "item": operator.getitem,
        "contains": operator.contains,
    }
    try:
        while True:
            send(descriptor, _answer(receive(descriptor), operations, objects, numbers))
    except Closed:
        return


def _answer(
    request: bytes,
    operations: dict[str, Callable[..., Any]],
    objects: list[Any],
    numbers: dict[int, int],
) -> bytes:
    """The reply to one request: what came of it, and the arguments where it changed them."""

    def foreign(value: Any) -> int:
        number = numbers.setdefault(id(value), len(objects))
        if number == len(objects):
            objects.append(value)  # and so lives on: its id stays its own
        return number

    (name, arguments), _ = decode(request, 0, objects.__getitem__)
    try:
        value = encode(operations[name](*arguments), foreign)
        after = encode((name, arguments), foreign)
        return b"V" + value + (b"N" if after == request else after)
    except BaseException as error:  # the program's own, of whatever kind
        return _raised(error)


def _raised(error: BaseException) -> bytes:
    """The nearest builtin kind of `error`, and its text.

    What ends loops and programs is told as a RuntimeError: it must end no loop of the tests.
    """
    kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
    kind = "RuntimeError" if isinstance(error, ENDS) else kinds[0]
    try:
        text = f"{type(error).__name__}: {error}"[:500]
    except BaseException:  # its text is the program's code too
        text = type(error).__name__
    return b"R" + encode((kind, text), lambda _: 0)
