"""What is asked of a model and what comes back, whoever runs the model."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from finetune.generation.sampling import Sampling
from finetune.run_folder import digest_of
from finetune.tokenizer import CodeTokenizer

Finish = Literal["stop", "length", "no_room"]
"""The end of the document or a stop string; the longest that was allowed; a prompt that leaves no
room for even one token."""

Key = tuple[str, str, int]
"""Task, problem and sample: no other completion of a run has all three."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One completion that is wanted."""

    task: str
    id: str
    """The problem's name in its task."""
    sample: int
    """Number of the completion among those of its problem, from 0."""
    prompt: str | tuple[int, ...]
    """Plain text, in which no special token can be spelled; or ids, where some are needed."""
    stops: tuple[str, ...] = ()
    """A completion ends before the earliest of these."""

    @property
    def key(self) -> Key:
        return self.task, self.id, self.sample

    @property
    def digest(self) -> str:
        """Of what the model is shown and where it is stopped."""
        return digest_of([self.prompt, self.stops])


@dataclass(frozen=True, kw_only=True)
class Completion:
    """What a model wrote behind one prompt, without the stop that ended it."""

    task: str
    id: str
    sample: int
    text: str
    finish: Finish
    tokens: int
    """How many were written, those of the stop included."""

    @property
    def key(self) -> Key:
        return self.task, self.id, self.sample


class Backend(Protocol):
    """Whatever runs a model: `LocalModel` here, `CompletionServer` elsewhere."""

    @property
    def identity(self) -> dict[str, Any]:
        """JSON that tells this model from others; completions of two are never mixed in a file."""

    @property
    def tokenizer(self) -> CodeTokenizer | None:
        """The model's own, where it is known."""

    @property
    def positions(self) -> int | None:
        """The longest sequence that the model takes, where it is known."""

    def complete(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        """One completion per request as they come, in any order."""


def cut(text: str, stops: Iterable[str]) -> tuple[str, bool]:
    """The text before the earliest stop, and whether there was one."""
    places = [at for stop in stops if (at := text.find(stop)) >= 0]
    return (text[: min(places)], True) if places else (text, False)
