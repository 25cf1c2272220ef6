"""How a model is to write: temperature, nucleus, lengths, and randomness without a generator.

The random numbers of a completion are a function of (seed, task, problem, sample): neither the
batch it is written in, nor the order, nor where a run was resumed changes them.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import blake2b
from random import Random
from typing import Any

from finetune.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Settings of one set of completions. Raises UserError where one of them makes no sense."""

    temperature: float = 0.0
    """0 takes the likeliest token each time; all samples of a problem are then the same."""
    top_p: float = 1.0
    """Tokens are drawn from the smallest set of the likeliest that has this probability."""
    max_new_tokens: int | None = None
    """Longest completion; None: no limit of its own."""
    max_length: int | None = None
    """Longest prompt and completion together; None: no limit but the model's positions."""
    samples: int = 1
    """Completions of each problem."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise UserError(f"temperature: {self.temperature} is not 0 or more")
        if not 0 < self.top_p <= 1:
            raise UserError(f"top_p: {self.top_p} is not above 0 and at most 1")
        for name in ("max_new_tokens", "max_length", "samples"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"{name}: {value} is not 1 or more")

    @property
    def settings(self) -> dict[str, Any]:
        """What decides a completion: all but the number of samples, each of which has its own seed,
        so that more can be added to a file of fewer."""
        return {name: value for name, value in asdict(self).items() if name != "samples"}

    def room(self, prompt_tokens: int, positions: int | None = None) -> int:
        """How many tokens may follow a prompt; 0 or less where it is too long by itself."""
        limits = [self.max_new_tokens]
        limits += [total - prompt_tokens for total in (self.max_length, positions) if total]
        known = [limit for limit in limits if limit is not None]
        if not known:
            raise UserError("max_new_tokens or max_length: one of them must be set")
        return min(known)


def seed_of(seed: int, task: str, problem: str, sample: int) -> int:
    """128 bits for one completion."""
    key = f"{seed}\0{task}\0{problem}\0{sample}".encode()
    digest = blake2b(key, digest_size=16, person=b"completion").digest()
    return int.from_bytes(digest, "little")


def uniforms(seed: int) -> Iterator[float]:
    """Numbers in [0, 1), one a token; Python promises the same ones in every version."""
    generator = Random(seed)
    while True:
        yield generator.random()
