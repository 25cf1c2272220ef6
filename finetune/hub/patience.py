"""A call to the Hub, again where its failure may pass."""

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from sys import stderr
from typing import TypeVar

from huggingface_hub import get_session
from huggingface_hub.utils.tqdm import disable_progress_bars

from finetune.hub.errors import (
    HUB_ERRORS,
    is_passing,
    may_have_happened,
    reason_of,
    shown,
    wait_asked,
    without_signatures,
)

T = TypeVar("T")
WAITS = (1.0, 2.0, 4.0, 8.0)
"""Seconds between tries where the Hub asks for nothing else."""
LONGEST_WAIT = 600.0
"""Seconds; where the Hub asks for more, the user is told instead."""
SILENCE = 300.0
"""Seconds without a byte after which a connection counts as cut; the client itself has no end."""


def patiently(
    doing: str,
    call: Callable[[], T],
    explain: Callable[[Exception], Exception],
    settled: Callable[[], T | None] = lambda: None,
) -> T:
    """`call()`, again where its failure may pass, after the time that the Hub asks for.

    `settled` finds what a call did whose answer was lost. Raises what `explain` makes of the error.
    """
    for wait in (*WAITS, None):
        try:
            with _notes():
                get_session().timeout = SILENCE
                return call()
        except HUB_ERRORS as error:
            caught = error
        done = settled() if may_have_happened(caught) else None
        if done is not None:
            return done
        asked = wait_asked(caught)
        if wait is None or not is_passing(caught) or (asked or 0) > LONGEST_WAIT:
            raise explain(caught) from None  # the client's own text may repeat a token
        pause = wait if asked is None else asked
        print(f"{doing}: {reason_of(caught)}; again in {pause:.0f} s", file=stderr, flush=True)
        time.sleep(pause)
    raise AssertionError("the last try returns or raises")


@contextmanager
def _notes() -> Iterator[None]:
    """What the Hub warns of (metadata of a card) as a line instead of Python's warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for one in caught:
        print(f"note: {shown(one.message)}", file=stderr)


def settle_output() -> None:
    """Keep the client's own lines fit for a log: no bars in a file, no signed addresses anywhere.

    The client warns with the addresses of uploads, whose signature lets anybody write there.
    """
    if not stderr.isatty():
        disable_progress_bars()
    for handler in logging.getLogger("huggingface_hub").handlers:
        handler.addFilter(_sign_off)


def _sign_off(record: logging.LogRecord) -> bool:
    record.msg, record.args = without_signatures(record.getMessage()), ()
    return True
