"""Who said what in an issue, and which of it people wrote."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from data_formats.email_replies import without_email

MAX_LINES, LAST_LINES = 100, 20
"""Lines of a message; of a longer one the last LAST_LINES stay, and of the first as many as fit."""

MOST_STATED = 100_000
"""Comments that an issue is believed to have; trackers stop long before."""

BOT = "message of a bot"
BOT_CALL = "comment that calls a bot"
NO_TEXT = "message without text"
EMAIL = "automatic part of an e-mail in a message"
LONG_MESSAGE = f"message of more than {MAX_LINES} lines, cut in its middle"
MISSING = "comment that the export does not hold"

# Logins, parts and endings of logins as StarCoder has them, but `bors`, `jenkins`, `k8s` and
# `travis` only as words of their own: there are people called Jenkins.
_BOT_LOGINS = (
    "apache-hbase|autorestci|claassistant|claassistantio|cmsbuild|codecov-commenter|codecov-io"
    "|coveralls|danger-public|dnfclas|karma-pr-reporter|msftclas|probot-stale|pydocteur|sparkqa"
)
_BOT = re.compile(
    rf"\A(?:{_BOT_LOGINS})\Z|\[bot\]|(?:\A|-)(?:bors|botmanager|jenkins|k8s|travis)(?:-|\Z)|-test-"
    r"|bot\Z|-(?:automaton|automation|benchmark|build|ci|cloud|deployer|linter|service-account"
    r"|teamcity|test|testing)\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Message:
    """The opening of an issue, or a comment."""

    author: str | None
    """Login; None where the account is gone or the tracker does not say."""
    is_bot: bool
    text: str
    at: str
    """Time in ISO 8601, empty where it is not known."""


def messages_in(
    value: Mapping[str, Any], given: Sequence[Mapping[str, Any]], lost: Counter[str]
) -> list[Message] | None:
    """The opening and the comments in order of time; None where they are something else.

    Comments are the issue's own list, or else those `given`.
    """
    listed = value["comments"]
    if not isinstance(listed, list):
        stated_number = min(listed, MOST_STATED) if isinstance(listed, int) else 0
        lost[MISSING] += max(0, stated_number - len(given))
        listed = list(given)
    messages = [_message(one) for one in (value, *listed)]
    read = [message for message in messages if message is not None]
    if len(read) < len(messages):
        return None
    first, *others = read
    if all(message.at for message in others):
        others.sort(key=lambda message: message.at)
    return [first, *others]


def _message(value: Any) -> Message | None:
    if not isinstance(value, Mapping):
        return None
    text, at = value.get("body", value.get("text")), value.get("created_at")
    user, is_bot = value.get("user", value.get("author")), False
    if isinstance(user, Mapping):
        is_bot = user.get("type") == "Bot"
        user = user.get("login")
    if not isinstance(text, str | None) or not isinstance(user, str | None):
        return None
    is_bot |= _BOT.search(user or "") is not None
    text = (text or "").replace("\r\n", "\n").strip()
    return Message(user, is_bot, text, at if isinstance(at, str) else "")


def _cleaned(message: Message, lost: Counter[str]) -> Message:
    """A person's message without the automatic parts of a mail and with MAX_LINES at most."""
    if message.is_bot:
        return message
    text = without_email(message.text)
    lost[EMAIL] += text != message.text
    lines = text.split("\n")
    if len(lines) > MAX_LINES:
        lost[LONG_MESSAGE] += 1
        lines = [*lines[: MAX_LINES - LAST_LINES], "[Truncated]", *lines[-LAST_LINES:]]
    return replace(message, text="\n".join(lines))


def said_by_people(messages: Sequence[Message], lost: Counter[str]) -> list[Message]:
    """What people said: no bots, no commands to the bot that answers next, no empty messages."""
    kept: list[Message] = []
    cleaned = [_cleaned(message, lost) for message in messages]
    for message, following in zip(cleaned, [*cleaned[1:], None], strict=True):
        is_call = following is not None and following.is_bot and _calls(message.text, following)
        if message.is_bot or (is_call and message is not cleaned[0]) or not message.text:
            lost[BOT if message.is_bot else BOT_CALL if message.text else NO_TEXT] += 1
        else:
            kept.append(message)
    return kept


def _calls(text: str, bot: Message) -> bool:
    """A command (`/retest`), or a word to the bot by its name without `[bot]`."""
    name = (bot.author or "").removesuffix("[bot]").lower()
    return text.startswith("/") or (name != "" and text.lower().startswith(f"@{name}"))
