"""Many prompts -> what one model writes behind each of them: the only loop that generates here.

Prompts are sorted by length and padded on the left; each row stops for itself, and its place goes
to the next prompt. In fp32 the batch decides nothing (but for logits that agree in all but their
last bits); in lower precision such near-ties are common, and a batch of another size may differ.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from finetune.errors import UserError
from finetune.generation.choice import choose
from finetune.generation.completion import Completion, Finish, Request, cut
from finetune.generation.rows import Rows, join, keep, read_prompts, step
from finetune.generation.sampling import Sampling, seed_of, uniforms
from finetune.generation.spelling import Speller, opening_ids
from finetune.tokenizer import CodeTokenizer

REFILL = 4
"""New prompts enter once one place in this many is free: each entry copies the whole cache."""


@dataclass(frozen=True)
class Written:
    """What stands behind one prompt: the ids without the end of the document."""

    ids: list[int]
    finish: Finish


@dataclass(frozen=True, kw_only=True)
class Row:
    """A prompt on its way through the model."""

    index: int
    prompt: tuple[int, ...]
    stops: tuple[str, ...]
    room: int
    draws: Iterator[float]
    ids: list[int] = field(default_factory=list)


def positions_of(config: Any) -> int | None:
    """The longest sequence that a model of this configuration has positions for; None where it
    states none, as those with ALiBi may."""
    names = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
    stated = (getattr(config, name, None) for name in names)
    return next((found for found in stated if isinstance(found, int)), None)


@dataclass(frozen=True, kw_only=True)
class LocalModel:
    """A back end: a causal model of transformers in this process."""

    model: Any
    tokenizer: CodeTokenizer
    name: str
    """What tells its weights from others: a digest, a Hub id and revision, a folder."""
    batch_size: int = 16

    @property
    def identity(self) -> dict[str, Any]:
        return {
            "backend": "transformers",
            "model": self.name,
            "precision": str(self.model.dtype).removeprefix("torch."),
            "tokenizer": self.tokenizer.digest,
        }

    @property
    def positions(self) -> int | None:
        return positions_of(self.model.config)

    def complete(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        """Completions as they are done, those of long prompts first."""
        speller = Speller(self.tokenizer)
        for index, written in self.write(requests, sampling):
            request = requests[index]
            text, stopped = cut(speller.text(written.ids), request.stops)
            yield Completion(
                task=request.task,
                id=request.id,
                sample=request.sample,
                text=text,
                finish="stop" if stopped else written.finish,
                tokens=len(written.ids),
            )

    def write(
        self, requests: Sequence[Request], sampling: Sampling
    ) -> Iterator[tuple[int, Written]]:
        """The place of each request and the ids behind its prompt, as they are done."""
        assert not self.model.training, "dropout would write too: call model.eval()"
        rows = [self._row(index, one, sampling) for index, one in enumerate(requests)]
        yield from ((row.index, Written([], "no_room")) for row in rows if row.room < 1)
        fitting = [row for row in rows if row.room >= 1]
        # Long ones first: if memory does not suffice, it is known at once.
        order = sorted(fitting, key=lambda row: (-len(row.prompt), row.prompt, row.index))
        yield from self._batches(deque(order), sampling)

    def _row(self, index: int, request: Request, sampling: Sampling) -> Row:
        prompt = request.prompt
        if isinstance(prompt, str):
            prompt = (*opening_ids(self.tokenizer), *self.tokenizer.encode(prompt))
        if not prompt:  # something must be read before anything can be written
            prompt = (self.tokenizer.eod,)
        seed = seed_of(sampling.seed, *request.key)
        room = sampling.room(len(prompt), self.positions)
        return Row(index=index, prompt=prompt, stops=request.stops, room=room, draws=uniforms(seed))

    def _batches(self, waiting: deque[Row], sampling: Sampling) -> Iterator[tuple[int, Written]]:
        """Enter, choose, leave, step: until nobody waits and nobody writes."""
        if self.batch_size < 1:
            raise UserError(f"batch_size: {self.batch_size} is not 1 or more")
        writing: list[Row] = []
        states: Rows | None = None
        while waiting or writing:
            states = self._entered(states, writing, waiting)
            draws = [next(row.draws) for row in writing]
            ids = choose(states.logits_BV, draws, sampling.temperature, sampling.top_p)
            going = []
            for place, (row, id_) in enumerate(zip(writing, ids, strict=True)):
                written = self._after(row, id_)
                if written is None:
                    going.append(place)
                else:
                    yield row.index, written
            states = self._stepped(states, going, [ids[place] for place in going])
            writing = [writing[place] for place in going]

    def _after(self, row: Row, id_: int) -> Written | None:
        """What `row` has written, if `id_` is its last; else None."""
        if id_ == self.tokenizer.eod:
            return Written(row.ids, "stop")
        row.ids.append(id_)
        if Speller(self.tokenizer).has_just_stopped(row.ids, row.stops):
            return Written(row.ids, "stop")
        return Written(row.ids, "length") if len(row.ids) >= row.room else None

    @torch.inference_mode()
    def _entered(self, states: Rows | None, writing: list[Row], waiting: deque[Row]) -> Rows:
        """The states with prompts read into free places; `writing` and `waiting` are changed."""
        free = self.batch_size - len(writing)
        if not waiting or (states is not None and free < max(1, self.batch_size // REFILL)):
            assert states is not None, "somebody waits or writes"
            return states
        entering = [waiting.popleft() for _ in range(min(free, len(waiting)))]
        writing += entering
        read = read_prompts(self.model, [row.prompt for row in entering], self.tokenizer.pad)
        return read if states is None else join(states, read)

    @torch.inference_mode()
    def _stepped(self, states: Rows, going: list[int], ids: list[int]) -> Rows | None:
        return step(self.model, keep(states, going), ids) if going else None
