"""A back end that asks a running server: vLLM, SGLang, llama.cpp, anything with `/v1/completions`.

Nothing but prompts and settings is sent. A key comes from the environment, stands in no file, no
log and no message, and follows no redirection.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from finetune.errors import Failed, UserError
from finetune.generation.completion import Completion, Finish, Request, cut
from finetune.generation.http_json import Retrying, post_json
from finetune.generation.sampling import Sampling, seed_of
from finetune.generation.spelling import opening_ids
from finetune.tokenizer import CodeTokenizer

KEY_VARIABLE = "FINETUNE_SERVER_KEY"

STATED: Mapping[str, Any] = {
    "skip_special_tokens": False,
    "top_k": 1 << 20,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "repeat_penalty": 1.0,
}
"""Beyond OpenAI's own fields, so that a server's own defaults decide nothing: special tokens of an
answer are spelled, as they are here; and it is drawn from all tokens, none made less likely for
having been written. Otherwise llama.cpp draws from 40, llama-cpp-python penalises repetition, vLLM
does what the model's generation_config.json says. More than any vocabulary has means all tokens to
each of these; 0 and -1 mean it to some. Names that a server does not know it ignores."""

Group = list[Request]
"""Samples of one problem that one call asks for, in order."""


@dataclass(frozen=True, kw_only=True)
class CompletionServer:
    """A back end: a server somewhere. Raises UserError where its address is none."""

    url: str
    """Such as `http://localhost:8000`, with or without `/v1`."""
    model: str
    """The name by which the server knows it."""
    tokenizer: CodeTokenizer | None = None
    """The model's own: prompts then go as ids, the same as here. None: as text, the server's
    tokenizer has its way, and neither gaps nor `max_length` are possible."""
    as_text: bool = False
    """Prompts go as text although the tokenizer is known, which still counts them: for servers that
    take no ids, such as llama-cpp-python's. Gaps are not possible then."""
    positions: int | None = None
    """Longest sequence of the model, where it is known: the answer gets what the prompt leaves."""
    per_call: int = 1
    """Samples of a problem in one call (`n`). One has its own seed each; several are faster where
    the server keeps no prompts, and their seed is that of the first."""
    at_once: int = 16
    """Calls under way at the same time: the server makes its batches of them."""
    extra: Mapping[str, Any] = field(default_factory=lambda: STATED)
    """More fields of each call."""
    retrying: Retrying = field(default_factory=Retrying)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(f"{self.url}: is no address of a server; write http://HOST:PORT")
        if parts.username or parts.password:
            raise UserError(
                f"{parts.hostname}: the address holds a password, which would be logged; "
                f"set {KEY_VARIABLE} instead"
            )
        for name in ("per_call", "at_once"):
            if getattr(self, name) < 1:
                raise UserError(f"{name}: {getattr(self, name)} is not 1 or more")

    @property
    def identity(self) -> dict[str, Any]:
        """Where the server stands may change; how many samples one call asks for decides seeds."""
        return {
            "backend": "server",
            "model": self.model,
            "tokenizer": self.tokenizer.digest if self.tokenizer else None,
            "per_call": self.per_call,
            **({"prompts": "text"} if self.as_text else {}),
            "extra": dict(self.extra),
        }

    @property
    def endpoint(self) -> str:
        base = self.url.rstrip("/")
        return f"{base}/completions" if base.endswith("/v1") else f"{base}/v1/completions"

    def complete(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        """Completions as the server answers. The first failure ends it: what was made is kept."""
        groups = iter(_groups(requests, self.per_call))
        running: set[Future[list[Completion]]] = set()
        pool = ThreadPoolExecutor(self.at_once)
        try:
            while True:
                for group in groups:
                    running.add(pool.submit(self._answer, group, sampling))
                    if len(running) >= self.at_once:
                        break
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield from future.result()
        finally:
            self.retrying.given_up.set()
            pool.shutdown(wait=True, cancel_futures=True)
            self.retrying.given_up.clear()

    def _answer(self, group: Group, sampling: Sampling) -> list[Completion]:
        """What the server writes for the samples of one call."""
        first = group[0]
        prompt, room = self._prompt(first, sampling)
        if room < 1:
            return [_completion(request, "", "no_room", 0) for request in group]
        block = first.sample - first.sample % self.per_call
        body = {
            **self.extra,
            "model": self.model,
            "prompt": prompt,
            "n": group[-1].sample - block + 1,
            "max_tokens": room,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            # 31 bits: llama.cpp takes no more.
            "seed": seed_of(sampling.seed, first.task, first.id, block) >> 97,
            **({"stop": list(first.stops)} if first.stops else {}),
        }
        answer = post_json(self.endpoint, body, os.environ.get(KEY_VARIABLE), self.retrying)
        choices = _choices(answer, self.endpoint)
        try:
            return [self._read(request, choices[request.sample - block], room) for request in group]
        except KeyError as error:
            raise Failed(
                f"{self.endpoint}: {body['n']} samples were asked for and number {error} is not "
                "among them; set per_call to 1"
            ) from None

    def _prompt(self, request: Request, sampling: Sampling) -> tuple[str | list[int], int]:
        prompt = request.prompt
        if self.as_text:
            return self._text(request, sampling)
        if isinstance(prompt, str) and self.tokenizer is not None:
            prompt = (*opening_ids(self.tokenizer), *self.tokenizer.encode(prompt))
        if isinstance(prompt, tuple):
            return list(prompt), sampling.room(len(prompt), self.positions)
        if sampling.max_length is not None or sampling.max_new_tokens is None:
            raise UserError(
                "max_length: counts the prompt's tokens, for which the model's tokenizer is "
                "needed; name it, or set max_new_tokens alone"
            )
        return prompt, sampling.max_new_tokens

    def _text(self, request: Request, sampling: Sampling) -> tuple[str, int]:
        if isinstance(request.prompt, tuple):
            raise UserError(
                f"{request.task}: {request.id} has a gap to fill, which takes ids of sentinels: "
                "ask a server that takes them, and leave `prompts` at ids"
            )
        assert self.tokenizer is not None, "counts the prompt"
        ids = (*opening_ids(self.tokenizer), *self.tokenizer.encode(request.prompt))
        return request.prompt, sampling.room(len(ids), self.positions)

    def _read(self, request: Request, choice: Mapping[str, Any], room: int) -> Completion:
        end = self.tokenizer.name(self.tokenizer.eod) if self.tokenizer else None
        text, stopped = cut(choice["text"], (*request.stops, *([end] if end else [])))
        finish: Finish = "length" if choice["finish_reason"] == "length" and not stopped else "stop"
        return _completion(request, text, finish, self._num_tokens(text, finish, room))

    def _num_tokens(self, text: str, finish: Finish, room: int) -> int:
        """Servers count what a call cost, not what each sample did: counted again where it can be,
        without the stop."""
        if finish == "length":
            return room
        return len(self.tokenizer.encode(text)) if self.tokenizer else 0


def _groups(requests: Sequence[Request], per_call: int) -> Iterator[Group]:
    """Samples whose numbers fall into the same block of `per_call`: resumed or not, the same."""

    def block(request: Request) -> tuple[str, str, int]:
        return request.task, request.id, request.sample // per_call

    for _, group in groupby(requests, block):
        yield sorted(group, key=lambda request: request.sample)


def _completion(request: Request, text: str, finish: Finish, tokens: int) -> Completion:
    return Completion(
        task=request.task,
        id=request.id,
        sample=request.sample,
        text=text,
        finish=finish,
        tokens=tokens,
    )


def _choices(answer: Any, endpoint: str) -> dict[int, dict[str, Any]]:
    """The answers by number; a server's word is not trusted to have any form."""
    choices = answer.get("choices") if isinstance(answer, dict) else None
    if not isinstance(choices, list):
        raise Failed(f"{endpoint}: what came back holds no `choices`: it is no completion server")
    made = {}
    for place, choice in enumerate(choices):
        if not isinstance(choice, dict) or not isinstance(choice.get("text"), str):
            raise Failed(f"{endpoint}: choice {place} of the answer holds no text")
        number = choice.get("index")
        made[number if isinstance(number, int) else place] = {"finish_reason": None, **choice}
    return made
