"""JSON Lines, plain or compressed: one object per line, read without holding the file in memory.

A line that holds no object never ends the reading: its number is given with the reason.
"""

import json
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

Range = tuple[int, int | None, int]
"""Start, end (None: the last) and the number of the first row; units are those of the format."""
Found = tuple[int, dict[str, Any] | str]
"""A row's number and its values, or why there are none."""

LONGEST = 64 * 2**20
"""Bytes of a line, its end not counted."""
CHUNK = 1 << 20
"""Bytes read at once."""
COMPRESSED_CHUNK = 1 << 9
"""The same for compressed bytes: Zstandard's can stand for thirty thousand times as many."""
EXPANSION, ALWAYS_READ = 1000, 64 * 2**20
"""How many times its size a compressed file may hold, and the bytes that it may hold in any case.
Code is compressed to a tenth, copies of one line to a hundredth."""

NOT_UTF8 = "line that is not UTF-8"
NOT_JSON = "line that is not valid JSON"
NOT_OBJECT = "line that is JSON but not an object"
TOO_DEEP = "line of JSON that is nested too deeply"
TOO_LONG = f"line longer than {LONGEST >> 20} MB"
SURROGATE = "line with half of a surrogate pair, which is no character"
ENDS_EARLY = "compressed file ends early"
DAMAGED = "compressed file is damaged from here on"
EXPANDS = f"compressed file expands beyond {EXPANSION} times its size: cut off there"

PACKED = (".gz", ".zst")
"""Suffixes of compressed files."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
GZIP = re.compile(rb"\x1f\x8b")
ZSTANDARD = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")  # a frame, or one to skip
_SURROGATES = re.compile(rb"\\u[dD][89a-fA-F]")


def is_compressed(file: Path) -> bool:
    """Whether its name says so: such a file can be read from its beginning only."""
    return file.suffix in PACKED


def line_ranges(file: Path, part_bytes: int) -> Iterator[Range]:
    """Byte ranges of at least `part_bytes` between line starts; a compressed file is one range.

    A file of more than one range is read once, for the numbers of its lines.
    """
    start, first = 0, 1
    size = 0 if is_compressed(file) else file.stat().st_size
    with file.open("rb") as stream:
        while size - start > part_bytes:
            end, num_lines = _whole_lines(stream, start, part_bytes)
            if end >= size:
                break
            yield start, end, first
            start, first = end, first + num_lines
    yield start, None, first


def _whole_lines(stream: BinaryIO, start: int, least: int) -> tuple[int, int]:
    """Where the line of byte `start + least - 1` ends, and how many lines end until then."""
    at, num_lines = stream.seek(start), 0
    while chunk := stream.read(CHUNK):
        newline = chunk.find(b"\n", max(0, start + least - 1 - at))
        if newline >= 0:
            return at + newline + 1, num_lines + chunk.count(b"\n", 0, newline + 1)
        num_lines += chunk.count(b"\n")
        at += len(chunk)
    return at, num_lines


def read_lines(file: Path, start: int, end: int | None, first: int) -> Iterator[Found]:
    """The rows of one range; blank lines hold none.

    Raises OSError where the file cannot be read and ValueError where it is not compressed as its
    name says.
    """
    if file.suffix == ".gz":
        chunks = _decompressed(file, GZIP, lambda: zlib.decompressobj(wbits=31))
    elif file.suffix == ".zst":
        chunks = _decompressed(file, ZSTANDARD, _zstandard)
    else:
        chunks = _plain(file, start, end)
    for number, line in _lines(chunks, first):
        if isinstance(line, str):
            yield number, line
            continue
        line = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
        if line.strip():
            yield number, _parsed(line)


def _plain(file: Path, start: int, end: int | None) -> Iterator[bytes]:
    with file.open("rb") as stream:
        stream.seek(start)
        while chunk := stream.read(CHUNK if end is None else min(CHUNK, end - stream.tell())):
            yield chunk


def _zstandard() -> Any:
    from zstandard import ZstdDecompressor

    return ZstdDecompressor().decompressobj()


def _decompressed(file: Path, magic: re.Pattern[bytes], new: Callable[[], Any]) -> Iterator[Any]:
    """The content of a file of one or more members; where it breaks off, the reason comes last.

    Zeros behind a member are padding, as gzip allows.
    """
    from zstandard import ZstdError

    decompressor, is_first, num_bytes = new(), True, 0
    with file.open("rb") as stream:
        most = max(ALWAYS_READ, EXPANSION * os.fstat(stream.fileno()).st_size)
        while chunk := stream.read(COMPRESSED_CHUNK):
            if is_first and len(chunk) >= 4 and not magic.match(chunk):
                raise ValueError(
                    f"{file}: is not compressed as `{file.suffix}`; name it after what it is"
                )
            is_first = False
            try:
                while chunk := chunk.lstrip(b"\0") if decompressor.eof else chunk:
                    if decompressor.eof:
                        decompressor = new()
                    content = decompressor.decompress(chunk)
                    yield from (content[at : at + CHUNK] for at in range(0, len(content), CHUNK))
                    chunk, num_bytes = decompressor.unused_data, num_bytes + len(content)
            except (zlib.error, ZstdError):
                yield DAMAGED
                return
            if num_bytes > most:
                yield EXPANDS
                return
    if not decompressor.eof:
        yield ENDS_EARLY


def _lines(chunks: Iterable[bytes | str], first: int) -> Iterator[tuple[int, bytes | str]]:
    """Numbered lines without their ends; a reason among the chunks takes the place of a line."""
    held: list[bytes] = []
    number, size = first, 0
    for chunk in chunks:
        if isinstance(chunk, str):
            yield number, chunk
            return
        *ended, rest = chunk.split(b"\n")
        for line in ended:
            size += len(line)
            whole = b"".join([*held, line]) if held else line
            yield number, TOO_LONG if size > LONGEST else whole
            number, held, size = number + 1, [], 0
        size += len(rest)
        if rest and size <= LONGEST:
            held.append(rest)
    if size:
        yield number, TOO_LONG if size > LONGEST else b"".join(held)


def _parsed(line: bytes) -> dict[str, Any] | str:
    try:
        value = json.loads(line.decode("utf-8"))
        if _SURROGATES.search(line):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError:
        return NOT_UTF8
    except UnicodeEncodeError:
        return SURROGATE
    except ValueError:
        return NOT_JSON
    except RecursionError:
        return TOO_DEEP
    return value if isinstance(value, dict) else NOT_OBJECT
