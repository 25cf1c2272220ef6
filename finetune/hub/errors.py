"""What went wrong at the Hub, as one sentence that says what to do about it."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from huggingface_hub import errors, get_token
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
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


def may_have_happened(error: BaseException) -> bool:
    """Whether the call may have been done although it failed here."""
    answer = answer_of(error)
    return answer is None or answer.response.status_code >= 500


def shown(text: object) -> str:
    """The first line of a text, without tokens and without what signs an address."""
    words = without_signatures(str(text))
    return next((line.strip() for line in words.splitlines() if line.strip()), "")


def without_signatures(text: str) -> str:
    """`text` without tokens and without the queries of addresses."""
    token = get_token()
    if token:
        text = text.replace(token, "<token>")
    return _QUERY.sub(r"\1?...", _ANY_TOKEN.sub("<token>", text))


def explained(
    error: BaseException, doing: str, repo: str, state: str, access: Literal["read", "write"]
) -> UserError | Failed:
    """The message for an error while `doing` something with `repo`; `state` says how things are."""
    kind, remedy = _diagnosis(error, repo, access)
    return kind(" ".join(f"{repo}: {doing}: {reason_of(error)}. {state} {remedy}".split()))


def reason_of(error: BaseException) -> str:
    """What happened, in a few words."""
    answer = answer_of(error)
    if is_offline(error):
        return "HF_HUB_OFFLINE forbids it"
    if answer is not None:
        said = shown(answer.response.headers.get("X-Error-Message") or answer.server_message or "")
        return f"the Hub answers {answer.response.status_code}" + (f" ({said})" if said else "")
    if is_cut(error):
        first = next(one for one in _chain(error) if isinstance(one, HTTPError))
        name = type(first).__name__
        return f"the connection to the Hub failed or was cut ({shown(first) or name})"
    if isinstance(error, KeyError):
        return f"the Hub's answer lacks {shown(error)}"
    return shown(error) or type(error).__name__


def _diagnosis(
    error: BaseException, repo: str, access: Literal["read", "write"]
) -> tuple[type[UserError | Failed], str]:
    """Whose fault it is, and what to do."""
    answer = answer_of(error)
    if is_offline(error):
        return UserError, "Unset it where there is a network."
    if answer is not None:
        return _of_answer(answer, repo, access)
    if is_cut(error):
        return Failed, f"Look at the network and HF_ENDPOINT, then try again. {_KEPT}"
    return Failed, f"Try again. {_KEPT}"


def _of_answer(
    answer: HfHubHTTPError, repo: str, access: Literal["read", "write"]
) -> tuple[type[UserError | Failed], str]:
    status = answer.response.status_code
    if isinstance(answer, GatedRepoError):
        return UserError, f"It is gated: accept its conditions at {_site(answer)}/{repo}. {_LOG_IN}"
    if isinstance(answer, RevisionNotFoundError):
        return UserError, "It has no such branch, tag or commit: mend the name."
    if status == 401:
        return UserError, f"{_LOG_IN} {_SPELLING}"
    if status == 403:
        return (
            UserError,
            f"Use a token that may {access}{' to' * (access == 'write')} {repo} ({_TOKENS}).",
        )
    if status == 404:
        return UserError, f"{_SPELLING} A private one needs a token that may {access} it."
    return Failed, _REMEDIES.get(status, _TROUBLE if status >= 500 else _REFUSED)


def _site(answer: HfHubHTTPError) -> str:
    url = answer.response.request.url
    return f"{url.scheme}://{url.netloc.decode()}"


_KEPT = "What has arrived whole is not sent again."
_TOKENS = "https://huggingface.co/settings/tokens"
_LOG_IN = (
    f"Set HF_TOKEN to a token of your account ({_TOKENS}), or run `hf auth login`, or mend the one "
    "that is set."
)
_SPELLING = "Look at the spelling of the name, too."
_TROUBLE = f"The Hub is in trouble: try again later. {_KEPT}"
_REFUSED = "It does not take what was sent."
_REMEDIES = {
    408: f"It took too long: try again. {_KEPT}",
    409: "Something of that name is there, or another operation runs: try again in a minute.",
    412: "Somebody else pushed meanwhile: look at `finetune push --dry-run`, then push again.",
    429: f"Too many requests: wait some minutes, then try again. {_KEPT}",
}
