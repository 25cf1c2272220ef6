"""One JSON object to a server and one back; waits and asks again where that may help."""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse, IncompleteRead
from threading import Event
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from finetune.errors import Failed, UserError

LONGEST_ANSWER = 256 * 2**20
"""Bytes of an answer that are read."""
SHOWN = 400
"""Characters of a server's own words in a message."""
PASSING = (408, 425, 429, 500, 502, 503, 504)
"""States that may be over in a while: busy, starting, restarted."""


@dataclass(frozen=True, kw_only=True)
class Retrying:
    """How long a server that is busy or starting is waited for."""

    attempts: int = 8
    first_wait: float = 1.0
    """Seconds; each wait is twice the one before, unless the server says how long."""
    longest_wait: float = 60.0
    timeout: float = 600.0
    """Seconds without a word before an attempt is given up."""
    given_up: Event = field(default_factory=Event, compare=False, repr=False)
    """Set where nobody waits for the answer any more."""

    def wait(self, attempt: int, asked: str | None) -> None:
        """Before attempt number `attempt + 1`; `asked` is what `Retry-After` said."""
        # Part of it by chance: calls that failed together do not come back together.
        own = self.first_wait * 2**attempt * random.uniform(0.5, 1)
        stated = float(asked) if asked is not None and asked.strip().isdecimal() else own
        self.given_up.wait(min(stated, self.longest_wait))


def post_json(url: str, body: Mapping[str, Any], key: str | None, retrying: Retrying) -> Any:
    """The answer to `body`. Raises UserError where the user can mend it, Failed where no attempt
    of `retrying` brought one."""
    problem = "no attempt was made"
    for attempt in range(retrying.attempts):
        if retrying.given_up.is_set():
            break
        try:
            with urlopen(_request(url, body, key), timeout=retrying.timeout) as response:
                return _parsed(response, url)
        except HTTPError as error:
            with error:
                words = _words(error, key)
                after = error.headers.get("Retry-After")
            if error.code not in PASSING:
                raise _refusal(url, error.code, words) from None
            problem = f"HTTP {error.code} {words}".strip()
        except (OSError, HTTPException) as error:
            reason = error.reason if isinstance(error, URLError) else error
            if isinstance(reason, ConnectionRefusedError):
                raise UserError(
                    f"{url}: nothing answers at this address; start the server (for instance "
                    "`vllm serve MODEL`), or mend the address"
                ) from None
            problem, after = f"{type(reason).__name__}: {reason}", None
        if attempt + 1 < retrying.attempts:
            retrying.wait(attempt, after)
    raise Failed(
        f"{url}: no answer after {retrying.attempts} attempts ({problem}); completions that came "
        "before are kept, and the same command goes on from them"
    )


def _request(url: str, body: Mapping[str, Any], key: str | None) -> Request:
    data = json.dumps(body).encode()
    request = Request(url, data, {"Content-Type": "application/json"}, method="POST")
    if key:  # unredirected: it stays with the server that it was meant for
        request.add_unredirected_header("Authorization", f"Bearer {key}")
    return request


def _parsed(response: HTTPResponse, url: str) -> Any:
    content = response.read(LONGEST_ANSWER + 1)
    if len(content) > LONGEST_ANSWER:
        raise Failed(f"{url}: the answer is longer than {LONGEST_ANSWER >> 20} MB")
    if response.length:  # the line broke; `read` with a limit says nothing of it
        raise IncompleteRead(content, response.length)
    try:
        return json.loads(content)
    except ValueError:
        raise Failed(f"{url}: the answer is not JSON: it is no completion server") from None


def _words(error: HTTPError, key: str | None) -> str:
    """What the server says of its error, in one line, without the key that it may repeat."""
    try:
        text = error.read(1 << 16).decode("utf-8", "replace")
        text = text.replace(key, "***") if key else text
    except (OSError, HTTPException):
        return ""
    try:
        stated = json.loads(text)
    except ValueError:
        stated = text
    for name in ("error", "message", "detail"):
        if isinstance(stated, dict) and stated.get(name):
            stated = stated[name]
    return " ".join(str(stated).split())[:SHOWN]


def _refusal(url: str, code: int, words: str) -> Exception:
    remedies: dict[int, str] = {
        400: "the server does not take the request: the prompt and what may follow it can be "
        "longer than its context (make max_new_tokens or max_length smaller, or state the model's "
        "positions), or it does not know a field",
        401: "the server wants a key: set FINETUNE_SERVER_KEY",
        403: "the server does not accept the key in FINETUNE_SERVER_KEY",
        404: "the server has no such path or no such model: look at `/v1/models`, and mend the "
        "address or the model's name",
        422: "the server does not know a field of the request",
    }
    kind: Callable[[str], Exception] = UserError if code in remedies else Failed
    remedy = remedies.get(code, "the server refuses")
    return kind(f"{url}: HTTP {code}: {remedy}. It says: {words or 'nothing'}")
