"""Issues of GitHub, or of another tracker with the same facts -> Document.

`<issue_start>Title: title\\nusername_0: body<issue_comment>username_1: comment...<issue_closed>`:
the layout of StarCoder and StarCoder2, as the latter's paper writes it out (arXiv:2402.19173, 5.3).
The filters are StarCoder's (arXiv:2305.06161, section 3.3 and appendix A; bigcode-dataset,
`preprocessing/filtering_issues.py`), except that issues in other languages than English stay.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from data_formats.characters import character_reason
from data_formats.columns import check_columns, resolve_columns, stated
from data_formats.document import Document, Drop, Piece, Sentinel, compose, pieces_of
from data_formats.issue_messages import Message, messages_in, said_by_people

FIELDS = (
    "title",
    "body",
    "state",
    "number",
    "user",
    "comments",
    "created_at",
    "closed_at",
    "pull_request",
    "repository_url",
    "licence",
)
"""What a column can be named for; where none is, it has the name that the REST API gives it."""
LANGUAGE = "issue"

MIN_CHARACTERS = 200
"""Of all messages together."""
MAX_ALONE = 7000
"""Characters of all messages where only one user speaks."""
MAX_MESSAGES_ALONE = 10

PULL_REQUEST = "pull request"
NOT_ISSUE = "no issue: its title, body or comments are not what the API gives"
NO_TITLE = "issue without a title"
NO_NUMBER = "issue without a number"
NOBODY = "issue in which no person says anything"
TOO_SHORT = f"issue of fewer than {MIN_CHARACTERS} characters"
LONG_ALONE = f"issue of one user with more than {MAX_ALONE} characters"
MANY_ALONE = f"issue of one user with more than {MAX_MESSAGES_ALONE} messages"

NO_ISSUE = "comment that names no issue"

START, COMMENT = Sentinel("<issue_start>"), Sentinel("<issue_comment>")
CLOSED = Sentinel("<issue_closed>")

LONGEST_NUMBER, LONGEST_LOGIN = 64, 128
"""Characters; what is longer is none, or is not looked for where somebody is mentioned."""

_TURN = re.compile(r"username_(\d+): (.*)", re.DOTALL)
_CODE_OR_MENTION = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|(?<![\w@])@", re.DOTALL)
_GOES_ON = re.compile(r"-?\w|/\w")


def issue_columns(available: Sequence[str], named: Mapping[str, str], where: str) -> dict[str, str]:
    """Which column holds which of FIELDS; raises ValueError, beginning with `where`."""
    columns = resolve_columns(available, named, fields=FIELDS, shapes=({},), where=where)
    needed = {field: columns.get(field, field) for field in ("title", "body", "number")}
    missing = [field for field, column in needed.items() if column not in available]
    try:
        check_columns(available, needed, where)
    except ValueError as error:
        example = ", ".join(f"{field}: ..." for field in missing)
        raise ValueError(f"{error}; name them with `columns: {{{example}}}`") from error
    return columns


def comments_by_issue(
    rows: Iterable[Mapping[str, Any]], left_out: Counter[str] | None = None
) -> dict[str, list[Mapping[str, Any]]]:
    """The rows of a repository's list of comments, by the `url` of their issue (`issue_url`)."""
    found: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        if isinstance(row.get("issue_url"), str):
            found[row["issue_url"]].append(row)
        elif left_out is not None:
            left_out[NO_ISSUE] += 1
    return dict(found)


def issue_document(
    row: Mapping[str, Any],
    *,
    repo: str,
    columns: Mapping[str, str] = {},
    comments: Mapping[str, Sequence[Mapping[str, Any]]] = {},
    licence: str | None = None,
    source: int = 0,
    left_out: Counter[str] | None = None,
) -> Document | Drop:
    """An issue and its comments as one conversation at `issues/<number>`, or why there is none.

    `columns` are those of `issue_columns`. Comments are the row's own list, or else those that
    `comments` (of `comments_by_issue`) has for its `url`. A comment is one of the REST API, or has
    `author` and `text`. The row's repository and licence go before `repo` and `licence`.

    Users are `username_0`, `username_1`, ... by order of appearance, where they speak and where
    they are mentioned as `@login` outside code; their names in running text stay, as do mentions
    of others. Bots, the comments that call them and the automatic parts of e-mails are taken out.
    `<issue_closed>` stands where the times say that it was closed, else at the end.

    What a document lacks of its issue is counted in `left_out`. Nothing in it is for
    fill-in-the-middle.
    """
    value = {field: row.get(columns.get(field, field)) for field in FIELDS}
    value["number"], url = _number(value["number"]), row.get("url")
    path = f"issues/{value['number']}"
    repo = (stated(value, "repository_url") or "").rpartition("/repos/")[2] or repo
    lost: Counter[str] = Counter()
    given = comments.get(url, ()) if isinstance(url, str) else ()
    pieces = _pieces(value, given, lost)
    text, marks = ("", ()) if isinstance(pieces, str) else compose(pieces)
    reason = pieces if isinstance(pieces, str) else character_reason(text)
    if reason is not None:
        return Drop(path=path, repo=repo, reason=reason)
    if left_out is not None:
        left_out.update(+lost)
    return Document(
        text=text,
        path=path,
        repo=repo,
        language=LANGUAGE,
        licence=stated(value, "licence") or licence,
        source=source,
        marks=marks,
        bodies=(),
    )


def issue_turns(document: Document) -> tuple[str, list[tuple[str, str]], bool]:
    """Title, (`username_N`, text) in turn, and whether it was closed.

    Raises ValueError where the document is no issue.
    """
    turns: list[str] = []
    for piece in pieces_of(document):
        if isinstance(piece, Sentinel):
            turns += [""] if piece in (START, COMMENT) else []
        elif turns:
            turns[-1] += piece
    opening, *others = turns or [""]
    title, _, first = opening.removeprefix("Title: ").partition("\n")
    found = [_TURN.fullmatch(turn) for turn in (first, *others)]
    if not opening.startswith("Title: ") or not all(found):
        raise ValueError(
            f"{document.repo}: {document.path}: not in the layout of an issue; give what "
            "`issue_document` made"
        )
    spoken = [(f"username_{one[1]}", one[2]) for one in found if one]
    return title, spoken, any(mark.token == CLOSED.token for mark in document.marks)


def _pieces(
    value: Mapping[str, Any], given: Sequence[Mapping[str, Any]], lost: Counter[str]
) -> list[Piece] | str:
    """The pieces of a document, or why there are none."""
    if value["pull_request"]:
        return PULL_REQUEST
    if value["number"] is None:
        return NO_NUMBER
    title = value["title"]
    messages = messages_in(value, given, lost)
    if messages is None or not isinstance(title, str | None):
        return NOT_ISSUE
    title = " ".join((title or "").split())
    if not title:
        return NO_TITLE
    messages = said_by_people(messages, lost)
    reason = _reason(messages)
    if reason is not None:
        return reason
    authors = dict.fromkeys(message.author for message in messages)
    users = {author: number for number, author in enumerate(authors)}
    mask = _masking(users)
    turns = [f"username_{users[message.author]}: {mask(message.text)}" for message in messages]
    pieces: list[Piece] = [START, f"Title: {mask(title)}\n{turns[0]}"]
    pieces += [piece for turn in turns[1:] for piece in (COMMENT, turn)]
    if isinstance(value["state"], str) and value["state"].lower() == "closed":
        pieces.insert(2 * _num_open(messages, value["closed_at"]), CLOSED)
    return pieces


def _number(value: Any) -> str | None:
    """What an issue is called in its repository."""
    number = str(value) if isinstance(value, str | int | float) else ""
    return number if 0 < len(number) <= LONGEST_NUMBER else None


def _reason(messages: Sequence[Message]) -> str | None:
    """Why a conversation is not used, or None."""
    num_characters = sum(len(message.text) for message in messages)
    if not messages:
        return NOBODY
    if num_characters < MIN_CHARACTERS:
        return TOO_SHORT
    if len({message.author for message in messages}) > 1:
        return None
    if num_characters > MAX_ALONE:
        return LONG_ALONE
    return MANY_ALONE if len(messages) > MAX_MESSAGES_ALONE else None


def _num_open(messages: Sequence[Message], closed_at: Any) -> int:
    """Number of messages until the issue was closed; all of them where a time is not known."""
    for number, message in enumerate(messages[1:], 1):
        if isinstance(closed_at, str) and message.at > closed_at:
            return number
    return len(messages)


def _masking(users: Mapping[str | None, int]) -> Callable[[str], str]:
    """A function that writes `@username_N` for `@login`, in any case, outside Markdown's code."""
    number_of = {user.lower(): number for user, number in users.items() if user}
    lengths = {len(user) for user in number_of if len(user) <= LONGEST_LOGIN}
    longest_first = sorted(lengths, reverse=True)

    def login_at(text: str, start: int) -> tuple[int, int] | None:
        """Where a login ends that begins here, and whose it is."""
        for end in (start + length for length in longest_first):
            number = number_of.get(text[start:end].lower())
            if number is not None and not _GOES_ON.match(text, end):
                return end, number
        return None

    def masked(text: str) -> str:
        pieces, at = [], 0
        for found in _CODE_OR_MENTION.finditer(text):
            login = login_at(text, found.end()) if found[0] == "@" else None
            if login and found.start() >= at:
                pieces += [text[at : found.end()], f"username_{login[1]}"]
                at = login[0]
        return "".join([*pieces, text[at:]])

    return masked
