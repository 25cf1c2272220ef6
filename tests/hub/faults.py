"""What goes wrong on demand: at the n-th call of a route, once, several times or for ever."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

CUT = "cut"
"""The connection ends in the middle of a body, or before an answer; nothing is done."""
ENDED = "ended"
"""An answer that stops in its middle, and a connection that is closed politely."""
LOST = "lost"
"""What was asked is done, and the answer never comes."""
WRONG = "wrong"
"""Bytes arrive changed, at the same length."""


NONE = "none"
"""No fault: something is to happen `before` the answer."""


@dataclass(frozen=True)
class Fault:
    route: str
    kind: int | str
    """A status, or CUT, ENDED, LOST, WRONG, NONE."""
    nth: int = 1
    times: int = 1_000_000
    retry_after: str | None = None
    error: str = "injected"
    before: Callable[[], object] = lambda: None
    """Called before the answer."""


@dataclass
class Calls:
    """What was asked of the server, in order, and what is to go wrong."""

    faults: list[Fault] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)
    """Pairs of route and address."""
    headers: list[tuple[str, dict]] = field(default_factory=list)
    counts: Counter = field(default_factory=Counter)
    lock: Lock = field(default_factory=Lock)

    def note(self, route, address, headers):
        """Count the call; returns the fault that it meets, or None."""
        with self.lock:
            self.counts[route] += 1
            self.seen.append((route, address))
            self.headers.append((route, {name.lower(): value for name, value in headers.items()}))
            number = self.counts[route]
            return next(
                (
                    fault
                    for fault in self.faults
                    if fault.route == route and fault.nth <= number < fault.nth + fault.times
                ),
                None,
            )

    def reset(self, *faults):
        """Forget what was seen, and put other faults in place."""
        with self.lock:
            self.faults, self.seen, self.headers = list(faults), [], []
            self.counts.clear()

    def num(self, *routes):
        return sum(self.counts[route] for route in routes)
