"""What went wrong at the Hub, as one sentence that says what to do about it."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from huggingface_hub import errors, get_token
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from finetune.errors import Failed, UserError

# Of httpx or httpx2, as the client's version has it: answers, and connections that gave none.
HTTPError: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]
HUB_ERRORS = (HTTPError, OSError, RuntimeError, ValueError, KeyError)
"""What the client raises: answers and cut connections, files, threads and Xet, odd content."""
PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses that may be gone at the next try."""
_ANY_TOKEN = re.compile(r"\bhf_\w{8,}")
_QUERY = re.compile(r"(https?://[^\s?'\"]+)\?[^\s'\"]+")  # signed addresses open what they name


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def answer_of(error: BaseException) -> HfHubHTTPError | None:
    """The Hub's own answer behind an error, however deep the client has wrapped it."""
    return next((one for one in _chain(error) if isinstance(one, HfHubHTTPError)), None)


def is_offline(error: BaseException) -> bool:
    """Whether HF_HUB_OFFLINE forbade the call."""
    return any(isinstance(one, OfflineModeIsEnabled) for one in _chain(error))


def is_cut(error: BaseException) -> bool:
    """Whether there was no answer at all: no connection, or one that ended early."""
    found = any(isinstance(one, HTTPError) for one in _chain(error))
    return found and answer_of(error) is None and not is_offline(error)


def is_passing(error: BaseException) -> bool:
    """Whether it is worth trying again."""
    answer = answer_of(error)
    return is_cut(error) if answer is None else answer.response.status_code in PASSING


def wait_asked(error: BaseException) -> float | None:
    """Seconds that the Hub asks to wait (Retry-After, in seconds or as a date)."""
    answer = answer_of(error)
    value = answer.response.headers.get("Retry-After", "") if answer else ""
    if value.strip().isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (date.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def shown(text: object) -> str:
    """The first line of a text, without tokens and without what signs an address."""
    words = str(text)
    token = get_token()
    if token:
        words = words.replace(token, "<token>")
    words = _QUERY.sub(r"\1?...", _ANY_TOKEN.sub("<token>", words))
    return next((line.strip() for line in words.splitlines() if line.strip()), "")


def explained(error: BaseException, doing: str, repo: str, state: str) -> UserError | Failed:
    """The message for an error while `doing` something with `repo`; `state` says how things are."""
    kind, reason, remedy = _diagnosis(error, repo)
    return kind(f"{repo}: {doing}: {reason}. {state} {remedy}".strip())


def _diagnosis(error: BaseException, repo: str) -> tuple[type[UserError | Failed], str, str]:
    """Whose fault, what, and what to do."""
    answer = answer_of(error)
    if is_offline(error):
        return UserError, "HF_HUB_OFFLINE forbids it", "Unset it where there is a network."
    if answer is not None:
        return _of_answer(answer, repo)
    if is_cut(error):
        reason = f"the connection to the Hub failed or was cut ({shown(_first_cut(error))})"
        return Failed, reason, f"Look at the network and HF_ENDPOINT, then try again.{_KEPT}"
    return Failed, f"{shown(error) or type(error).__name__}", f"Try again.{_KEPT}"


_KEPT = " What has arrived whole is not sent again."


def _first_cut(error: BaseException) -> BaseException:
    return next(one for one in _chain(error) if isinstance(one, HTTPError))


def _of_answer(answer: HfHubHTTPError, repo: str) -> tuple[type[UserError | Failed], str, str]:
    status, owner = answer.response.status_code, repo.partition("/")[0]
    said = shown(answer.response.headers.get("X-Error-Message") or answer.server_message or "")
    reason = f"the Hub answers {status}" + (f" ({said})" if said else "")
    if isinstance(answer, GatedRepoError):
        where = f"{_site(answer)}/{repo}"
        return UserError, f"{reason}: it is gated", f"{_GATED.format(where=where)} {_LOG_IN}"
    if isinstance(answer, RevisionNotFoundError):
        return UserError, f"{reason}: it has no such branch, tag or commit", "Mend its name."
    if status == 401 or (isinstance(answer, RepositoryNotFoundError) and get_token() is None):
        return UserError, reason, f"{_LOG_IN} {_SPELLING}"
    if status == 403:
        return UserError, reason, f"Use a token that may write to {owner}: {_TOKENS}."
    if status == 404:
        return UserError, reason, f"{_SPELLING} A private one needs a token that may read it."
    return Failed, reason, _REMEDIES.get(status, _TROUBLE if status >= 500 else _REFUSED)


def _site(answer: HfHubHTTPError) -> str:
    url = answer.response.request.url
    return f"{url.scheme}://{url.netloc.decode()}"


_TOKENS = "https://huggingface.co/settings/tokens"
_LOG_IN = f"Set HF_TOKEN to a token ({_TOKENS}), or run `hf auth login`."
_GATED = "Accept its conditions at {where} with the account of your token."
_SPELLING = "Look at the spelling of the name."
_TROUBLE = f"The Hub is in trouble: try again later.{_KEPT}"
_REFUSED = "It does not take what was sent; the release and its card are to be mended."
_REMEDIES = {
    409: "Something of that name is there, or another operation runs: try again in a minute.",
    412: "Somebody else pushed meanwhile: look at `finetune push --dry-run`, then push again.",
    429: f"Too many requests: wait some minutes, then try again.{_KEPT}",
    408: f"It took too long: try again.{_KEPT}",
}
