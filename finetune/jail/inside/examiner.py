"""Where tests run: outside the jail, in a process that no judged program shares.

The program's functions stand in the tests as handles that ask the program over a socket. What comes
back is plain data, compared here by the tests themselves. So a pass means that the tests ran to
their end in this process: a program that exits, forges output, walks frames or patches builtins
does so in its own process. It never sees the tests, nor the values they expect.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import importlib
import json
import os
import resource
import socket
import types
from collections.abc import Callable, Iterator
from typing import Any

from finetune.jail.inside.wire import Closed, Malformed, decode, encode, receive, send

HEADER = 4
MEMORY = 8 << 30
"""Bytes of address space; a message of a program's is 32 MiB at most."""
REAL_MODULES = frozenset(
    "bisect cmath collections copy datetime decimal fractions functools heapq itertools json math "
    "operator random re statistics string time typing".split()
)
"""What a test means by such a name, whatever the program has made of it."""


class Handle:
    """An object that stayed with the program. It equals itself alone."""

    __slots__ = ("_ask", "_number")

    def __init__(self, ask: Callable[..., Any], number: int) -> None:
        object.__setattr__(self, "_ask", ask)
        object.__setattr__(self, "_number", number)

    def __eq__(self, other: object) -> bool:
        return type(other) is Handle and other._number == self._number

    def __hash__(self) -> int:
        return hash(self._number)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self._ask("call", self, arguments, keywords)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__name__", "__doc__"):
            raise AttributeError(name)
        return self._ask("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._ask("set", self, name, value)

    def __bool__(self) -> bool:
        return self._ask("bool", self) is True

    def __len__(self) -> int:
        return int(self._ask("len", self))

    def __str__(self) -> str:
        return str(self._ask("str", self))

    def __getitem__(self, key: Any) -> Any:
        return self._ask("item", self, key)

    def __contains__(self, item: Any) -> bool:
        return self._ask("contains", self, item) is True

    def __iter__(self) -> Iterator[Any]:
        iterator = self._ask("iter", self)
        while found := self._ask("next", iterator):
            yield found[0]

    def __next__(self) -> Any:
        found = self._ask("next", self)
        if not found:
            raise StopIteration
        return found[0]


class Program:
    """The program at the other end."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def loaded(self) -> None:
        """Waits until its own code has run. Raises what that raised."""
        self._reply(None)

    def defined(self, names: list[str]) -> dict[str, Any]:
        """Its globals among `names`."""
        return dict(self.ask("names", names))

    def ask(self, operation: str, *arguments: Any) -> Any:
        """What the program answers. Raises what its code raises, as the nearest builtin kind."""
        request = encode((operation, arguments), self._foreign)
        send(self._descriptor, request)
        return self._reply(arguments)

    def _reply(self, arguments: Any) -> Any:
        reply = receive(self._descriptor)
        value, end = decode(reply, 1, self._native)
        if reply[:1] == b"R":
            kind, text = value
            raised = getattr(builtins, str(kind), RuntimeError)
            if not (isinstance(raised, type) and issubclass(raised, Exception)):
                raised = RuntimeError
            raise _made(raised, str(text))
        if arguments is not None:
            after, _ = decode(reply, end, self._native)
            if after is not None:
                _mirror(arguments, after[1])
        return value

    def _native(self, number: int) -> Any:
        return Handle(self.ask, number)

    @staticmethod
    def _foreign(value: Any) -> int:
        if type(value) is Handle:
            return int(value._number)
        raise Unaskable(f"the tests hand a {type(value).__name__} to the program")


class Unaskable(Exception):
    """A value of the tests that cannot be handed to another process."""


def _made(kind: type[Exception], text: str) -> Exception:
    if issubclass(kind, (StopIteration, StopAsyncIteration)):
        return RuntimeError(text)
    try:
        return kind(text)
    except TypeError:  # UnicodeDecodeError and its like take more
        return ValueError(text)


def _mirror(ours: Any, theirs: Any) -> Any:
    """Changes lists, dicts and sets of the tests as the program changed its copies of them."""
    if type(ours) is not type(theirs):
        return theirs
    if type(ours) is tuple and len(ours) == len(theirs):
        changed = tuple(map(_mirror, ours, theirs))
        return ours if all(map(_is, changed, ours)) else changed
    if type(ours) is list:
        known = [_mirror(a, b) for a, b in zip(ours, theirs, strict=False)]
        ours[:] = known + theirs[len(known) :]
        return ours
    if type(ours) is dict:
        after = {k: _mirror(ours[k], v) if k in ours else v for k, v in theirs.items()}
        ours.clear()
        ours.update(after)
        return ours
    if type(ours) is set:
        ours.clear()
        ours.update(theirs)
        return ours
    return theirs


def _is(one: Any, other: Any) -> bool:
    return one is other


def free_names(code: types.CodeType) -> set[str]:
    """Names of globals that `code` and the functions in it may read, and attributes beside them."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= free_names(constant)
    return names


def examine(descriptor: int, job: dict[str, Any]) -> dict[str, Any]:
    """Runs the tests of a job against the program behind `descriptor`.

    `broken` is set where the tests themselves cannot be run.
    """
    program = Program(descriptor)
    try:
        tests = compile(job["tests"], "tests.py", "exec")
        scope = given_scope(job["given"], job["entry"])
    except Exception as error:
        return {"passed": False, "broken": True, "why": f"the tests: {_told(error)}"}
    try:
        program.loaded()
        names = sorted(free_names(tests) - set(scope) - (set(vars(builtins)) - {job["entry"]}))
        for name, value in program.defined(names).items():
            if name in names:
                scope[name] = importlib.import_module(name) if name in REAL_MODULES else value
        exec(tests, scope)
    except Unaskable as error:
        return {"passed": False, "broken": True, "why": str(error)}
    except Closed:
        return {"passed": False, "gone": True, "why": "the program ended before its tests did"}
    except Malformed as error:
        return {"passed": False, "why": f"the program answered with no value: {error}"}
    except BaseException as error:
        return {"passed": False, "why": _told(error)}
    return {"passed": True, "why": ""}


def given_scope(given: str, entry: str) -> dict[str, Any]:
    """What the problem itself defines before its answer begins: imports and helpers, not `entry`.

    A program that redefines them changes its own copy, not what the tests call.
    """
    scope: dict[str, Any] = {"__name__": "tests"}
    kept = []
    for node in ast.parse(given).body:
        if getattr(node, "name", None) != entry:
            kept.append(node)
    exec(compile(ast.Module(kept, []), "given.py", "exec"), scope)
    return scope


def _told(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:500]
    except Exception:
        return type(error).__name__


def main(descriptor: int, user: int | None, warm: list[str]) -> None:
    """Examines one program after the other until the evaluator closes `descriptor`."""
    for name in {*warm, *REAL_MODULES}:  # now, since our own files may be closed to `user`
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    requests = socket.socket(fileno=descriptor)
    if user is not None:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    requests.sendall(b"ready")
    while True:
        head, given, _, _ = socket.recv_fds(requests, HEADER, 1)
        if len(head) < HEADER:
            return
        text = b""
        count = int.from_bytes(head, "big")
        while len(text) < count:
            text += requests.recv(count - len(text))
        told = json.dumps(examine(given[0], json.loads(text))).encode()
        os.close(given[0])
        requests.sendall(len(told).to_bytes(HEADER, "big") + told)
