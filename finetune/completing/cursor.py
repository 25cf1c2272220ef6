"""`FILE:LINE[:COL]` -> the text before and behind a cursor."""

import re
from dataclasses import dataclass
from pathlib import Path

from data_formats.source_code import decode_source
from finetune.errors import UserError

_CURSOR = re.compile(r"(?P<file>.+?):(?P<line>\d+)(?::(?P<column>\d+))?", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """A place between two characters of a file. Lines and columns count from 1, as editors do."""

    file: Path
    line: int
    column: int
    """Of the character behind the cursor, in code points."""
    prefix: str
    suffix: str

    @property
    def line_before(self) -> str:
        """What stands in its line before it."""
        return self.prefix.rpartition("\n")[2]

    @property
    def line_behind(self) -> str:
        """What stands in its line behind it."""
        return self.suffix.partition("\n")[0].removesuffix("\r")


def parse_cursor(where: str) -> Cursor:
    """The cursor at `FILE:LINE:COL`, or at the end of the line at `FILE:LINE`.

    Raises UserError where that is no place in a text file.
    """
    found = _CURSOR.fullmatch(where)
    if found is None:
        raise UserError(f"{where}: not FILE:LINE or FILE:LINE:COL; write for instance a.py:12:5")
    file = Path(found["file"])
    text = _read(file)
    lines = text.split("\n")
    line = int(found["line"])
    if not 1 <= line <= len(lines):
        raise UserError(f"{where}: {file} has lines 1 to {len(lines)}")
    end = len(lines[line - 1].removesuffix("\r")) + 1
    column = end if found["column"] is None else int(found["column"])
    if not 1 <= column <= end:
        raise UserError(f"{where}: line {line} of {file} has columns 1 to {end}, its end included")
    at = sum(len(one) + 1 for one in lines[: line - 1]) + column - 1
    return Cursor(file=file, line=line, column=column, prefix=text[:at], suffix=text[at:])


def _read(file: Path) -> str:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}; give a file of code") from error
    if b"\0" in content:
        raise UserError(f"{file}: a binary file; give a file of code")
    try:
        return decode_source(content)
    except UnicodeDecodeError:
        raise UserError(f"{file}: not UTF-8, as all training code is; convert it first") from None
