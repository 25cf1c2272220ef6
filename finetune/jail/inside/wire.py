"""Plain values as bytes, between a program that is not trusted and the tests that judge it.

Decoding makes values of builtin and a few standard types and calls nothing that the sender chose,
which neither pickle nor marshal can promise. What is of any other type crosses as a handle: a
number by which the other side may be asked about the object. An object that says it equals
everything arrives as the plain value of its builtin base, or as a handle, which equals nothing.
"""

from __future__ import annotations

import builtins
import collections
import datetime
import decimal
import fractions
import os
from collections.abc import Callable
from typing import Any

MAX_FRAME = 1 << 25
"""Bytes of one message. A longer one is not read."""

Put = Callable[[bytes], Any]
Foreign = Callable[[Any], int]

CONSTRUCTED: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    decimal.Decimal: lambda x: (str(x),),
    fractions.Fraction: lambda x: (x.numerator, x.denominator),
    datetime.date: lambda x: (x.year, x.month, x.day),
    datetime.timedelta: lambda x: (x.days, x.seconds, x.microseconds),
    datetime.datetime: lambda x: (*x.timetuple()[:6], x.microsecond),
    datetime.time: lambda x: (x.hour, x.minute, x.second, x.microsecond),
    collections.OrderedDict: lambda x: (list(x.items()),),
    collections.Counter: lambda x: (dict(x),),
    collections.deque: lambda x: (list(x), x.maxlen),
    range: lambda x: (x.start, x.stop, x.step),
    slice: lambda x: (x.start, x.stop, x.step),
}
"""Types beyond the builtin data, each with the arguments that make an equal one."""

MAKERS: dict[str, Callable[..., Any]] = {kind.__name__: kind for kind in CONSTRUCTED}
TYPES: dict[str, type] = {name: x for name, x in vars(builtins).items() if isinstance(x, type)}
SINGLETONS = {b"N": None, b"T": True, b"F": False, b"E": Ellipsis, b"I": NotImplemented}
CONTAINERS: dict[type, bytes] = {list: b"l", tuple: b"t", set: b"S", frozenset: b"Z", dict: b"d"}


class Malformed(Exception):
    """What came is no message of this protocol."""


class Closed(Exception):
    """The other side is gone."""


def encode(value: Any, foreign: Foreign) -> bytes:
    """`value` as bytes; `foreign` gives the handle of an object that is no plain data."""
    parts: list[bytes] = []
    _encode(value, parts.append, foreign)
    return b"".join(parts)


def _encode(value: Any, put: Put, foreign: Foreign) -> None:
    kind = type(value)
    if value is None or value is True or value is False:
        put(b"N" if value is None else b"T" if value else b"F")
    elif kind is int:
        put(b"i%x;" % value if value >= 0 else b"j%x;" % -value)
    elif kind is str:
        _put_text(b"s", value.encode("utf-8", "surrogatepass"), put)
    elif kind is float:
        put(b"f" + value.hex().encode() + b";")
    elif kind in CONTAINERS:
        put(b"%s%x;" % (CONTAINERS[kind], len(value)))
        for item in value:
            _encode(item, put, foreign)
            if kind is dict:
                _encode(value[item], put, foreign)
    else:
        _encode_rarer(value, kind, put, foreign)


def _encode_rarer(value: Any, kind: type, put: Put, foreign: Foreign) -> None:
    if value is Ellipsis or value is NotImplemented:
        put(b"E" if value is Ellipsis else b"I")
    elif kind is complex:
        put(b"c%s;%s;" % (value.real.hex().encode(), value.imag.hex().encode()))
    elif kind is bytes or kind is bytearray:
        _put_text(b"b" if kind is bytes else b"y", bytes(value), put)
    elif kind in CONSTRUCTED and getattr(value, "tzinfo", None) is None:
        _put_text(b"O", kind.__name__.encode(), put)
        _encode(CONSTRUCTED[kind](value), put, foreign)
    elif kind is type and value in TYPES.values():
        _put_text(b"C", value.__name__.encode(), put)
    else:
        base = _as_base(value)
        if base is value:
            put(b"h%x;" % foreign(value))
        else:
            _encode(base, put, foreign)


def _as_base(value: Any) -> Any:
    """The plain value below an instance of a subclass; `value` itself where there is none."""
    if isinstance(value, int):
        return int.__add__(value, 0)
    if isinstance(value, float):
        return float.__mul__(value, 1.0)
    if isinstance(value, str):
        return str.__getitem__(value, slice(None)) if len(value) else ""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, dict):
        return dict(dict.items(value))
    bases: tuple[Any, ...] = (list, tuple, set, frozenset)
    for kind in bases:
        if isinstance(value, kind):
            return kind(kind.__iter__(value))
    return value


def _put_text(tag: bytes, text: bytes, put: Put) -> None:
    put(b"%s%x;" % (tag, len(text)))
    put(text)


def decode(data: bytes, at: int, native: Callable[[int], Any]) -> tuple[Any, int]:
    """The value that begins at `at`, and where it ends; `native` makes what a handle stands for.

    Raises Malformed.
    """
    try:
        return _decode(data, at, native)
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as error:
        raise Malformed(f"{type(error).__name__}: {error}") from None


def _decode(data: bytes, at: int, native: Callable[[int], Any]) -> tuple[Any, int]:
    tag = data[at : at + 1]
    if tag in SINGLETONS:
        return SINGLETONS[tag], at + 1
    end = data.index(b";", at)
    head, at = data[at + 1 : end], end + 1
    if tag == b"i" or tag == b"j":
        return (int(head, 16) if tag == b"i" else -int(head, 16)), at
    if tag == b"f":
        return float.fromhex(head.decode()), at
    if tag == b"c":
        end = data.index(b";", at)
        imaginary = float.fromhex(data[at:end].decode())
        return complex(float.fromhex(head.decode()), imaginary), end + 1
    if tag == b"h":
        return native(int(head, 16)), at
    return _decode_longer(data, at, tag, int(head, 16), native)


def _decode_longer(
    data: bytes, at: int, tag: bytes, count: int, native: Callable[[int], Any]
) -> tuple[Any, int]:
    if count < 0 or at + count > len(data):  # an item has one byte at least
        raise Malformed("longer than its message")
    if tag in b"sbyOC":
        text, at = data[at : at + count], at + count
        if tag == b"s":
            return text.decode("utf-8", "surrogatepass"), at
        if tag == b"b" or tag == b"y":
            return (text if tag == b"b" else bytearray(text)), at
        if tag == b"C":
            return TYPES[text.decode()], at
        arguments, at = _decode(data, at, native)
        return MAKERS[text.decode()](*arguments), at
    items: list[Any] = []
    for _ in range(2 * count if tag == b"d" else count):
        item, at = _decode(data, at, native)
        items.append(item)
    if tag == b"d":
        return dict(zip(items[::2], items[1::2], strict=True)), at
    for kind, own in CONTAINERS.items():
        if tag == own:
            return (items if kind is list else kind(items)), at
    raise Malformed(f"unknown tag {tag!r}")


def send(descriptor: int, message: bytes) -> None:
    """Writes one message. Raises Closed where the other side is gone."""
    if len(message) > MAX_FRAME:
        raise Malformed(f"a value of {len(message):,} bytes")
    rest = memoryview(len(message).to_bytes(4, "big") + message)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except OSError as error:
            raise Closed(str(error)) from None


def receive(descriptor: int) -> bytes:
    """Reads one message. Raises Closed at the end, and Malformed where it is too long."""
    length = int.from_bytes(_exactly(descriptor, 4), "big")
    if length > MAX_FRAME:
        raise Malformed(f"a message of {length:,} bytes")
    return _exactly(descriptor, length)


def _exactly(descriptor: int, count: int) -> bytes:
    parts = []
    while count:
        try:
            part = os.read(descriptor, min(count, 1 << 20))
        except OSError as error:
            raise Closed(str(error)) from None
        if not part:
            raise Closed("closed")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
