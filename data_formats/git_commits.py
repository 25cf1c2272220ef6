"""Commits: what a file was, the subject, what it became. An edit, or a table's row -> Document.

`<commit_before>old<commit_msg>subject<commit_after>new` is StarCoder's layout (arXiv:2305.06161):
a fifth of the commits with whole files, the others with the lines that changed and a margin.
OctoPack (arXiv:2308.07124) asks for the same change as an instruction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from data_formats.columns import LONGEST_NAME, check_columns, resolve_columns, stated
from data_formats.document import Document, Drop, Mark, Sentinel, Span, compose
from data_formats.git import size_reason
from data_formats.git_objects import subject_of
from data_formats.source_code import LANGUAGE_OF_TAG, LANGUAGES, decode_source, language_of

LAYOUT = ("<commit_before>", "<commit_msg>", "<commit_after>")
WHOLE = 0.2
"""Share of edits that are shown with the whole file."""
MARGIN = 32
"""Lines that are shown at most above the first changed line, and below the last one."""

# Reasons that are told of a history and of a table alike.
NO_SUBJECT = "empty commit message"
NO_LANGUAGE = "no known language"
LONG_NAME = f"commit or path of more than {LONGEST_NAME} characters"
NOTHING_BEFORE = "nothing stands in the file before the commit"
NOTHING_AFTER = "nothing stands in the file after the commit"

_BINARY_WINDOW = 8192
_TEXT_COLUMNS = ("commit", "repos", "new_file", "old_contents", "new_contents")
FIELDS = (*_TEXT_COLUMNS, "subject", "message", "license", "lang")
"""What a column can be named for; where none is, it has the name that CommitPack gives it."""


@dataclass(frozen=True, kw_only=True)
class Edit:
    """What one commit did to one file: whole texts, newlines untouched."""

    before: str
    message: str
    """The commit's subject. Bodies are not used: they end in trailers that name people."""
    after: str
    path: str
    """After the commit, where it also renames."""
    repo: str
    language: str
    commit: str
    """Full id."""
    licence: str | None = None
    source: int = 0


def commit_document(edit: Edit) -> Document:
    """The edit in StarCoder's layout, whole or cut to its lines and a margin.

    Drawn from commit and path alone, so that order and number of processes change nothing.
    Nothing in it is for fill-in-the-middle.
    """
    whole, above, below = _draws(edit)
    before, after = edit.before, edit.after
    if not whole:
        before, after = changed_lines(before, after, above=above, below=below)
    opening, subject, closing = map(Sentinel, LAYOUT)
    text, marks = compose([opening, before, subject, edit.message, closing, after])
    return _document(edit, text, marks)


def commit_parts(document: Document) -> tuple[str, str, str]:
    """Before, message and after of a `commit_document`. Raises ValueError where it is none."""
    if tuple(mark.token for mark in document.marks) != LAYOUT:
        raise ValueError(
            f"{document.repo}: {document.path}: not in the layout {' '.join(LAYOUT)}; give what "
            "`commit_document` made"
        )
    _, second, third = (mark.at for mark in document.marks)
    return document.text[:second], document.text[second:third], document.text[third:]


def commit_instruction(edit: Edit) -> Document:
    """The edit as OctoPack puts it: subject and old file ask, the whole new file answers.

    Loss is on the answer, which is tokenised by itself, as it is when a model is asked: the prompt
    then ends in `Answer:`, and the space is the first thing a model writes.
    """
    question = f"Question: {edit.message}\n{edit.before}\n\nAnswer:"
    text = f"{question} {edit.after}"
    answer = (len(question), len(text))
    return _document(edit, text, (Mark(len(question), ""),), learned=(answer,))


def _document(
    edit: Edit, text: str, marks: tuple[Mark, ...], learned: tuple[Span, ...] | None = None
) -> Document:
    return Document(
        text=text,
        path=edit.path,
        repo=edit.repo,
        language=edit.language,
        licence=edit.licence,
        source=edit.source,
        revision=edit.commit,
        marks=marks,
        bodies=(),
        learned=learned,
    )


def _draws(edit: Edit) -> tuple[bool, int, int]:
    """Whether the whole file is shown; the lines of margin above and below where it is not."""
    digest = blake2b(f"{edit.commit}\0{edit.path}".encode(), digest_size=24).digest()
    whole, above, below = (int.from_bytes(digest[at : at + 8], "big") for at in (0, 8, 16))
    return whole < WHOLE * 2**64, above % (MARGIN + 1), below % (MARGIN + 1)


def changed_lines(before: str, after: str, *, above: int, below: int) -> tuple[str, str]:
    """Both texts from the first changed line to the last, and that many unchanged lines around.

    Lines end in `\\n` and keep their ends. bigcode-dataset means the same, but takes the smaller
    of 0 and the first changed line: its windows all begin at the top of the file.
    """
    old, new = _lines(before), _lines(after)
    shorter = min(len(old), len(new))
    head = next((at for at in range(shorter) if old[at] != new[at]), shorter)
    left = shorter - head
    tail = next((at for at in range(left) if old[-1 - at] != new[-1 - at]), left)
    start, end = max(0, head - above), below - tail
    return "".join(old[start : len(old) + end]), "".join(new[start : len(new) + end])


def _lines(text: str) -> list[str]:
    *ended, last = text.split("\n")
    return [f"{line}\n" for line in ended] + ([last] if last else [])


def content_reason(before: bytes, after: bytes) -> str | None:
    """Why two contents of a file are no edit of a text, or None."""
    if not before:
        return NOTHING_BEFORE
    if not after:
        return NOTHING_AFTER
    for content in (before, after):
        if b"\0" in content[:_BINARY_WINDOW]:
            return "binary: NUL byte in the first 8 KB"
        try:
            decode_source(content)
        except UnicodeDecodeError:
            return "not UTF-8"
    return "content does not change" if before == after else None


def commit_columns(
    available: Sequence[str], named: Mapping[str, str], where: str
) -> dict[str, str]:
    """Which column holds which of FIELDS; raises ValueError, beginning with `where`."""
    columns = resolve_columns(available, named, fields=FIELDS, shapes=({},), where=where)
    columns = {field: columns.get(field, field) for field in FIELDS}
    is_short = columns["subject"] in available or columns["message"] not in available
    needed = (*_TEXT_COLUMNS, "subject" if is_short else "message")
    check_columns(available, {field: columns[field] for field in needed}, where)
    return {field: column for field, column in columns.items() if column in available}


def commit_row_document(
    row: Mapping[str, Any],
    *,
    source: int = 0,
    max_bytes: int = 1_000_000,
    write: Callable[[Edit], Document] = commit_document,
) -> Document | Drop:
    """A row of a table with CommitPack's columns, as the same change in a history would be read.

    Columns: commit, repos (where it is a list with commas, the first), new_file, old_contents,
    new_contents, subject or else message; license and lang where they are there. A drop's path is
    `commit:new_file`. Raises ValueError where a column is missing.
    """
    subject = "subject" if "subject" in row else "message"
    for column in (*_TEXT_COLUMNS, subject):
        if column not in row:
            raise ValueError(
                f"table of commits: no column `{column}`; there are {', '.join(sorted(row))}; "
                "rename the one that holds it"
            )
    repo = (stated(row, "repos") or "").partition(",")[0]
    language = _row_language(row)
    reason = _row_reason(row, subject, max_bytes)
    if reason is not None or language is None:
        path = f"{stated(row, 'commit')}:{stated(row, 'new_file')}"
        return Drop(path=path, repo=repo, reason=reason or NO_LANGUAGE)
    return write(
        Edit(
            before=row["old_contents"],
            message=subject_of(row[subject]),
            after=row["new_contents"],
            path=row["new_file"],
            repo=repo,
            language=language,
            commit=row["commit"],
            licence=stated(row, "license"),
            source=source,
        )
    )


def _row_reason(row: Mapping[str, Any], subject: str, max_bytes: int) -> str | None:
    """Why a row is not used, its language aside."""
    if not all(isinstance(row[column], str) for column in (*_TEXT_COLUMNS, subject)):
        return "a column of the row holds no text"
    if max(len(row["commit"]), len(row["new_file"])) > LONGEST_NAME:
        return LONG_NAME
    if not subject_of(row[subject]):
        return NO_SUBJECT
    contents = [row[name].encode(errors="surrogatepass") for name in _TEXT_COLUMNS[-2:]]
    return size_reason(max(map(len, contents)), max_bytes) or content_reason(*contents)


def _row_language(row: Mapping[str, Any]) -> str | None:
    """By the file's name, helped by the table's own word for the language."""
    given = (stated(row, "lang") or "").lower()
    given = LANGUAGE_OF_TAG.get(given, given)
    named = language_of(stated(row, "new_file") or "", given)
    return named or (given if given in LANGUAGES else None)
