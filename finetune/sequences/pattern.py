"""What a pre-tokenizer's regular expression allows: which character may follow which in a match.

The expression is read into positions and the pairs of positions that may be neighbours, as in
Glushkov's construction (https://en.wikipedia.org/wiki/Glushkov%27s_construction_algorithm). Only
the constructs that byte-level tokenizers use are known; all others raise `Unknown`, and whoever
asks does without.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple


class Unknown(Exception):
    """A construct about which nothing is proven here."""


class Char(NamedTuple):
    """A character as far as it is known: any beyond ASCII is known by its category alone."""

    text: str | None
    category: str
    """Major Unicode category: L, M, N, P, S, C or Z."""
    is_space: bool


ASCII = tuple(Char(c, unicodedata.category(c)[0], c in "\t\n\v\f\r ") for c in map(chr, range(128)))
BEYOND_ASCII = tuple(Char(None, category, False) for category in "LMNPSC")
"""Any character beyond ASCII that is no white space, whatever version of Unicode classed it."""


class Answer(NamedTuple):
    """Whether a class holds a character: `may` where it cannot be excluded, `must` if certain."""

    may: bool
    must: bool


Test = Callable[[Char], Answer]


def _sure(value: bool) -> Answer:
    return Answer(value, value)


def _literal(low: str, high: str, ignore_case: bool) -> Test:
    """A character between `low` and `high`."""
    if ignore_case and high > "\x7f":
        raise Unknown(f"{low}, which may fold to several letters")

    def test(char: Char) -> Answer:
        if char.text is None:  # some letters beyond ASCII fold to ASCII ones: ſ to s, K to k
            return Answer(ignore_case or high > "\x7f", False)
        spellings = {char.text, char.text.lower(), char.text.upper()}
        among = spellings if ignore_case else {char.text}
        return _sure(any(low <= one <= high for one in among))

    return test


def _escape(letter: str) -> Test:
    """`\\s`, `\\S`, or a control character."""
    if letter == "s":
        return lambda char: _sure(char.is_space)
    if letter == "S":
        return lambda char: _sure(not char.is_space)
    if letter in "rntf":
        control = {"r": "\r", "n": "\n", "t": "\t", "f": "\f"}[letter]
        return _literal(control, control, False)
    if letter.isalnum():
        raise Unknown(f"\\{letter}")
    return _literal(letter, letter, False)


def _property(name: str) -> Test:
    """`\\p{L}`, `\\p{N}`, ...: a major category."""
    if name not in ("L", "M", "N", "P", "S", "Z", "C"):
        raise Unknown(f"\\p{{{name}}}")
    return lambda char: _sure(char.category == name)


def _any_of(tests: list[Test], negated: bool) -> Test:
    def test(char: Char) -> Answer:
        answers = [one(char) for one in tests]
        may, must = any(a.may for a in answers), any(a.must for a in answers)
        return Answer(not must, not may) if negated else Answer(may, must)

    return test


def _anything(_: Char) -> Answer:
    return Answer(True, True)


@dataclass(frozen=True)
class Part:
    """A part of an expression. Numbers are positions."""

    nullable: bool = False
    certain_null: bool = False
    """Whether it matches nothing at all without a condition."""
    gives_back: bool = True
    """Whether it leaves a character to what follows; a possessive quantifier keeps what it took."""
    first: frozenset[int] = frozenset()
    last: frozenset[int] = frozenset()
    single: frozenset[int] = frozenset()
    """Positions at which one character alone is a match, without a condition."""


NOTHING = Part(nullable=True, certain_null=True)


@dataclass
class Pattern:
    """A parsed expression: `may_join` and `covers` are what is asked of it."""

    tests: list[Test] = field(default_factory=list)
    edges: set[tuple[int, int]] = field(default_factory=set)
    whole: Part = NOTHING

    def may_join(self, left: Char, right: Char) -> bool:
        """Whether a match may hold `left` and then `right`, or end at `left` only for what
        `right` is."""
        return any(right in self._chars[q] for p, q in self.edges if left in self._chars[p])

    def covers(self, char: Char) -> bool:
        """Whether a match begins at every such character that is not inside one already."""
        return any(self.tests[position](char).must for position in self.whole.single)

    @cached_property
    def _chars(self) -> list[set[Char]]:
        """By position: the characters that may stand there."""
        return [{char for char in (*ASCII, *BEYOND_ASCII) if test(char).may} for test in self.tests]


def parse(expression: str) -> Pattern:
    """Raises Unknown where the expression holds anything that is not known here."""
    pattern = Pattern()
    reader = _Reader(expression, pattern)
    pattern.whole = reader.alternatives(ignore_case=False)
    if reader.at < len(expression):
        raise Unknown(expression[reader.at :])
    if pattern.whole.nullable:
        raise Unknown("an expression that matches nothing")
    return pattern


@dataclass
class _Reader:
    """Recursive descent over the expression's characters."""

    text: str
    pattern: Pattern
    at: int = 0

    def alternatives(self, ignore_case: bool) -> Part:
        parts = [self._sequence(ignore_case)]
        while self._take("|"):
            parts.append(self._sequence(ignore_case))
        return Part(
            nullable=any(part.nullable for part in parts),
            certain_null=any(part.certain_null for part in parts),
            gives_back=all(part.gives_back for part in parts),
            first=frozenset().union(*(part.first for part in parts)),
            last=frozenset().union(*(part.last for part in parts)),
            single=frozenset().union(*(part.single for part in parts)),
        )

    def _sequence(self, ignore_case: bool) -> Part:
        whole = NOTHING
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            whole = self._joined(whole, self._repeated(self._atom(ignore_case)))
        return whole

    def _joined(self, left: Part, right: Part) -> Part:
        self.pattern.edges.update((p, q) for p in left.last for q in right.first)
        empty: frozenset[int] = frozenset()
        return Part(
            nullable=left.nullable and right.nullable,
            certain_null=left.certain_null and right.certain_null,
            gives_back=left.gives_back and right.gives_back,
            first=left.first | (right.first if left.nullable else empty),
            last=right.last | (left.last if right.nullable else empty),
            single=(left.single if right.certain_null else empty)
            | (right.single if left.certain_null and left.gives_back else empty),
        )

    def _repeated(self, part: Part) -> Part:
        match = re.compile(r"[*+?]|\{(\d+)(,(\d*))?\}").match(self.text, self.at)
        if match is None:
            return part
        self.at = match.end()
        if match[1] and (self.text.startswith("?", self.at) or 0 in self._counts(match)):
            raise Unknown(match[0])  # engines disagree on {n}?, and {0} is nothing
        is_possessive = self._take("+")
        is_possessive or self._take("?")  # lazy: the same neighbours
        quantifier = match[0][0]
        least = int(match[1]) if match[1] else int(quantifier == "+")
        if quantifier != "?":
            self.pattern.edges.update((p, q) for p in part.last for q in part.first)
        return Part(
            nullable=part.nullable or least == 0,
            certain_null=part.certain_null or least == 0,
            gives_back=part.gives_back and not is_possessive,
            first=part.first,
            last=part.last,
            single=part.single if least <= 1 else frozenset(),
        )

    @staticmethod
    def _counts(match: re.Match[str]) -> tuple[int, ...]:
        return tuple(int(number) for number in (match[1], match[3] or "1"))

    def _atom(self, ignore_case: bool) -> Part:
        for opening, folds in (("(?i:", True), ("(?:", ignore_case), ("(?!", None), ("(?=", None)):
            if self._take(opening):
                return self._look_ahead() if folds is None else self._group(folds)
        if self._take("("):
            if self._take("?"):
                raise Unknown(self.text[self.at - 2 :])
            return self._group(ignore_case)
        return self._position(self._class(ignore_case))

    def _group(self, ignore_case: bool) -> Part:
        part = self.alternatives(ignore_case)
        self._expect(")")
        return part

    def _look_ahead(self) -> Part:
        """One character is looked at and not taken: whatever it is, it matters."""
        self._class(False)
        self._expect(")")
        (position,) = self._position(_anything).first
        return Part(nullable=True, first=frozenset({position}))

    def _position(self, test: Test) -> Part:
        self.pattern.tests.append(test)
        one = frozenset({len(self.pattern.tests) - 1})
        return Part(first=one, last=one, single=one)

    def _class(self, ignore_case: bool) -> Test:
        if self._take("["):
            return self._bracket(ignore_case)
        char = self._next()
        if char == "\\":
            return self._escaped()
        if char in "^$.*+?{}()|":
            raise Unknown(char)
        return _literal(char, char, ignore_case)

    def _escaped(self) -> Test:
        if self._take("p{"):
            name, _, _ = self.text[self.at :].partition("}")
            self.at += len(name)
            self._expect("}")
            return _property(name)
        return _escape(self._next())

    def _bracket(self, ignore_case: bool) -> Test:
        negated = self._take("^")
        tests = list(self._items(ignore_case))
        if not tests:
            raise Unknown("an empty class")
        return _any_of(tests, negated)

    def _items(self, ignore_case: bool) -> Iterator[Test]:
        while not self._take("]"):
            char = self._next()
            if char == "\\":
                yield self._escaped()
                following = self.text[self.at : self.at + 2]
                if following.startswith("-") and following != "-]":
                    raise Unknown("a range from an escape")
                continue
            if char == "[" or (char == "&" and self._take("&")):
                raise Unknown("a class within a class")
            high = char
            is_range = self.text[self.at : self.at + 1] == "-"
            if is_range and self.text[self.at + 1 : self.at + 2] == "\\":
                raise Unknown("a range to an escape")
            if is_range and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self._expect("-")
                high = self._next()
            yield _literal(char, high, ignore_case)

    def _next(self) -> str:
        if self.at >= len(self.text):
            raise Unknown("an expression that breaks off")
        self.at += 1
        return self.text[self.at - 1]

    def _take(self, text: str) -> bool:
        found = self.text.startswith(text, self.at)
        self.at += len(text) if found else 0
        return found

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise Unknown(self.text[self.at :] or "an expression that breaks off")
