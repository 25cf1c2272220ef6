"""Chats: turns with roles, of which only the assistant's carry loss.

Whatever ends an assistant's turn is learned with it, else a model never learns to stop; what
opens the turn is given.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from data_formats.columns import resolve_columns, stated, stated_language
from data_formats.document import Document, Drop, Piece, Sentinel, Span, compose, pieces_of

Turn = tuple[str, str]
"""Role (system, user or assistant) and text."""

FIELDS = ("messages", "language", "licence")
"""What a column can be named for."""
SHAPES: tuple[dict[str, str], ...] = ({"messages": "messages"}, {"messages": "conversations"})

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
}
"""Of OpenAI and TRL (`role`), and of ShareGPT (`from`)."""

NOT_TURNS = "no list of turns with a role and a text each"
OTHER_ROLE = "a role other than system, user and assistant"
TOOL_CALL = "a turn that calls a tool"
NOT_TEXT = "a turn that holds more than text"
NO_TEXT = "a turn without text"
NO_WEIGHT = "a turn of the assistant that is not to be learned (weight 0)"
LATE_SYSTEM = "a system turn that is not the first"
OUT_OF_TURN = "turns that do not go from user to assistant and back"
NO_ANSWER = "no turn of the assistant"

LANGUAGE = "chat"
"""Of documents where no column states one."""

RULE = "\n\n-----"
"""Between what is said about the dialogue and the dialogue."""
HUMAN, NEXT_HUMAN, NEXT_ASSISTANT = "Human:", "\n\nHuman:", "\n\nAssistant:"
SYSTEM, USER, ASSISTANT, END = "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"

_Spoken = Iterator[tuple[Piece, bool]]
"""Pieces of a document, and of each text whether it is learned."""


def chat_columns(available: Sequence[str], named: Mapping[str, str], where: str) -> dict[str, str]:
    """Which column holds which of FIELDS; raises ValueError, beginning with `where`."""
    return resolve_columns(available, named, fields=FIELDS, shapes=SHAPES, where=where)


def chat_document(
    row: Mapping[str, Any],
    *,
    columns: Mapping[str, str],
    template: str,
    path: str,
    repo: str,
    licence: str | None = None,
    source: int = 0,
) -> Document | Drop:
    """A row's turns in one of TEMPLATES, or why there is none.

    `columns` are those of `chat_columns`. A licence in the row goes before `licence`.
    """
    value = {field: row.get(column) for field, column in columns.items()}
    turns = turns_of(value["messages"])
    if isinstance(turns, str):
        return Drop(path=path, repo=repo, reason=turns)
    spoken = list(TEMPLATES[template](turns))
    text, marks = compose(piece for piece, _ in spoken)
    return Document(
        text=text,
        path=path,
        repo=repo,
        language=stated_language(value) or LANGUAGE,
        licence=stated(value, "licence") or licence,
        source=source,
        marks=marks,
        bodies=(),
        learned=_learned(spoken),
    )


def turns_of(messages: Any) -> list[Turn] | str:
    """The turns of a list of messages, or why they are not used.

    Both `role`, `content` and `from`, `value` are understood. A system turn without text is none.
    User and assistant take turns, the user first; the last word may be either's.
    """
    if not isinstance(messages, list) or not messages:
        return NOT_TURNS
    turns: list[Turn] = []
    for message in messages:
        turn = _turn(message)
        if isinstance(turn, str):
            return turn
        turns.append(turn)
    is_system = turns[0][0] == "system"
    roles = [role for role, _ in turns[is_system:]]
    if is_system and not turns[0][1].strip():
        del turns[0]
    if not all(text.strip() for _, text in turns):
        return NO_TEXT
    if "system" in roles:
        return LATE_SYSTEM
    if roles != (["user", "assistant"] * len(roles))[: len(roles)]:
        return OUT_OF_TURN
    return turns if "assistant" in roles else NO_ANSWER


def _turn(message: Any) -> Turn | str:
    if not isinstance(message, dict):
        return NOT_TURNS
    role = message.get("role", message.get("from"))
    content = message.get("content", message.get("value"))
    if not isinstance(role, str):
        return NOT_TURNS
    if role not in ROLES:
        return OTHER_ROLE
    if message.get("tool_calls") or message.get("function_call"):
        return TOOL_CALL
    if ROLES[role] == "assistant" and message.get("weight") == 0:
        return NO_WEIGHT
    if isinstance(content, list):
        if not all(isinstance(part, dict) and part.get("type") == "text" for part in content):
            return NOT_TEXT
        texts = [part.get("text") or "" for part in content]
        if not all(isinstance(text, str) for text in texts):
            return NOT_TEXT
        content = "".join(texts)
    if content is None:
        content = ""
    return (ROLES[role], content) if isinstance(content, str) else NOT_TURNS


def _assistant(turns: Sequence[Turn]) -> _Spoken:
    """`Human: ...`, blank line, `Assistant: ...`, as in StarCoder's technical-assistant prompt.

    There a dialogue is read until the next `Human:`: between turns that is what ends an answer.
    """
    for number, (role, text) in enumerate(turns):
        if role == "system":
            yield text + RULE, False
            yield Sentinel(""), False
        elif role == "user":
            if number == 0:
                yield HUMAN, False
            elif turns[number - 1][0] == "system":
                yield NEXT_HUMAN, False
            yield f" {text}", False
        else:
            yield NEXT_ASSISTANT, False
            yield Sentinel(""), False
            yield f" {text}", True
            if number + 1 < len(turns):
                yield NEXT_HUMAN, True


def _chatml(turns: Sequence[Turn]) -> _Spoken:
    """StarChat's tokens, with its system turn even where that is empty; no line end is last."""
    opener = {"system": SYSTEM, "user": USER, "assistant": ASSISTANT}
    if turns[0][0] != "system":
        turns = [("system", ""), *turns]
    for number, (role, text) in enumerate(turns):
        if number:
            yield "\n", False
        yield Sentinel(opener[role]), False
        yield "\n", False
        if role == "assistant":
            yield Sentinel(""), False
        yield text, role == "assistant"
        yield Sentinel(END), False


TEMPLATES = {"assistant": _assistant, "chatml": _chatml}
"""Plain text for a base that knows no chat, or StarChat's four tokens, which must be added to it.

Sources: the prompt of bigcode/ta-prompt; `chat/dialogues.py` of bigcode-project/starcoder."""


def chat_turns(document: Document) -> list[Turn]:
    """The turns from which `chat_document` made a document."""
    if any(mark.token == ASSISTANT for mark in document.marks):
        return list(_chatml_turns(document))
    return list(_assistant_turns(document))


def _assistant_turns(document: Document) -> Iterator[Turn]:
    text, at = document.text, 0
    assert document.learned, "no chat"
    if document.marks[0].at < document.learned[0][0]:
        at = document.marks[0].at
        yield "system", text[: at - len(RULE)]
    at += len(NEXT_HUMAN if at else HUMAN)
    for start, end in document.learned:
        yield "user", text[at + 1 : start].removesuffix(NEXT_ASSISTANT)
        is_last = end == len(text)
        yield "assistant", text[start + 1 : end if is_last else end - len(NEXT_HUMAN)]
        at = end
    if at < len(text):
        yield "user", text[at + 1 :]


def _chatml_turns(document: Document) -> Iterator[Turn]:
    roles = {SYSTEM: "system", USER: "user", ASSISTANT: "assistant"}
    role, held = "", ""
    for piece in pieces_of(document):
        if isinstance(piece, str):
            held += piece
        elif piece.token != END:
            role, held = roles[piece.token], ""
        elif (role, held) != ("system", "\n"):
            yield role, held.removeprefix("\n")


def _learned(spoken: Sequence[tuple[Piece, bool]]) -> tuple[Span, ...]:
    """Where the learned texts lie, neighbours as one."""
    spans: list[Span] = []
    at = 0
    for piece, is_learned in spoken:
        if isinstance(piece, Sentinel):
            continue
        end = at + len(piece)
        if is_learned and spans and spans[-1][1] == at:
            spans[-1] = (spans[-1][0], end)
        elif is_learned:
            spans.append((at, end))
        at = end
    return tuple(spans)
