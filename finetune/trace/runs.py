"""Passages that two sequences share, found by common fingerprints and proven unit by unit."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finetune.trace.winnow import Fingerprints, Scheme

REPEATS = 16
"""Places of one fingerprint in a document that are tried; code of tables repeats without end."""


@dataclass(frozen=True)
class Run:
    """Equal units in a row, as many as there are; counted in units."""

    ours: int
    theirs: int
    size: int


Sequence = tuple[NDArray[np.uint64], Fingerprints]


def shared_runs(ours: Sequence, theirs: Sequence, scheme: Scheme) -> list[Run]:
    """Runs of `scheme.least` units or more in both, in our order.

    One that lies in `ours` where longer ones do already is left out.
    """
    runs: list[Run] = []
    diagonal, end = 0, -1
    for at, there in _anchors(ours[1], theirs[1]):
        if there - at != diagonal or at >= end:
            run = _extended(ours[0], theirs[0], at, there)
            diagonal, end = there - at, run.ours + run.size
            if run.size >= scheme.least:
                runs.append(run)
    return _without_repeats(runs, len(ours[0]))


def _anchors(ours: Fingerprints, theirs: Fingerprints) -> Iterator[tuple[int, int]]:
    """Positions with the same fingerprint, by diagonal, then by ours."""
    order = np.argsort(theirs.hashes, kind="stable")
    ordered = theirs.hashes[order]
    first = np.searchsorted(ordered, ours.hashes, "left")
    count = np.minimum(np.searchsorted(ordered, ours.hashes, "right") - first, REPEATS)
    nth = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    at = np.repeat(ours.positions, count)
    there = theirs.positions[order[np.repeat(first, count) + nth]]
    by_diagonal = np.lexsort((at, there - at))
    yield from zip(at[by_diagonal].tolist(), there[by_diagonal].tolist(), strict=True)


def _extended(ours: NDArray[np.uint64], theirs: NDArray[np.uint64], at: int, there: int) -> Run:
    """The run around a place, in both directions; empty where the fingerprint lied."""
    before = _num_equal(ours[:at][::-1], theirs[:there][::-1])
    after = _num_equal(ours[at:], theirs[there:])
    return Run(at - before, there - before, before + after)


def _num_equal(ours: NDArray[np.uint64], theirs: NDArray[np.uint64]) -> int:
    """Length of the common beginning; blocks grow, so that a short one costs little."""
    length = min(len(ours), len(theirs))
    at, block = 0, 64
    while at < length:
        stop = min(at + block, length)
        differs = ours[at:stop] != theirs[at:stop]
        first = int(differs.argmax())
        if differs[first]:
            return at + first
        at, block = stop, 2 * block
    return length


def _without_repeats(runs: list[Run], length: int) -> list[Run]:
    is_covered = np.zeros(length, bool)
    kept = []
    for run in sorted(runs, key=lambda run: (-run.size, run.ours, run.theirs)):
        part = is_covered[run.ours : run.ours + run.size]
        if not part.all():
            part[:] = True
            kept.append(run)
    return sorted(kept, key=lambda run: (run.ours, run.theirs))
